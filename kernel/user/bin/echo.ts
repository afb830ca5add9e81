/**
 * echo: writes its arguments (POSIX echo; `-n` leaves the line open, `-e` reads escapes).
 *
 * @module
 */
import { echo } from "../lib/echo.ts";
import { finish } from "../lib/output.ts";

export function main(argc: i32, argv: usize): i32 {
  echo(argc, argv);
  return finish(c`echo`, 0);
}
