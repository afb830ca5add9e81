/**
 * Word expansion (POSIX Shell Command Language §2.6): tilde, parameters, commands, arithmetic, then field splitting,
 * pathname expansion and quote removal. A word is turned into characters with a parallel row of marks that
 * say what each may still become.
 *
 * @module
 */
import { Arena, arenaAllocate, arenaText } from "../lib/arena.ts";
import { Bytes, bytesFree, bytesNew, bytesPush, bytesString, bytesText } from "../lib/bytes.ts";
import { freeNames, nameAt, readDirectory } from "../lib/directory.ts";
import { err } from "../lib/output.ts";
import {
  at,
  duplicateBytes,
  find,
  formatSigned,
  isDigit,
  isLetter,
  length,
  NEWLINE,
  parseNumber,
} from "../lib/string.ts";
import { release } from "../lib/memory.ts";
import { getpid, Stat, stat } from "../lib/system.ts";
import { arithmeticProblem, evaluate } from "./arithmetic.ts";
import { substituteCommand } from "./substitute.ts";
import { hasPattern, matches } from "./pattern.ts";
import { Word } from "./syntax.ts";
import {
  assign,
  lastBackground,
  lastStatus,
  positional,
  positionalCount,
  shellName,
  valueOf,
} from "./variables.ts";

/** Marks of characters. Quoted ones are taken as they are. */
const PLAIN: u32 = 0;
const QUOTED: u32 = 1;
/** From an unquoted expansion: may be split and be a pattern. */
const EXPANDED: u32 = 2;
/** No character: the end of a field (between the parameters of "$@"). */
const BREAK: u32 = 3;
/** No character: an empty quoted string, which makes a field of its own. */
const EMPTY: u32 = 4;

const BACKQUOTE: u32 = 0x60;
const BACKSLASH: u32 = 0x5c;
const DOLLAR: u32 = 0x24;
const DOUBLE_QUOTE: u32 = 0x22;
const QUOTE: u32 = 0x27;
const TILDE: u32 = 0x7e;
const SLASH: u32 = 0x2f;
const OPEN: u32 = 0x28;
const CLOSE: u32 = 0x29;
const OPEN_BRACE: u32 = 0x7b;
const CLOSE_BRACE: u32 = 0x7d;

/** The characters and marks of the word that is being expanded. */
let characters: Bytes = bytesNew();
let marks: Bytes = bytesNew();
let failed: bool = false;
/** Whether the shell options -u and -f are on. */
export let failOnUnset: bool = false;
export let noGlob: bool = false;

export function setFailOnUnset(on: bool): void {
  failOnUnset = on;
}
export function setNoGlob(on: bool): void {
  noGlob = on;
}
/** Whether the last expansion failed (a message was printed). */
export function expansionFailed(): bool {
  return failed;
}

/** Expands a list of words into fields in the arena. */
export function expandWords(words: Word | null, arena: Arena): Word | null {
  failed = false;
  const list = new FieldList();
  list.arena = arena;
  for (let word = words; word !== null && !failed; word = word!.next) {
    begin();
    expandInto(word.text, PLAIN, true);
    splitFields(list);
    finish();
  }
  const first = list.first;
  release(changetype<usize>(list));
  return first;
}

/** Expands a word into one string in the arena: no splitting, no pathnames (assignments, redirections). */
export function expandWord(text: usize, arena: Arena): usize {
  failed = false;
  begin();
  expandInto(text, PLAIN, true);
  const result = plainText(arena);
  finish();
  return result;
}

/** Expands a here-document's text. */
export function expandHere(text: usize, arena: Arena): usize {
  failed = false;
  begin();
  expandQuoted(text, length(text), true);
  const result = plainText(arena);
  finish();
  return result;
}

/** Whether `subject` matches the word as a pattern (case). */
export function matchesWord(text: usize, subject: usize): bool {
  failed = false;
  begin();
  expandInto(text, PLAIN, true);
  const result = matchesMarked(0, subject, length(subject));
  finish();
  return result;
}

