/**
 * File modes and the stat structures of the Linux i386 ABI (asm/stat.h, linux/stat.h).
 *
 * The structures are written field by field at these offsets, because the dialect's own layout rules
 * differ from the i386 ABI (64-bit fields are aligned to four there).
 *
 * @module
 */
export const S_IFMT: u32 = 0o170000;
export const S_IFSOCK: u32 = 0o140000;
export const S_IFLNK: u32 = 0o120000;
export const S_IFREG: u32 = 0o100000;
export const S_IFBLK: u32 = 0o060000;
export const S_IFDIR: u32 = 0o040000;
export const S_IFCHR: u32 = 0o020000;
export const S_IFIFO: u32 = 0o010000;
export const S_ISUID: u32 = 0o4000;
export const S_ISGID: u32 = 0o2000;
export const S_ISVTX: u32 = 0o1000;
export const S_IRWXUGO: u32 = 0o777;
export const S_IALLUGO: u32 = 0o7777;
export const S_IXGRP: u32 = 0o010;
export const S_IXUGO: u32 = 0o111;

/* struct stat64: 96 bytes. */
export const STAT64_SIZE: u32 = 96;
export const STAT64_DEV: usize = 0;
/** The inode number's low word, as libc 4 had it. */
export const STAT64_INO32: usize = 12;
export const STAT64_MODE: usize = 16;
export const STAT64_NLINK: usize = 20;
export const STAT64_UID: usize = 24;
export const STAT64_GID: usize = 28;
export const STAT64_RDEV: usize = 32;
export const STAT64_FILE_SIZE: usize = 44;
export const STAT64_BLKSIZE: usize = 52;
export const STAT64_BLOCKS: usize = 56;
export const STAT64_ATIME: usize = 64;
export const STAT64_ATIME_NSEC: usize = 68;
export const STAT64_MTIME: usize = 72;
export const STAT64_MTIME_NSEC: usize = 76;
export const STAT64_CTIME: usize = 80;
export const STAT64_CTIME_NSEC: usize = 84;
export const STAT64_INO: usize = 88;

/* struct stat of the calls 106–108: 64 bytes. */
export const STAT_SIZE: u32 = 64;
export const STAT_DEV: usize = 0;
export const STAT_INO: usize = 4;
export const STAT_MODE: usize = 8;
export const STAT_NLINK: usize = 10;
export const STAT_UID: usize = 12;
export const STAT_GID: usize = 14;
export const STAT_RDEV: usize = 16;
export const STAT_FILE_SIZE: usize = 20;
export const STAT_BLKSIZE: usize = 24;
export const STAT_BLOCKS: usize = 28;
export const STAT_ATIME: usize = 32;
export const STAT_MTIME: usize = 40;
export const STAT_CTIME: usize = 48;

/* struct __old_kernel_stat of the calls 18, 28, 84: 32 bytes. */
export const OLDSTAT_SIZE: u32 = 32;

/* struct statx: 256 bytes. */
export const STATX_SIZE: u32 = 256;
export const STATX_MASK: usize = 0;
export const STATX_BLKSIZE: usize = 4;
export const STATX_ATTRIBUTES: usize = 8;
export const STATX_NLINK: usize = 16;
export const STATX_UID: usize = 20;
export const STATX_GID: usize = 24;
export const STATX_MODE: usize = 28;
export const STATX_INO: usize = 32;
export const STATX_FILE_SIZE: usize = 40;
export const STATX_BLOCKS: usize = 48;
export const STATX_ATTRIBUTES_MASK: usize = 56;
export const STATX_ATIME: usize = 64;
export const STATX_BTIME: usize = 80;
export const STATX_CTIME: usize = 96;
export const STATX_MTIME: usize = 112;
export const STATX_RDEV_MAJOR: usize = 128;
export const STATX_RDEV_MINOR: usize = 132;
export const STATX_DEV_MAJOR: usize = 136;
export const STATX_DEV_MINOR: usize = 140;
export const STATX_MNT_ID: usize = 144;
export const STATX_BASIC_STATS: u32 = 0x7ff;
export const STATX_MNT_ID_BIT: u32 = 0x1000;
export const STATX_ATTR_MOUNT_ROOT: u32 = 0x2000;

/* utimensat(2). */
export const UTIME_NOW: u32 = 0x3fffffff;
export const UTIME_OMIT: u32 = 0x3ffffffe;
