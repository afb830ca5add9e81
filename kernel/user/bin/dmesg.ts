/**
 * dmesg: prints the kernel's messages.
 *
 * @module
 */
import { allocate } from "../lib/memory.ts";
import { complain, finish, outBytes } from "../lib/output.ts";
import { syslog } from "../lib/system.ts";

const SYSLOG_ACTION_READ_ALL: i32 = 3;
const SYSLOG_ACTION_SIZE_BUFFER: i32 = 10;

export function main(_argc: i32, _argv: usize): i32 {
  const size = syslog(SYSLOG_ACTION_SIZE_BUFFER, 0, 0);
  if (size < 0) return complain(c`dmesg`, c`the kernel's messages`, size);
  const buffer = allocate(size + 1);
  const count = syslog(SYSLOG_ACTION_READ_ALL, buffer, size);
  if (count < 0) return complain(c`dmesg`, c`the kernel's messages`, count);
  outBytes(buffer, count);
  if (count > 0 && load<u8>(buffer + count - 1) !== 10) outBytes(c`\n`, 1);
  return finish(c`dmesg`, 0);
}
