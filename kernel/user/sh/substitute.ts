/**
 * Command substitution: a child runs the text, its standard output is collected.
 *
 * @module
 */
import { Bytes, bytesAppend, bytesNew } from "../lib/bytes.ts";
import { err, flush } from "../lib/output.ts";
import { close, dup2, exit, fork, pipe, read, waitpid } from "../lib/system.ts";
import { runText } from "./execute.ts";
import { enterChild, exitStatus } from "./jobs.ts";
import { setLastStatus } from "./variables.ts";

const ENDS = memory.data(8, 4);
const BUFFER = memory.data(4096);
const STATUS = memory.data(4, 4);
const EINTR: i32 = 4;

/** The output of the command text; `$?` is set to its status. Free it with bytesFree(). */
export function substituteCommand(text: usize, count: u32): Bytes {
  const output = bytesNew();
  flush();
  if (pipe(ENDS) < 0) {
    err(c`sh: cannot make a pipe\n`);
    return output;
  }
  const reading = load<i32>(ENDS);
  const writing = load<i32>(ENDS, 4);
  const pid = fork();
  if (pid === 0) {
    close(reading);
    if (writing !== 1) {
      dup2(writing, 1);
      close(writing);
    }
    enterChild(0, true);
    const status = runText(text, count);
    flush();
    exit(status);
  }
  close(writing);
  if (pid < 0) {
    err(c`sh: cannot fork\n`);
    close(reading);
    return output;
  }
  while (true) {
    const done = read(reading, BUFFER, 4096);
    if (done === -EINTR) continue;
    if (done <= 0) break;
    bytesAppend(output, BUFFER, done);
  }
  close(reading);
  while (waitpid(pid, STATUS, 0) === -EINTR) {
    // Its end is what is waited for.
  }
  setLastStatus(exitStatus(load<u32>(STATUS)));
  return output;
}
