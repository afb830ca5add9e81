/**
 * The shell's parser: recursive descent over the characters, by the grammar of POSIX Shell Command Language
 * §2.10. Words keep their quotes. An incomplete command asks its input for more lines.
 *
 * @module
 */
import { Arena, arenaText, arenaZeroed } from "../lib/arena.ts";
import { bytesAppend, bytesFree, bytesNew, bytesString } from "../lib/bytes.ts";
import {
  at,
  find,
  isDigit,
  isLetter,
  length,
  NEWLINE,
  parseNumber,
  SPACE,
  TAB,
} from "../lib/string.ts";
import { Input, inputMore } from "./input.ts";
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
  Redirect,
  REDIRECT_APPEND,
  REDIRECT_DUPLICATE,
  REDIRECT_HERE,
  REDIRECT_INPUT,
  REDIRECT_OUTPUT,
  REDIRECT_READ_WRITE,
  SEQUENCE,
  SIMPLE,
  SUBSHELL,
  UNTIL,
  WHILE,
  Word,
} from "./syntax.ts";

const AMPERSAND: u32 = 0x26;
const BACKQUOTE: u32 = 0x60;
const BACKSLASH: u32 = 0x5c;
const BAR: u32 = 0x7c;
const CLOSE: u32 = 0x29;
const CLOSE_BRACE: u32 = 0x7d;
const DASH: u32 = 0x2d;
const DOLLAR: u32 = 0x24;
const DOUBLE_QUOTE: u32 = 0x22;
const EQUALS: u32 = 0x3d;
const GREATER: u32 = 0x3e;
const HASH: u32 = 0x23;
const LESS: u32 = 0x3c;
const OPEN: u32 = 0x28;
const OPEN_BRACE: u32 = 0x7b;
const QUOTE: u32 = 0x27;
const SEMICOLON: u32 = 0x3b;

/** Parsing deeper than this is refused, so that no input overflows the stack. */
const MAX_DEPTH: u32 = 200;

let input: Input = changetype<Input>(0);
let arena: Arena = changetype<Arena>(0);
/** What is wrong, 0 while nothing is. */
let problem: usize = 0;
let depth: u32 = 0;
/** Here-documents whose bodies follow the next newline. */
const PENDING = memory.data(16 * 4, 4);
let pendingCount: u32 = 0;
/** Set by {@link parseCommand} when a function was defined: the tree must outlive the command. */
export let definesFunction: bool = false;

/** What was wrong with the last command, 0 if nothing. */
export function parseProblem(): usize {
  return problem;
}

/**
 * Parses one complete command (to the end of its line) into `into`; null at the end of the input or for an
 * empty line or when it is wrong ({@link parseProblem}).
 */
export function parseCommand(from: Input, into: Arena): Node | null {
  input = from;
  arena = into;
  problem = 0;
  depth = 0;
  pendingCount = 0;
  definesFunction = false;
  skipBlanks();
  if (peek() === 0) return null;
  if (peek() === NEWLINE) {
    input.position++;
    return null;
  }
  const list = parseList(false);
  if (problem !== 0) return null;
  skipBlanks();
  const byte = peek();
  if (byte === NEWLINE) takeNewline();
  else if (byte !== 0) fail(c`syntax error: unexpected word or operator`);
  return problem !== 0 ? null : list;
}

/** Whether the input has ended and all of it is parsed. */
export function atEnd(from: Input): bool {
  return from.position >= from.text.used && (from.ended || from.fd < 0);
}

/** The next byte, 0 at the end. */
function peek(): u32 {
  while (input.position >= input.text.used) {
    if (!inputMore(input)) return 0;
  }
  return load<u8>(input.text.data + input.position);
}
/** The byte after the next, only if it is there. */
function peekSecond(): u32 {
  return input.position + 1 < input.text.used ? load<u8>(input.text.data + input.position + 1) : 0;
}

function fail(message: usize): void {
  if (problem === 0) problem = message;
}

function newNode(kind: u32): Node {
  const node = changetype<Node>(arenaZeroed(arena, offsetof<Node>()));
  node.kind = kind;
  return node;
}
function newWord(text: usize): Word {
  const word = changetype<Word>(arenaZeroed(arena, offsetof<Word>()));
  word.text = text;
  return word;
}

