/**
 * The one list of what lies where in the machine's linear memory.
 *
 * Guest RAM, CPU state, TLB, decoded records and plugin counters share one `WebAssembly.Memory`, so
 * that Wasm handlers, the TypeScript slow paths and devices see the same bytes. Every offset is a
 * byte offset and a constant; only the end of RAM depends on the machine. All fields are 32-bit
 * little-endian integers unless the comment says otherwise.
 * Sources: SDM vol. 1 §3.4 (registers), vol. 3A §2 and §3.4.3 (system registers, hidden parts).
 * @module
 */

/** A word that is always zero: the "register" of an absent base or index. Never written. */
export const ZERO = 0x00;

/** EAX; the eight general registers follow each other in encoding order. */
export const GPR = 0x10;
export const EAX = 0x10;
export const ECX = 0x14;
export const EDX = 0x18;
export const EBX = 0x1c;
export const ESP = 0x20;
export const EBP = 0x24;
export const ESI = 0x28;
export const EDI = 0x2c;

/** EIP at block edges and while TypeScript runs (assists, exits); inside a block the record has it. */
export const EIP = 0x30;
/** EFLAGS without CF PF AF ZF SF OF, which are lazy (the two words below); bit 1 is always set. */
export const EFLAGS = 0x34;
/** Lazy flags: the sign-extended result. ZF = (result == 0), SF = sign(result) ^ AUX.0, PF see AUX. */
export const FLAGS_RESULT = 0x38;
/**
 * Lazy flags: bit 31 CF, bit 30 CF ^ OF, bit 3 AF, bit 0 is xored into SF, bits 15:8 are xored into
 * the low byte of the result before its parity is taken.
 */
export const FLAGS_AUX = 0x3c;

/** Instructions that may still retire before the run loop must look around; signed. */
export const BUDGET = 0x40;
/** The record that is executing, valid whenever TypeScript runs inside a block; else 0. */
export const CURRENT = 0x44;
/** Why Wasm returned to the run loop: one of {@link EXIT}. */
export const EXIT_REASON = 0x48;
/** Address of the link word that the run loop may fill with the block it finds, or 0. */
export const LINK_SLOT = 0x4c;
/**
 * Mode bits ({@link MODE}) in the low byte; above, a number that changes with base and limit of code that is not flat.
 * The second word of a jump cache key.
 */
export const MODE_WORD = 0x50;
/** Address of the read TLB of the current privilege (or the trace table). */
export const TLB_READ = 0x54;
/** Address of the write TLB of the current privilege (or the trace table). */
export const TLB_WRITE = 0x58;
/** Current privilege level, 0..3. */
export const CPL = 0x5c;
/** What waits for the next instruction boundary: bits of {@link EVENT}. */
export const EVENT_PENDING = 0x60;
/** Bits of {@link EVENT_PENDING}. */
export const EVENT = {
  /** INTR is asserted; taken when IF allows. */
  INTERRUPT: 1,
  /** NMI, or the host asked to stop. */
  OTHER: 2,
} as const;
/** Non-zero when the next instruction is in the shadow of STI, MOV SS or POP SS. */
export const INTERRUPT_SHADOW = 0x64;
/** Non-zero between HLT and the interrupt that ends it. */
export const HALTED = 0x68;
/** Not 0: a region leaves behind the instruction that is executing. */
export const STOP_REQUESTED = 0x6c;
/** Not 0 while DR7 enables breakpoints on data or ports: repeated instructions then look after each element. */
export const WATCHING = 0x70;
/** Not 0 when a repeated instruction has left with elements to do: an interrupt's frame then has RF. */
export const SUSPENDED = 0x74;
/** Budget with which the present stretch began: the engine counts from it. */
export const BUDGET_START = 0x78;
/** The block whose entry did not happen, for the exits `budget` and `dead`. */
export const ENTRY_BLOCK = 0x7c;

