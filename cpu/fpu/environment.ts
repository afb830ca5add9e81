/**
 * FNINIT, FLDENV, FNSTENV, FRSTOR, FNSAVE: the environment in its four formats (16 or 32 bits, protected or real
 * mode). Full two-bit tags are made from the registers' contents when stored.
 * Sources: SDM vol. 1 §8.1.10 and Figures 8-9 to 8-12, vol. 2 (FINIT, FSAVE).
 * @module
 */
import type { Assist, Assists, Operands } from "../execute/assist.ts";
import type { Core } from "../execute/core.ts";
import { AC } from "../state/flags.ts";
import { VECTOR } from "../state/fault.ts";
import {
  CR0,
  FPU_CONTROL,
  FPU_CS,
  FPU_DP,
  FPU_DS,
  FPU_IP,
  FPU_OPCODE,
  FPU_REGISTERS,
  FPU_STATUS,
  FPU_TAG,
  FPU_TOP,
} from "../state/layout.ts";
import { begin } from "./rare.ts";
import { BUSY, ES, EXCEPTIONS } from "./status.ts";

/** Control word after FNINIT: all exceptions masked, 64 bits, to nearest. */
const INITIAL_CONTROL = 0x37f;
const CR0_AM = 0x40000;
/** Bits of the control word that exist, and the one that is always 1. */
const CONTROL_BITS = 0x1f3f;
const CONTROL_ONE = 0x40;

/** Puts the x87 in the state after FNINIT. */
export function initializeFpu(core: Core): void {
  const { i32 } = core;
  i32[FPU_CONTROL >> 2] = INITIAL_CONTROL;
  for (const at of [FPU_STATUS, FPU_TOP, FPU_TAG, FPU_IP, FPU_CS, FPU_DP, FPU_DS, FPU_OPCODE]) {
    i32[at >> 2] = 0;
  }
}

/** The two-bit tags: 0 valid, 1 zero, 2 special, 3 empty, by physical register. */
export function fullTags(core: Core): number {
  const { i32, view } = core;
  const full = i32[FPU_TAG >> 2] as number;
  let tags = 0;
  for (let i = 0; i < 8; i++) {
    const at = FPU_REGISTERS + i * 16;
    const exponent = view.getUint16(at + 8, true) & 0x7fff;
    const high = view.getUint32(at + 4, true);
    let tag = 2;
    if (!((full >> i) & 1)) tag = 3;
    else if (exponent === 0) tag = high === 0 && view.getUint32(at, true) === 0 ? 1 : 2;
    else if (exponent !== 0x7fff && high >= 0x80000000) tag = 0;
    tags |= tag << (i * 2);
  }
  return tags;
}
/** Loads two-bit tags: only empty or not counts. */
export function setFullTags(core: Core, tags: number): void {
  let full = 0;
  for (let i = 0; i < 8; i++) if (((tags >> (i * 2)) & 3) !== 3) full |= 1 << i;
  core.i32[FPU_TAG >> 2] = full;
}
/** Loads control and status word; ES and B follow from them. */
export function setControlAndStatus(core: Core, control: number, status: number): void {
  const { i32 } = core;
  const value = (control & CONTROL_BITS) | CONTROL_ONE;
  i32[FPU_CONTROL >> 2] = value;
  i32[FPU_TOP >> 2] = (status >> 11) & 7;
  let rest = status & 0xffff & ~(0x3800 | ES | BUSY);
  if (rest & ~value & EXCEPTIONS) rest |= ES | BUSY;
  i32[FPU_STATUS >> 2] = rest;
}

function environmentBytes({ operandSize }: Operands): number {
  return operandSize === 4 ? 28 : 14;
}

/** The environment as it is stored, by operand size and mode. */
function environment(core: Core, operands: Operands): Uint8Array {
  const { i32, u32 } = core;
  const wide = operands.operandSize === 4;
  const bytes = new Uint8Array(environmentBytes(operands));
  const view = new DataView(bytes.buffer);
  const status = (i32[FPU_STATUS >> 2] as number) | ((i32[FPU_TOP >> 2] as number) << 11);
  const step = wide ? 4 : 2;
  const [ip, dp] = [u32[FPU_IP >> 2] as number, u32[FPU_DP >> 2] as number];
  const [cs, ds] = [i32[FPU_CS >> 2] as number, i32[FPU_DS >> 2] as number];
  const opcode = (i32[FPU_OPCODE >> 2] as number) & 0x7ff;
  const first = [i32[FPU_CONTROL >> 2] as number, status, fullTags(core)];
  if (wide) bytes.fill(0xff);
  for (const [i, value] of first.entries()) view.setUint16(i * step, value, true);
  if (core.protectedMode) {
    if (wide) {
      view.setUint32(12, ip, true);
      view.setUint32(16, (opcode << 16) | (cs & 0xffff), true);
      view.setUint32(20, dp, true);
      view.setUint16(24, ds, true);
    } else {
      for (const [i, value] of [ip, cs, dp, ds].entries()) view.setUint16(6 + i * 2, value, true);
    }
    return bytes;
  }
  const linearIp = ip + cs * 16;
  const linearDp = dp + ds * 16;
  if (wide) {
    view.setUint32(12, 0xffff0000 | (linearIp & 0xffff), true);
    view.setUint32(16, ((linearIp >>> 16) << 12 | opcode) & 0x0fffffff, true);
    view.setUint32(20, 0xffff0000 | (linearDp & 0xffff), true);
    view.setUint32(24, ((linearDp >>> 16) << 12) & 0x0fffffff, true);
  } else {
    view.setUint16(6, linearIp, true);
    view.setUint16(8, (((linearIp >>> 16) & 15) << 12) | opcode, true);
    view.setUint16(10, linearDp, true);
    view.setUint16(12, ((linearDp >>> 16) & 15) << 12, true);
  }
  return bytes;
}
function loadEnvironment(core: Core, operands: Operands, bytes: Uint8Array): void {
  const { i32 } = core;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = operands.operandSize === 4;
  const step = wide ? 4 : 2;
  const half = (at: number): number => view.getUint16(at, true);
  setControlAndStatus(core, half(0), half(step));
  setFullTags(core, half(2 * step));
  if (core.protectedMode) {
    i32[FPU_IP >> 2] = wide ? view.getUint32(12, true) : half(6);
    i32[FPU_CS >> 2] = wide ? half(16) : half(8);
    if (wide) i32[FPU_OPCODE >> 2] = half(18) & 0x7ff;
    i32[FPU_DP >> 2] = wide ? view.getUint32(20, true) : half(10);
    i32[FPU_DS >> 2] = wide ? half(24) : half(12);
    return;
  }
  const upper = (at: number): number =>
    wide ? (view.getUint32(at, true) >>> 12) & 0xffff : half(at) >> 12;
  i32[FPU_IP >> 2] = half(wide ? 12 : 6) | (upper(wide ? 16 : 8) << 16);
  i32[FPU_CS >> 2] = 0;
  i32[FPU_OPCODE >> 2] = half(wide ? 16 : 8) & 0x7ff;
  i32[FPU_DP >> 2] = half(wide ? 20 : 10) | (upper(wide ? 24 : 12) << 16);
  i32[FPU_DS >> 2] = 0;
}

