/**
 * The shell's own commands (POSIX §2.14 special built-ins, and those that must or had better run in the shell).
 *
 * @module
 */
import { echo } from "../lib/echo.ts";
import { killCommand } from "../lib/kill.ts";
import { allocate, release } from "../lib/memory.ts";
import {
  clearFailure,
  complain,
  complainText,
  err,
  flush,
  out,
  outByte,
  outLine,
  outNumberPadded,
} from "../lib/output.ts";
import { signalNumber } from "../lib/signals.ts";
import {
  at,
  duplicate,
  duplicateBytes,
  equal,
  find,
  isDigit,
  isNumber,
  length,
  NEWLINE,
  parseNumber,
  parseUnsigned,
} from "../lib/string.ts";
import { access, chdir, close, getcwd, O_RDONLY, open, read, umask } from "../lib/system.ts";
import { testExpression } from "../lib/test_expression.ts";
import {
  Bytes,
  bytesAppend,
  bytesFree,
  bytesNew,
  bytesPush,
  bytesString,
  bytesText,
} from "../lib/bytes.ts";
import {
  EXEC_BUILTIN,
  requestBreak,
  requestContinue,
  requestExit,
  requestReturn,
  runText,
  setExitOnError,
  setTraceCommands,
} from "./execute.ts";
import { setFailOnUnset, setNoGlob } from "./expand.ts";
import {
  findJob,
  groupOf,
  haveStopped,
  jobControl,
  reportJobs,
  resumeJob,
  waitFor,
  waitForAll,
} from "./jobs.ts";
import { isName } from "./parse.ts";
import { formatted } from "../lib/printf.ts";
import { listTraps, setTrap } from "./traps.ts";
import {
  assign,
  copyStrings,
  declare,
  findFunction,
  lastStatus,
  positional,
  positionalCount,
  setLastStatus,
  setPositional,
  shellName,
  sortedVariables,
  unset,
  valueOf,
  Variable,
} from "./variables.ts";

/** Codes: the special ones first (their assignments stay, functions cannot replace them). */
const BREAK: i32 = 1;
const COLON: i32 = 2;
const CONTINUE: i32 = 3;
const DOT: i32 = 4;
const EVAL: i32 = 5;
const EXIT: i32 = 6;
const EXPORT: i32 = 7;
const READONLY: i32 = 8;
const RETURN: i32 = 9;
const SET: i32 = 10;
const SHIFT: i32 = 11;
const TRAP: i32 = 12;
const UNSET: i32 = 13;
const LAST_SPECIAL: i32 = 13;
const BG: i32 = 14;
const CD: i32 = 15;
const ECHO: i32 = 16;
const FALSE: i32 = 17;
const FG: i32 = 18;
const JOBS: i32 = 19;
const KILL: i32 = 20;
const LOCAL: i32 = 21;
const PRINTF: i32 = 22;
const PWD: i32 = 23;
const READ: i32 = 24;
const TEST: i32 = 25;
const TRUE: i32 = 26;
const TYPE: i32 = 27;
const UMASK: i32 = 28;
const WAIT: i32 = 29;
const COMMAND: i32 = 30;
const HELP: i32 = 31;

const PATH_BYTES: u32 = 4096;

/** The builtin's code, -1 if the name is none. */
export function findBuiltin(name: usize): i32 {
  if (equal(name, c`exec`)) return EXEC_BUILTIN;
  if (equal(name, c`break`)) return BREAK;
  if (equal(name, c`:`)) return COLON;
  if (equal(name, c`continue`)) return CONTINUE;
  if (equal(name, c`.`) || equal(name, c`source`)) return DOT;
  if (equal(name, c`eval`)) return EVAL;
  if (equal(name, c`exit`)) return EXIT;
  if (equal(name, c`export`)) return EXPORT;
  if (equal(name, c`readonly`)) return READONLY;
  if (equal(name, c`return`)) return RETURN;
  if (equal(name, c`set`)) return SET;
  if (equal(name, c`shift`)) return SHIFT;
  if (equal(name, c`trap`)) return TRAP;
  if (equal(name, c`unset`)) return UNSET;
  if (equal(name, c`bg`)) return BG;
  if (equal(name, c`cd`)) return CD;
  if (equal(name, c`command`)) return COMMAND;
  if (equal(name, c`echo`)) return ECHO;
  if (equal(name, c`false`)) return FALSE;
  if (equal(name, c`fg`)) return FG;
  if (equal(name, c`help`)) return HELP;
  if (equal(name, c`jobs`)) return JOBS;
  if (equal(name, c`kill`)) return KILL;
  if (equal(name, c`printf`)) return PRINTF;
  if (equal(name, c`pwd`)) return PWD;
  if (equal(name, c`read`)) return READ;
  if (equal(name, c`test`) || equal(name, c`[`)) return TEST;
  if (equal(name, c`true`)) return TRUE;
  if (equal(name, c`type`)) return TYPE;
  if (equal(name, c`umask`)) return UMASK;
  if (equal(name, c`wait`)) return WAIT;
  if (equal(name, c`local`)) return LOCAL;
  return -1;
}

