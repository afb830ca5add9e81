/**
 * Directory entries as getdents gives them (linux/dirent.h).
 *
 * @module
 */
export const DT_UNKNOWN: u32 = 0;
export const DT_FIFO: u32 = 1;
export const DT_CHR: u32 = 2;
export const DT_DIR: u32 = 4;
export const DT_BLK: u32 = 6;
export const DT_REG: u32 = 8;
export const DT_LNK: u32 = 10;
export const DT_SOCK: u32 = 12;

/* struct linux_dirent64: u64 ino, i64 off, u16 length, u8 type, name. */
export const DIRENT64_INO: usize = 0;
export const DIRENT64_OFFSET: usize = 8;
export const DIRENT64_LENGTH: usize = 16;
export const DIRENT64_TYPE: usize = 18;
export const DIRENT64_NAME: usize = 19;

/* struct linux_dirent: u32 ino, u32 off, u16 length, name; the type is the last byte. */
export const DIRENT_INO: usize = 0;
export const DIRENT_OFFSET: usize = 4;
export const DIRENT_LENGTH: usize = 8;
export const DIRENT_NAME: usize = 10;
