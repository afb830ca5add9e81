/**
 * Flags of clone (linux/sched.h) and of wait (linux/wait.h).
 *
 * @module
 */
export const CSIGNAL: u32 = 0xff;
export const CLONE_VM: u32 = 0x100;
export const CLONE_FS: u32 = 0x200;
export const CLONE_FILES: u32 = 0x400;
export const CLONE_SIGHAND: u32 = 0x800;
export const CLONE_VFORK: u32 = 0x4000;
export const CLONE_PARENT: u32 = 0x8000;
export const CLONE_THREAD: u32 = 0x10000;
export const CLONE_NEWNS: u32 = 0x20000;
export const CLONE_SYSVSEM: u32 = 0x40000;
export const CLONE_SETTLS: u32 = 0x80000;
export const CLONE_PARENT_SETTID: u32 = 0x100000;
export const CLONE_CHILD_CLEARTID: u32 = 0x200000;
export const CLONE_CHILD_SETTID: u32 = 0x1000000;
/** Any of the name spaces, which this kernel does not have. */
export const CLONE_NAMESPACES: u32 = 0x7e020080;

export const WNOHANG: u32 = 1;
export const WUNTRACED: u32 = 2;
export const WEXITED: u32 = 4;
export const WCONTINUED: u32 = 8;
export const WNOWAIT: u32 = 0x01000000;
export const WALL: u32 = 0x40000000;
export const WCLONE: u32 = 0x80000000;