/** Expansions nest: each has its own rows, the outer ones wait in a chain. */
@unmanaged
class Saved {
  characters!: Bytes;
  marks!: Bytes;
  next: Saved | null;
}
let saved: Saved | null = null;

function begin(): void {
  const outer = new Saved();
  outer.characters = characters;
  outer.marks = marks;
  outer.next = saved;
  saved = outer;
  characters = bytesNew();
  marks = bytesNew();
}
function finish(): void {
  const outer = saved!;
  bytesFree(characters);
  bytesFree(marks);
  characters = outer.characters;
  marks = outer.marks;
  saved = outer.next;
  release(changetype<usize>(outer));
}

function push(byte: u32, mark: u32): void {
  bytesPush(characters, byte);
  bytesPush(marks, mark);
}
function pushText(text: usize, mark: u32): void {
  for (; at(text) !== 0; text++) push(at(text), mark);
}
function complain(subject: usize, message: usize): void {
  err(shellName);
  err(c`: `);
  if (subject !== 0) {
    err(subject);
    err(c`: `);
  }
  err(message);
  err(c`\n`);
  failed = true;
}

/** The characters without marks and non-characters. */
function plainText(arena: Arena): usize {
  const result = arenaAllocate(arena, characters.used + 1);
  let size: u32 = 0;
  for (let index: u32 = 0; index < characters.used; index++) {
    const mark = load<u8>(marks.data + index);
    if (mark === BREAK) store<u8>(result + size++, 0x20);
    else if (mark !== EMPTY) store<u8>(result + size++, load<u8>(characters.data + index));
  }
  store<u8>(result + size, 0);
  return result;
}

/** Reads an unquoted word. */
function expandInto(text: usize, mark: u32, tilde: bool): void {
  let position = text;
  if (tilde && at(text) === TILDE) position = expandTilde(text);
  while (at(position) !== 0 && !failed) {
    const byte = at(position);
    if (byte === BACKSLASH) {
      position++;
      if (at(position) === NEWLINE) position++;
      else if (at(position) !== 0) push(at(position++), QUOTED);
      else push(BACKSLASH, QUOTED);
    } else if (byte === QUOTE) {
      position++;
      push(0, EMPTY);
      while (at(position) !== QUOTE && at(position) !== 0) push(at(position++), QUOTED);
      if (at(position) !== 0) position++;
    } else if (byte === DOUBLE_QUOTE) {
      const end = quoteEnd(position + 1);
      const empty = characters.used;
      push(0, EMPTY);
      expandQuoted(position + 1, end - position - 1, false);
      // "$@" without parameters makes no field at all.
      if (characters.used === empty + 1 && onlyAllParameters(position + 1, end)) {
        characters.used--;
        marks.used--;
      }
      position = at(end) === 0 ? end : end + 1;
    } else if (byte === DOLLAR || byte === BACKQUOTE) {
      position = expandDollar(position, false);
    } else {
      push(byte, mark);
      position++;
    }
  }
}

function onlyAllParameters(from: usize, end: usize): bool {
  return positionalCount === 0 && end - from >= 2 && at(from) === DOLLAR &&
    (at(from, 1) === 0x40 || (at(from, 1) === OPEN_BRACE && at(from, 2) === 0x40));
}

/** Reads text between double quotes, or a here-document's. */
function expandQuoted(text: usize, count: u32, here: bool): void {
  let position = text;
  const end = text + count;
  while (position < end && !failed) {
    const byte = at(position);
    if (byte === BACKSLASH) {
      const next = at(position, 1);
      if (next === NEWLINE) {
        position += 2;
        continue;
      }
      if (
        next === DOLLAR || next === BACKQUOTE || next === BACKSLASH ||
        (next === DOUBLE_QUOTE && !here)
      ) {
        position++;
      }
      push(at(position++), QUOTED);
    } else if (byte === DOLLAR || byte === BACKQUOTE) {
      position = expandDollar(position, true);
    } else {
      push(byte, QUOTED);
      position++;
    }
  }
}

