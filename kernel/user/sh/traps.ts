/**
 * `trap`: commands that run when a signal came or the shell ends. The handler (note_signal, start.s) only marks
 * the signal; its command runs between two commands.
 *
 * @module
 */
import { release } from "../lib/memory.ts";
import { out, outLine } from "../lib/output.ts";
import { signalName, SIGNALS } from "../lib/signals.ts";
import { duplicate, length } from "../lib/string.ts";
import { setSignal, SIG_DFL, SIG_IGN } from "../lib/system.ts";
import { note_signal, signals_noted } from "../lib/sym.ts";
import { runText } from "./execute.ts";
import { lastStatus, setLastStatus } from "./variables.ts";

/** Commands by signal; 0 is the shell's end. */
const COMMANDS = memory.data(65 * 4, 4);
let running: bool = false;

/** Sets (or with 0 resets, with an empty text ignores) what a signal does. */
export function setTrap(signal: u32, command: usize): void {
  const slot = COMMANDS + (signal << 2);
  release(load<usize>(slot));
  store<usize>(slot, command === 0 ? 0 : duplicate(command));
  if (signal === 0) return;
  if (command === 0) setSignal(signal, SIG_DFL);
  else if (load<u8>(command) === 0) setSignal(signal, SIG_IGN);
  else setSignal(signal, note_signal(), 0);
}

/** Whether a command waits for the signal. */
export function hasTrap(signal: u32): bool {
  return load<usize>(COMMANDS + (signal << 2)) !== 0;
}

/** Runs the commands of signals that came. */
export function runPendingTraps(): void {
  if (running) return;
  for (let signal: u32 = 1; signal < SIGNALS; signal++) {
    if (load<u8>(signals_noted() + signal) === 0) continue;
    const command = load<usize>(COMMANDS + (signal << 2));
    if (command === 0) continue; // the shell's own affair, as Ctrl-C at a prompt
    store<u8>(signals_noted() + signal, 0);
    running = true;
    const status = lastStatus;
    runText(command, length(command));
    setLastStatus(status);
    running = false;
  }
}

/** Whether a signal came that no command of `trap` waits for. */
export function signalCame(signal: u32): bool {
  return load<u8>(signals_noted() + signal) !== 0 && !hasTrap(signal);
}

/** Forgets a signal that came; whether it had. */
export function takeSignal(signal: u32): bool {
  const slot = signals_noted() + signal;
  const came = load<u8>(slot) !== 0;
  store<u8>(slot, 0);
  return came;
}

/** Runs the command of the shell's end, once. */
export function runExitTrap(): void {
  const command = load<usize>(COMMANDS);
  if (command === 0) return;
  store<usize>(COMMANDS, 0);
  const status = lastStatus;
  runText(command, length(command));
  setLastStatus(status);
}

/** Lists what is set, as commands that set it again. */
export function listTraps(): void {
  for (let signal: u32 = 0; signal < SIGNALS; signal++) {
    const command = load<usize>(COMMANDS + (signal << 2));
    if (command === 0) continue;
    out(c`trap -- '`);
    out(command);
    out(c`' `);
    out(signal === 0 ? c`EXIT` : signalName(signal));
    outLine();
  }
}
