/**
 * From guest bytes to the records of a block.
 *
 * A block ends at a branch, at an instruction that may change the mode, at the end of its page and after
 * {@link MAX_INSTRUCTIONS}. An instruction across a page end is a block of its own. Bytes that cannot be
 * decoded become a record that raises #UD (or #GP beyond 15 bytes), so they fault when they are reached.
 * Sources: SDM vol. 3A §6.15, vol. 2 §2.3.11 (15-byte limit).
 * @module
 */
import {
  type Decoder,
  type Entry,
  IMMEDIATE,
  Instruction,
  NO_REGISTER,
  TOO_LONG,
  TRUNCATED,
} from "../isa/decode.ts";
import * as L from "../state/layout.ts";
import { mayAccess } from "./accesses.ts";
import type { Core } from "./core.ts";
import { type Handlers, SPECIAL } from "./handlers.ts";

/** Longest block; REMAINING is a byte, and single blocks should not delay events much. */
export const MAX_INSTRUCTIONS = 64;
/** Thresholds that a block waits until it is translated if fields of it are read anew each time. */
const PATCHED_WAIT = 8;
/** As many entries at most, unless the threshold is higher. */
const PATCHED_ENTRIES = 4000;
/** Bytes of the longest instruction. */
const LENGTH_MAX = 15;
/** Most hook records of one block; instrumentation beyond it is a mistake of the plugin. */
const MAX_HOOKS = 512;

/** One decoded instruction as instrumentation sees it. */
export interface DecodedInstruction {
  /** EIP, linear and physical address. */
  readonly eip: number;
  readonly linear: number;
  readonly physical: number;
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** What instrumentation wants at an instruction; numbers index the engine's callbacks. */
export interface Instrumentation {
  /** Callbacks to call before the instruction, and counters to add to. */
  readonly before: readonly ({ readonly callback: number } | {
    readonly counter: number;
    readonly amount: number;
  })[];
  /** Number of the listener that hears of the instruction's memory accesses, or −1. */
  readonly trace: number;
}

/** Asked once for each block when instrumentation is on, with the address that the block is about to have. */
export type Instrument = (
  instructions: readonly DecodedInstruction[],
  block: number,
) => readonly (Instrumentation | undefined)[] | undefined;

interface Decoded {
  instruction: Instruction;
  status: number;
  eip: number;
  at: number;
  bytes: Uint8Array | undefined;
}

/** A field of an instruction that is loaded from the guest's code each time: see SPECIAL.LIVE. */
interface LiveField {
  /** Where the field is in linear memory. */
  readonly host: number;
  /** Of the record that gets it. */
  readonly offset: number;
  readonly shift: number;
  readonly mask: number;
  readonly flag: number;
}
const NO_FIELDS: readonly LiveField[] = [];
/** Codes of operands that are MMX, XMM or x87 registers. */
const VECTORS = "PQNVWUF";

export class BlockTranslator {
  readonly #core: Core;
  readonly #decoder: Decoder;
  readonly #handlers: Handlers;
  readonly #pool: Decoded[] = [];
  readonly #buffer = new Uint8Array(32);
  instrument: Instrument | undefined = undefined;
  /** Entries after which a block leaves to the run loop as hot; 0: never. */
  hotAfter = 0;
  /** Whether stores change a field again and again, and whether they do in a page at all (blocks.ts). */
  isPatched: (physical: number, bytes: number) => boolean = () => false;
  hasPatches: (page: number) => boolean = () => false;
  /** Fields that the last block reads anew each time: physical address and length, in turn. */
  readonly live: number[] = [];
  /** Number of the callback that looks at a code breakpoint. */
  breakpoint: () => number = () => 0;
  readonly #require: (group: number) => void;
  /** By group of handlers: 1 when it is there. */
  readonly #present: Uint8Array;

  /** `require`: puts a group of handlers in place, before the first record that names one. */
  constructor(
    core: Core,
    decoder: Decoder,
    handlers: Handlers,
    require: (group: number) => void,
  ) {
    this.#core = core;
    this.#decoder = decoder;
    this.#handlers = handlers;
    this.#require = require;
    this.#present = new Uint8Array(handlers.groupCount);
    this.#present[0] = 1;
  }

