/**
 * The functions that handlers share: imports from TypeScript, and Wasm functions made on first use.
 *
 * The latter come between the inline TLB lookup and TypeScript: a misaligned access that stays in its
 * page needs no call out. Sources: docs of `MemoryUnit` (units.ts), state/layout.ts.
 * @module
 */
import {
  BLOCK,
  CS,
  CURRENT,
  EIP,
  EXIT,
  EXIT_REASON,
  JUMP_CACHE,
  JUMP_CACHE_BITS,
  LINK_SLOT,
  MODE_WORD,
  RECORD,
  SCRATCH,
  SEGMENT,
  SEGMENT_BYTES,
  segmentOffset,
  SEGMENTS,
  SS,
  TLB_DIRECT,
  TLB_READ,
  TLB_WRITE,
} from "../state/layout.ts";
import { storeIfPlain, storePlace } from "./code_stores.ts";
import { I32, I64, V128, WasmFunction, type WasmModule } from "./wasm.ts";

type Size = 1 | 2 | 4 | 8;

/** What TypeScript gives to the handlers' module. */
export interface RuntimeImports {
  /** Runs assist `index` (−1: the record's own); not 0 when the run loop should look around. */
  assist(record: number, index: number): number;
  raise(vector: number, errorCode: number): void;
  slowRead(linear: number, size: number): number;
  slowWrite(linear: number, size: number, value: number): void;
  slowReadForWrite(linear: number, size: number): number;
  probeRead(linear: number, size: number): void;
  probeWrite(linear: number, size: number): void;
  /** A segment check failed: #SS(0) or #GP(0) by the state offset of the segment. */
  segmentFault(segment: number): void;
  /** A near branch outside CS's limit: #GP(0). */
  checkBranch(target: number): void;
  /** A plugin's callback. */
  hook(record: number): void;
  /** Host address of an access of `size` bytes at a linear address, or 0 where the interpreter must do it. */
  fill(linear: number, size: number, write: number): number;
  /** Drops the code in bytes of one page that are about to be written; their place in linear memory, or 0. */
  claim(linear: number, bytes: number): number;
  /** Memory tracing of the instruction behind the record begins (1) or ends (0). */
  trace(record: number, on: number): void;
}

export class Runtime {
  readonly module: WasmModule;
  readonly handlerType: number;
  readonly assist: number;
  readonly raise: number;
  readonly hook: number;
  readonly trace: number;
  readonly #fill: number;
  /** (linear, bytes) → host address or 0: for stores of a whole run of bytes where there is code. */
  readonly claim: number;
  readonly #slowRead: number;
  readonly #slowWrite: number;
  readonly #slowReadForWrite: number;
  readonly #probeRead: number;
  readonly #probeWrite: number;
  readonly #segmentFault: number;
  readonly #checkBranch: number;
  readonly #shared = new Map<string, number>();
  readonly #assistIndex: (name: string) => number;

  constructor(module: WasmModule, assistIndex: (name: string) => number) {
    this.module = module;
    this.#assistIndex = assistIndex;
    this.handlerType = module.type([I32], [I32]);
    const two = module.type([I32, I32]);
    const read = module.type([I32, I32], [I32]);
    const one = module.type([I32]);
    this.assist = module.importFunction("assist", read);
    this.raise = module.importFunction("raise", two);
    this.#slowRead = module.importFunction("slowRead", read);
    this.#slowWrite = module.importFunction("slowWrite", module.type([I32, I32, I32]));
    this.#slowReadForWrite = module.importFunction("slowReadForWrite", read);
    this.#probeRead = module.importFunction("probeRead", two);
    this.#probeWrite = module.importFunction("probeWrite", two);
    this.#segmentFault = module.importFunction("segmentFault", one);
    this.#checkBranch = module.importFunction("checkBranch", one);
    this.hook = module.importFunction("hook", one);
    this.trace = module.importFunction("trace", two);
    this.#fill = module.importFunction("fill", module.type([I32, I32, I32], [I32]));
    this.claim = module.importFunction("claim", read);
  }

  /** Number of the assist of a name, for RECORD-independent calls. */
  assistIndex(name: string): number {
    return this.#assistIndex(name);
  }