/** Bytes from the TLB tables of address space 0 to those of the present one. */
export const TLB_SPACE = 0x94;
/** i64: what the time stamp counter's source shows is this less BUDGET and the REMAINING of the running record. */
export const TSC_BASE = 0x88;
/** Block across two pages whose second page the run loop has just looked up, or 0. */
export const SECOND_CHECKED = 0x90;

/** Not 0 while events and returns must be seen in TypeScript: bits of {@link UNUSUAL_FOR}. */
export const UNUSUAL = 0x98;
export const UNUSUAL_FOR = {
  /** Somebody listens. */
  LISTENER: 1,
  /** An NMI waits for IRET. */
  NMI: 2,
  /** Breakpoints: RF counts. */
  BREAKPOINTS: 4,
} as const;

/** Not 0: the access for which a region is leaving is a page fault, which the engine's fault object holds. */
export const FAULT_DUE = 0x9c;

/** Bits of EFLAGS that the processor has; all others stay 0. */
export const EFLAGS_EXISTING = 0x80;
/**
 * Elements of the present chunk that translated code has done of a repeated string instruction which it leaves to
 * the interpreter; 0 at all other times.
 */
export const CHUNK_DONE = 0x84;

/** Segment caches ES CS SS DS FS GS LDTR TR, 32 bytes each, in encoding order. */
export const SEGMENTS = 0x100;
export const SEGMENT_BYTES = 32;
export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;
export const LDTR = 6;
export const TR = 7;
/** Fields of a segment cache. */
export const SEGMENT = {
  SELECTOR: 0,
  BASE: 4,
  /** In bytes, granularity already applied. */
  LIMIT: 8,
  /** Bits 8–23 of the descriptor's second word, shifted to bits 0–15: type, S, DPL, P, AVL, D/B, G. */
  ATTRIBUTES: 12,
  /** Lowest valid offset (0, or limit + 1 when expand-down); derived. */
  LOW: 16,
  /** Highest valid offset; derived. */
  HIGH: 20,
  /** Bit 0 readable, bit 1 writable; 0 for a null or unusable segment; derived. */
  ACCESS: 24,
  /** 1 when every offset may be read and written, so that the base is all that an access needs; derived. */
  OPEN: 28,
} as const;

/** Table registers. */
export const GDTR_BASE = 0x200;
export const GDTR_LIMIT = 0x204;
export const IDTR_BASE = 0x208;
export const IDTR_LIMIT = 0x20c;

export const CR0 = 0x220;
export const CR2 = 0x228;
export const CR3 = 0x22c;
export const CR4 = 0x230;
/** DR0…DR7. */
export const DR = 0x240;
/** Model-specific registers. 64-bit ones take two words. */
export const MSR_SYSENTER_CS = 0x280;
export const MSR_SYSENTER_ESP = 0x284;
export const MSR_SYSENTER_EIP = 0x288;
export const MSR_APIC_BASE = 0x290;
export const MSR_TSC_OFFSET = 0x298;
export const MSR_MISC = 0x2a0;

/** The four page-directory-pointer entries of PAE, two words each, as CR3 was loaded. */
export const PDPTE = 0x2c0;

/** x87: eight registers of 16 bytes each (10 used), physical numbers; then the words below. */
export const FPU_REGISTERS = 0x300;
export const FPU_CONTROL = 0x380;
/** Status word without TOP; TOP is FPU_TOP. */
export const FPU_STATUS = 0x384;
/** TOP, 0..7. */
export const FPU_TOP = 0x388;
/** Tag word as the FPU engine keeps it. */
export const FPU_TAG = 0x38c;
export const FPU_IP = 0x390;
export const FPU_CS = 0x394;
export const FPU_DP = 0x398;
export const FPU_DS = 0x39c;
export const FPU_OPCODE = 0x3a0;
/** Free for the FPU's own lazy state. */
export const FPU_PRIVATE = 0x3a4;
/** XMM0…XMM7, 16 bytes each. */
export const XMM = 0x400;
export const MXCSR = 0x480;
/** Bits of MXCSR that the processor has (SDM vol. 1 §11.6.6). */
export const MXCSR_MASK = 0x484;
/** SIMD floating-point exceptions of the running instruction; 0 between instructions. */
export const SIMD_RAISED = 0x488;
/** Read as a block by branches without a link: a page that no TLB has, so that they never go there. */
export const NO_BLOCK = 0x4c0;
/** Temporaries of Wasm handlers within one instruction. */
export const SCRATCH = 0x500;
/** Temporaries of x87 handlers within one instruction, 512 bytes. */
export const FPU_SCRATCH = 0x600;
/** Constant tables of the FPU, 14 KiB. */
export const FPU_TABLES = 0x800;
export const FPU_TABLES_BYTES = 0x3800;

