/**
 * struct statfs64 and statfs, file system magic numbers (asm-generic/statfs.h, linux/magic.h).
 *
 * @module
 */
/** i386 packs struct statfs64 to four bytes: 84 bytes, all counts of 64 bits. */
export const STATFS64_SIZE: u32 = 84;
export const STATFS64_TYPE: usize = 0;
export const STATFS64_BSIZE: usize = 4;
export const STATFS64_BLOCKS: usize = 8;
export const STATFS64_BFREE: usize = 16;
export const STATFS64_BAVAIL: usize = 24;
export const STATFS64_FILES: usize = 32;
export const STATFS64_FFREE: usize = 40;
export const STATFS64_FSID: usize = 48;
export const STATFS64_NAMELEN: usize = 56;
export const STATFS64_FRSIZE: usize = 60;
export const STATFS64_FLAGS: usize = 64;

/** struct statfs: 64 bytes, all words. */
export const STATFS_SIZE: u32 = 64;

/** f_flags is valid. */
export const ST_VALID: u32 = 0x20;

export const EXT2_SUPER_MAGIC: u32 = 0xef53;
export const PROC_SUPER_MAGIC: u32 = 0x9fa0;
export const TMPFS_MAGIC: u32 = 0x01021994;
export const PIPEFS_MAGIC: u32 = 0x50495045;