/** Skips blanks, comments and continued lines. */
function skipBlanks(): void {
  while (true) {
    const byte = peek();
    if (byte === SPACE || byte === TAB) {
      input.position++;
    } else if (byte === BACKSLASH && peekSecond() === NEWLINE) {
      input.position += 2;
    } else if (byte === HASH) {
      while (peek() !== 0 && peek() !== NEWLINE) input.position++;
    } else {
      return;
    }
  }
}

/** Skips blanks and newlines. */
function skipLines(): void {
  while (true) {
    skipBlanks();
    if (peek() !== NEWLINE) return;
    takeNewline();
  }
}

/** Takes a newline, and the here-documents that begin after it. */
function takeNewline(): void {
  input.position++;
  const count = pendingCount;
  pendingCount = 0;
  for (let index: u32 = 0; index < count; index++) {
    readHereDocument(changetype<Redirect>(load<usize>(PENDING + (index << 2))));
  }
}

function readHereDocument(redirect: Redirect): void {
  const body = bytesNew();
  const delimiter = redirect.word;
  while (true) {
    if (peek() === 0) break; // the end of the input ends the document
    let start = input.position;
    while (peek() !== 0 && peek() !== NEWLINE) input.position++;
    const end = input.position;
    if (peek() === NEWLINE) input.position++;
    if (redirect.stripTabs) {
      while (start < end && load<u8>(input.text.data + start) === TAB) start++;
    }
    const size = end - start;
    if (
      size === length(delimiter) && memory.compare(input.text.data + start, delimiter, size) === 0
    ) break;
    bytesAppend(body, input.text.data + start, size);
    bytesAppend(body, c`\n`, 1);
  }
  redirect.body = arenaText(arena, bytesString(body), body.used);
  bytesFree(body);
}

/** and_or ((';' | '&' | newline) and_or)*; newlines part commands only inside compound commands. */
function parseList(compound: bool): Node | null {
  let list: Node | null = null;
  while (true) {
    if (compound) skipLines();
    else skipBlanks();
    if (startsListEnd()) return list;
    const begin = input.position;
    let item = parseAndOr();
    if (problem !== 0 || item === null) return list;
    item.source = sourceFrom(begin);
    skipBlanks();
    const byte = peek();
    let more = false;
    if (byte === AMPERSAND && peekSecond() !== AMPERSAND) {
      input.position++;
      const background = newNode(BACKGROUND);
      background.left = item;
      background.source = item.source;
      item = background;
      more = true;
    } else if (byte === SEMICOLON && peekSecond() !== SEMICOLON) {
      input.position++;
      more = true;
    } else if (compound && byte === NEWLINE) {
      more = true;
    }
    if (list === null) {
      list = item;
    } else {
      const sequence = newNode(SEQUENCE);
      sequence.left = list;
      sequence.right = item;
      list = sequence;
    }
    if (!more) return list;
  }
  return null;
}

/** The text since `begin`, without blanks at its end. */
function sourceFrom(begin: u32): usize {
  let end = input.position;
  while (end > begin && load<u8>(input.text.data + end - 1) <= SPACE) end--;
  return arenaText(arena, input.text.data + begin, end - begin);
}

/** Whether what follows cannot start a command of a list. */
function startsListEnd(): bool {
  const byte = peek();
  if (byte === 0 || byte === CLOSE || byte === NEWLINE) return true;
  if (byte === SEMICOLON && peekSecond() === SEMICOLON) return true;
  return keywordAhead(c`then`) || keywordAhead(c`else`) || keywordAhead(c`elif`) ||
    keywordAhead(c`fi`) || keywordAhead(c`do`) || keywordAhead(c`done`) || keywordAhead(c`esac`) ||
    keywordAhead(c`}`);
}

function parseAndOr(): Node | null {
  let left = parsePipeline();
  while (problem === 0 && left !== null) {
    skipBlanks();
    const both = peek() === AMPERSAND && peekSecond() === AMPERSAND;
    if (!both && !(peek() === BAR && peekSecond() === BAR)) break;
    input.position += 2;
    skipLines();
    const node = newNode(both ? AND : OR);
    node.left = left;
    node.right = parsePipeline();
    left = node;
  }
  return left;
}