/** Where the double quote ends that is open at `from`. */
function quoteEnd(from: usize): usize {
  let position = from;
  while (at(position) !== 0 && at(position) !== DOUBLE_QUOTE) position = unitEnd(position);
  return position;
}

/** The end of one character, quoted string or substitution. */
function unitEnd(position: usize): usize {
  const byte = at(position);
  if (byte === 0) return position;
  if (byte === BACKSLASH) return at(position, 1) === 0 ? position + 1 : position + 2;
  if (byte === BACKQUOTE) {
    position++;
    while (at(position) !== 0 && at(position) !== BACKQUOTE) {
      position += at(position) === BACKSLASH && at(position, 1) !== 0 ? 2 : 1;
    }
    return at(position) === 0 ? position : position + 1;
  }
  if (byte === DOLLAR && at(position, 1) === OPEN) return nestedEnd(position + 1, OPEN, CLOSE);
  if (byte === DOLLAR && at(position, 1) === OPEN_BRACE) {
    return nestedEnd(position + 1, OPEN_BRACE, CLOSE_BRACE);
  }
  return position + 1;
}

/** The end of a bracket that opens at `position`, behind its closing one. */
function nestedEnd(position: usize, open: u32, close: u32): usize {
  position++;
  while (at(position) !== 0 && at(position) !== close) {
    const byte = at(position);
    if (byte === QUOTE) {
      position++;
      while (at(position) !== 0 && at(position) !== QUOTE) position++;
      if (at(position) !== 0) position++;
    } else if (byte === DOUBLE_QUOTE) {
      position = quoteEnd(position + 1);
      if (at(position) !== 0) position++;
    } else if (byte === open) {
      position = nestedEnd(position, open, close);
    } else {
      position = unitEnd(position);
    }
  }
  return at(position) === 0 ? position : position + 1;
}

function expandTilde(text: usize): usize {
  let end = text + 1;
  while (at(end) !== 0 && at(end) !== SLASH) end++;
  const home = valueOf(c`HOME`);
  // Only one's own home is known without a user data base.
  if (end !== text + 1 || home === 0) return text;
  pushText(home, QUOTED);
  return end;
}

/** Expands what a `$` or backquote at `position` begins; returns where it ends. */
function expandDollar(position: usize, quoted: bool): usize {
  const mark = quoted ? QUOTED : EXPANDED;
  if (at(position) === BACKQUOTE) {
    const end = unitEnd(position);
    const close = end - 1;
    const command = bytesNew();
    for (let from = position + 1; from < close; from++) {
      const next = at(from, 1);
      if (at(from) === BACKSLASH && (next === BACKQUOTE || next === BACKSLASH || next === DOLLAR)) {
        from++;
      }
      bytesPush(command, at(from));
    }
    substitute(bytesString(command), command.used, mark);
    bytesFree(command);
    return end;
  }
  const next = at(position, 1);
  if (next === OPEN) {
    const end = unitEnd(position);
    if (at(position, 2) === OPEN && at(end - 2) === CLOSE) {
      expandArithmetic(position + 3, end - 2 - (position + 3), mark);
    } else {
      substitute(position + 2, end - 1 - (position + 2), mark);
    }
    return end;
  }
  if (next === OPEN_BRACE) {
    const end = unitEnd(position);
    expandBraces(position + 2, end - 1, quoted);
    return end;
  }
  if (isLetter(next) || next === 0x5f) {
    let end = position + 1;
    while (isLetter(at(end)) || isDigit(at(end)) || at(end) === 0x5f) end++;
    const name = duplicateBytes(position + 1, end - position - 1);
    pushParameter(name, quoted);
    release(name);
    return end;
  }
  if (isDigit(next) || (next !== 0 && find(c`@*#?-$!`, next) !== 0)) {
    const name = duplicateBytes(position + 1, 1);
    pushParameter(name, quoted);
    release(name);
    return position + 2;
  }
  push(DOLLAR, quoted ? QUOTED : PLAIN);
  return position + 1;
}