  /**
   * Decodes the block at EIP / physical address and writes it at `block`. Returns its end, and `second`
   * (physical address of the second page or −1). Throws a fault if the first instruction's bytes cannot
   * be fetched.
   */
  translate(block: number, eip: number, physical: number, mode: number): number {
    const core = this.#core;
    const host = core.memory.hostOf(physical);
    let source = core.u8;
    let base = host;
    let end = base + 0x1000 - (physical & 0xfff);
    if (host === 0) {
      // On the bus: a window of the page, read byte by byte.
      const length = Math.min(256, 0x1000 - (physical & 0xfff));
      source = new Uint8Array(length);
      for (let i = 0; i < length; i++) source[i] = core.memory.readPhysical8(physical + i);
      base = 0;
      end = length;
    }
    const big = (mode & L.MODE.CODE32) !== 0;
    const limit = mode & L.MODE.FLAT_CODE ? 0xffffffff : core.segmentLimit(L.CS);
    const list: Decoded[] = [];
    let at = base;
    let second = -1;
    while (list.length < MAX_INSTRUCTIONS) {
      const item = this.#item(list.length);
      const { instruction } = item;
      const address = (eip + at - base) | 0;
      item.eip = address;
      item.at = at - base;
      item.bytes = undefined;
      let status = this.#decoder.decode(source, at, end, address, big, instruction);
      if (status === TRUNCATED) {
        if (list.length > 0) break;
        // The instruction goes on in the next page: fetch that, which may fault.
        const here = end - at;
        // Beyond the segment's limit there is no fetch.
        if ((address >>> 0) + here > limit) core.raise(13, 0);
        const linear = core.segmentBase(L.CS) + address + here;
        const next = core.memory.translateCode(linear | 0);
        for (let i = 0; i < 16; i++) {
          this.#buffer[i] = i < here
            ? source[at + i] as number
            : core.memory.readPhysical8(next + i - here);
        }
        status = this.#decoder.decode(this.#buffer, 0, 16, address, big, instruction);
        if (status > here || status <= 0) second = next;
        item.bytes = this.#buffer.slice(0, status > 0 ? status : 1);
      }
      if (status > 0 && (address >>> 0) + status - 1 > limit) {
        if (list.length > 0) break;
        core.raise(13, 0);
      }
      item.status = status;
      if (status <= 0) {
        instruction.length = 1;
        instruction.entry = undefined;
      }
      list.push(item);
      at += instruction.length;
      if (status <= 0 || instruction.entry?.ends === true || second !== -1 || at >= end) break;
    }
    return this.#write(block, list, { eip, physical, mode, second, source, base, limit });
  }

  #item(index: number): Decoded {
    let item = this.#pool[index];
    if (item === undefined) {
      item = { instruction: new Instruction(), status: 0, eip: 0, at: 0, bytes: undefined };
      this.#pool[index] = item;
    }
    return item;
  }