/** Whether the code is a special built-in's. */
export function isSpecial(code: i32): bool {
  return code >= 0 && code <= LAST_SPECIAL;
}

let argumentCount: i32 = 0;
let argumentVector: usize = 0;

function argument(index: i32): usize {
  return index < argumentCount ? load<usize>(argumentVector + (index << 2)) : 0;
}

/** Runs a builtin with its arguments; returns its status. */
export function runBuiltin(code: i32, argc: i32, argv: usize): i32 {
  argumentCount = argc;
  argumentVector = argv;
  const status = dispatch(code, argc, argv);
  const error = flush();
  if (error >= 0) return status;
  clearFailure();
  complain(load<usize>(argv), c`write error`, error);
  return 1;
}

function dispatch(code: i32, argc: i32, argv: usize): i32 {
  switch (code) {
    case BREAK:
    case CONTINUE:
      return leave(code);
    case DOT:
      return dot();
    case EVAL:
      return evaluate();
    case EXIT:
    case RETURN:
      return finishWith(code);
    case EXPORT:
    case READONLY:
      return mark(code);
    case LOCAL:
      return mark(LOCAL);
    case SET:
      return set();
    case SHIFT:
      return shift();
    case TRAP:
      return trap();
    case UNSET:
      return unsetNames();
    case BG:
    case FG:
      return resume(code === FG);
    case CD:
      return changeDirectory();
    case ECHO:
      echo(argc, argv);
      return 0;
    case FALSE:
      return 1;
    case HELP:
      return help();
    case JOBS:
      reportJobs(true);
      return 0;
    case KILL:
      return killCommand(argc, argv, (name: usize): i32 => {
        const job = findJob(name);
        return job === null ? 0 : -groupOf(job);
      });
    case PRINTF:
      return formatted(argc, argv);
    case PWD:
      return printDirectory();
    case READ:
      return readLine();
    case TEST:
      return testExpression(argc, argv);
    case TYPE:
      return type(1);
    case COMMAND:
      return commandBuiltin();
    case UMASK:
      return mask();
    case WAIT:
      return wait();
    default:
      return 0; // `:` and `true`
  }
}

function leave(code: i32): i32 {
  const levels = argument(1) === 0 ? 1 : parseNumber(argument(1));
  if (levels < 1) return complainText(argument(0), c`give a number from 1 on`);
  if (code === BREAK) requestBreak(levels);
  else requestContinue(levels);
  return 0;
}

/** Reads a whole file. */
function readAll(path: usize): Bytes | null {
  const fd = open(path, O_RDONLY);
  if (fd < 0) {
    complain(shellName, path, fd);
    return null;
  }
  const text = bytesNew();
  const block = allocate(4096);
  while (true) {
    const count = read(fd, block, 4096);
    if (count <= 0) break;
    bytesAppend(text, block, count);
  }
  release(block);
  close(fd);
  return text;
}

function dot(): i32 {
  const path = argument(1);
  if (path === 0) return complainText(shellName, c`.: give a file`);
  const text = readAll(path);
  if (text === null) return 1;
  const status = runText(text.data, text.used);
  bytesFree(text);
  return status;
}

function evaluate(): i32 {
  const text = bytesNew();
  for (let index = 1; index < argumentCount; index++) {
    if (index > 1) bytesPush(text, 0x20);
    bytesText(text, argument(index));
  }
  setLastStatus(0);
  const status = runText(text.data, text.used);
  bytesFree(text);
  return status;
}