function substitute(text: usize, count: u32, mark: u32): void {
  const output = substituteCommand(text, count);
  let size = output.used;
  while (size > 0 && load<u8>(output.data + size - 1) === NEWLINE) size--;
  for (let index: u32 = 0; index < size; index++) {
    const byte: u32 = load<u8>(output.data + index);
    if (byte !== 0) push(byte, mark);
  }
  bytesFree(output);
}

function expandArithmetic(text: usize, count: u32, mark: u32): void {
  begin();
  const expression = duplicateBytes(text, count);
  expandQuoted(expression, count, false);
  const expanded = bytesString(characters);
  const value = failed ? 0 : evaluate(expanded);
  release(expression);
  finish();
  if (arithmeticProblem() !== 0) complain(0, arithmeticProblem());
  else pushText(formatSigned(value), mark);
}

/** The value of a variable or special parameter other than @ and *, 0 when it is unset. */
function parameterValue(name: usize): usize {
  const first = at(name);
  if (isDigit(first)) {
    const number = parseNumber(name);
    if (number === 0) return shellName;
    return number <= positionalCount ? load<usize>(positional + (number - 1 << 2)) : 0;
  }
  switch (first) {
    case 0x23: // #
      return formatSigned(positionalCount);
    case 0x3f: // ?
      return formatSigned(lastStatus);
    case 0x24: // $
      return formatSigned(shellPid);
    case 0x21: // !
      return lastBackground === 0 ? 0 : formatSigned(lastBackground);
    case 0x2d: // -
      return c``;
    default:
      return valueOf(name);
  }
}
/** The shell's own pid, which a subshell keeps as its `$$`. */
let shellPid: i32 = 0;
export function rememberShellPid(): void {
  shellPid = getpid();
}

function pushParameter(name: usize, quoted: bool): void {
  const first = at(name);
  if (first === 0x40 || first === 0x2a) return pushAll(first === 0x2a, quoted);
  const value = parameterValue(name);
  if (value === 0) {
    if (failOnUnset) complain(name, c`parameter not set`);
    return;
  }
  pushText(value, quoted ? QUOTED : EXPANDED);
}

/** `$@` and `$*`. */
function pushAll(star: bool, quoted: bool): void {
  const separators = valueOf(c`IFS`);
  for (let index = 0; index < positionalCount; index++) {
    if (index > 0) {
      if (star && quoted) {
        if (separators === 0) push(0x20, QUOTED);
        else if (at(separators) !== 0) push(at(separators), QUOTED);
      } else {
        push(0, BREAK);
      }
    }
    const value = load<usize>(positional + (index << 2));
    if (quoted && !star) push(0, EMPTY);
    pushText(value, quoted ? QUOTED : EXPANDED);
  }
}

/** `${…}` with what stands between the braces. */
function expandBraces(from: usize, end: usize, quoted: bool): void {
  let position = from;
  const lengthOf = at(from) === 0x23 && from + 1 < end && find(c`-=+?:%#`, at(from, 1)) === 0;
  if (lengthOf) position++;
  let nameEnd = position;
  if (isDigit(at(nameEnd))) {
    while (isDigit(at(nameEnd))) nameEnd++;
  } else if (isLetter(at(nameEnd)) || at(nameEnd) === 0x5f) {
    while (isLetter(at(nameEnd)) || isDigit(at(nameEnd)) || at(nameEnd) === 0x5f) nameEnd++;
  } else if (nameEnd < end) {
    nameEnd++;
  }
  if (nameEnd === position || nameEnd > end) return complain(0, c`bad substitution`);
  const name = duplicateBytes(position, nameEnd - position);
  if (lengthOf) {
    const value = parameterValue(name);
    const all = at(name) === 0x40 || at(name) === 0x2a;
    pushText(
      formatSigned(all ? positionalCount : value === 0 ? 0 : <i32> length(value)),
      quoted ? QUOTED : EXPANDED,
    );
  } else if (nameEnd === end) {
    pushParameter(name, quoted);
  } else {
    const word = duplicateBytes(nameEnd, end - nameEnd);
    applyOperator(name, word, quoted);
    release(word);
  }
  release(name);
}