/** Model-specific registers that are storage: two words each, in the order of system/msr.ts. */
export const MSR_STORAGE = 0x4000;
export const MSR_STORED_MAX = 128;

/** 64-bit counters of what regions do (translate/statistics.ts). */
export const REGION_COUNTERS = 0x8000;
export const REGION_COUNTERS_MAX = 0x1000;

/** 64-bit counters of plugins' inline operations. */
export const COUNTERS = 0x10000;
export const COUNTERS_MAX = 8192;

/** Jump cache: 16-byte entries {EIP, mode word, block address, TLB word of the page}, direct mapped. */
export const JUMP_CACHE = 0x20000;
export const JUMP_CACHE_BITS = 14;
export const JUMP_CACHE_BYTES: number = 16 << JUMP_CACHE_BITS;

/**
 * TLB tables: 2^20 words each, one for a linear page; four tables for each address space (memory/spaces.ts).
 * A word is 0 (no translation: memory that was never touched misses), or the addend from a linear address to its
 * place in linear memory, whose low 12 bits are 0, plus one of the two below. So the inline lookup subtracts
 * {@link TLB_DIRECT}: bit 0 of what is left is set unless the access may go on.
 */
export const TLB_BYTES = 0x400000;
/** Added to the addend: an access needs nothing else. */
export const TLB_DIRECT = 1;
/** Added in write tables: the page may be written, but somebody looks at what is stored (code, page tables). */
export const TLB_SEEN = 2;
/** A word that no table holds. */
export const TLB_NEVER = 4;
/** Tables of address space 0; those of space n are n * {@link TLB_SPACE_BYTES} behind. */
export const TLB_READ_SUPERVISOR = 0x100000;
export const TLB_WRITE_SUPERVISOR = 0x500000;
export const TLB_READ_USER = 0x900000;
export const TLB_WRITE_USER = 0xd00000;
export const TLB_SPACES = 16;
export const TLB_SPACE_BYTES = 0x1000000;
/** A table that always misses, swapped in while memory accesses are traced. */
export const TLB_TRACE = 0x10100000;

/**
 * By page of RAM: where its map of code is in the arena, 0 if it holds none; plus {@link CODE_MAP_TABLES}. The map has
 * a bit for each byte of the page whose change drops decoded code.
 */
export const CODE_MAPS = 0x10500000;
/** The page is a page table too, so that others look at stores. */
export const CODE_MAP_TABLES = 1;
/** A page's bits, and what a load of the last ones reads beyond. */
export const CODE_MAP_BYTES = 0x220;

/** Arena of decoded blocks. */
export const ARENA = 0x10800000;
export const ARENA_BYTES = 0x3000000;
export const ARENA_END = 0x13800000;

/** Guest physical address 0. */
export const RAM_BASE = 0x13800000;

