/**
 * printf: formats its arguments (POSIX printf).
 *
 * @module
 */
import { finish } from "../lib/output.ts";
import { formatted } from "../lib/printf.ts";

export function main(argc: i32, argv: usize): i32 {
  return finish(c`printf`, formatted(argc, argv));
}
