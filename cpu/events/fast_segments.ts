/**
 * MOV and POP to segment registers in Wasm, for descriptors of the GDT that were used before; the rest (faults, the
 * LDT, SS with its shadow, real mode, virtual-8086) is the assist `loadSegment`. Sources: SDM vol. 2 (MOV, POP),
 * vol. 3A §3.4.5, §5.5.
 * @module
 */
import type { Emitter, Semantics } from "../execute/emit.ts";
import { Code, int, type Local, word } from "../execute/expression.ts";
import type { Runtime } from "../execute/runtime.ts";
import { I32 } from "../execute/wasm.ts";
import { VM } from "../state/flags.ts";
import * as L from "../state/layout.ts";
import { Events, OUTCOME } from "./fast.ts";

/** Second word of a descriptor: P, S and accessed; then the bits of the type. */
const USABLE = 0x9100;
const IS_CODE = 0x800;
const CONFORMING_EXPAND_DOWN = 0x400;
const READABLE_WRITABLE = 0x200;
const GRANULARITY = 0x800000;

/** Index of the function: (address of a segment cache, selector) → `OUTCOME`. The same as `loadSegment` in memory/. */
export function loadSegment(runtime: Runtime): number {
  const types = [I32, I32];
  return runtime.shared("loadSegment", types, [I32], (f) => {
    const c = new Events(f);
    const [segment, selector] = Code.parameters(types) as [Local, Local];
    c.unusualIf(
      word(L.CR0).and(1).isZero().or(word(L.EFLAGS).and(VM))
        .or(segment.eq(L.segmentOffset(L.SS))),
    );
    const [base, limit, attributes, access] = [c.int(0), c.int(0), c.int(0), c.int(0)];
    c.if(selector.and(0xfffc), () => {
      const host = c.descriptor(selector);
      const [low, high] = [c.int(host.load()), c.int(host.load(4))];
      const type = c.int(high.and(IS_CODE | READABLE_WRITABLE));
      const dpl = c.int(high.shrU(13).and(3));
      c.unusualIf(
        high.and(USABLE | CONFORMING_EXPAND_DOWN).ne(USABLE).or(type.eq(IS_CODE))
          .or(selector.and(3).gtU(dpl)).or(word(L.CPL).gtU(dpl)),
      );
      c.set(base, low.shrU(16).or(high.and(0xff).shl(16)).or(high.and(0xff000000 | 0)));
      c.set(limit, low.and(0xffff).or(high.and(0xf0000)));
      c.if(high.and(GRANULARITY), () => c.set(limit, limit.shl(12).or(0xfff)));
      c.set(attributes, high.shrU(8).and(0xf0ff));
      c.set(access, type.eq(READABLE_WRITABLE).choose(3, 1));
    });
    const { SEGMENT } = L;
    c.store(segment, selector, SEGMENT.SELECTOR);
    c.store(segment, base, SEGMENT.BASE);
    c.store(segment, limit, SEGMENT.LIMIT);
    c.store(segment, attributes, SEGMENT.ATTRIBUTES);
    c.store(segment, 0, SEGMENT.LOW);
    c.store(segment, limit, SEGMENT.HIGH);
    c.store(segment, access, SEGMENT.ACCESS);
    c.store(segment, limit.eq(-1).and(access.eq(3)), SEGMENT.OPEN);
    const flat = c.isFlat(L.DS).and(c.isFlat(L.ES)).and(c.isFlat(L.SS));
    const mode = word(L.MODE_WORD).and(~L.MODE.FLAT_DATA);
    c.storeWord(L.MODE_WORD, mode.or(flat.choose(L.MODE.FLAT_DATA, 0)));
    c.yield(int(OUTCOME.DONE));
  });
}

/** Loads the segment of operand 0 with the selector in a local; in `outcome`, whether something may be due. */
function load(x: Emitter, selector: number, outcome: number): void {
  const { f } = x;
  x.field(L.RECORD.A).f.get(selector).call(loadSegment(x.runtime)).tee(outcome).eqz();
  f.if(undefined, false);
  // The assist finds both where it looks for them.
  if (x.translated) x.bail();
  else {
    f.i32(0).get(selector).store(L.SCRATCH);
    x.record().f.i32(x.runtime.assistIndex("loadSegment")).call(x.runtime.assist);
    f.i32(OUTCOME.DONE).add().set(outcome);
  }
  f.end();
}
/** Goes on behind the instruction. */
function goOn(x: Emitter, outcome: number): void {
  const { f } = x;
  const next = x.local();
  x.nextEip().f.set(next);
  f.get(outcome).i32(OUTCOME.LOOK).eq().if(undefined, false);
  x.exit(next).f.end();
  x.jump(next);
}

const movToSegment: Semantics = {
  ends: true,
  emit(x): void {
    const [selector, outcome] = [x.local(), x.local()];
    x.read(1).f.set(selector);
    load(x, selector, outcome);
    goOn(x, outcome);
  },
};

/** Processors read the selector's two bytes alone, whatever ESP moves by. */
const popSegment: Semantics = {
  ends: true,
  stack: true,
  emit(x): void {
    const [selector, outcome] = [x.local(), x.local()];
    x.readLinear(x.stackLinear(0, 2, false), 2).f.set(selector);
    load(x, selector, outcome);
    x.adjustStack(x.operandSize);
    goOn(x, outcome);
  },
};

/** Semantics of this file, by operation. */
export const segmentSemantics: Readonly<Record<string, Semantics>> = { movToSegment, popSegment };