/** A decoded record: one instruction (or hook) of a block. */
export const RECORD_BYTES = 32;
export const RECORD = {
  /** Index of the handler in the handler table. */
  HANDLER: 0,
  /** State offset of the register that is operand 0, or the link of a taken branch. */
  A: 4,
  /** State offset of the register that is operand 1, or the link of a branch not taken. */
  B: 8,
  /** Immediate, or target EIP of a direct branch. */
  IMMEDIATE: 12,
  /** State offsets (u16) of base and index registers of the memory operand; {@link ZERO} if absent. */
  BASE: 16,
  INDEX: 18,
  /** Displacement, or a second immediate. */
  DISPLACEMENT: 20,
  /** EIP of the instruction. */
  EIP: 24,
  /** u8: length of the instruction in bytes. */
  LENGTH: 28,
  /** u8: instructions of the block from this one to the end, this one included. */
  REMAINING: 29,
  /** u8: shift of the index register, 0..3; bit 7: 16-bit address size. */
  SCALE: 30,
  /** u8: bits 2:0 segment register of the memory operand, then {@link RECORD_FLAG}. */
  SEGMENT: 31,
} as const;
/** Bits of a record's SEGMENT byte. */
export const RECORD_FLAG = {
  OPERAND32: 8,
  MEMORY: 16,
  /** IMMEDIATE, DISPLACEMENT is loaded from the guest's code each time, by the record before. */
  LIVE_IMMEDIATE: 32,
  LIVE_DISPLACEMENT: 64,
} as const;

/** A block: this header, then its records. */
export const BLOCK_BYTES = 64;
export const BLOCK = {
  /** Instructions in the block; {@link DEAD_LENGTH} once its bytes have changed. */
  LENGTH: 0,
  EIP: 4,
  PHYSICAL: 8,
  MODE: 12,
  /** Length in guest bytes. */
  BYTES: 16,
  /** Physical address of the second page, or −1: a block of one instruction across a page end. */
  SECOND: 20,
  /**
   * The word that the read TLB has for the block's page while it is mapped where the block was decoded; links from
   * other pages ask. Never 0.
   */
  TLB_WORD: 24,
  /** Next block in the same hash bucket, or 0. */
  NEXT: 28,
  /** Entries until the block is hot and leaves to the run loop; counted down. */
  COUNT: 32,
  /**
   * Of the entry of a region: the copy of the block as it was decoded. The block itself then has LENGTH 0 and
   * one record, which calls the region. Else 0.
   */
  REAL: 36,
  /** Where that word is in the table, in bytes. */
  TLB_AT: 60,
} as const;
/**
 * Bit 0 of a link word: the branch leaves its page, so the link holds only while the TLB has the target's TLB_WORD at
 * its TLB_AT.
 */
export const LINK_CHECKED = 1;
/** A link word without a target: a "block" whose TLB_WORD is {@link TLB_NEVER}. */
export const UNLINKED: number = NO_BLOCK | LINK_CHECKED;

/** Greater than any budget, so that entering a dropped block leaves to the run loop. */
export const DEAD_LENGTH = 0x7fffffff;

/** Bits of the mode under which a block was decoded; part of its key. */
export const MODE = {
  /** CS.D: 32-bit default operand and address size. */
  CODE32: 1,
  /** SS.B: 32-bit stack pointer. */
  STACK32: 2,
  /** CPL is 3. */
  USER: 4,
  /** DS, ES and SS have base 0, limit 4 GiB and are writable. */
  FLAT_DATA: 8,
  /** CS has base 0 and limit 4 GiB. */
  FLAT_CODE: 16,
  /** EFLAGS.VM. */
  VM86: 32,
  /** CR0.PE. */
  PROTECTED: 64,
} as const;
export const MODE_MASK = 0xff;
/** One step of the number above the mode bits, which invalidates the jump cache. */
export const EPOCH = 0x100;

/** Values of {@link EXIT_REASON}. */
export const EXIT = {
  /** EIP is set; find the block there (and fill LINK_SLOT if it is not 0). */
  DISPATCH: 0,
  /** ENTRY_BLOCK was not entered: budget too small, or the block is dead. EIP is set. */
  BUDGET: 1,
  /** A record that the run loop patched in: EIP and budget are exact. */
  STOP: 2,
  /** ENTRY_BLOCK was not entered: it is hot. EIP is set. */
  HOT: 3,
} as const;

/** What a machine with `ramBytes` of RAM needs: pages of linear memory, 64 KiB each. */
export function memoryPages(ramBytes: number): number {
  return Math.ceil((RAM_BASE + ramBytes) / 0x10000);
}

/** Offset of a segment cache. */
export function segmentOffset(segment: number): number {
  return SEGMENTS + segment * SEGMENT_BYTES;
}
