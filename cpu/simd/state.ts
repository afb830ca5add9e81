/**
 * The state as a whole: EMMS, MXCSR, FXSAVE and FXRSTOR, and the accesses to memory that are not operands.
 *
 * FXSAVE writes x87 registers in stack order and one tag bit a physical register; XMM registers and MXCSR only
 * when CR4.OSFXSR is set, which is what the P6 family does. Reserved bytes are left alone.
 * Sources: SDM vol. 1 §10.5.1 (image, Table 10-2), §10.2.3 and §11.6.6 (MXCSR and its mask), vol. 2.
 * @module
 */
import type { Assist, Assists, Operands } from "../execute/assist.ts";
import { ATTRIBUTE, type Core } from "../execute/core.ts";
import type { Emitter, Semantics } from "../execute/emit.ts";
import { setControlAndStatus } from "../fpu/mod.ts";
import { AC } from "../state/flags.ts";
import { VECTOR } from "../state/fault.ts";
import {
  EDI,
  FPU_CONTROL,
  FPU_CS,
  FPU_DP,
  FPU_DS,
  FPU_IP,
  FPU_OPCODE,
  FPU_REGISTERS,
  FPU_SCRATCH,
  FPU_STATUS,
  FPU_TAG,
  FPU_TOP,
  MXCSR,
  MXCSR_MASK,
  TLB_DIRECT,
  TLB_READ,
  TLB_WRITE,
  XMM,
} from "../state/layout.ts";
import { enterMmx, guardMmx, requireMmx, requireSse, sse } from "./guard.ts";

const CR0_EM_TS = 0xc;
const CR4_OSFXSR = 0x200;
const CR0_AM = 0x40000;
/** Bytes of the image; of its head, the x87 registers and XMM0–7 in it. */
export const FXSAVE_BYTES = 512;
const REGISTERS_AT = 32;
const XMM_AT = 160;
const XMM_BYTES = 128;
/** What FXSAVE writes: with and without XMM registers. */
const WRITTEN = XMM_AT + XMM_BYTES;

/** Empties the x87 registers. */
const emms: Semantics = {
  emit(x: Emitter): void {
    guardMmx(x);
    enterMmx(x, 0);
  },
};

/** #GP(0) for bits that the processor does not have. */
const loadControl: Semantics = sse((x) => {
  const value = x.local();
  x.read(0).f.set(value).get(value).loadAt(MXCSR_MASK).i32(-1).xor().and().if(undefined, false);
  x.fault(VECTOR.GP, 0).f.end();
  x.f.i32(0).get(value).store(MXCSR);
});
const storeControl: Semantics = sse((x) => {
  const value = x.local();
  x.f.loadAt(MXCSR).set(value);
  x.write(0, value);
});

/** SFENCE, LFENCE, MFENCE: accesses are in order here. */
const fence: Semantics = { emit(): void {} };
/** Place in linear memory of `bytes` bytes in one page if the TLB has it, else −1. Checks come before. */
function place(core: Core, linear: number, bytes: number, write: boolean): number {
  if ((linear & 0xfff) + bytes > 0x1000) return -1;
  const table = core.i32[(write ? TLB_WRITE : TLB_READ) >> 2] as number;
  const entry = core.i32[(table >> 2) + (linear >>> 12)] as number;
  return entry & TLB_DIRECT ? (linear + entry - TLB_DIRECT) >>> 0 : -1;
}

/**
 * #NM and the checks of the operand: all 512 bytes in the segment, 16-byte aligned. With alignment checking silicon
 * looks first whether four bytes are aligned.
 */
function image(core: Core, { segment, offset }: Operands, write: boolean): number {
  if (core.cr0 & CR0_EM_TS) core.raise(VECTOR.NM);
  const first = (core.segmentBase(segment) + offset) | 0;
  const checked = core.cpl === 3 && core.cr0 & CR0_AM && core.eflags & AC;
  if (checked && first & 3 && core.segmentAttributes(segment) !== 0) core.raise(VECTOR.AC, 0);
  const linear = core.linear(segment, offset, FXSAVE_BYTES, write);
  if (linear & 15) core.raise(VECTOR.GP, 0);
  return linear;
}

/** The image is put together in words here. */
const IMAGE = FPU_SCRATCH >> 2;

const fxsave: Assist = (core, operands) => {
  const linear = image(core, operands, true);
  const { i32, u8 } = core;
  const count = core.cr4 & CR4_OSFXSR ? WRITTEN : XMM_AT;
  const host = place(core, linear, FXSAVE_BYTES, true);
  if (host < 0) {
    // The last page first, as silicon does.
    for (let i = FXSAVE_BYTES - 16; i >= 0; i -= 16) core.memory.probeWrite((linear + i) | 0, 16);
  }
  const top = i32[FPU_TOP >> 2] as number;
  i32[IMAGE] = ((i32[FPU_CONTROL >> 2] as number) & 0xffff) |
    (i32[FPU_STATUS >> 2] as number) << 16 | top << 27;
  i32[IMAGE + 1] = (i32[FPU_TAG >> 2] as number) |
    ((i32[FPU_OPCODE >> 2] as number) & 0x7ff) << 16;
  i32[IMAGE + 2] = i32[FPU_IP >> 2] as number;
  i32[IMAGE + 3] = (i32[FPU_CS >> 2] as number) & 0xffff;
  i32[IMAGE + 4] = i32[FPU_DP >> 2] as number;
  i32[IMAGE + 5] = (i32[FPU_DS >> 2] as number) & 0xffff;
  i32[IMAGE + 6] = count === WRITTEN ? i32[MXCSR >> 2] as number : 0;
  i32[IMAGE + 7] = count === WRITTEN ? i32[MXCSR_MASK >> 2] as number : 0;
  for (let i = 0; i < 8; i++) {
    const from = (FPU_REGISTERS >> 2) + ((top + i) & 7) * 4;
    const to = IMAGE + (REGISTERS_AT >> 2) + i * 4;
    i32[to] = i32[from] as number;
    i32[to + 1] = i32[from + 1] as number;
    i32[to + 2] = (i32[from + 2] as number) & 0xffff;
    i32[to + 3] = 0;
  }
  u8.copyWithin(FPU_SCRATCH + XMM_AT, XMM, XMM + XMM_BYTES);
  if (host >= 0) {
    u8.copyWithin(host, FPU_SCRATCH, FPU_SCRATCH + count);
    return;
  }
  for (let i = 0; i < count; i += 4) {
    const value = i32[IMAGE + (i >> 2)] as number;
    core.writeLinear((linear + i) | 0, 4, value);
  }
};

