/**
 * clear: clears the terminal (ECMA-48 CUP, ED).
 *
 * @module
 */
import { finish, out } from "../lib/output.ts";

export function main(_argc: i32, _argv: usize): i32 {
  out(c`\x1b[H\x1b[J`);
  return finish(c`clear`, 0);
}