function parsePipeline(): Node | null {
  skipBlanks();
  let negated = false;
  while (takeKeyword(c`!`)) {
    negated = !negated;
    skipBlanks();
  }
  const begin = input.position;
  const first = parseElement();
  if (problem !== 0 || first === null) return null;
  let last = first;
  let count = 1;
  while (true) {
    skipBlanks();
    if (peek() !== BAR || peekSecond() === BAR) break;
    input.position++;
    skipLines();
    const next = parseElement();
    if (problem !== 0 || next === null) return null;
    last.next = next;
    last = next;
    count++;
  }
  let node = first;
  if (count > 1) {
    node = newNode(PIPELINE);
    node.left = first;
  }
  node.source = sourceFrom(begin);
  if (!negated) return node;
  const not = newNode(NOT);
  not.left = node;
  not.source = node.source;
  return not;
}

/** One command of a pipeline. */
function parseElement(): Node | null {
  if (++depth > MAX_DEPTH) {
    fail(c`syntax error: commands are nested too deeply`);
    return null;
  }
  const node = parseCompound();
  depth--;
  if (problem === 0 && node === null) fail(c`syntax error: a command is missing`);
  return node;
}

function parseCompound(): Node | null {
  skipBlanks();
  let node: Node | null = null;
  if (peek() === OPEN) {
    input.position++;
    node = newNode(SUBSHELL);
    node.left = parseBody();
    skipLines();
    if (peek() !== CLOSE) fail(c`syntax error: ) is missing`);
    else input.position++;
  } else if (takeKeyword(c`{`)) {
    node = newNode(GROUP);
    node.left = parseBody();
    expectKeyword(c`}`, c`syntax error: } is missing`);
  } else if (takeKeyword(c`if`)) {
    node = parseIf();
  } else if (takeKeyword(c`while`)) {
    node = parseLoop(WHILE);
  } else if (takeKeyword(c`until`)) {
    node = parseLoop(UNTIL);
  } else if (takeKeyword(c`for`)) {
    node = parseFor();
  } else if (takeKeyword(c`case`)) {
    node = parseCase();
  } else {
    return parseSimple();
  }
  if (problem !== 0) return null;
  let redirect: Redirect | null = parseRedirect();
  let last: Redirect | null = null;
  while (redirect !== null && problem === 0) {
    if (last === null) node!.redirects = redirect;
    else last.next = redirect;
    last = redirect;
    redirect = parseRedirect();
  }
  return node;
}

/** A list that must not be empty. */
function parseBody(): Node | null {
  const body = parseList(true);
  if (problem === 0 && body === null) fail(c`syntax error: a command is missing`);
  return body;
}

function parseIf(): Node | null {
  const node = newNode(IF);
  node.left = parseBody();
  expectKeyword(c`then`, c`syntax error: then is missing`);
  node.right = parseBody();
  skipLines();
  if (takeKeyword(c`elif`)) {
    if (++depth > MAX_DEPTH) fail(c`syntax error: commands are nested too deeply`);
    else node.other = parseIf();
    return node;
  }
  if (takeKeyword(c`else`)) node.other = parseBody();
  expectKeyword(c`fi`, c`syntax error: fi is missing`);
  return node;
}

function parseLoop(kind: u32): Node | null {
  const node = newNode(kind);
  node.left = parseBody();
  node.right = parseDo();
  return node;
}

function parseDo(): Node | null {
  expectKeyword(c`do`, c`syntax error: do is missing`);
  const body = parseBody();
  expectKeyword(c`done`, c`syntax error: done is missing`);
  return body;
}

function parseFor(): Node | null {
  const node = newNode(FOR);
  skipBlanks();
  node.name = readWord();
  if (node.name === 0 || !isName(node.name, length(node.name))) {
    fail(c`syntax error: for needs the name of a variable`);
    return null;
  }
  skipLines();
  if (takeKeyword(c`in`)) {
    node.hasList = true;
    node.words = readWords();
  }
  skipBlanks();
  if (peek() === SEMICOLON) input.position++;
  skipLines();
  node.right = parseDo();
  return node;
}

function readWords(): Word | null {
  let first: Word | null = null;
  let last: Word | null = null;
  while (true) {
    skipBlanks();
    const text = readWord();
    if (text === 0) return first;
    const word = newWord(text);
    if (last === null) first = word;
    else last.next = word;
    last = word;
  }
  return null;
}