let warnedOfStopped: bool = false;
function finishWith(code: i32): i32 {
  const status = argument(1) === 0 ? lastStatus : parseNumber(argument(1)) & 0xff;
  if (code === RETURN) {
    requestReturn();
    return status;
  }
  if (jobControl && haveStopped() && !warnedOfStopped) {
    warnedOfStopped = true;
    err(c`There are stopped jobs.\n`);
    return 1;
  }
  requestExit();
  return status;
}

/** export, readonly, and local (which here sets without hiding the outer value). */
function mark(code: i32): i32 {
  if (argumentCount === 1 || (argumentCount === 2 && equal(argument(1), c`-p`))) {
    listVariables(code);
    return 0;
  }
  let status = 0;
  for (let index = 1; index < argumentCount; index++) {
    const word = argument(index);
    const equals = find(word, 0x3d);
    const size = equals === 0 ? length(word) : equals - word;
    if (!isName(word, size)) {
      status = complain(argument(0), word, 22);
      continue;
    }
    const name = duplicateBytes(word, size);
    if (equals !== 0 && !assign(name, equals + 1)) {
      status = complainText(name, c`is read only`);
    }
    const variable = declare(name);
    if (code === EXPORT) variable.exported = true;
    if (code === READONLY) variable.readonly = true;
    release(name);
  }
  return status;
}

/** Lists variables as commands that set them: all, exported or read-only ones. */
function listVariables(code: i32): void {
  const sorted = sortedVariables();
  for (let slot = sorted; load<usize>(slot) !== 0; slot += 4) {
    const variable = changetype<Variable>(load<usize>(slot));
    if (code === EXPORT && !variable.exported) continue;
    if (code === READONLY && !variable.readonly) continue;
    if (code === EXPORT) out(c`export `);
    if (code === READONLY) out(c`readonly `);
    out(variable.name);
    if (variable.value !== 0) {
      outByte(0x3d);
      outQuoted(variable.value);
    }
    outLine();
  }
  release(sorted);
}

/** Text in single quotes. */
function outQuoted(text: usize): void {
  outByte(0x27);
  for (; at(text) !== 0; text++) {
    if (at(text) === 0x27) out(c`'\\''`);
    else outByte(at(text));
  }
  outByte(0x27);
}

function set(): i32 {
  if (argumentCount === 1) {
    listVariables(SET);
    return 0;
  }
  let index = 1;
  for (; index < argumentCount; index++) {
    const word = argument(index);
    if (equal(word, c`--`)) {
      index++;
      break;
    }
    const on = at(word) === 0x2d;
    if ((!on && at(word) !== 0x2b) || at(word, 1) === 0) break;
    for (let letter = word + 1; at(letter) !== 0; letter++) {
      if (!setOption(at(letter), on)) return complain(c`set`, word, 22);
    }
    if (index + 1 === argumentCount) return 0;
  }
  const count = argumentCount - index;
  setPositional(copyStrings(argumentVector + (index << 2), count), count);
  return 0;
}

/** One option letter of `set` or of the shell's command line. */
export function setOption(letter: u32, on: bool): bool {
  switch (letter) {
    case 0x65: // e
      setExitOnError(on);
      return true;
    case 0x66: // f
      setNoGlob(on);
      return true;
    case 0x75: // u
      setFailOnUnset(on);
      return true;
    case 0x78: // x
      setTraceCommands(on);
      return true;
    default:
      return false;
  }
}

function shift(): i32 {
  const count = argument(1) === 0 ? 1 : parseNumber(argument(1));
  if (count < 0 || count > positionalCount) {
    return complainText(c`shift`, c`there are not so many parameters`);
  }
  setPositional(positional + (count << 2), positionalCount - count);
  return 0;
}

function trap(): i32 {
  if (argumentCount === 1) {
    listTraps();
    return 0;
  }
  let index = 1;
  if (equal(argument(1), c`--`)) index++;
  let command = argument(index);
  if (isDigit(at(command)) || argumentCount === index + 1) command = 0;
  else index++;
  if (command !== 0 && equal(command, c`-`)) command = 0;
  for (; index < argumentCount; index++) {
    const name = argument(index);
    const signal = equal(name, c`EXIT`) ? 0 : signalNumber(name);
    if (signal < 0) return complain(c`trap`, name, 22);
    setTrap(signal, command);
  }
  return 0;
}

