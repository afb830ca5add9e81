/**
 * Runs syntax trees: simple commands, pipelines, lists, compound commands, functions, redirections.
 *
 * @module
 */
import { Arena, arenaNew, arenaReset } from "../lib/arena.ts";
import { allocate, release } from "../lib/memory.ts";
import { complain, err, flush } from "../lib/output.ts";
import { at, duplicate, find, length } from "../lib/string.ts";
import { close, dup2, execve, exit, fork, O_RDONLY, open, pipe, SIGINT } from "../lib/system.ts";
import { findBuiltin, isSpecial, runBuiltin } from "./builtins.ts";
import { expandWord, expandWords, expansionFailed, matchesWord } from "./expand.ts";
import { inputDiscard, inputFromText } from "./input.ts";
import {
  addProcess,
  announce,
  enterChild,
  forgetInterrupt,
  interruptSeen,
  jobControl,
  lastPid,
  newJob,
  newPipe,
  startForeground,
  waitForeground,
} from "./jobs.ts";
import { atEnd, definesFunction, parseCommand, parseProblem } from "./parse.ts";
import {
  AND,
  BACKGROUND,
  CASE,
  CaseItem,
  FOR,
  FUNCTION,
  GROUP,
  IF,
  Node,
  NOT,
  OR,
  PIPELINE,
  SEQUENCE,
  SIMPLE,
  SUBSHELL,
  UNTIL,
  WHILE,
  Word,
} from "./syntax.ts";
import { FAILED, redirect, restore } from "./redirect.ts";
import { runExitTrap, runPendingTraps, signalCame } from "./traps.ts";
import {
  assign,
  declare,
  defineFunction,
  exportEnvironment,
  findFunction,
  lastStatus,
  lookUp,
  positional,
  positionalCount,
  setLastBackground,
  setLastStatus,
  setPositional,
  shellName,
  unset,
  valueOf,
} from "./variables.ts";

const ENOENT: i32 = 2;
const ENOEXEC: i32 = 8;
const EACCES: i32 = 13;
const ENOTDIR: i32 = 20;
const MAX_CALLS: u32 = 200;

/** Loops that `break` still has to leave, that `continue` goes on with after leaving inner ones. */
let breaking: i32 = 0;
let continuing: i32 = 0;
/** `return` or `exit` unwinds. */
let returning: bool = false;
let exiting: bool = false;
let loops: i32 = 0;
let calls: u32 = 0;
/** Whether -e (errexit) and -x (xtrace) are on. */
export let exitOnError: bool = false;
export let traceCommands: bool = false;
/** Commands whose status is tested (if, while, &&, ||, !) do not end a shell with -e. */
let tested: u32 = 0;

export function setExitOnError(on: bool): void {
  exitOnError = on;
}
export function setTraceCommands(on: bool): void {
  traceCommands = on;
}
export function requestBreak(levels: i32): void {
  breaking = min(levels, loops);
}
export function requestContinue(levels: i32): void {
  continuing = min(levels, loops);
}
export function requestReturn(): void {
  returning = true;
}
export function requestExit(): void {
  exiting = true;
}
/** Whether `exit` was run. */
export function isExiting(): bool {
  return exiting;
}
/** An interactive shell goes on at its prompt after an interrupt. */
export function resetFlow(): void {
  breaking = 0;
  continuing = 0;
  returning = false;
  loops = 0;
  calls = 0;
  tested = 0;
  forgetInterrupt();
}
function unwinding(): bool {
  return breaking > 0 || continuing > 0 || returning || exiting || interrupted();
}
/** Ctrl-C takes an interactive shell back to its prompt, out of whatever runs. */
function interrupted(): bool {
  return interactiveShell && (interruptSeen || signalCame(SIGINT));
}

/** Runs a text; returns its status. */
export function runText(text: usize, count: u32): i32 {
  const input = inputFromText(text, count);
  while (!atEnd(input) && !unwinding()) {
    const arena = arenaNew();
    const node = parseCommand(input, arena);
    const keep = definesFunction;
    if (parseProblem() !== 0) {
      err(shellName);
      err(c`: `);
      err(parseProblem());
      err(c`\n`);
      setLastStatus(2);
      return 2;
    }
    inputDiscard(input);
    if (node !== null) run(node);
    if (!keep) arenaReset(arena);
  }
  return lastStatus;
}