/** Linear address of an image; #AC where it is not aligned to its words (SDM vol. 3A Table 6-7). */
function imageAddress(core: Core, operands: Operands, count: number, write: boolean): number {
  const { segment, offset, operandSize } = operands;
  const linear = core.linear(segment, offset, count, write);
  if (core.cpl === 3 && core.cr0 & CR0_AM && core.eflags & AC && linear & (operandSize - 1)) {
    core.raise(VECTOR.AC, 0);
  }
  return linear;
}
/**
 * The words of an image: those of the environment have the operand size, a register is five of two bytes, so that
 * all are aligned where the image is.
 */
function* words(operands: Operands, count: number): Generator<{ at: number; size: 2 | 4 }> {
  const head = environmentBytes(operands);
  const size = operands.operandSize === 4 ? 4 : 2;
  for (let at = 0; at < head; at += size) yield { at, size };
  for (let at = head; at < count; at += 2) yield { at, size: 2 };
}
/** Reads an image; faults before anything has changed. */
function readImage(core: Core, operands: Operands, count: number): Uint8Array {
  const linear = imageAddress(core, operands, count, false);
  const view = new DataView(new ArrayBuffer(count));
  for (const { at, size } of words(operands, count)) {
    const value = core.readLinear((linear + at) | 0, size);
    if (size === 4) view.setUint32(at, value, true);
    else view.setUint16(at, value, true);
  }
  return new Uint8Array(view.buffer);
}
function writeImage(core: Core, operands: Operands, bytes: Uint8Array): void {
  const linear = imageAddress(core, operands, bytes.length, true);
  core.memory.probeWrite(linear, 1);
  core.memory.probeWrite((linear + bytes.length - 1) | 0, 1);
  const view = new DataView(bytes.buffer);
  for (const { at, size } of words(operands, bytes.length)) {
    const value = size === 4 ? view.getUint32(at, true) : view.getUint16(at, true);
    core.writeLinear((linear + at) | 0, size, value);
  }
}
/** #NM only: these do not wait. */
function available(core: Core): void {
  if ((core.i32[CR0 >> 2] as number) & 0xc) core.raise(7);
}

const fninit: Assist = (core) => {
  available(core);
  initializeFpu(core);
};
const fnstenv: Assist = (core, operands) => {
  available(core);
  writeImage(core, operands, environment(core, operands));
  // All exceptions are masked afterwards, so nothing is pending.
  const control = (core.i32[FPU_CONTROL >> 2] as number) | EXCEPTIONS;
  setControlAndStatus(
    core,
    control,
    (core.i32[FPU_STATUS >> 2] as number) | ((core.i32[FPU_TOP >> 2] as number) << 11),
  );
};
const fldenv: Assist = (core, operands) => {
  begin(core);
  loadEnvironment(core, operands, readImage(core, operands, environmentBytes(operands)));
};
const fnsave: Assist = (core, operands) => {
  available(core);
  const head = environment(core, operands);
  const bytes = new Uint8Array(head.length + 80);
  bytes.set(head);
  const top = core.i32[FPU_TOP >> 2] as number;
  for (let i = 0; i < 8; i++) {
    const at = FPU_REGISTERS + ((top + i) & 7) * 16;
    bytes.set(core.u8.subarray(at, at + 10), head.length + i * 10);
  }
  writeImage(core, operands, bytes);
  initializeFpu(core);
};
const frstor: Assist = (core, operands) => {
  begin(core);
  const head = environmentBytes(operands);
  const bytes = readImage(core, operands, head + 80);
  loadEnvironment(core, operands, bytes);
  const top = core.i32[FPU_TOP >> 2] as number;
  for (let i = 0; i < 8; i++) {
    const at = FPU_REGISTERS + ((top + i) & 7) * 16;
    core.u8.set(bytes.subarray(head + i * 10, head + i * 10 + 10), at);
  }
};

export const environmentAssists: Assists = { fninit, fnstenv, fldenv, fnsave, frstor };