function unsetNames(): i32 {
  let status = 0;
  for (let index = 1; index < argumentCount; index++) {
    const name = argument(index);
    if (equal(name, c`-v`)) continue;
    if (equal(name, c`-f`)) continue;
    if (!unset(name)) status = complainText(name, c`is read only`);
  }
  return status;
}

function resume(foreground: bool): i32 {
  if (!jobControl) return complainText(argument(0), c`there is no job control in this shell`);
  const job = findJob(argument(1));
  if (job === null) return complainText(argument(0), c`no such job`);
  return resumeJob(job, foreground);
}

function currentDirectory(): usize {
  const buffer = allocate(PATH_BYTES);
  if (getcwd(buffer, PATH_BYTES) < 0) store<u8>(buffer, 0);
  return buffer;
}

function changeDirectory(): i32 {
  let target = argument(1);
  const back = target !== 0 && equal(target, c`-`);
  if (target === 0) target = valueOf(c`HOME`);
  else if (back) target = valueOf(c`OLDPWD`);
  if (target === 0) return complainText(c`cd`, back ? c`OLDPWD is not set` : c`HOME is not set`);
  const before = currentDirectory();
  const error = chdir(target);
  if (error < 0) {
    release(before);
    return complain(c`cd`, target, error);
  }
  assign(c`OLDPWD`, before);
  release(before);
  const now = currentDirectory();
  assign(c`PWD`, now);
  if (back) {
    out(now);
    outLine();
  }
  release(now);
  return 0;
}

function printDirectory(): i32 {
  const path = currentDirectory();
  out(path);
  outLine();
  const empty = at(path) === 0;
  release(path);
  return empty ? 1 : 0;
}

/** read [-r] [-p prompt] name…: one line, split by IFS; the last name takes the rest. */
function readLine(): i32 {
  let raw = false;
  let index = 1;
  for (; index < argumentCount; index++) {
    if (equal(argument(index), c`-r`)) raw = true;
    else if (equal(argument(index), c`-p`) && index + 1 < argumentCount) err(argument(++index));
    else break;
  }
  const line = bytesNew();
  const kept = bytesNew(); // 1 for characters that a backslash protects from splitting
  const one = allocate(1);
  let status = 1;
  while (read(0, one, 1) === 1) {
    const byte: u32 = load<u8>(one);
    if (byte === NEWLINE) {
      status = 0;
      break;
    }
    if (byte === 0x5c && !raw) {
      if (read(0, one, 1) !== 1) break;
      if (load<u8>(one) === NEWLINE) continue;
      bytesPush(line, load<u8>(one));
      bytesPush(kept, 1);
      continue;
    }
    bytesPush(line, byte);
    bytesPush(kept, 0);
  }
  release(one);
  assignFields(line, kept, index);
  bytesFree(line);
  bytesFree(kept);
  return status;
}

function isSeparator(line: Bytes, kept: Bytes, index: u32, separators: usize): bool {
  return load<u8>(kept.data + index) === 0 && find(separators, load<u8>(line.data + index)) !== 0;
}

function isBlankAt(line: Bytes, index: u32): bool {
  const byte = load<u8>(line.data + index);
  return byte === 0x20 || byte === 9 || byte === 10;
}

function assignFields(line: Bytes, kept: Bytes, firstName: i32): void {
  const set = valueOf(c`IFS`);
  const separators = set === 0 ? c` \t\n` : set;
  let from: u32 = 0;
  for (let name = firstName; name < argumentCount || name === firstName; name++) {
    const variable = name < argumentCount ? argument(name) : c`REPLY`;
    while (from < line.used && isSeparator(line, kept, from, separators) && isBlankAt(line, from)) {
      from++;
    }
    let end = from;
    if (name + 1 >= argumentCount) {
      end = line.used;
      while (
        end > from && isSeparator(line, kept, end - 1, separators) && isBlankAt(line, end - 1)
      ) end--;
    } else {
      while (end < line.used && !isSeparator(line, kept, end, separators)) end++;
    }
    const value = duplicateBytes(line.data + from, end - from);
    assign(variable, value);
    release(value);
    from = end;
    while (from < line.used && isSeparator(line, kept, from, separators) && isBlankAt(line, from)) {
      from++;
    }
    if (from < line.used && isSeparator(line, kept, from, separators)) from++;
  }
}