  /**
   * A Wasm function of that name, built on first use; returns its index. For code that many handlers
   * share (multiply, normalise and round an 80-bit number, say).
   */
  shared(
    name: string,
    parameters: readonly number[],
    results: readonly number[],
    build: (f: WasmFunction) => void,
  ): number {
    let index = this.#shared.get(name);
    if (index === undefined) {
      index = this.module.declare(this.module.type(parameters, results));
      this.#shared.set(name, index);
      const f = new WasmFunction(parameters.length);
      build(f);
      this.module.define(index, f);
    }
    return index;
  }

  /** All functions that {@link shared} has built, by name. */
  get built(): ReadonlyMap<string, number> {
    return this.#shared;
  }

  /** (linear, record) → value; for reads that missed the inline path. */
  slowRead(size: Size): number {
    const value = size === 8 ? I64 : I32;
    return this.shared(`slowRead${size}`, [I32, I32], [value], (f) => {
      if (size > 1) {
        const entry = f.local();
        hitInPage(f, TLB_READ, size, entry);
        f.if().get(0).get(entry).add();
        f.memory(size === 8 ? "i64.load" : size === 4 ? "i32.load" : "i32.load16_u").return().end();
      }
      f.i32(0).get(1).store(CURRENT);
      if (size === 8) {
        f.get(0).i32(8).call(this.#probeRead).get(0).i32(4).call(this.#slowRead).op(
          "i64.extend_i32_u",
        );
        f.get(0).i32(4).add().i32(4).call(this.#slowRead).op("i64.extend_i32_u").i64(32n);
        f.op("i64.shl", "i64.or");
      } else f.get(0).i32(size).call(this.#slowRead);
    });
  }
  /** (linear, value, record); for writes that missed the inline path. */
  slowWrite(size: Size): number {
    return this.shared(`slowWrite${size}`, [I32, size === 8 ? I64 : I32, I32], [], (f) => {
      if (size > 1) {
        const entry = f.local();
        hitInPage(f, TLB_WRITE, size, entry);
        f.if().get(0).get(entry).add().get(1);
        f.memory(size === 8 ? "i64.store" : size === 4 ? "i32.store" : "i32.store16").return()
          .end();
      }
      storeIfPlain(this, f, size);
      f.i32(0).get(2).store(CURRENT);
      if (size === 8) {
        f.get(0).i32(8).call(this.#probeWrite);
        f.get(0).i32(4).get(1).op("i32.wrap_i64").call(this.#slowWrite);
        f.get(0).i32(4).add().i32(4).get(1).i64(32n).op("i64.shr_u", "i32.wrap_i64");
        f.call(this.#slowWrite);
      } else {
        f.get(0).i32(size).get(1);
        if (size < 4) f.i32(size === 1 ? 0xff : 0xffff).and();
        f.call(this.#slowWrite);
      }
    });
  }
  /** (linear, record) → 16 bytes; for reads that missed the inline path. */
  slowReadVector(): number {
    return this.shared("slowReadVector", [I32, I32], [V128], (f) => {
      const entry = f.local();
      hitInPage(f, TLB_READ, 16, entry);
      f.if().get(0).get(entry).add().vectorMemory("v128.load").return().end();
      f.i32(0).get(1).store(CURRENT).get(0).i32(16).call(this.#probeRead);
      // Words at odd addresses would be refused under EFLAGS.AC, which does not look at 16-byte operands.
      f.get(0).i32(3).and().if();
      for (let i = 0; i < 16; i++) {
        f.i32(0).get(0).i32(i).add().i32(1).call(this.#slowRead).memory("i32.store8", SCRATCH + i);
      }
      f.i32(0).vectorMemory("v128.load", SCRATCH).return().end();
      f.get(0).i32(4).call(this.#slowRead).vector("i32x4.splat");
      for (let i = 1; i < 4; i++) {
        f.get(0).i32(4 * i).add().i32(4).call(this.#slowRead).lane("i32x4.replace_lane", i);
      }
    });
  }
  /** (linear, 16 bytes, record); for writes that missed the inline path. */
  slowWriteVector(): number {
    return this.shared("slowWriteVector", [I32, V128, I32], [], (f) => {
      const entry = f.local();
      hitInPage(f, TLB_WRITE, 16, entry);
      f.if().get(0).get(entry).add().get(1).vectorMemory("v128.store").return().end();
      f.i32(0).get(2).store(CURRENT).get(0).i32(16).call(this.#probeWrite);
      f.get(0).i32(3).and().if();
      for (let i = 0; i < 16; i++) {
        f.get(0).i32(i).add().i32(1).get(1).lane("i8x16.extract_lane_u", i).call(this.#slowWrite);
      }
      f.return().end();
      for (let i = 0; i < 4; i++) {
        f.get(0).i32(4 * i).add().i32(4).get(1).lane("i32x4.extract_lane", i);
        f.call(this.#slowWrite);
      }
    });
  }
  /** (linear, record) → value; the read of a read-modify-write that missed the inline path. */
  slowReadForWrite(size: 1 | 2 | 4): number {
    return this.shared(`slowReadForWrite${size}`, [I32, I32], [I32], (f) => {
      if (size > 1) {
        const entry = f.local();
        hitInPage(f, TLB_WRITE, size, entry);
        f.if().get(0).get(entry).add();
        f.memory(size === 4 ? "i32.load" : "i32.load16_u").return().end();
      }
      const place = f.local();
      f.get(0).i32(size).call(storePlace(this)).tee(place).if().get(place);
      f.memory(size === 4 ? "i32.load" : size === 2 ? "i32.load16_u" : "i32.load8_u");
      f.return().end();
      f.i32(0).get(1).store(CURRENT).get(0).i32(size).call(this.#slowReadForWrite);
    });
  }
  /** (linear, size, record). */
  probeWrite(): number {
    return this.shared("probeWrite", [I32, I32, I32], [], (f) => {
      const entry = f.local();
      f.loadAt(TLB_WRITE).get(0).i32(10).shrU().i32(0x3ffffc).and().add().load().i32(TLB_DIRECT)
        .sub().set(entry);
      f.get(0).i32(0xfff).and().get(1).add().i32(0x1000).op("i32.le_u").get(entry).i32(1).and();
      f.eqz().and().if().return().end();
      f.i32(0).get(2).store(CURRENT).get(0).get(1).call(this.#probeWrite);
    });
  }
  /**
   * (linear, size, plus 256 for a write; 256 alone for writes anywhere in the page) → host address, or 0 where the
   * interpreter must do the access. With 0x200 in the size, the page fault that it is may be made due (`FAULT_DUE`).
   */
  ready(): number {
    return this.shared("ready", [I32, I32], [I32], (f) => {
      const [entry, size] = [f.local(), f.local()];
      f.loadAt(TLB_WRITE).loadAt(TLB_READ).get(1).i32(0x100).and().select();
      f.get(0).i32(10).shrU().i32(0x3ffffc).and().add().load().i32(TLB_DIRECT).sub().set(entry);
      f.get(1).i32(0xff).and().set(size);
      f.get(entry).i32(1).and().eqz();
      f.get(0).i32(0xfff).and().get(size).add().i32(0x1000).op("i32.le_u").and().if();
      f.get(0).get(entry).add().return().end();
      f.get(1).i32(0x100).and().if();
      f.get(0).get(size).call(storePlace(this)).tee(entry).if().get(entry).return().end().end();
      f.get(0).get(size).get(1).i32(8).shrU().call(this.#fill);
    });
  }
  /** (record, size, access) → linear address of the record's memory operand, checked. */
  segmented(): number {
    const check = this.checkSegment();
    return this.shared("segmented", [I32, I32, I32], [I32], (f) => {
      recordOffset(f);
      recordSegment(f);
      f.get(1).get(2).get(0).call(check);
    });
  }
  /** (record, access) → the same for 16 bytes that must be aligned: #GP(0) for that goes before other faults. */
  segmentedAligned(): number {
    const check = this.checkSegment();
    return this.shared("segmentedAligned", [I32, I32], [I32], (f) => {
      const [offset, segment] = [f.local(), f.local()];
      recordOffset(f);
      f.set(offset);
      recordSegment(f);
      f.tee(segment).load(SEGMENT.BASE).get(offset).add().i32(15).and().if(undefined, false);
      f.i32(0).get(0).store(CURRENT).i32(13).i32(0).call(this.raise).op("unreachable").end();
      f.get(offset).get(segment).i32(16).get(1).get(0).call(check);
    });
  }
  /** (offset, state offset of the segment, size, access, record) → linear address. */
  checkSegment(): number {
    return this.shared("checkSegment", [I32, I32, I32, I32, I32], [I32], (f) => {
      const last = f.local();
      f.get(0).get(2).add().i32(1).sub().set(last);
      f.get(1).load(SEGMENT.ACCESS).get(3).and().eqz();
      f.get(0).get(1).load(SEGMENT.LOW).ltU().or();
      f.get(last).get(1).load(SEGMENT.HIGH).gtU().or();
      f.get(last).get(0).ltU().or();
      f.if(undefined, false).i32(0).get(4).store(CURRENT);
      f.get(1).call(this.#segmentFault).end();
      f.get(1).load(SEGMENT.BASE).get(0).add();
    });
  }
  /** (target, link slot, record) → next record, or 0: leave to the run loop, LINK_SLOT set. */
  branchUnlinked(): number {
    return this.shared("branchUnlinked", [I32, I32, I32], [I32], (f) => {
      // A branch that is not taken (link B) retires; the fetch at its end then faults.
      f.get(0).loadAt(segmentOffset(1) + SEGMENT.LIMIT).gtU();
      f.get(1).get(2).sub().i32(RECORD.B).ne().and().if(undefined, false);
      f.i32(0).get(2).store(CURRENT).get(0).call(this.#checkBranch).end();
      const entry = f.local();
      this.jumpCacheHit(f, 0, entry);
      f.if();
      f.get(entry).load(8).set(entry);
      this.enterBlock(f, entry);
      f.end();
      f.i32(0).get(0).store(EIP).i32(0).get(1).store(LINK_SLOT);
      f.i32(0).i32(EXIT.DISPATCH).store(EXIT_REASON).i32(0);
    });
  }
  /** Set by the emitter module to avoid a cycle: emits the entry of a block. */
  enterBlock: (f: WasmFunction, block: number) => void = () => {
    throw new Error("enterBlock is not set");
  };
  /** Pushes whether the jump cache has the EIP in `target`; `entry` becomes the entry's address. */
  jumpCacheHit(f: WasmFunction, target: number, entry: number): void {
    const mask = ((1 << JUMP_CACHE_BITS) - 1) << 4;
    f.get(target).i32(4).shl().get(target).i32(8).shrU().xor().i32(mask).and().i32(JUMP_CACHE)
      .add();
    f.tee(entry).load().get(target).xor();
    f.get(entry).load(4).loadAt(MODE_WORD).xor().or();
    f.get(entry).load(12).loadAt(TLB_READ).get(target);
    f.loadAt(segmentOffset(CS) + SEGMENT.BASE).add().i32(10).shrU().i32(0x3ffffc).and().add();
    f.load().xor().or().eqz();
  }
  /** Pushes whether the page of the block in a local is mapped where the block was decoded. */
  mapped(f: WasmFunction, block: number): void {
    f.loadAt(TLB_READ).get(block).load(BLOCK.TLB_AT).add().load();
    f.get(block).load(BLOCK.TLB_WORD).eq();
  }
  /** Pushes 0xffff or −1 by the size of the stack. */
  stackMask(f: WasmFunction): void {
    // D/B is bit 14 of the attributes (bit 22 of the descriptor's second word).
    f.i32(-1).i32(0xffff).loadAt(segmentOffset(SS) + SEGMENT.ATTRIBUTES).i32(0x4000).and().select();
  }
}

/** Pushes the offset of the memory operand of the record in local 0, cut by the address size. */
function recordOffset(f: WasmFunction): void {
  f.get(0).memory("i32.load16_u", RECORD.BASE).load();
  f.get(0).memory("i32.load16_u", RECORD.INDEX).load();
  f.get(0).memory("i32.load8_u", RECORD.SCALE).shl().add().get(0).load(RECORD.DISPLACEMENT).add();
  f.i32(0xffff).i32(-1).get(0).memory("i32.load8_u", RECORD.SCALE).i32(0x80).and().select().and();
}
/** Pushes the state offset of its segment. */
function recordSegment(f: WasmFunction): void {
  f.get(0).memory("i32.load8_u", RECORD.SEGMENT).i32(7).and().i32(SEGMENT_BYTES).mul();
  f.i32(SEGMENTS).add();
}

/** Pushes whether an access of `size` at local 0 hits the TLB and stays in its page. */
function hitInPage(f: WasmFunction, table: number, size: number, entry: number): void {
  f.loadAt(table).get(0).i32(10).shrU().i32(0x3ffffc).and().add().load().i32(TLB_DIRECT).sub();
  f.tee(entry).i32(1).and().eqz().get(0).i32(0xfff).and().i32(0x1000 - size).op("i32.le_u").and();
}