  #write(
    block: number,
    list: readonly Decoded[],
    where: {
      eip: number;
      physical: number;
      mode: number;
      second: number;
      source: Uint8Array;
      base: number;
      limit: number;
    },
  ): number {
    const { i32, u8 } = this.#core;
    const { codeOffsets } = this.#core.debug;
    const { eip, physical, mode, second, limit } = where;
    const count = list.length;
    const last = list[count - 1] as Decoded;
    const bytes = last.at + last.instruction.length;
    // What makes a code invalid may be any byte of it: stores there must drop the block too.
    let watched = bytes;
    if (last.status <= 0) {
      const room = second === -1 ? 0x1000 - ((physical + last.at) & 0xfff) : LENGTH_MAX;
      watched = last.at + Math.min(LENGTH_MAX, room, limit - (last.eip >>> 0) + 1);
    }
    const header = block >> 2;
    i32[header] = count;
    i32[header + 1] = eip;
    i32[header + 2] = physical;
    i32[header + 3] = mode;
    i32[header + 4] = watched;
    i32[header + 5] = second;
    i32.fill(0, header + 6, header + (L.BLOCK_BYTES >> 2));
    i32[header + (L.BLOCK.COUNT >> 2)] = this.hotAfter;
    const hooks = this.#instrumentation(block, list, where);
    let record = block + L.BLOCK_BYTES;
    if (second !== -1) {
      // Before all else, hooks too: where the second page is now. The finder fills in A and B.
      i32.fill(0, record >> 2, (record + L.RECORD_BYTES) >> 2);
      i32[record >> 2] = SPECIAL.SECOND;
      i32[(record + L.RECORD.EIP) >> 2] = eip;
      u8[record + L.RECORD.REMAINING] = count;
      record += L.RECORD_BYTES;
    }
    this.live.length = 0;
    const patched = this.hasPatches(physical >>> 12) && second === -1 && hooks === undefined;
    let ends = false;
    let total = 0;
    for (let i = 0; i < count; i++) {
      const item = list[i] as Decoded;
      const remaining = count - i;
      const hook = hooks?.[i];
      const { entry, isMemory } = item.instruction;
      const traced = hook !== undefined && hook.trace >= 0 &&
        (entry === undefined || mayAccess(entry.operation, isMemory));
      const special = (handler: number, a: number, immediate: number): void => {
        const at = record >> 2;
        i32[at] = handler;
        i32[at + 1] = a;
        i32[at + 3] = immediate;
        i32[at + 6] = item.eip;
        u8[record + L.RECORD.LENGTH] = item.instruction.length;
        u8[record + L.RECORD.REMAINING] = remaining;
        record += L.RECORD_BYTES;
      };
      if (codeOffsets.length > 0 && codeOffsets.includes((physical + item.at) & 0xfff)) {
        special(SPECIAL.HOOK, this.breakpoint(), 0);
      }
      if (hook !== undefined) {
        if (hook.before.length + total > MAX_HOOKS) {
          throw new RangeError(`Cannot put more than ${MAX_HOOKS} hooks on one block`);
        }
        total += hook.before.length;
        for (const action of hook.before) {
          if ("callback" in action) special(SPECIAL.HOOK, action.callback, 0);
          else special(SPECIAL.COUNT, L.COUNTERS + 8 * action.counter, action.amount);
        }
        if (traced) special(SPECIAL.TRACE_ON, hook.trace, 0);
      }
      const live = patched ? this.#liveFields(item, physical + item.at) : NO_FIELDS;
      for (const [index, field] of live.entries()) {
        special(SPECIAL.LIVE, field.host, field.shift);
        i32[(record - L.RECORD_BYTES + L.RECORD.B) >> 2] = (live.length - index) * L.RECORD_BYTES +
          field.offset;
        i32[(record - L.RECORD_BYTES + L.RECORD.DISPLACEMENT) >> 2] = field.mask;
      }
      ends = this.#record(record, item, remaining, mode);
      for (const { flag } of live) {
        u8[record + L.RECORD.SEGMENT] = (u8[record + L.RECORD.SEGMENT] as number) | flag;
      }
      record += L.RECORD_BYTES;
      // The tracing of a block's last instruction is ended by the engine.
      if (traced && !ends) {
        special(SPECIAL.TRACE_OFF, 0, 0);
        // Not a place to stop at: it belongs to the instruction before.
        u8[record - L.RECORD_BYTES + L.RECORD.REMAINING] = remaining;
      }
    }
    // Code that is patched again and again is often one of many such pieces, each of which runs little.
    if (this.live.length > 0 && this.hotAfter > 1) {
      i32[header + (L.BLOCK.COUNT >> 2)] = Math.max(
        this.hotAfter,
        Math.min(PATCHED_WAIT * this.hotAfter, PATCHED_ENTRIES),
      );
    }
    if (!ends) {
      const at = record >> 2;
      i32.fill(0, at, at + 8);
      i32[at] = SPECIAL.FALL_THROUGH;
      i32[at + 1] = L.UNLINKED;
      i32[at + 3] = eip + bytes;
      i32[at + 6] = eip + bytes;
      record += L.RECORD_BYTES;
    }
    return record;
  }

  /** The fields of an instruction that are patched again and again, in the order of their bytes. */
  #liveFields({ instruction, status }: Decoded, physical: number): readonly LiveField[] {
    const { entry, displacementBytes, immediateBytes, length, operandSize } = instruction;
    if (entry === undefined || status <= 0 || !this.#handlers.hasSemantics(entry)) return NO_FIELDS;
    const core = this.#core;
    const host = core.memory.hostOf(physical);
    // Fields are read four bytes at a time.
    if (host === 0 || host + length + 4 > core.u8.length || !core.memory.isRam(physical)) {
      return NO_FIELDS;
    }
    const fields: LiveField[] = [];
    const add = (at: number, bytes: number, offset: number, mask: number, flag: number): void => {
      if (!this.isPatched(physical + at, bytes)) return;
      fields.push({ host: host + at, offset, shift: 32 - 8 * bytes, mask, flag });
      this.live.push(physical + at, bytes);
    };
    const { LIVE_DISPLACEMENT, LIVE_IMMEDIATE } = L.RECORD_FLAG;
    const immediateAt = length - immediateBytes;
    // POP m counts its own increment of ESP in.
    if (displacementBytes > 0 && instruction.immediate2 === 0 && entry.operation !== "popE") {
      const at = immediateAt - displacementBytes;
      add(at, displacementBytes, L.RECORD.DISPLACEMENT, -1, LIVE_DISPLACEMENT);
    }
    // What vectors do with an immediate is chosen when code is made.
    if (entry.ends || entry.operands.some(({ kind }) => VECTORS.includes(kind))) return fields;
    const word = operandSize === 4 ? -1 : 0xffff;
    const mask = entry.immediate === IMMEDIATE.BYTE
      ? 0xff
      : entry.immediate === IMMEDIATE.WORD
      ? 0xffff
      : entry.immediate === IMMEDIATE.BYTE_SIGNED || entry.immediate === IMMEDIATE.OPERAND
      ? word
      : 0;
    if (mask !== 0) {
      add(immediateAt, immediateBytes, L.RECORD.IMMEDIATE, mask, LIVE_IMMEDIATE);
    } else if (entry.immediate === IMMEDIATE.ADDRESS) {
      const all = instruction.addressSize === 4 ? -1 : 0xffff;
      add(immediateAt, immediateBytes, L.RECORD.DISPLACEMENT, all, LIVE_DISPLACEMENT);
    }
    return fields;
  }

  #instrumentation(
    block: number,
    list: readonly Decoded[],
    where: { physical: number; second: number; source: Uint8Array; base: number },
  ): readonly (Instrumentation | undefined)[] | undefined {
    if (this.instrument === undefined) return undefined;
    const base = this.#core.segmentBase(L.CS);
    return this.instrument(
      list.map((item) => ({
        eip: item.eip >>> 0,
        linear: (base + item.eip) >>> 0,
        physical: (where.physical + item.at) >>> 0,
        size: item.instruction.length,
        bytes: item.bytes ??
          where.source.slice(where.base + item.at, where.base + item.at + item.instruction.length),
      })),
      block,
    );
  }

  /** Writes one record; returns whether its handler ends the block. */
  #record(record: number, item: Decoded, remaining: number, mode: number): boolean {
    const { i32, u16, u8 } = this.#core;
    const { instruction, status } = item;
    const { entry } = instruction;
    const at = record >> 2;
    i32.fill(0, at, at + 8);
    i32[at + 6] = item.eip;
    u8[record + L.RECORD.LENGTH] = instruction.length;
    u8[record + L.RECORD.REMAINING] = remaining;
    if (entry === undefined) {
      i32[at] = SPECIAL.RAISE;
      i32[at + 1] = status === TOO_LONG ? 13 : 6;
      i32[at + 2] = status === TOO_LONG ? 0 : -1;
      return true;
    }
    const flat = (mode & L.MODE.FLAT_DATA) !== 0;
    const flatSegment = flat && (instruction.segment === L.DS || instruction.segment === L.SS ||
      instruction.segment === L.ES);
    let kind = 0;
    if (instruction.isMemory) {
      kind = !flatSegment || instruction.addressSize === 2
        ? 3
        : instruction.index !== NO_REGISTER
        ? 2
        : 1;
    }
    u16[(record + L.RECORD.BASE) >> 1] = registerOffset(instruction.base);
    u16[(record + L.RECORD.INDEX) >> 1] = registerOffset(instruction.index);
    i32[at + 5] = instruction.displacement;
    u8[record + L.RECORD.SCALE] = instruction.scale | (instruction.addressSize === 2 ? 0x80 : 0);
    u8[record + L.RECORD.SEGMENT] = instruction.segment |
      (instruction.operandSize === 4 ? 8 : 0) | (instruction.isMemory ? 16 : 0);
    i32[at + 3] = instruction.immediate;
    if (!this.#handlers.hasSemantics(entry)) {
      i32[at] = entry.ends ? SPECIAL.ASSIST_ENDS : SPECIAL.ASSIST;
      i32[at + 1] = this.#handlers.assistIndex(entry.operation) | (instruction.opcode << 16);
      i32[at + 2] = instruction.reg | (instruction.rm << 4) | (instruction.repeat << 8) |
        (instruction.immediate2 << 16);
      return entry.ends;
    }
    const stack32 = (mode & L.MODE.STACK32) !== 0;
    // Stack operations: SS flat and 32 bits wide. String operations: the source segment is flat too.
    const handler = this.#handlers.select(entry, instruction, kind, flatSegment && stack32);
    if (handler < 0) {
      i32[at] = SPECIAL.RAISE;
      i32[at + 1] = 6;
      i32[at + 2] = -1;
      return true;
    }
    const group = this.#handlers.groupOf(handler);
    this.require(group);
    if (entry.ends) {
      // Branches: both links. Where an operand is a register, its place follows.
      i32[at + 1] = L.UNLINKED;
      i32[at + 2] = L.UNLINKED;
    }
    this.#operands(record, entry, instruction);
    const place = i32[at + 1] as number;
    i32[at] = entry.operands.length === 1 && !instruction.isMemory && !entry.ends
      ? this.#handlers.fix(handler, (place - L.GPR) >> 2)
      : handler;
    if (instruction.immediate2 !== 0) i32[at + 5] = instruction.immediate2;
    // POP m: ESP in the address is the incremented one (SDM vol. 2, POP).
    if (entry.operation === "popE" && instruction.isMemory && instruction.base === 4) {
      i32[at + 5] = instruction.displacement + instruction.operandSize;
    }
    return entry.ends || entry.operation === "ud";
  }

  /** Puts a group of handlers in place, if it is not there. */
  require(group: number): void {
    if (this.#present[group] !== 0) return;
    this.#require(group);
    this.#present[group] = 1;
  }

  #operands(record: number, entry: Entry, instruction: Instruction): void {
    const { i32 } = this.#core;
    const { operands } = entry;
    for (let i = 0; i < operands.length && i < 2; i++) {
      const token = operands[i];
      if (token === undefined) continue;
      const size = token.size === 0 ? instruction.operandSize : token.size;
      let offset = -1;
      switch (token.kind) {
        case "E":
        case "R":
          if (!instruction.isMemory) offset = sizedRegister(instruction.rm, size);
          break;
        case "G":
          offset = sizedRegister(instruction.reg, size);
          break;
        case "Z":
          offset = sizedRegister(instruction.opcode & 7, size);
          break;
        case "X":
          offset = sizedRegister(token.value, size);
          break;
        case "S":
          offset = L.segmentOffset(token.value < 0 ? instruction.reg : token.value);
          break;
        case "F":
          offset = instruction.rm;
          break;
        case "P":
          offset = L.FPU_REGISTERS + 16 * instruction.reg;
          break;
        case "Q":
        case "N":
          if (!instruction.isMemory) offset = L.FPU_REGISTERS + 16 * instruction.rm;
          break;
        case "V":
          offset = L.XMM + 16 * instruction.reg;
          break;
        case "W":
        case "U":
          if (!instruction.isMemory) offset = L.XMM + 16 * instruction.rm;
          break;
      }
      if (offset >= 0) i32[(record >> 2) + 1 + i] = offset;
    }
  }
}

function registerOffset(register: number): number {
  return register === NO_REGISTER ? L.ZERO : L.GPR + 4 * register;
}

/** State offset of a register of a size: byte registers 4–7 are AH CH DH BH. */
function sizedRegister(register: number, size: number): number {
  return size === 1 && register >= 4 ? L.GPR + 4 * (register - 4) + 1 : L.GPR + 4 * register;
}
