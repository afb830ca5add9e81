/**
 * The shell's syntax tree (POSIX Shell Command Language §2.9, §2.10). Nodes live in an arena. Words are kept
 * as they were written, quotes and all; expand.ts reads them.
 *
 * @module
 */

export const SIMPLE: u32 = 1;
export const PIPELINE: u32 = 2;
export const AND: u32 = 3;
export const OR: u32 = 4;
export const SEQUENCE: u32 = 5;
export const BACKGROUND: u32 = 6;
export const IF: u32 = 7;
export const WHILE: u32 = 8;
export const UNTIL: u32 = 9;
export const FOR: u32 = 10;
export const CASE: u32 = 11;
export const GROUP: u32 = 12;
export const SUBSHELL: u32 = 13;
export const FUNCTION: u32 = 14;
export const NOT: u32 = 15;

/** Operators of redirections. */
export const REDIRECT_INPUT: u32 = 1;
export const REDIRECT_OUTPUT: u32 = 2;
export const REDIRECT_APPEND: u32 = 3;
export const REDIRECT_READ_WRITE: u32 = 4;
export const REDIRECT_DUPLICATE: u32 = 5;
export const REDIRECT_HERE: u32 = 6;

/** A word as written, in a list. */
@unmanaged
export class Word {
  text: usize;
  next: Word | null;
}

/** A redirection, in a list. */
@unmanaged
export class Redirect {
  operator: u32;
  fd: i32;
  /** The file, descriptor or here-document's delimiter. */
  word: usize;
  /** A here-document's text; expanded unless `literal`. */
  body: usize;
  literal: bool;
  /** Leading tabs of the here-document are dropped (`<<-`). */
  stripTabs: bool;
  next: Redirect | null;
}

/** Any node. `left` and `right` are its parts by kind:
 * PIPELINE commands from `left` by `next`; AND OR SEQUENCE both; BACKGROUND NOT GROUP SUBSHELL FUNCTION `left`;
 * IF condition `left`, then `right`, else `other`; WHILE UNTIL condition `left`, body `right`; FOR body `right`. */
@unmanaged
export class Node {
  kind: u32;
  left: Node | null;
  right: Node | null;
  other: Node | null;
  next: Node | null;
  redirects: Redirect | null;
  /** SIMPLE: assignments before the command's name. */
  assignments: Word | null;
  /** SIMPLE: the command; FOR: the list (null with `hasList` false: "$@"); CASE: the subject. */
  words: Word | null;
  hasList: bool;
  /** FOR: the variable; FUNCTION: the name. */
  name: usize;
  /** CASE: its items. */
  items: CaseItem | null;
  /** What was written, for `jobs`. */
  source: usize;
}

/** `pattern | pattern) body ;;` */
@unmanaged
export class CaseItem {
  patterns: Word | null;
  body: Node | null;
  next: CaseItem | null;
}
