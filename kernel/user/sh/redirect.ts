/**
 * Redirections (POSIX Shell Command Language §2.7): opens what they name, and puts descriptors back after commands that
 * the shell runs itself.
 *
 * @module
 */
import { Arena } from "../lib/arena.ts";
import { release } from "../lib/memory.ts";
import { complain, err, flush, writeAll } from "../lib/output.ts";
import { equal, isNumber, length, parseNumber } from "../lib/string.ts";
import {
  close,
  dup2,
  dupAbove,
  exit,
  fork,
  O_APPEND,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  open,
  pipe,
} from "../lib/system.ts";
import { expandHere, expandWord, expansionFailed } from "./expand.ts";
import { newPipe } from "./jobs.ts";
import {
  Redirect,
  REDIRECT_APPEND,
  REDIRECT_DUPLICATE,
  REDIRECT_HERE,
  REDIRECT_OUTPUT,
  REDIRECT_READ_WRITE,
} from "./syntax.ts";
import { shellName } from "./variables.ts";

/** What {@link redirect} returns after a message. */
export const FAILED: usize = 0xffffffff;

/** Saved descriptors stand from here on. */
const SAVED_FD: i32 = 10;

/** Saved descriptors of a command that the shell itself runs, in a list. */
@unmanaged
class SavedFd {
  fd: i32;
  /** The copy, or -1 if `fd` was closed. */
  copy: i32;
  next: SavedFd | null;
}

/** Makes redirections; returns a list to {@link restore} (or 0), or FAILED after a message. */
export function redirect(list: Redirect | null, scratch: Arena, keep: bool): usize {
  let saved: SavedFd | null = null;
  flush();
  for (let item: Redirect | null = list; item !== null; item = item!.next) {
    const source = openRedirect(item, scratch);
    if (source === FAILED_FD) {
      restore(changetype<usize>(saved));
      return FAILED;
    }
    if (keep) {
      const entry = new SavedFd();
      entry.fd = item.fd;
      entry.copy = dupAbove(item.fd, SAVED_FD);
      entry.next = saved;
      saved = entry;
    }
    if (source === CLOSE_FD) {
      close(item.fd);
    } else if (source !== item.fd) {
      dup2(source, item.fd);
      if (item.operator !== REDIRECT_DUPLICATE) close(source);
    }
  }
  return changetype<usize>(saved);
}
const FAILED_FD: i32 = -1000;
const CLOSE_FD: i32 = -1001;

function openRedirect(item: Redirect, scratch: Arena): i32 {
  if (item.operator === REDIRECT_HERE) {
    return hereDocument(item.literal ? item.body : expandHere(item.body, scratch));
  }
  const word = expandWord(item.word, scratch);
  if (expansionFailed()) return FAILED_FD;
  if (item.operator === REDIRECT_DUPLICATE) {
    if (equal(word, c`-`)) return CLOSE_FD;
    if (isNumber(word)) {
      const fd = parseNumber(word);
      const copy = dupAbove(fd, SAVED_FD);
      if (copy < 0) {
        complain(shellName, word, copy);
        return FAILED_FD;
      }
      close(copy);
      return fd;
    }
    err(shellName);
    err(c`: `);
    err(word);
    err(c`: not a file descriptor\n`);
    return FAILED_FD;
  }
  let flags = O_RDONLY;
  if (item.operator === REDIRECT_OUTPUT) flags = O_WRONLY | O_CREAT | O_TRUNC;
  else if (item.operator === REDIRECT_APPEND) flags = O_WRONLY | O_CREAT | O_APPEND;
  else if (item.operator === REDIRECT_READ_WRITE) flags = O_RDWR | O_CREAT;
  const fd = open(word, flags, 0o666);
  if (fd >= 0) return fd;
  complain(shellName, word, fd);
  return FAILED_FD;
}

/** A descriptor from which the text is read: a pipe, filled by a child if it may not fit. */
function hereDocument(text: usize): i32 {
  const ends = newPipe();
  const error = pipe(ends);
  const reading = load<i32>(ends);
  const writing = load<i32>(ends, 4);
  release(ends);
  if (error < 0) {
    complain(shellName, c`pipe`, error);
    return FAILED_FD;
  }
  const size = length(text);
  if (size <= 4096) {
    writeAll(writing, text, size);
  } else if (fork() === 0) {
    close(reading);
    writeAll(writing, text, size);
    exit(0);
  }
  close(writing);
  return reading;
}

/** Puts descriptors back as they were before {@link redirect}. */
export function restore(list: usize): void {
  flush();
  let entry = changetype<SavedFd | null>(list);
  while (entry !== null) {
    if (entry.copy >= 0) {
      dup2(entry.copy, entry.fd);
      close(entry.copy);
    } else {
      close(entry.fd);
    }
    const next = entry.next;
    release(changetype<usize>(entry));
    entry = next;
  }
}
