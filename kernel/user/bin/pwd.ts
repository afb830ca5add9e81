/**
 * pwd: prints the working directory.
 *
 * @module
 */
import { complain, finish, out, outLine } from "../lib/output.ts";
import { getcwd } from "../lib/system.ts";

const PATH = memory.data(4096);

export function main(_argc: i32, _argv: usize): i32 {
  const error = getcwd(PATH, 4096);
  if (error < 0) return complain(c`pwd`, c`the working directory`, error);
  out(PATH);
  outLine();
  return finish(c`pwd`, 0);
}
