/**
 * What a process knows about the tree: working directory, root, umask. Shared by CLONE_FS.
 *
 * @module
 */
import { kfree, kzalloc } from "../mm/mod.ts";
import { current } from "../proc/mod.ts";
import { dentryPut, dentryRef } from "./dentry.ts";
import { Dentry, Mount, Path } from "./types.ts";

/** Working directory, root, umask. */
/*@unmanaged*/
export class FsContext {
  references: u32;
  rootMount: Mount;
  rootDentry: Dentry;
  cwdMount: Mount;
  cwdDentry: Dentry;
  umask: u32;
}

/* Of kernel threads, and the pattern for process 1. */
let first: FsContext | null = null;

/** One more reference to a place. */
export function pathRef(mount: Mount, dentry: Dentry): void {
  mount.references++;
  dentryRef(dentry);
}

/** One less. May sleep. */
export function pathPut(mount: Mount, dentry: Dentry): void {
  dentryPut(dentry);
  mount.references--;
}

/** Releases what a Path holds. */
export function pathRelease(path: Path): void {
  pathPut(path.mount, path.dentry);
}

/** The context of the current task. */
export function fsContext(): FsContext {
  const own = changetype<FsContext | null>(current().fs);
  return own !== null ? own : first!;
}

/** True once a root is mounted. */
export function haveRoot(): bool {
  return first !== null;
}

/** The first context, at the root of everything. */
export function contextInit(mount: Mount, root: Dentry): void {
  const context = changetype<FsContext>(kzalloc(offsetof<FsContext>()));
  context.references = 1;
  context.rootMount = mount;
  context.rootDentry = root;
  context.cwdMount = mount;
  context.cwdDentry = root;
  context.umask = 0o022;
  pathRef(mount, root);
  pathRef(mount, root);
  first = context;
}

/** A copy for fork; 0 stands for the first context. 0 when memory is out. */
export function contextCopy(address: usize): usize {
  const source = address !== 0 ? changetype<FsContext>(address) : first!;
  const copy = changetype<FsContext | null>(kzalloc(offsetof<FsContext>()));
  if (copy === null) return 0;
  memory.copy(changetype<usize>(copy), changetype<usize>(source), offsetof<FsContext>());
  copy.references = 1;
  pathRef(copy.rootMount, copy.rootDentry);
  pathRef(copy.cwdMount, copy.cwdDentry);
  return changetype<usize>(copy);
}

/** Another user. 0 is allowed. */
export function contextShare(context: usize): void {
  if (context !== 0) changetype<FsContext>(context).references++;
}

/** One user less. 0 is allowed. */
export function contextRelease(address: usize): void {
  if (address === 0) return;
  const context = changetype<FsContext>(address);
  if (--context.references > 0) return;
  pathPut(context.rootMount, context.rootDentry);
  pathPut(context.cwdMount, context.cwdDentry);
  kfree(address);
}

/** Changes the working directory; takes a reference. */
export function setCwd(mount: Mount, dentry: Dentry): void {
  const context = fsContext();
  pathRef(mount, dentry);
  const oldMount = context.cwdMount;
  const oldDentry = context.cwdDentry;
  context.cwdMount = mount;
  context.cwdDentry = dentry;
  pathPut(oldMount, oldDentry);
}

/** Changes the root; takes a reference. */
export function setRoot(mount: Mount, dentry: Dentry): void {
  const context = fsContext();
  pathRef(mount, dentry);
  const oldMount = context.rootMount;
  const oldDentry = context.rootDentry;
  context.rootMount = mount;
  context.rootDentry = dentry;
  pathPut(oldMount, oldDentry);
}
