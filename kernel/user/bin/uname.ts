/**
 * uname: names the system (POSIX uname).
 *
 * @module
 */
import { finish, out, outByte, outLine } from "../lib/output.ts";
import { has, readOptions } from "../lib/options.ts";
import { uname } from "../lib/system.ts";

const FIELD_BYTES: u32 = 65;
const BUFFER = memory.data(390);
let parted: bool = false;

export function main(argc: i32, argv: usize): i32 {
  readOptions(argc, argv, c`amnrsv`, c`uname [-amnrsv]`);
  uname(BUFFER);
  const all = has(0x61);
  const none = !all && !has(0x6d) && !has(0x6e) && !has(0x72) && !has(0x76);
  if (all || none || has(0x73)) field(0);
  if (all || has(0x6e)) field(1);
  if (all || has(0x72)) field(2);
  if (all || has(0x76)) field(3);
  if (all || has(0x6d)) field(4);
  outLine();
  return finish(c`uname`, 0);
}

function field(index: u32): void {
  if (parted) outByte(0x20);
  out(BUFFER + index * FIELD_BYTES);
  parted = true;
}
