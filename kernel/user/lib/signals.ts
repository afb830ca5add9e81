/**
 * Signal names and numbers of Linux i386.
 *
 * @module
 */
import { at, formatUnsigned, isDigit, parseNumber, startsWith, toLower } from "./string.ts";

/** Signals are 1 to 64. */
export const SIGNALS: u32 = 65;
/** Signals above this one are real-time signals, without names. */
const LAST_NAMED: u32 = 31;

/** The name of a signal without SIG; its number for one without a name. */
export function signalName(signal: u32): usize {
  switch (signal) {
    case 1:
      return c`HUP`;
    case 2:
      return c`INT`;
    case 3:
      return c`QUIT`;
    case 4:
      return c`ILL`;
    case 5:
      return c`TRAP`;
    case 6:
      return c`ABRT`;
    case 7:
      return c`BUS`;
    case 8:
      return c`FPE`;
    case 9:
      return c`KILL`;
    case 10:
      return c`USR1`;
    case 11:
      return c`SEGV`;
    case 12:
      return c`USR2`;
    case 13:
      return c`PIPE`;
    case 14:
      return c`ALRM`;
    case 15:
      return c`TERM`;
    case 16:
      return c`STKFLT`;
    case 17:
      return c`CHLD`;
    case 18:
      return c`CONT`;
    case 19:
      return c`STOP`;
    case 20:
      return c`TSTP`;
    case 21:
      return c`TTIN`;
    case 22:
      return c`TTOU`;
    case 23:
      return c`URG`;
    case 24:
      return c`XCPU`;
    case 25:
      return c`XFSZ`;
    case 26:
      return c`VTALRM`;
    case 27:
      return c`PROF`;
    case 28:
      return c`WINCH`;
    case 29:
      return c`IO`;
    case 30:
      return c`PWR`;
    case 31:
      return c`SYS`;
    default:
      return formatUnsigned(signal);
  }
}

/** The number of a signal by its name (with or without SIG, any case) or number; -1 if there is none. */
export function signalNumber(name: usize): i32 {
  if (isDigit(at(name))) {
    const number = parseNumber(name);
    return number < <i32> SIGNALS ? number : -1;
  }
  if (startsWith(name, c`SIG`)) name += 3;
  for (let signal: u32 = 1; signal <= LAST_NAMED; signal++) {
    if (sameName(name, signalName(signal))) return signal;
  }
  return -1;
}

function sameName(a: usize, b: usize): bool {
  while (toLower(at(a)) === toLower(at(b))) {
    if (at(a) === 0) return true;
    a++;
    b++;
  }
  return false;
}
