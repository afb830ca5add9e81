/**
 * IN, OUT, INS, OUTS and their permission.
 *
 * A string element checks permission and memory before it touches the port, for a port access cannot be taken
 * back; registers follow each element. Sources: SDM vol. 1 §19 (I/O), vol. 2 (IN, INS, REP).
 * @module
 */
import { DF, IOPL, TF, VM } from "../state/flags.ts";
import * as L from "../state/layout.ts";
import type { Assist, Assists, Operands, RecordAssists } from "../execute/assist.ts";
import type { Core } from "../execute/core.ts";
import { checkIoMap } from "../events/tss.ts";

type Size = 1 | 2 | 4;

/** Elements of a repeated instruction that count as one retired instruction. */
const CHUNK = 64;

/** #GP(0) unless CPL ≤ IOPL or the TSS allows the ports. */
function checkPermission(core: Core, port: number, size: number): void {
  if ((core.cr0 & 1) === 0) return;
  // The word without the arithmetic flags: those would have to be computed.
  const flags = core.i32[L.EFLAGS >> 2] as number;
  if ((flags & VM) !== 0 || core.cpl > (flags & IOPL) >> 12) checkIoMap(core, port, size);
}
function input(core: Core, port: number, size: Size): number {
  const value = core.bus.readPort(port, size);
  core.report.port?.(port, size, value, false);
  if (core.debug.armed) core.debug.port(port, size);
  return value;
}
function output(core: Core, port: number, size: Size, value: number): void {
  core.bus.writePort(port, size, value);
  core.report.port?.(port, size, value, true);
  if (core.debug.armed) core.debug.port(port, size);
}
/** Opcode bit 0: byte or operand size. */
function accessSize({ opcode, operandSize }: Operands): Size {
  return opcode & 1 ? operandSize : 1;
}
/** Low bytes of a register as an unsigned number. */
function low(value: number, size: Size): number {
  return size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff);
}

function readPort(core: Core, port: number, size: Size): void {
  checkPermission(core, port, size);
  const value = input(core, port, size);
  const mask = size === 4 ? -1 : size === 2 ? 0xffff : 0xff;
  core.setGpr(0, (core.gpr(0) & ~mask) | (value & mask));
}
function writePort(core: Core, port: number, size: Size): void {
  checkPermission(core, port, size);
  output(core, port, size, low(core.gpr(0), size));
}

/**
 * Runs the elements of a chunk behind the first `done`; leaves EIP on the instruction when the chunk is done and more
 * is to do.
 */
function repeated(core: Core, operands: Operands, done: number, element: () => void): void {
  if (operands.repeat === 0) {
    element();
    return;
  }
  const mask = operands.addressSize === 4 ? -1 : 0xffff;
  const chunk = core.eflags & TF || core.i32[L.WATCHING >> 2] !== 0 ? 1 : CHUNK;
  for (let i = done; i < chunk; i++) {
    const count = core.gpr(1);
    if ((count & mask) === 0) return;
    element();
    core.setGpr(1, (count & ~mask) | ((count - 1) & mask));
  }
  if ((core.gpr(1) & mask) === 0) return;
  core.eip = operands.eip;
  core.i32[L.SUSPENDED >> 2] = 1;
}
/** Moves ESI or EDI by an element. */
function advance(core: Core, register: number, addressSize: number, size: Size): void {
  const value = core.gpr(register);
  const next = value + (core.eflags & DF ? -size : size);
  const mask = addressSize === 4 ? -1 : 0xffff;
  core.setGpr(register, (value & ~mask) | (next & mask));
}

/** A block of elements in plain memory: how many, and where in linear memory of the host. */
interface Block {
  readonly count: number;
  readonly at: number;
}
const NO_BLOCK: Block = { count: 0, at: 0 };

/**
 * As many of the elements that are to be done now as lie upwards in one page of plain memory, of a segment that has
 * them all, where nobody looks at single accesses; none where one by one may tell more (faults, say).
 */