/** Runs a tree; `$?` and the result are its status. */
export function run(node: Node): i32 {
  let status = 0;
  const redirects = node.redirects;
  if (redirects !== null && node.kind !== SIMPLE) {
    const scratch = arenaNew();
    const savedFds = redirect(redirects, scratch, true);
    status = savedFds === FAILED ? 1 : runUnredirected(node);
    if (savedFds !== FAILED) restore(savedFds);
    arenaReset(scratch);
    release(changetype<usize>(scratch));
  } else {
    status = runUnredirected(node);
  }
  setLastStatus(status);
  runPendingTraps();
  if (
    status !== 0 && exitOnError && tested === 0 &&
    (node.kind === SIMPLE || node.kind === PIPELINE || node.kind === SUBSHELL)
  ) {
    exiting = true;
  }
  return lastStatus;
}

function runTested(node: Node): i32 {
  tested++;
  const status = run(node);
  tested--;
  return status;
}

function runUnredirected(node: Node): i32 {
  switch (node.kind) {
    case SIMPLE:
      return runSimple(node);
    case PIPELINE:
      return runPipeline(node, false);
    case AND: {
      const status = runTested(node.left!);
      return status === 0 && !unwinding() ? run(node.right!) : status;
    }
    case OR: {
      const status = runTested(node.left!);
      return status !== 0 && !unwinding() ? run(node.right!) : status;
    }
    case NOT:
      return runTested(node.left!) === 0 ? 1 : 0;
    case SEQUENCE: {
      const status = run(node.left!);
      return unwinding() ? status : run(node.right!);
    }
    case BACKGROUND:
      return runBackground(node.left!);
    case GROUP:
      return run(node.left!);
    case SUBSHELL:
      return runPipeline(node, false);
    case IF: {
      const status = runTested(node.left!);
      if (unwinding()) return status;
      if (status === 0) return run(node.right!);
      const other = node.other;
      return other === null ? 0 : run(other);
    }
    case WHILE:
    case UNTIL:
      return runLoop(node);
    case FOR:
      return runFor(node);
    case CASE:
      return runCase(node);
    case FUNCTION:
      defineFunction(node.name, node.left!);
      return 0;
    default:
      return 1;
  }
}

/** After a loop's body: whether the loop ends. */
function leavesLoop(): bool {
  if (breaking > 0) {
    breaking--;
    return true;
  }
  if (continuing > 0) {
    continuing--;
    return continuing > 0;
  }
  return returning || exiting || interrupted();
}

function runLoop(node: Node): i32 {
  let status = 0;
  loops++;
  while (true) {
    const condition = runTested(node.left!);
    if (unwinding()) {
      leavesLoop();
      break;
    }
    if ((condition === 0) !== (node.kind === WHILE)) break;
    status = run(node.right!);
    if (unwinding() && leavesLoop()) break;
  }
  loops--;
  return status;
}

function runFor(node: Node): i32 {
  const scratch = arenaNew();
  let status = 0;
  loops++;
  if (node.hasList) {
    for (
      let word: Word | null = expandWords(node.words, scratch);
      word !== null;
      word = word!.next
    ) {
      assign(node.name, word.text);
      status = run(node.right!);
      if (unwinding() && leavesLoop()) break;
    }
    if (expansionFailed()) status = 1;
  } else {
    for (let index = 0; index < positionalCount; index++) {
      assign(node.name, load<usize>(positional + (index << 2)));
      status = run(node.right!);
      if (unwinding() && leavesLoop()) break;
    }
  }
  loops--;
  arenaReset(scratch);
  release(changetype<usize>(scratch));
  return status;
}

function runCase(node: Node): i32 {
  const scratch = arenaNew();
  const subject = expandWord(node.words!.text, scratch);
  let status = 0;
  for (let item: CaseItem | null = node.items; item !== null; item = item!.next) {
    let found: bool = false;
    for (let pattern = item.patterns; pattern !== null && !found; pattern = pattern!.next) {
      found = matchesWord(pattern.text, subject);
    }
    if (!found) continue;
    const body = item.body;
    if (body !== null) status = run(body);
    break;
  }
  arenaReset(scratch);
  release(changetype<usize>(scratch));
  return status;
}

