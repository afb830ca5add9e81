/**
 * System calls of the file system: registers all families.
 *
 * @module
 */
import { fileAttributesCallsInit } from "./file_attributes.ts";
import { fileIoCallsInit } from "./file_io.ts";
import { fileMountCallsInit } from "./file_mount.ts";
import { fileOpenCallsInit } from "./file_open.ts";
import { filePollCallsInit } from "./file_poll.ts";
import { fileStatCallsInit } from "./file_stat.ts";
import { fileTreeCallsInit } from "./file_tree.ts";

/** Registers all calls on files, directories, file systems and sockets. */
export function fileCallsInit(): void {
  fileIoCallsInit();
  fileOpenCallsInit();
  fileStatCallsInit();
  fileTreeCallsInit();
  fileAttributesCallsInit();
  filePollCallsInit();
  fileMountCallsInit();
}