/** `:-` `:=` `:?` `:+` and without colon, `%` `%%` `#` `##`. */
function applyOperator(name: usize, operation: usize, quoted: bool): void {
  let operator = at(operation);
  if (operator === 0x25 || operator === 0x23) {
    const twice = at(operation, 1) === operator;
    return removeAffix(name, operation + (twice ? 2 : 1), operator === 0x25, twice, quoted);
  }
  const colon = operator === 0x3a;
  if (colon) operation++;
  operator = at(operation);
  const word = operation + 1;
  const all = at(name) === 0x40 || at(name) === 0x2a;
  const value = all ? (positionalCount > 0 ? c`x` : 0) : parameterValue(name);
  const isSet = value !== 0 && !(colon && at(value) === 0);
  switch (operator) {
    case 0x2d: // -
      if (isSet) pushParameter(name, quoted);
      else pushWord(word, quoted);
      return;
    case 0x2b: // +
      if (isSet) pushWord(word, quoted);
      return;
    case 0x3d: { // =
      if (!isSet) {
        const text = wordText(word);
        if (!assign(name, text)) complain(name, c`is read only`);
        release(text);
      }
      return pushParameter(name, quoted);
    }
    case 0x3f: { // ?
      if (isSet) return pushParameter(name, quoted);
      const text = wordText(word);
      complain(name, at(text) === 0 ? c`parameter null or not set` : text);
      release(text);
      return;
    }
    default:
      complain(name, c`bad substitution`);
  }
}

function pushWord(word: usize, quoted: bool): void {
  if (quoted) expandQuoted(word, length(word), false);
  else expandInto(word, EXPANDED, true);
}

/** The expansion of a word as a string on the heap. */
function wordText(word: usize): usize {
  begin();
  expandInto(word, PLAIN, true);
  const text = bytesNew();
  for (let index: u32 = 0; index < characters.used; index++) {
    if (load<u8>(marks.data + index) < BREAK) bytesPush(text, load<u8>(characters.data + index));
  }
  finish();
  const result = duplicateBytes(bytesString(text), text.used);
  bytesFree(text);
  return result;
}

/** Removes the shortest (or longest) prefix or suffix that matches a pattern. */
function removeAffix(name: usize, pattern: usize, suffix: bool, longest: bool, quoted: bool): void {
  const value = parameterValue(name);
  if (value === 0) {
    if (failOnUnset) complain(name, c`parameter not set`);
    return;
  }
  const size = <i32> length(value);
  const kept = duplicateBytes(value, size); // the expansion below may reuse the static number buffer
  begin();
  expandInto(pattern, PLAIN, false);
  let cut: i32 = -1;
  for (let index: i32 = 0; index <= size; index++) {
    // Affixes from the shortest to the longest, or back.
    const affix = longest ? size - index : index;
    const found = suffix
      ? matchesMarked(0, kept + size - affix, affix)
      : matchesMarked(0, kept, affix);
    if (found) {
      cut = affix;
      break;
    }
  }
  finish();
  if (cut > 0) {
    if (suffix) store<u8>(kept + size - cut, 0);
    else memory.copy(kept, kept + cut, size - cut + 1);
  }
  pushText(kept, quoted ? QUOTED : EXPANDED);
  release(kept);
}

/** Whether the characters from `start` on match the subject as a pattern. */
function matchesMarked(start: u32, subject: usize, size: u32): bool {
  const pattern = bytesNew();
  const quoted = bytesNew();
  for (let index = start; index < characters.used; index++) {
    const mark = load<u8>(marks.data + index);
    if (mark >= BREAK) continue;
    bytesPush(pattern, load<u8>(characters.data + index));
    bytesPush(quoted, mark === QUOTED ? 1 : 0);
  }
  const result = matches(pattern.data, quoted.data, pattern.used, subject, size);
  bytesFree(pattern);
  bytesFree(quoted);
  return result;
}

@unmanaged
class FieldList {
  arena!: Arena;
  first: Word | null;
  last: Word | null;
}