/** Runs a command in a child that the caller has made; does not return. */
function runInChild(node: Node): void {
  exitOnError = exitOnError && tested === 0;
  let status = 0;
  if (node.kind === SUBSHELL) {
    const redirects = node.redirects;
    const scratch = arenaNew();
    if (redirects !== null && redirect(redirects, scratch, false) === FAILED) status = 1;
    else status = run(node.left!);
  } else if (node.kind === SIMPLE) {
    replaceProcess = true;
    status = run(node);
  } else {
    status = run(node);
  }
  runExitTrap();
  flush();
  exit(status);
}
/** In a child that runs just one command: no second fork for it. */
let replaceProcess: bool = false;

/** Runs a pipeline, or a subshell as a pipeline of one; in the background its job's status is 0. */
function runPipeline(node: Node, background: bool): i32 {
  const single = node.kind !== PIPELINE;
  const job = newJob(node.source, background);
  let reading = -1;
  flush();
  let command: Node | null = single ? node : node.left;
  while (command !== null) {
    const next: Node | null = single ? null : command.next;
    let writing = -1;
    let nextReading = -1;
    if (next !== null) {
      const ends = newPipe();
      const error = pipe(ends);
      if (error < 0) {
        complain(shellName, c`pipe`, error);
        if (reading >= 0) close(reading);
        break;
      }
      nextReading = load<i32>(ends);
      writing = load<i32>(ends, 4);
      release(ends);
    }
    const pid = fork();
    if (pid === 0) {
      enterChild(job.group, !background);
      if (nextReading >= 0) close(nextReading);
      moveTo(reading, 0);
      moveTo(writing, 1);
      runInChild(command);
    }
    if (reading >= 0) close(reading);
    if (writing >= 0) close(writing);
    reading = nextReading;
    if (pid < 0) {
      complain(shellName, c`fork`, pid);
      if (reading >= 0) close(reading);
      break;
    }
    addProcess(job, pid);
    command = next;
  }
  if (background) {
    setLastBackground(lastPid(job));
    if (jobControl) announce(job);
    return 0;
  }
  if (job.group !== 0) startForeground(job);
  return waitForeground(job);
}

function moveTo(fd: i32, target: i32): void {
  if (fd < 0 || fd === target) return;
  dup2(fd, target);
  close(fd);
}

function runBackground(node: Node): i32 {
  if (node.kind === PIPELINE) return runPipeline(node, true);
  const job = newJob(node.source, true);
  flush();
  const pid = fork();
  if (pid === 0) {
    enterChild(0, false);
    if (!interactiveShell) moveTo(open(c`/dev/null`, O_RDONLY), 0);
    runInChild(node);
  }
  if (pid < 0) return complain(shellName, c`fork`, pid);
  addProcess(job, pid);
  setLastBackground(pid);
  if (jobControl) announce(job);
  return 0;
}
/** Set once: whether the shell prompts (background input is then the terminal's business). */
let interactiveShell: bool = false;
export function noteInteractive(): void {
  interactiveShell = true;
}

/** The words as an argument vector on the heap; the count is in {@link vectorCount}. */
function vectorOf(words: Word | null): usize {
  let count: u32 = 0;
  for (let word: Word | null = words; word !== null; word = word!.next) count++;
  const vector = allocate((count + 1) << 2);
  let slot = vector;
  for (let word: Word | null = words; word !== null; word = word!.next) {
    store<usize>(slot, word.text);
    slot += 4;
  }
  store<usize>(slot, 0);
  vectorCount = count;
  return vector;
}
let vectorCount: i32 = 0;

function runSimple(node: Node): i32 {
  const scratch = arenaNew();
  const status = runWords(node, scratch);
  arenaReset(scratch);
  release(changetype<usize>(scratch));
  return status;
}

