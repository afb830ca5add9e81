/**
 * `kill`, for the command and for the shell's builtin, which knows `%job`.
 *
 * @module
 */
import { complain, complainText, out, outByte, outLine, usage } from "./output.ts";
import { signalName, signalNumber } from "./signals.ts";
import { at, equal, isNumber, parseNumber } from "./string.ts";
import { kill, SIGTERM } from "./system.ts";

const LAST_NAMED: u32 = 31;

/** Runs kill with its arguments; `groupOfJob` turns `%…` into a pid, 0 if there is no such job. */
export function killCommand(argc: i32, argv: usize, groupOfJob: (name: usize) => i32): i32 {
  let index = 1;
  let signal: i32 = SIGTERM;
  if (argc > 1) {
    const first = load<usize>(argv, 4);
    if (equal(first, c`-l`)) return list();
    if (equal(first, c`--`)) {
      index = 2;
    } else if (at(first) === 0x2d) {
      let name = first + 1;
      index = 2;
      if (equal(first, c`-s`) && argc > 2) {
        name = load<usize>(argv, 8);
        index = 3;
      }
      signal = signalNumber(name);
      if (signal < 0) return complainText(c`kill`, c`unknown signal; kill -l lists them`);
    }
  }
  if (index >= argc) return usage(c`kill [-s signal | -signal] pid... | kill -l`);
  let status = 0;
  for (; index < argc; index++) {
    const target = load<usize>(argv + (index << 2));
    let pid = 0;
    if (at(target) === 0x25) {
      pid = groupOfJob(target);
      if (pid === 0) {
        status = complainText(c`kill`, c`no such job`);
        continue;
      }
    } else if (isNumber(target)) {
      pid = parseNumber(target);
    } else {
      status = complainText(c`kill`, c`a pid is a number`);
      continue;
    }
    const error = kill(pid, signal);
    if (error < 0) status = complain(c`kill`, target, error);
  }
  return status;
}

function list(): i32 {
  for (let signal: u32 = 1; signal <= LAST_NAMED; signal++) {
    out(signalName(signal));
    if (signal % 8 === 0) outLine();
    else outByte(0x20);
  }
  outLine();
  return 0;
}