function addField(list: FieldList, text: usize): void {
  const word = changetype<Word>(arenaAllocate(list.arena, offsetof<Word>()));
  word.text = text;
  word.next = null;
  const last = list.last;
  if (last === null) list.first = word;
  else last.next = word;
  list.last = word;
}

/** Splits the characters into fields, and expands patterns to pathnames. */
function splitFields(list: FieldList): void {
  const set = valueOf(c`IFS`);
  const separators = set === 0 ? c` \t\n` : set;
  const field = bytesNew();
  const quoted = bytesNew();
  let present = false;
  let afterSeparator = false;
  for (let index: u32 = 0; index < characters.used && !failed; index++) {
    const byte: u32 = load<u8>(characters.data + index);
    const mark = load<u8>(marks.data + index);
    if (mark === BREAK) {
      if (present || field.used > 0) endField(list, field, quoted);
      present = false;
      continue;
    }
    if (mark === EMPTY) {
      present = true;
      continue;
    }
    if (mark === EXPANDED && find(separators, byte) !== 0) {
      const blank = byte === 0x20 || byte === 9 || byte === NEWLINE;
      if (field.used > 0 || present || (!blank && !afterSeparator)) {
        endField(list, field, quoted);
        afterSeparator = blank;
      } else if (!blank) {
        afterSeparator = false;
      }
      present = false;
      continue;
    }
    afterSeparator = false;
    bytesPush(field, byte);
    bytesPush(quoted, mark === QUOTED ? 1 : 0);
  }
  if (field.used > 0 || present) endField(list, field, quoted);
  bytesFree(field);
  bytesFree(quoted);
}

function endField(list: FieldList, field: Bytes, quoted: Bytes): void {
  if (
    noGlob || !hasPattern(field.data, quoted.data, field.used) || !expandPaths(list, field, quoted)
  ) {
    addField(list, arenaText(list.arena, field.data, field.used));
  }
  field.used = 0;
  quoted.used = 0;
}

/** Adds the paths that match a pattern; false if none does. */
function expandPaths(list: FieldList, pattern: Bytes, quoted: Bytes): bool {
  const before = list.last;
  const prefix = bytesNew();
  walkPaths(list, pattern.data, quoted.data, pattern.used, prefix);
  bytesFree(prefix);
  return list.last !== before;
}

/** Matches the pattern's first part in the directory `prefix`, then the rest in what matched. */
function walkPaths(
  list: FieldList,
  pattern: usize,
  quoted: usize,
  count: u32,
  prefix: Bytes,
): void {
  const start = prefix.used;
  let index: u32 = 0;
  while (index < count && load<u8>(pattern + index) === SLASH) {
    bytesPush(prefix, SLASH);
    index++;
  }
  if (index === count) {
    addField(list, arenaText(list.arena, bytesString(prefix), prefix.used));
    prefix.used = start;
    return;
  }
  let end = index;
  while (end < count && load<u8>(pattern + end) !== SLASH) end++;
  const part = pattern + index;
  const marked = quoted + index;
  const size = end - index;
  const base = prefix.used;
  if (!hasPattern(part, marked, size)) {
    for (let at: u32 = 0; at < size; at++) bytesPush(prefix, load<u8>(part + at));
    if (exists(bytesString(prefix))) {
      walkPaths(list, pattern + end, quoted + end, count - end, prefix);
    }
  } else {
    const names = readDirectory(prefix.used === 0 ? c`.` : bytesString(prefix));
    for (let at: u32 = 0; at < names.count; at++) {
      const name = nameAt(names, at);
      // A leading dot is matched only by a dot in the pattern.
      if (load<u8>(name) === 0x2e && load<u8>(part) !== 0x2e) continue;
      if (!matches(part, marked, size, name, length(name))) continue;
      bytesText(prefix, name);
      if (end === count || exists(bytesString(prefix))) {
        walkPaths(list, pattern + end, quoted + end, count - end, prefix);
      }
      prefix.used = base;
    }
    freeNames(names);
  }
  prefix.used = start;
}

function exists(path: usize): bool {
  const info = new Stat();
  const result = stat(path, info, false);
  release(changetype<usize>(info));
  return result === 0;
}