function runWords(node: Node, scratch: Arena): i32 {
  const replace = replaceProcess;
  replaceProcess = false;
  setLastStatus(lastStatus);
  const words = expandWords(node.words, scratch);
  if (expansionFailed()) {
    // POSIX §2.8.1: an expansion error ends a shell that is not interactive.
    if (!interactiveShell) exiting = true;
    return interactiveShell ? 1 : 2;
  }
  if (words === null) {
    const before = lastStatus;
    const hadWords = node.words !== null || node.assignments !== null;
    if (!assignAll(node.assignments, scratch, false)) return 1;
    const saved = redirect(node.redirects, scratch, true);
    if (saved === FAILED) return 1;
    restore(saved);
    // The status of a last command substitution stands; without one it is 0.
    return hadWords && lastStatus !== before ? lastStatus : hasSubstitution(node) ? lastStatus : 0;
  }
  if (traceCommands) trace(words);
  const name = words.text;
  const definition = findFunction(name);
  const builtin = findBuiltin(name);
  if (definition !== null && !isSpecial(builtin)) {
    return callFunction(definition.body, node, words, scratch);
  }
  if (builtin >= 0) {
    if (builtin === EXEC_BUILTIN) return runExec(node, words, scratch);
    const saved = redirect(node.redirects, scratch, true);
    if (saved === FAILED) return 1;
    const keep = isSpecial(builtin) ? 0 : pushAssignments(node.assignments, scratch);
    if (isSpecial(builtin)) assignAll(node.assignments, scratch, false);
    const vector = vectorOf(words);
    const status = runBuiltin(builtin, vectorCount, vector);
    release(vector);
    popAssignments(keep);
    restore(saved);
    return status;
  }
  if (replace) {
    if (redirect(node.redirects, scratch, false) === FAILED) return 1;
    if (!assignAll(node.assignments, scratch, true)) return 1;
    return executeProgram(words);
  }
  flush();
  const job = newJob(node.source, false);
  const pid = fork();
  if (pid === 0) {
    enterChild(0, true);
    let status = 1;
    if (
      redirect(node.redirects, scratch, false) !== FAILED &&
      assignAll(node.assignments, scratch, true)
    ) {
      status = executeProgram(words);
    }
    flush();
    exit(status);
  }
  if (pid < 0) {
    waitForeground(job);
    return complain(shellName, c`fork`, pid);
  }
  addProcess(job, pid);
  startForeground(job);
  return waitForeground(job);
}
/** The code of `exec`, which needs what only this file has. */
export const EXEC_BUILTIN: i32 = 0;

function hasSubstitution(node: Node): bool {
  for (let word: Word | null = node.assignments; word !== null; word = word!.next) {
    if (find(word.text, 0x60) !== 0 || find(word.text, 0x24) !== 0) {
      const dollar = find(word.text, 0x24);
      if (dollar === 0 || at(dollar, 1) === 0x28) return true;
    }
  }
  return false;
}

function trace(words: Word): void {
  err(c`+`);
  for (let word: Word | null = words; word !== null; word = word!.next) {
    err(c` `);
    err(word.text);
  }
  err(c`\n`);
}

/** Sets variables from `name=value` words; exported for a command. */
function assignAll(words: Word | null, scratch: Arena, exported: bool): bool {
  for (let word: Word | null = words; word !== null; word = word!.next) {
    const equals = find(word.text, 0x3d);
    const value = expandWord(equals + 1, scratch);
    if (expansionFailed()) return false;
    store<u8>(equals, 0);
    const done = assign(word.text, value);
    if (!done) {
      err(shellName);
      err(c`: `);
      err(word.text);
      err(c`: is read only\n`);
    } else if (exported) {
      declare(word.text).exported = true;
    }
    store<u8>(equals, 0x3d);
    if (!done) return false;
  }
  return true;
}

/** Variables as they were before a builtin's or function's own assignments. */
@unmanaged
class SavedVariable {
  name: usize;
  value: usize;
  exported: bool;
  next: SavedVariable | null;
}

