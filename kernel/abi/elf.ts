/**
 * ELF for i386 (ELF gABI §4, §5; i386 psABI) and the auxiliary vector (linux/auxvec.h).
 *
 * @module
 */
/** 0x7F "ELF", little-endian. */
export const ELF_MAGIC: u32 = 0x464c457f;
export const ELF_CLASS32: u32 = 1;
export const ELF_DATA_LSB: u32 = 1;
export const ET_EXEC: u32 = 2;
export const ET_DYN: u32 = 3;
export const EM_386: u32 = 3;
export const PT_LOAD: u32 = 1;
export const PT_INTERP: u32 = 3;
export const PT_PHDR: u32 = 6;
export const PT_GNU_STACK: u32 = 0x6474e551;
export const PF_X: u32 = 1;
export const PF_W: u32 = 2;
export const PF_R: u32 = 4;

/** Sizes of the headers. */
export const EHDR_SIZE: u32 = 52;
export const PHDR_SIZE: u32 = 32;

/* Offsets in the file header. */
export const E_TYPE: usize = 16;
export const E_MACHINE: usize = 18;
export const E_ENTRY: usize = 24;
export const E_PHOFF: usize = 28;
export const E_PHENTSIZE: usize = 42;
export const E_PHNUM: usize = 44;
/* Offsets in a program header. */
export const P_TYPE: usize = 0;
export const P_OFFSET: usize = 4;
export const P_VADDR: usize = 8;
export const P_FILESZ: usize = 16;
export const P_MEMSZ: usize = 20;
export const P_FLAGS: usize = 24;

export const AT_NULL: u32 = 0;
export const AT_PHDR: u32 = 3;
export const AT_PHENT: u32 = 4;
export const AT_PHNUM: u32 = 5;
export const AT_PAGESZ: u32 = 6;
export const AT_BASE: u32 = 7;
export const AT_FLAGS: u32 = 8;
export const AT_ENTRY: u32 = 9;
export const AT_UID: u32 = 11;
export const AT_EUID: u32 = 12;
export const AT_GID: u32 = 13;
export const AT_EGID: u32 = 14;
export const AT_PLATFORM: u32 = 15;
export const AT_HWCAP: u32 = 16;
export const AT_CLKTCK: u32 = 17;
export const AT_SECURE: u32 = 23;
export const AT_RANDOM: u32 = 25;
export const AT_HWCAP2: u32 = 26;
export const AT_EXECFN: u32 = 31;
export const AT_SYSINFO: u32 = 32;
export const AT_MINSIGSTKSZ: u32 = 51;
