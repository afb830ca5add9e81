/**
 * What every part of the kernel uses: messages, strings, panic.
 *
 * @module
 */
export {
  consoleRegister,
  earlyConsole,
  earlyShow,
  earlyShown,
  LOG_SIZE,
  logByte,
  logClear,
  logEnd,
  logStart,
  logWrite,
} from "./log.ts";
export { printk, snprintk } from "./printk.ts";
export { isPanicking, panic, panicWith, printBacktrace } from "./panic.ts";
export { printSymbol } from "./symbols.ts";
export { memcmp, strchr, strcmp, strcpy, strlcpy, strlen, strncmp, strnlen } from "./string.ts";