function parseCase(): Node | null {
  const node = newNode(CASE);
  skipBlanks();
  const subject = readWord();
  if (subject === 0) {
    fail(c`syntax error: case needs a word`);
    return null;
  }
  node.words = newWord(subject);
  skipLines();
  if (!takeKeyword(c`in`)) fail(c`syntax error: in is missing`);
  let last: CaseItem | null = null;
  while (true) {
    skipLines();
    if (problem !== 0 || takeKeyword(c`esac`)) return node;
    if (peek() === OPEN) input.position++;
    const item = changetype<CaseItem>(arenaZeroed(arena, offsetof<CaseItem>()));
    while (true) {
      skipBlanks();
      const text = readWord();
      if (text === 0) {
        fail(c`syntax error: a pattern is missing`);
        return null;
      }
      const pattern = newWord(text);
      pattern.next = item.patterns;
      item.patterns = pattern;
      skipBlanks();
      if (peek() !== BAR) break;
      input.position++;
    }
    if (peek() !== CLOSE) {
      fail(c`syntax error: ) is missing`);
      return null;
    }
    input.position++;
    item.body = parseList(true);
    skipLines();
    if (peek() === SEMICOLON && peekSecond() === SEMICOLON) input.position += 2;
    else if (!keywordAhead(c`esac`)) fail(c`syntax error: ;; is missing`);
    if (last === null) node.items = item;
    else last.next = item;
    last = item;
  }
  return null;
}

/** Whether `count` bytes are the name of a variable. */
export function isName(text: usize, count: u32): bool {
  if (count === 0 || isDigit(at(text))) return false;
  for (let index: u32 = 0; index < count; index++) {
    const byte = at(text, index);
    if (!isLetter(byte) && !isDigit(byte) && byte !== 0x5f) return false;
  }
  return true;
}

function parseSimple(): Node | null {
  const node = newNode(SIMPLE);
  let lastWord: Word | null = null;
  let lastAssignment: Word | null = null;
  let lastRedirect: Redirect | null = null;
  while (true) {
    const redirect = parseRedirect();
    if (problem !== 0) return null;
    if (redirect !== null) {
      if (lastRedirect === null) node.redirects = redirect;
      else lastRedirect.next = redirect;
      lastRedirect = redirect;
      continue;
    }
    const text = readWord();
    if (problem !== 0) return null;
    if (text === 0) break;
    const word = newWord(text);
    const equals = find(text, EQUALS);
    if (lastWord === null && equals !== 0 && isName(text, equals - text)) {
      if (lastAssignment === null) node.assignments = word;
      else lastAssignment.next = word;
      lastAssignment = word;
      continue;
    }
    if (lastWord === null) {
      node.words = word;
      skipBlanks();
      if (peek() === OPEN && isName(text, length(text)) && lastAssignment === null) {
        return parseFunction(text);
      }
    } else {
      lastWord.next = word;
    }
    lastWord = word;
  }
  if (node.words === null && node.assignments === null && node.redirects === null) return null;
  return node;
}

function parseFunction(name: usize): Node | null {
  input.position++;
  skipBlanks();
  if (peek() !== CLOSE) {
    fail(c`syntax error: ) is missing`);
    return null;
  }
  input.position++;
  skipLines();
  const node = newNode(FUNCTION);
  node.name = name;
  node.left = parseElement();
  definesFunction = true;
  return node;
}

/** A redirection, or null if none follows. */
function parseRedirect(): Redirect | null {
  skipBlanks();
  let ahead = input.position;
  while (ahead < input.text.used && isDigit(load<u8>(input.text.data + ahead))) ahead++;
  const first: u32 = ahead < input.text.used ? load<u8>(input.text.data + ahead) : 0;
  if (first !== LESS && first !== GREATER) return null;
  const redirect = changetype<Redirect>(arenaZeroed(arena, offsetof<Redirect>()));
  redirect.fd = first === LESS ? 0 : 1;
  if (ahead > input.position) redirect.fd = parseNumber(input.text.data + input.position);
  input.position = ahead + 1;
  const second = peek();
  redirect.operator = first === LESS ? REDIRECT_INPUT : REDIRECT_OUTPUT;
  if (second === AMPERSAND) {
    redirect.operator = REDIRECT_DUPLICATE;
    input.position++;
  } else if (second === GREATER) {
    redirect.operator = first === LESS ? REDIRECT_READ_WRITE : REDIRECT_APPEND;
    input.position++;
  } else if (first === GREATER && second === BAR) {
    input.position++;
  } else if (first === LESS && second === LESS) {
    redirect.operator = REDIRECT_HERE;
    input.position++;
    if (peek() === DASH) {
      redirect.stripTabs = true;
      input.position++;
    }
  }
  skipBlanks();
  redirect.word = readWord();
  if (redirect.word === 0) {
    fail(c`syntax error: a redirection needs a word`);
    return null;
  }
  if (redirect.operator === REDIRECT_HERE) {
    if (pendingCount === 16) {
      fail(c`syntax error: too many here-documents in one line`);
      return null;
    }
    redirect.literal = unquoteDelimiter(redirect.word);
    store<usize>(PENDING + (pendingCount++ << 2), changetype<usize>(redirect));
  }
  return redirect;
}