function block(
  core: Core,
  { repeat, addressSize }: Operands,
  { segment, register, size, write }: {
    readonly segment: number;
    readonly register: number;
    readonly size: Size;
    readonly write: boolean;
  },
): Block {
  const { i32, u32 } = core;
  if (repeat === 0 || core.report.port !== undefined || core.debug.armed) return NO_BLOCK;
  if (i32[L.WATCHING >> 2] !== 0 || i32[L.TLB_READ >> 2] === L.TLB_TRACE) return NO_BLOCK;
  if (((i32[L.EFLAGS >> 2] as number) & (DF | TF)) !== 0) return NO_BLOCK;
  const mask = addressSize === 4 ? 0xffffffff : 0xffff;
  const offset = (core.gpr(register) & mask) >>> 0;
  const linear = core.segmentBase(segment) + offset | 0;
  if ((linear & (size - 1)) !== 0) return NO_BLOCK;
  const left = Math.min((core.gpr(1) & mask) >>> 0, CHUNK);
  const count = Math.min(left, (0x1000 - (linear & 0xfff)) / size);
  const cache = L.segmentOffset(segment) >> 2;
  const last = offset + count * size - 1;
  if (
    count === 0 || last > mask || last > (u32[cache + (L.SEGMENT.HIGH >> 2)] as number) ||
    offset < (u32[cache + (L.SEGMENT.LOW >> 2)] as number) ||
    ((i32[cache + (L.SEGMENT.ACCESS >> 2)] as number) & (write ? 2 : 1)) === 0
  ) return NO_BLOCK;
  const at = core.memory.fill(linear, count * size, write) >>> 0;
  return at === 0 ? NO_BLOCK : { count, at };
}
/** Counts elements that were done, and moves ESI or EDI behind them. */
function commit(core: Core, count: number, register: number, bytes: number, mask: number): void {
  const value = core.gpr(register);
  core.setGpr(register, (value & ~mask) | ((value + bytes) & mask));
  core.setGpr(1, (core.gpr(1) & ~mask) | ((core.gpr(1) - count) & mask));
}

const ins: Assist = (core, operands) => {
  const size = accessSize(operands);
  const { addressSize } = operands;
  const port = core.gpr(2) & 0xffff;
  // Also with a count of 0 (as measured).
  checkPermission(core, port, size);
  let done = 0;
  if (core.bus.readPorts !== undefined) {
    const { count, at } = block(core, operands, { segment: L.ES, register: 7, size, write: true });
    if (count > 0) {
      done = core.bus.readPorts(port, size, count, core.u8, at);
      commit(core, done, 7, done * size, addressSize === 4 ? -1 : 0xffff);
    }
  }
  repeated(core, operands, done, () => {
    const offset = addressSize === 4 ? core.gpr(7) : core.gpr(7) & 0xffff;
    const linear = core.linear(L.ES, offset, size, true);
    core.memory.probeWrite(linear, size);
    const value = input(core, port, size);
    core.writeLinear(linear, size, value);
    advance(core, 7, addressSize, size);
  });
};
const outs: Assist = (core, operands) => {
  const size = accessSize(operands);
  const { addressSize, segment } = operands;
  const port = core.gpr(2) & 0xffff;
  checkPermission(core, port, size);
  let done = 0;
  if (core.bus.writePorts !== undefined) {
    const { count, at } = block(core, operands, { segment, register: 6, size, write: false });
    if (count > 0) {
      done = core.bus.writePorts(port, size, count, core.u8, at);
      commit(core, done, 6, done * size, addressSize === 4 ? -1 : 0xffff);
    }
  }
  repeated(core, operands, done, () => {
    const offset = addressSize === 4 ? core.gpr(6) : core.gpr(6) & 0xffff;
    output(core, port, size, low(core.read(segment, offset, size), size));
    advance(core, 6, addressSize, size);
  });
};

/** The same of a record: bit 0 of its opcode, and its operand size. */
function recordSize({ i32, u8 }: Core, record: number): Size {
  if (((i32[(record + L.RECORD.A) >> 2] as number) & 0x10000) === 0) return 1;
  return (u8[record + L.RECORD.SEGMENT] as number) & L.RECORD_FLAG.OPERAND32 ? 4 : 2;
}
function recordPort({ i32 }: Core, record: number): number {
  return (i32[(record + L.RECORD.IMMEDIATE) >> 2] as number) & 0xff;
}

/** INS and OUTS. */
export const portAssists: Assists = { ins, outs };

/** IN and OUT, which drivers execute by the million. */
export const portRecordAssists: RecordAssists = {
  in: (core, record) => readPort(core, recordPort(core, record), recordSize(core, record)),
  inDx: (core, record) => readPort(core, core.gpr(2) & 0xffff, recordSize(core, record)),
  out: (core, record) => writePort(core, recordPort(core, record), recordSize(core, record)),
  outDx: (core, record) => writePort(core, core.gpr(2) & 0xffff, recordSize(core, record)),
};
