/**
 * sh: the shell. `sh` reads standard input, `sh FILE [argument]…` a script, `sh -c TEXT [name [argument]…]` a text.
 * On a terminal it prompts and does job control.
 *
 * @module
 */
import { TCGETS } from "../../abi/ioctl.ts";
import { arenaNew, arenaReset } from "../lib/arena.ts";
import { complain, err, flush } from "../lib/output.ts";
import { at, equal, length } from "../lib/string.ts";
import {
  close,
  dupAbove,
  exit,
  getcwd,
  getuid,
  ioctl,
  O_RDONLY,
  open,
  setSignal,
  SIGINT,
} from "../lib/system.ts";
import { note_signal } from "../lib/sym.ts";
import { setOption } from "../sh/builtins.ts";
import { isExiting, noteInteractive, resetFlow, run } from "../sh/execute.ts";
import { expandWord, rememberShellPid } from "../sh/expand.ts";
import { Input, inputClear, inputDiscard, inputFromFile, inputFromText } from "../sh/input.ts";
import { reportJobs, startJobControl } from "../sh/jobs.ts";
import { atEnd, definesFunction, parseCommand, parseProblem } from "../sh/parse.ts";
import { hasTrap, runExitTrap, takeSignal } from "../sh/traps.ts";
import {
  assign,
  declare,
  importEnvironment,
  lastStatus,
  setLastStatus,
  setPositional,
  setShellName,
  shellName,
  valueOf,
} from "../sh/variables.ts";

const TERMINAL = memory.data(64, 4);
const PATH = memory.data(4096);
/** The script's own descriptor stands out of the way of redirections. */
const SCRIPT_FD: i32 = 255;

export function main(argc: i32, argv: usize, envp: usize): i32 {
  importEnvironment(envp);
  rememberShellPid();
  setShellName(c`sh`);
  if (valueOf(c`PATH`) === 0) assign(c`PATH`, c`/bin:/sbin:/usr/bin:/usr/sbin`);
  assign(c`IFS`, c` \t\n`);
  if (getcwd(PATH, 4096) > 0) assign(c`PWD`, PATH);
  let text: usize = 0;
  let interactive = false;
  let login = at(load<usize>(argv)) === 0x2d;
  let index = 1;
  for (; index < argc; index++) {
    const word = load<usize>(argv + (index << 2));
    if (at(word) !== 0x2d || at(word, 1) === 0) break;
    if (equal(word, c`--`)) {
      index++;
      break;
    }
    let takesText = false;
    for (let letter = word + 1; at(letter) !== 0; letter++) {
      if (at(letter) === 0x63) takesText = true;
      else if (at(letter) === 0x69) interactive = true;
      else if (at(letter) === 0x6c) login = true;
      else if (at(letter) !== 0x73 && !setOption(at(letter), true)) {
        err(c`sh: unknown option; use -c -e -f -i -l -s -u -x\n`);
        return 2;
      }
    }
    if (!takesText) continue;
    if (index + 1 >= argc) {
      err(c`sh: -c needs a text\n`);
      return 2;
    }
    text = load<usize>(argv + (++index << 2));
  }
  let input: Input;
  if (text !== 0) {
    if (index + 1 < argc) setShellName(load<usize>(argv + (++index << 2)));
    setPositional(argv + (index + 1 << 2), max(argc - index - 1, 0));
    input = inputFromText(text, length(text));
  } else if (index < argc) {
    const path = load<usize>(argv + (index << 2));
    const fd = open(path, O_RDONLY);
    if (fd < 0) {
      complain(c`sh`, path, fd);
      return 127;
    }
    const high = dupAbove(fd, SCRIPT_FD);
    if (high >= 0) close(fd);
    setShellName(path);
    setPositional(argv + (index + 1 << 2), argc - index - 1);
    input = inputFromFile(high >= 0 ? high : fd);
  } else {
    setPositional(argv + (index << 2), 0);
    input = inputFromFile(0);
    if (ioctl(0, TCGETS, TERMINAL) === 0 && ioctl(2, TCGETS, TERMINAL) === 0) interactive = true;
  }
  if (login) runFile(c`/etc/profile`);
  if (interactive && text === 0) {
    startInteractive(input);
  }
  loop(input);
  runExitTrap();
  flush();
  exit(lastStatus);
  return 0;
}

function runFile(path: usize): void {
  const fd = open(path, O_RDONLY);
  if (fd < 0) return;
  const high = dupAbove(fd, SCRIPT_FD);
  close(fd);
  const input = inputFromFile(high);
  loop(input);
  close(high);
}

function startInteractive(input: Input): void {
  input.interactive = true;
  setSignal(SIGINT, note_signal(), 0);
  startJobControl(0);
  noteInteractive();
  if (valueOf(c`PS1`) === 0) assign(c`PS1`, getuid() === 0 ? c`$PWD # ` : c`$PWD $ `);
  if (valueOf(c`PS2`) === 0) assign(c`PS2`, c`> `);
  declare(c`HOME`);
}

/** Reads and runs commands until the input ends or `exit`. */
function loop(input: Input): void {
  while (!isExiting()) {
    const arena = arenaNew();
    if (input.interactive) {
      reportJobs(false);
      const prompt = valueOf(c`PS1`);
      input.prompt = prompt === 0 ? c`` : expandWord(prompt, arena);
      const continuation = valueOf(c`PS2`);
      input.continuation = continuation === 0 ? c`` : continuation;
    }
    const node = parseCommand(input, arena);
    const keep = definesFunction;
    if (input.interrupted) {
      // Ctrl-C at the prompt: the line is given up.
      input.interrupted = false;
      takeInterrupt();
      inputClear(input);
      arenaReset(arena);
      continue;
    }
    if (parseProblem() !== 0) {
      err(shellName);
      err(c`: `);
      err(parseProblem());
      err(c`\n`);
      setLastStatus(2);
      inputClear(input);
      if (!input.interactive) return;
      continue;
    }
    inputDiscard(input);
    if (node !== null) {
      run(node);
      flush();
    }
    if (!keep) arenaReset(arena);
    if (input.interactive) {
      resetFlow();
      takeInterrupt();
    } else if (atEnd(input)) {
      return;
    }
    if (input.interactive && node === null && atEnd(input)) {
      err(c`\n`);
      return;
    }
  }
}

function takeInterrupt(): void {
  if (!hasTrap(SIGINT) && takeSignal(SIGINT)) {
    err(c`\n`);
    setLastStatus(128 + SIGINT);
  }
}
