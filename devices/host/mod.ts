/**
 * The host's side of devices: files and the terminal. The only part of `devices/` that names `Deno`.
 *
 * @module
 */
export { hostTime } from "./time.ts";
export { encodePng } from "./png.ts";
export { FileDisk, ImageError } from "./file_disk.ts";
export {
  EscapeFilter,
  RawInput,
  TERMINAL_HELP,
  type TerminalActions,
  writeStandardOutput,
} from "./terminal.ts";