/** Says what names mean; 127 if one means nothing. */
function type(from: i32): i32 {
  let status = 0;
  for (let index = from; index < argumentCount; index++) {
    const name = argument(index);
    const path = searchPath(name);
    if (findFunction(name) === null && findBuiltin(name) < 0 && path === 0) {
      status = 127;
      err(name);
      err(c`: not found\n`);
      continue;
    }
    out(name);
    if (findFunction(name) !== null) out(c` is a function`);
    else if (findBuiltin(name) >= 0) out(c` is a shell builtin`);
    else {
      out(c` is `);
      out(path);
    }
    outLine();
    release(path);
  }
  return status;
}

/** The file that a command's name finds by PATH, on the heap; 0 if none. */
function searchPath(name: usize): usize {
  if (find(name, 0x2f) !== 0) return access(name, 1) === 0 ? duplicate(name) : 0;
  let directory = valueOf(c`PATH`);
  if (directory === 0) return 0;
  while (true) {
    const candidate = bytesNew();
    while (at(directory) !== 0 && at(directory) !== 0x3a) bytesPush(candidate, at(directory++));
    if (candidate.used > 0) bytesPush(candidate, 0x2f);
    bytesText(candidate, name);
    const path = duplicate(bytesString(candidate));
    bytesFree(candidate);
    if (access(path, 1) === 0) return path;
    release(path);
    if (at(directory++) === 0) return 0;
  }
  return 0;
}

/** command -v name, or command name…: as if there were no function of that name. */
function commandBuiltin(): i32 {
  if (argumentCount === 1) return 0;
  if (equal(argument(1), c`-v`)) {
    let status = 0;
    for (let index = 2; index < argumentCount; index++) {
      const name = argument(index);
      if (findFunction(name) !== null || findBuiltin(name) >= 0) {
        out(name);
        outLine();
        continue;
      }
      const path = searchPath(name);
      if (path === 0) {
        status = 127;
        continue;
      }
      out(path);
      outLine();
      release(path);
    }
    return status;
  }
  const code = findBuiltin(argument(1));
  if (code > 0) return runBuiltin(code, argumentCount - 1, argumentVector + 4);
  const text = bytesNew();
  for (let index = 1; index < argumentCount; index++) {
    bytesText(text, c` '`);
    for (let byte = argument(index); at(byte) !== 0; byte++) {
      if (at(byte) === 0x27) bytesText(text, c`'\\''`);
      else bytesPush(text, at(byte));
    }
    bytesText(text, c`'`);
  }
  const status = runText(text.data, text.used);
  bytesFree(text);
  return status;
}

function mask(): i32 {
  if (argument(1) === 0) {
    const present = umask(0);
    umask(present);
    outByte(0x30);
    if (present < 0o100) outByte(0x30);
    if (present < 0o10) outByte(0x30);
    outNumberPadded(present, 1, 8);
    outLine();
    return 0;
  }
  if (!isDigit(at(argument(1)))) return complainText(c`umask`, c`give an octal number`);
  umask(parseUnsigned(argument(1), 8) & 0o777);
  return 0;
}

function wait(): i32 {
  if (argumentCount === 1) return waitForAll();
  let status = 0;
  for (let index = 1; index < argumentCount; index++) {
    const word = argument(index);
    if (at(word) === 0x25) {
      const job = findJob(word);
      status = job === null ? 127 : waitFor(0, job);
    } else if (isNumber(word)) {
      status = waitFor(parseNumber(word), null);
    } else {
      status = complainText(c`wait`, c`give a pid or a job`);
    }
  }
  return status;
}

function help(): i32 {
  out(
    c`Builtins: . : [ bg break cd command continue echo eval exec exit export false fg help jobs kill\n`,
  );
  out(c`printf pwd read readonly return set shift test trap true type umask unset wait\n`);
  out(c`Programs are in /bin and /sbin.\n`);
  return 0;
}
