/**
 * The file system.
 *
 * @module
 */
export {
  BlockDevice,
  CachePage,
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
export { fdAdd, fdGet, FdTable, fdTable, filePut, fileRef } from "./fd_table.ts";
export { FsContext, fsContext } from "./context.ts";
export { openAt, openKernel } from "./open.ts";
export { readKernel } from "./services.ts";
export { pageRead as cacheGet } from "./page_io.ts";
export { cachePages, cachePut } from "./cache.ts";
export { blockDeviceByName, mountRoot, vfsInit, vfsShutdown } from "./init.ts";
export { syncEverything } from "./writeback.ts";
