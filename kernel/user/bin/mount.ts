/**
 * mount: mounts a file system (`mount [-t type] [-r] source target`), or lists what is mounted.
 *
 * @module
 */
import { copyAll } from "../lib/files.ts";
import { complain, usage } from "../lib/output.ts";
import { has, readOptions, valueOfOption, word } from "../lib/options.ts";
import { mount, O_RDONLY, open } from "../lib/system.ts";

const USAGE = c`mount [-t type] [-o options] [-r] source target`;
const MS_RDONLY: u32 = 1;

export function main(argc: i32, argv: usize): i32 {
  const first = readOptions(argc, argv, c`rt:o:`, USAGE);
  if (first === argc) {
    const fd = open(c`/proc/mounts`, O_RDONLY);
    if (fd < 0) return complain(c`mount`, c`/proc/mounts`, fd);
    return copyAll(fd, 1) < 0 ? 1 : 0;
  }
  if (argc - first !== 2) return usage(USAGE);
  const error = mount(
    word(argv, first),
    word(argv, first + 1),
    valueOfOption(0x74, c`ext2`),
    has(0x72) ? MS_RDONLY : 0,
    valueOfOption(0x6f, 0),
  );
  return error < 0 ? complain(c`mount`, word(argv, first + 1), error) : 0;
}
