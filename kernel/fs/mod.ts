/**
 * The file system.
 *
 * @module
 */
export {
  BlockDevice,
  deviceMajor,
  deviceMinor,
  DirectorySink,
  File,
  FileOps,
  FMODE_READ,
  FMODE_STREAM,
  FMODE_WRITE,
  Inode,
  makeDevice,
  PollTable,
} from "./types.ts";
export { pollWait } from "./poll_table.ts";
export { charDeviceData, registerBlockDevice, registerCharDevice } from "./device_table.ts";
export { mountRoot, vfsInit } from "./root.ts";
