/**
 * `test` and `[` (POSIX XCU test): for the command and for the shell's builtin.
 *
 * @module
 */
import { TCGETS } from "../../abi/ioctl.ts";
import { release } from "./memory.ts";
import { complainText } from "./output.ts";
import { at, compare, equal, isNumber, length, parseNumber } from "./string.ts";
import {
  access,
  ioctl,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  Stat,
  stat,
} from "./system.ts";

let words: usize = 0;
let position: i32 = 0;
let count: i32 = 0;
let problem: usize = 0;

/** The exit status of the expression in argv[1]…: 0 true, 1 false, 2 wrong. A `[` needs its `]`. */
export function testExpression(argc: i32, argv: usize): i32 {
  const name = load<usize>(argv);
  words = argv + 4;
  count = argc - 1;
  position = 0;
  problem = 0;
  if (equal(name, c`[`)) {
    if (count === 0 || !equal(word(count - 1), c`]`)) {
      complainText(name, c`] is missing`);
      return 2;
    }
    count--;
  }
  if (count === 0) return 1;
  const result = either();
  if (problem === 0 && position < count) problem = c`too many arguments`;
  if (problem !== 0) {
    complainText(name, problem);
    return 2;
  }
  return result ? 0 : 1;
}

function word(index: i32): usize {
  return load<usize>(words + (index << 2));
}
function take(operator: usize): bool {
  if (position >= count || !equal(word(position), operator)) return false;
  position++;
  return true;
}

function either(): bool {
  let result = both();
  while (take(c`-o`)) {
    const right = both();
    result = result || right;
  }
  return result;
}
function both(): bool {
  let result = not();
  while (take(c`-a`)) {
    const right = not();
    result = result && right;
  }
  return result;
}
function not(): bool {
  // `! word` alone, or an operator after it, is told apart by how many words are left.
  if (count - position > 1 && !isBinary(position + 1) && take(c`!`)) return !not();
  return primary();
}

function isBinary(index: i32): bool {
  if (index >= count - 1) return false;
  const text = word(index);
  return equal(text, c`=`) || equal(text, c`==`) || equal(text, c`!=`) || equal(text, c`<`) ||
    equal(text, c`>`) || equal(text, c`-eq`) || equal(text, c`-ne`) || equal(text, c`-lt`) ||
    equal(text, c`-le`) || equal(text, c`-gt`) || equal(text, c`-ge`) || equal(text, c`-nt`) ||
    equal(text, c`-ot`) || equal(text, c`-ef`);
}

function primary(): bool {
  if (position >= count) {
    problem = c`an argument is missing`;
    return false;
  }
  const first = word(position++);
  if (isBinary(position)) {
    const operator = word(position++);
    return binary(first, operator, word(position++));
  }
  if (equal(first, c`(`) && position < count) {
    const result = either();
    if (!take(c`)`)) problem = c`) is missing`;
    return result;
  }
  if (at(first) === 0x2d && at(first, 1) !== 0 && at(first, 2) === 0 && position < count) {
    return unary(at(first, 1), word(position++));
  }
  return at(first) !== 0;
}

function binary(left: usize, operator: usize, right: usize): bool {
  const second = at(operator, 1);
  if (at(operator) !== 0x2d) {
    if (at(operator) === 0x21) return !equal(left, right);
    if (at(operator) === 0x3c) return compare(left, right) < 0;
    if (at(operator) === 0x3e) return compare(left, right) > 0;
    return equal(left, right);
  }
  const third = at(operator, 2);
  if (third === 0x74 && (second === 0x6e || second === 0x6f) || second === 0x65 && third === 0x66) {
    return compareFiles(left, second, right);
  }
  if (!isNumber(left) || !isNumber(right)) {
    problem = c`a number is expected`;
    return false;
  }
  const a = parseNumber(left);
  const b = parseNumber(right);
  if (second === 0x65) return a === b; // -eq
  if (second === 0x6e) return a !== b; // -ne
  if (second === 0x6c) return third === 0x74 ? a < b : a <= b; // -lt -le
  return third === 0x74 ? a > b : a >= b; // -gt -ge
}

/** -nt, -ot and -ef, by the first letter. */
function compareFiles(left: usize, kind: u32, right: usize): bool {
  const a = new Stat();
  const b = new Stat();
  const hasA = stat(left, a) === 0;
  const hasB = stat(right, b) === 0;
  let result = false;
  if (kind === 0x65) result = hasA && hasB && a.inode === b.inode && a.device === b.device;
  else if (kind === 0x6e) result = hasA && (!hasB || a.mtime > b.mtime);
  else result = hasB && (!hasA || a.mtime < b.mtime);
  release(changetype<usize>(a));
  release(changetype<usize>(b));
  return result;
}

function unary(operator: u32, text: usize): bool {
  switch (operator) {
    case 0x6e: // -n
      return length(text) > 0;
    case 0x7a: // -z
      return length(text) === 0;
    case 0x74: // -t
      return isNumber(text) && ioctl(parseNumber(text), TCGETS, TERMINAL) === 0;
    case 0x72: // -r
      return access(text, 4) === 0;
    case 0x77: // -w
      return access(text, 2) === 0;
    case 0x78: // -x
      return access(text, 1) === 0;
  }
  const info = new Stat();
  const link = operator === 0x68 || operator === 0x4c;
  const exists = stat(text, info, !link) === 0;
  const type = info.mode & S_IFMT;
  const mode = info.mode;
  const size = info.size;
  release(changetype<usize>(info));
  if (!exists) return false;
  switch (operator) {
    case 0x65: // -e
      return true;
    case 0x66: // -f
      return type === S_IFREG;
    case 0x64: // -d
      return type === S_IFDIR;
    case 0x62: // -b
      return type === S_IFBLK;
    case 0x63: // -c
      return type === S_IFCHR;
    case 0x70: // -p
      return type === S_IFIFO;
    case 0x53: // -S
      return type === S_IFSOCK;
    case 0x68: // -h
    case 0x4c: // -L
      return type === S_IFLNK;
    case 0x73: // -s
      return size > 0;
    case 0x75: // -u
      return (mode & 0o4000) !== 0;
    case 0x67: // -g
      return (mode & 0o2000) !== 0;
    case 0x6b: // -k
      return (mode & 0o1000) !== 0;
    default:
      problem = c`unknown operator`;
      return false;
  }
}
const TERMINAL = memory.data(64, 4);