function pushAssignments(words: Word | null, scratch: Arena): usize {
  let saved: SavedVariable | null = null;
  for (let word: Word | null = words; word !== null; word = word!.next) {
    const equals = find(word.text, 0x3d);
    store<u8>(equals, 0);
    const entry = new SavedVariable();
    entry.name = duplicate(word.text);
    const variable = lookUp(word.text);
    if (variable !== null) {
      entry.value = variable.value === 0 ? 0 : duplicate(variable.value);
      entry.exported = variable.exported;
    }
    store<u8>(equals, 0x3d);
    entry.next = saved;
    saved = entry;
  }
  assignAll(words, scratch, true);
  return changetype<usize>(saved);
}

function popAssignments(list: usize): void {
  let entry = changetype<SavedVariable | null>(list);
  while (entry !== null) {
    if (entry.value === 0) {
      unset(entry.name);
    } else {
      assign(entry.name, entry.value);
      declare(entry.name).exported = entry.exported;
    }
    release(entry.name);
    release(entry.value);
    const next = entry.next;
    release(changetype<usize>(entry));
    entry = next;
  }
}

function callFunction(body: Node, node: Node, words: Word, scratch: Arena): i32 {
  if (calls >= MAX_CALLS) {
    err(shellName);
    err(c`: functions call each other too deeply\n`);
    return 2;
  }
  const saved = redirect(node.redirects, scratch, true);
  if (saved === FAILED) return 1;
  const keep = pushAssignments(node.assignments, scratch);
  const vector = vectorOf(words);
  const count = vectorCount;
  const outer = positional;
  const outerCount = positionalCount;
  setPositional(vector + 4, count - 1);
  const outerLoops = loops;
  loops = 0;
  calls++;
  const status = run(body);
  calls--;
  loops = outerLoops;
  const result = returning ? lastStatus : status;
  returning = false;
  setPositional(outer, outerCount);
  release(vector);
  popAssignments(keep);
  restore(saved);
  return result;
}

/** `exec`: keeps the redirections; with words it replaces the shell. */
function runExec(node: Node, words: Word, scratch: Arena): i32 {
  if (redirect(node.redirects, scratch, false) === FAILED) return 1;
  const rest = words.next;
  if (rest === null) return assignAll(node.assignments, scratch, false) ? 0 : 1;
  assignAll(node.assignments, scratch, true);
  const status = executeProgram(rest);
  exiting = true;
  return status;
}

/** Executes a program by its words; returns only when that fails, with 126 or 127. */
export function executeProgram(words: Word): i32 {
  const vector = vectorOf(words);
  const environment = exportEnvironment();
  const name = words.text;
  let error = -ENOENT;
  flush();
  if (find(name, 0x2f) !== 0) {
    error = tryExecute(name, vector, environment);
  } else {
    const path = valueOf(c`PATH`);
    let directory = path === 0 ? c`/bin:/sbin:/usr/bin:/usr/sbin` : path;
    const candidate = allocate(length(directory) + length(name) + 3);
    while (at(directory) !== 0 || directory === path) {
      let end = candidate;
      while (at(directory) !== 0 && at(directory) !== 0x3a) store<u8>(end++, at(directory++));
      if (end === candidate) store<u8>(end++, 0x2e);
      store<u8>(end++, 0x2f);
      memory.copy(end, name, length(name) + 1);
      const result = tryExecute(candidate, vector, environment);
      if (result !== -ENOENT && result !== -ENOTDIR) error = result;
      if (at(directory) === 0) break;
      directory++;
    }
  }
  if (error === -ENOENT) {
    err(shellName);
    err(c`: `);
    err(name);
    err(c`: not found\n`);
    return 127;
  }
  complain(shellName, name, error);
  return 126;
}

function tryExecute(path: usize, vector: usize, environment: usize): i32 {
  const error = execve(path, vector, environment);
  if (error !== -ENOEXEC) return error;
  // A text without `#!` is a script of ours (POSIX §2.9.1.1).
  let count: u32 = 0;
  while (load<usize>(vector + (count << 2)) !== 0) count++;
  const script = allocate((count + 2) << 2);
  store<usize>(script, c`sh`);
  store<usize>(script, path, 4);
  memory.copy(script + 8, vector + 4, count << 2);
  execve(c`/bin/sh`, script, environment);
  return -EACCES;
}
