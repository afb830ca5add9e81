/**
 * procfs: processes and the system as files.
 *
 * @module
 */
import { ENOMEM } from "../../abi/errno.ts";
import { S_IFDIR } from "../../abi/stat.ts";
import { PROC_SUPER_MAGIC } from "../../abi/statfs.ts";
import { kzalloc } from "../../mm/mod.ts";
import { registerFileSystem } from "../mount.ts";
import { failed, StatFs, SuperBlock, SuperOps } from "../types.ts";
import { procDescriptor, procProcess, procSelfInit } from "./process.ts";
import { procSystemInit } from "./system.ts";
import { KIND_FOLDER, procAdd, ProcEntry, procInode, procRoots, procTreeInit } from "./tree.ts";

let superOps: SuperOps = changetype<SuperOps>(0);
let root: ProcEntry = changetype<ProcEntry>(0);

function statfs(_superBlock: SuperBlock, _result: StatFs): i32 {
  return 0;
}

function read(superBlock: SuperBlock, _options: usize): usize {
  superBlock.ops = superOps;
  superBlock.magic = PROC_SUPER_MAGIC;
  const inode = procInode(superBlock, root, 0, 0);
  if (failed(inode)) return <usize> -ENOMEM;
  return inode;
}

/** Makes procfs known. */
export function procInit(): void {
  superOps = changetype<SuperOps>(kzalloc(offsetof<SuperOps>()));
  superOps.statfs = statfs;
  procTreeInit();
  root = procAdd(null, c`/`, KIND_FOLDER, S_IFDIR | 0o555, null);
  procSystemInit(root);
  procSelfInit(root);
  procRoots(root, procProcess(), procDescriptor());
  registerFileSystem(c`proc`, false, read);
}