const fxrstor: Assist = (core, operands) => {
  const linear = image(core, operands, false);
  const { i32, u8 } = core;
  const host = place(core, linear, FXSAVE_BYTES, false);
  if (host >= 0) u8.copyWithin(FPU_SCRATCH, host, host + WRITTEN);
  else {
    for (let i = 0; i < FXSAVE_BYTES; i += 16) core.memory.probeRead((linear + i) | 0, 16);
    for (let i = 0; i < WRITTEN; i += 4) {
      i32[IMAGE + (i >> 2)] = core.readLinear((linear + i) | 0, 4);
    }
  }
  const withSse = (core.cr4 & CR4_OSFXSR) !== 0;
  const control = i32[IMAGE + 6] as number;
  if (withSse && control & ~(i32[MXCSR_MASK >> 2] as number)) core.raise(VECTOR.GP, 0);
  const head = i32[IMAGE] as number;
  setControlAndStatus(core, head & 0xffff, head >>> 16);
  const top = i32[FPU_TOP >> 2] as number;
  const tags = i32[IMAGE + 1] as number;
  i32[FPU_TAG >> 2] = tags & 0xff;
  i32[FPU_OPCODE >> 2] = (tags >>> 16) & 0x7ff;
  i32[FPU_IP >> 2] = i32[IMAGE + 2] as number;
  i32[FPU_CS >> 2] = (i32[IMAGE + 3] as number) & 0xffff;
  i32[FPU_DP >> 2] = i32[IMAGE + 4] as number;
  i32[FPU_DS >> 2] = (i32[IMAGE + 5] as number) & 0xffff;
  for (let i = 0; i < 8; i++) {
    const from = IMAGE + (REGISTERS_AT >> 2) + i * 4;
    const to = (FPU_REGISTERS >> 2) + ((top + i) & 7) * 4;
    i32[to] = i32[from] as number;
    i32[to + 1] = i32[from + 1] as number;
    i32[to + 2] = (i32[from + 2] as number) & 0xffff;
  }
  if (!withSse) return;
  i32[MXCSR >> 2] = control;
  u8.copyWithin(XMM, FPU_SCRATCH + XMM_AT, FPU_SCRATCH + WRITTEN);
};

/** MASKMOVQ, MASKMOVDQU: bytes of `reg` for which bit 7 of `rm`'s byte is set go to DS:EDI. */
function maskedMove(core: Core, operands: Operands, registers: number, count: number): void {
  const { u8 } = core;
  const offset = (core.i32[EDI >> 2] as number) & (operands.addressSize === 2 ? 0xffff : -1);
  const from = registers + operands.reg * 16;
  const mask = registers + operands.rm * 16;
  const linear = core.linear(operands.segment, offset >>> 0, count, true);
  // As silicon: eight bytes at a time, the high ones first, are checked in full, whatever the mask is.
  for (let i = count - 8; i >= 0; i -= 8) core.memory.probeWrite((linear + i) | 0, 8);
  for (let i = 0; i < count; i++) {
    if (((u8[mask + i] as number) & 0x80) === 0) continue;
    core.writeLinear((linear + i) | 0, 1, u8[from + i] as number);
  }
}
const maskmovq: Assist = (core, operands) => {
  requireMmx(core);
  maskedMove(core, operands, FPU_REGISTERS, 8);
  core.i32[FPU_TOP >> 2] = 0;
  core.i32[FPU_TAG >> 2] = 0xff;
};
const maskmovdqu: Assist = (core, operands) => {
  requireSse(core);
  maskedMove(core, operands, XMM, 16);
};

/** Faults as a load of a byte, but for execute-only segments (SDM vol. 2, CLFLUSH). */
const clflush: Assist = (core, { segment, offset }) => {
  const executable = core.segmentAttributes(segment) & ATTRIBUTE.CODE;
  if (executable && offset >>> 0 > core.segmentLimit(segment)) core.raise(VECTOR.GP, 0);
  const linear = executable
    ? core.segmentBase(segment) + offset
    : core.linear(segment, offset, 1, false);
  core.memory.probeRead(linear | 0, 1);
};

/** Semantics by operation name. */
export const stateSemantics: Readonly<Record<string, Semantics>> = {
  emms,
  ldmxcsr: loadControl,
  stmxcsr: storeControl,
  fence,
};
/** Assists by operation name. */
export const stateAssists: Assists = { fxsave, fxrstor, maskmovq, maskmovdqu, clflush };
