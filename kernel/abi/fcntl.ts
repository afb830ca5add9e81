/**
 * Flags and commands of open, fcntl, the *at calls, mount and rename (asm-generic/fcntl.h,
 * linux/fcntl.h, linux/fs.h, linux/mount.h of Linux i386).
 *
 * @module
 */
export const O_ACCMODE: u32 = 0o3;
export const O_RDONLY: u32 = 0o0;
export const O_WRONLY: u32 = 0o1;
export const O_RDWR: u32 = 0o2;
export const O_CREAT: u32 = 0o100;
export const O_EXCL: u32 = 0o200;
export const O_NOCTTY: u32 = 0o400;
export const O_TRUNC: u32 = 0o1000;
export const O_APPEND: u32 = 0o2000;
export const O_NONBLOCK: u32 = 0o4000;
export const O_DSYNC: u32 = 0o10000;
export const O_ASYNC: u32 = 0o20000;
export const O_DIRECT: u32 = 0o40000;
export const O_LARGEFILE: u32 = 0o100000;
export const O_DIRECTORY: u32 = 0o200000;
export const O_NOFOLLOW: u32 = 0o400000;
export const O_NOATIME: u32 = 0o1000000;
export const O_CLOEXEC: u32 = 0o2000000;
export const O_SYNC: u32 = 0o4010000;
export const O_PATH: u32 = 0o10000000;
export const O_TMPFILE: u32 = 0o20200000;

export const AT_FDCWD: i32 = -100;
export const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
export const AT_EACCESS: u32 = 0x200;
export const AT_REMOVEDIR: u32 = 0x200;
export const AT_SYMLINK_FOLLOW: u32 = 0x400;
export const AT_NO_AUTOMOUNT: u32 = 0x800;
export const AT_EMPTY_PATH: u32 = 0x1000;
export const AT_STATX_SYNC_TYPE: u32 = 0x6000;

export const F_DUPFD: u32 = 0;
export const F_GETFD: u32 = 1;
export const F_SETFD: u32 = 2;
export const F_GETFL: u32 = 3;
export const F_SETFL: u32 = 4;
export const F_GETLK: u32 = 5;
export const F_SETLK: u32 = 6;
export const F_SETLKW: u32 = 7;
export const F_SETOWN: u32 = 8;
export const F_GETOWN: u32 = 9;
export const F_SETSIG: u32 = 10;
export const F_GETSIG: u32 = 11;
export const F_GETLK64: u32 = 12;
export const F_SETLK64: u32 = 13;
export const F_SETLKW64: u32 = 14;
export const F_SETLEASE: u32 = 1024;
export const F_GETLEASE: u32 = 1025;
export const F_DUPFD_CLOEXEC: u32 = 1030;
export const F_SETPIPE_SZ: u32 = 1031;
export const F_GETPIPE_SZ: u32 = 1032;
export const FD_CLOEXEC: u32 = 1;

export const F_RDLCK: u32 = 0;
export const F_WRLCK: u32 = 1;
export const F_UNLCK: u32 = 2;

/* struct flock: 16 bytes; struct flock64: 24 bytes, with 64-bit fields at multiples of four. */
export const FLOCK_TYPE: usize = 0;
export const FLOCK_WHENCE: usize = 2;
export const FLOCK_START: usize = 4;
export const FLOCK_LENGTH: usize = 8;
export const FLOCK_PID: usize = 12;
export const FLOCK_SIZE: u32 = 16;
export const FLOCK64_LENGTH: usize = 12;
export const FLOCK64_PID: usize = 20;
export const FLOCK64_SIZE: u32 = 24;

export const LOCK_SH: u32 = 1;
export const LOCK_EX: u32 = 2;
export const LOCK_NB: u32 = 4;
export const LOCK_UN: u32 = 8;

export const SEEK_SET: u32 = 0;
export const SEEK_CUR: u32 = 1;
export const SEEK_END: u32 = 2;
export const SEEK_DATA: u32 = 3;
export const SEEK_HOLE: u32 = 4;

export const R_OK: u32 = 4;
export const W_OK: u32 = 2;
export const X_OK: u32 = 1;

export const RENAME_NOREPLACE: u32 = 1;
export const RENAME_EXCHANGE: u32 = 2;
export const RENAME_WHITEOUT: u32 = 4;

export const MS_RDONLY: u32 = 1;
export const MS_NOSUID: u32 = 2;
export const MS_NODEV: u32 = 4;
export const MS_NOEXEC: u32 = 8;
export const MS_SYNCHRONOUS: u32 = 16;
export const MS_REMOUNT: u32 = 32;
export const MS_NOATIME: u32 = 1024;
export const MS_NODIRATIME: u32 = 2048;
export const MS_BIND: u32 = 4096;
export const MS_MOVE: u32 = 8192;
export const MS_REC: u32 = 16384;
export const MS_SILENT: u32 = 32768;
export const MS_RELATIME: u32 = 1 << 21;
export const MS_STRICTATIME: u32 = 1 << 24;
export const MNT_FORCE: u32 = 1;
export const MNT_DETACH: u32 = 2;
export const MNT_EXPIRE: u32 = 4;
export const UMOUNT_NOFOLLOW: u32 = 8;

export const NAME_MAX: u32 = 255;
export const PATH_MAX: u32 = 4096;
export const PIPE_BUF: u32 = 4096;
