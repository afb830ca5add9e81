/**
 * The ext2 file system on disk: offsets of fields, flags, limits.
 *
 * Source: "The Second Extended File System, Internal Layout" (Dave Poirier).
 *
 * @module
 */
/** The superblock lies here, whatever the block size; it has 1024 bytes. */
export const EXT2_SUPER_OFFSET: u32 = 1024;
export const EXT2_SUPER_SIZE: u32 = 1024;
export const EXT2_MAGIC: u32 = 0xef53;

/* Superblock. */
export const SB_INODES_COUNT: usize = 0;
export const SB_BLOCKS_COUNT: usize = 4;
export const SB_R_BLOCKS_COUNT: usize = 8;
export const SB_FREE_BLOCKS_COUNT: usize = 12;
export const SB_FREE_INODES_COUNT: usize = 16;
export const SB_FIRST_DATA_BLOCK: usize = 20;
export const SB_LOG_BLOCK_SIZE: usize = 24;
export const SB_BLOCKS_PER_GROUP: usize = 32;
export const SB_INODES_PER_GROUP: usize = 40;
export const SB_MTIME: usize = 44;
export const SB_WTIME: usize = 48;
export const SB_MNT_COUNT: usize = 52;
export const SB_MAGIC: usize = 56;
export const SB_STATE: usize = 58;
export const SB_REV_LEVEL: usize = 76;
export const SB_DEF_RESUID: usize = 80;
export const SB_FIRST_INO: usize = 84;
export const SB_INODE_SIZE: usize = 88;
export const SB_FEATURE_COMPAT: usize = 92;
export const SB_FEATURE_INCOMPAT: usize = 96;
export const SB_FEATURE_RO_COMPAT: usize = 100;
export const SB_UUID: usize = 104;

export const EXT2_VALID_FS: u32 = 1;
export const EXT2_ERROR_FS: u32 = 2;

export const INCOMPAT_FILETYPE: u32 = 2;
export const RO_COMPAT_SPARSE_SUPER: u32 = 1;
export const RO_COMPAT_LARGE_FILE: u32 = 2;
export const COMPAT_HAS_JOURNAL: u32 = 4;

/* Group descriptor: 32 bytes. */
export const GD_SIZE: u32 = 32;
export const GD_BLOCK_BITMAP: usize = 0;
export const GD_INODE_BITMAP: usize = 4;
export const GD_INODE_TABLE: usize = 8;
export const GD_FREE_BLOCKS: usize = 12;
export const GD_FREE_INODES: usize = 14;
export const GD_USED_DIRS: usize = 16;

/* Inode: 128 bytes in revision 0. */
export const INODE_MODE: usize = 0;
export const INODE_UID: usize = 2;
export const INODE_FILE_SIZE: usize = 4;
export const INODE_ATIME: usize = 8;
export const INODE_CTIME: usize = 12;
export const INODE_MTIME: usize = 16;
export const INODE_DTIME: usize = 20;
export const INODE_GID: usize = 24;
export const INODE_LINKS: usize = 26;
export const INODE_SECTORS: usize = 28;
export const INODE_FLAGS: usize = 32;
export const INODE_BLOCKS: usize = 40;
export const INODE_GENERATION: usize = 100;
export const INODE_FILE_ACL: usize = 104;
/** High word of the size, for regular files. */
export const INODE_SIZE_HIGH: usize = 108;
export const INODE_UID_HIGH: usize = 120;
export const INODE_GID_HIGH: usize = 122;
/** Bytes used behind the first 128, in large inodes. */
export const INODE_EXTRA_SIZE: usize = 128;
export const EXT2_GOOD_OLD_INODE_SIZE: u32 = 128;

export const EXT2_ROOT_INO: u32 = 2;
export const EXT2_GOOD_OLD_FIRST_INO: u32 = 11;
export const EXT2_NDIR_BLOCKS: u32 = 12;
export const EXT2_N_BLOCKS: u32 = 15;

export const EXT2_IMMUTABLE_FL: u32 = 0x10;
export const EXT2_APPEND_FL: u32 = 0x20;
/** The directory has a hash index, which is void once entries move. */
export const EXT2_INDEX_FL: u32 = 0x1000;

/* Directory entry: inode, length of the record, length of the name, type, name. */
export const DE_INODE: usize = 0;
export const DE_RECORD: usize = 4;
export const DE_NAME_LENGTH: usize = 6;
export const DE_TYPE: usize = 7;
export const DE_NAME: usize = 8;
export const EXT2_NAME_LEN: u32 = 255;
export const EXT2_LINK_MAX: u32 = 32000;

export const EXT2_FT_UNKNOWN: u32 = 0;
export const EXT2_FT_REG_FILE: u32 = 1;
export const EXT2_FT_DIR: u32 = 2;
export const EXT2_FT_CHRDEV: u32 = 3;
export const EXT2_FT_BLKDEV: u32 = 4;
export const EXT2_FT_FIFO: u32 = 5;
export const EXT2_FT_SOCK: u32 = 6;
export const EXT2_FT_SYMLINK: u32 = 7;
