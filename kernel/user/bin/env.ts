/**
 * env: prints the environment, or runs a command in a changed one (POSIX env; -i starts from an empty one).
 *
 * @module
 */
import { allocate } from "../lib/memory.ts";
import { complain, finish, out, outLine } from "../lib/output.ts";
import { has, readOptions, word } from "../lib/options.ts";
import { at, duplicateBytes, find, join, joinPath, length, startsWith } from "../lib/string.ts";
import { execve } from "../lib/system.ts";

const PROGRAM = c`env`;

export function main(argc: i32, argv: usize, envp: usize): i32 {
  let index = readOptions(argc, argv, c`i`, c`env [-i] [name=value]... [command [argument]...]`);
  let count: i32 = 0;
  if (!has(0x69)) { while (load<usize>(envp + (count << 2)) !== 0) count++; }
  const environment = allocate((count + argc + 1) << 2);
  memory.copy(environment, envp, count << 2);
  for (; index < argc && find(word(argv, index), 0x3d) !== 0; index++) {
    const assignment = word(argv, index);
    const name = duplicateBytes(assignment, find(assignment, 0x3d) - assignment + 1);
    let slot = 0;
    while (slot < count && !startsWith(load<usize>(environment + (slot << 2)), name)) slot++;
    store<usize>(environment + (slot << 2), assignment);
    if (slot === count) count++;
  }
  store<usize>(environment + (count << 2), 0);
  if (index < argc) return run(argv + (index << 2), environment);
  for (let slot = 0; slot < count; slot++) {
    out(load<usize>(environment + (slot << 2)));
    outLine();
  }
  return finish(PROGRAM, 0);
}

function run(argv: usize, environment: usize): i32 {
  const name = load<usize>(argv);
  let error = -2;
  if (find(name, 0x2f) !== 0) {
    error = execve(name, argv, environment);
  } else {
    let path = c`/bin:/sbin:/usr/bin:/usr/sbin`;
    for (let slot = environment; load<usize>(slot) !== 0; slot += 4) {
      if (startsWith(load<usize>(slot), c`PATH=`)) path = load<usize>(slot) + 5;
    }
    while (at(path) !== 0) {
      const colon = find(path, 0x3a);
      const size = colon === 0 ? length(path) : colon - path;
      const directory = size === 0 ? join(c`.`, c``) : duplicateBytes(path, size);
      const result = execve(joinPath(directory, name), argv, environment);
      if (result !== -2 && result !== -20) error = result;
      path += colon === 0 ? size : size + 1;
    }
  }
  complain(PROGRAM, name, error);
  return error === -2 ? 127 : 126;
}
