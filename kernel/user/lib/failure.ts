/**
 * The end of a program that cannot go on.
 *
 * @module
 */
import { SYS_EXIT_GROUP, SYS_WRITE } from "../../abi/syscall.ts";
import { syscall1, syscall3 } from "./x86.ts";

/** Prints the message on standard error and exits with 125. */
export function failure(message: usize): void {
  let end = message;
  while (load<u8>(end) !== 0) end++;
  syscall3(SYS_WRITE, 2, message, end - message);
  syscall3(SYS_WRITE, 2, c`\n`, 1);
  syscall1(SYS_EXIT_GROUP, 125);
  unreachable();
}