/** Takes quotes out of a here-document's delimiter in place; whether there were any. */
function unquoteDelimiter(word: usize): bool {
  let to = word;
  let quoted = false;
  for (let from = word; at(from) !== 0; from++) {
    const byte = at(from);
    if (byte === QUOTE || byte === DOUBLE_QUOTE || byte === BACKSLASH) quoted = true;
    else store<u8>(to++, byte);
  }
  store<u8>(to, 0);
  return quoted;
}

function isWordEnd(byte: u32): bool {
  return byte === 0 || byte === SPACE || byte === TAB || byte === NEWLINE || byte === SEMICOLON ||
    byte === AMPERSAND || byte === BAR || byte === LESS || byte === GREATER || byte === OPEN ||
    byte === CLOSE;
}

/** Whether the keyword is the next word, unquoted. */
function keywordAhead(keyword: usize): bool {
  peek();
  const size = length(keyword);
  if (input.position + size > input.text.used) return false;
  const text = input.text.data + input.position;
  if (memory.compare(text, keyword, size) !== 0) return false;
  return input.position + size === input.text.used || isWordEnd(at(text, size));
}
function takeKeyword(keyword: usize): bool {
  skipBlanks();
  if (!keywordAhead(keyword)) return false;
  input.position += length(keyword);
  return true;
}
function expectKeyword(keyword: usize, message: usize): void {
  if (problem !== 0) return;
  skipLines();
  if (!takeKeyword(keyword)) fail(message);
}

/** Reads one word as written; 0 if none follows. */
function readWord(): usize {
  skipBlanks();
  const begin = input.position;
  while (!isWordEnd(peek())) {
    skipUnit();
    if (problem !== 0) return 0;
  }
  if (input.position === begin) return 0;
  return arenaText(arena, input.text.data + begin, input.position - begin);
}

/** Skips one character of a word, or a whole quoted string or substitution. */
function skipUnit(): void {
  const byte = peek();
  input.position++;
  if (byte === BACKSLASH) {
    if (peek() !== 0) input.position++;
  } else if (byte === QUOTE) {
    while (peek() !== QUOTE) {
      if (peek() === 0) return fail(c`syntax error: a quote is not closed`);
      input.position++;
    }
    input.position++;
  } else if (byte === DOUBLE_QUOTE) {
    while (peek() !== DOUBLE_QUOTE) {
      if (peek() === 0) return fail(c`syntax error: a quote is not closed`);
      if (peek() === QUOTE) input.position++;
      else skipUnit();
      if (problem !== 0) return;
    }
    input.position++;
  } else if (byte === BACKQUOTE) {
    while (peek() !== BACKQUOTE) {
      if (peek() === 0) return fail(c`syntax error: \` is not closed`);
      if (peek() === BACKSLASH) input.position++;
      input.position++;
    }
    input.position++;
  } else if (byte === DOLLAR) {
    if (peek() === OPEN) skipNested(OPEN, CLOSE);
    else if (peek() === OPEN_BRACE) skipNested(OPEN_BRACE, CLOSE_BRACE);
  }
}

/** Skips from an opening to its closing bracket, over quotes and nested brackets. */
function skipNested(open: u32, close: u32): void {
  if (++depth > MAX_DEPTH) return fail(c`syntax error: substitutions are nested too deeply`);
  input.position++;
  while (peek() !== close) {
    const byte = peek();
    if (byte === 0) return fail(c`syntax error: a substitution is not closed`);
    if (byte === open) skipNested(open, close);
    else skipUnit();
    if (problem !== 0) return;
  }
  input.position++;
  depth--;
}
