/** Facts of all forms that are translated inline: they depend on nothing but what they are kept by. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Decoder } from "../isa/decode.ts";
import { INTEGER } from "../isa/table.ts";
import { SIMD } from "../isa/simd.ts";
import { SIMD_FLOAT } from "../isa/simd_float.ts";
import { X87 } from "../isa/x87.ts";
import { eventFunctions, eventSemantics } from "../events/mod.ts";
import type { Operand } from "../execute/form.ts";
import { Handlers } from "../execute/handlers.ts";
import { integerSemantics } from "../execute/semantics/mod.ts";
import { WasmModule } from "../execute/wasm.ts";
import { fpuSemantics } from "../fpu/mod.ts";
import { floatSemantics, simdSemantics } from "../simd/mod.ts";
import * as L from "../state/layout.ts";
import { timeSemantics } from "../system/mod.ts";
import { INLINE } from "./region_facts.ts";
import { covers, type FactsContext, FormFacts, LEAVING_FACTS, NO_FACTS } from "./facts.ts";
import { RegionImports } from "./translator.ts";

const RECORD = 0x8000;
const handlers = new Handlers(
  new Decoder([...INTEGER, ...X87, ...SIMD, ...SIMD_FLOAT]),
  { ...integerSemantics, ...timeSemantics, ...eventSemantics },
  [fpuSemantics, simdSemantics, floatSemantics],
  eventFunctions,
);
const { MODE } = L;
const FLAT = MODE.CODE32 | MODE.STACK32 | MODE.FLAT_DATA | MODE.FLAT_CODE | MODE.PROTECTED;
const MODES = [FLAT, FLAT | MODE.USER, 0, MODE.PROTECTED | MODE.CODE32 | MODE.STACK32, MODE.VM86];

function makeContext(): FactsContext {
  const module = new WasmModule();
  const runtime = new RegionImports(module, (name) => handlers.assistIndex(name));
  const view = new DataView(new ArrayBuffer(RECORD + L.RECORD_BYTES));
  return { view, handlers, runtime, imports: runtime.regionRuntime() };
}

const general = fc.integer({ min: 0, max: 7 }).map((i) => L.GPR + 4 * i);
const word = fc.oneof(fc.constantFrom(0, 1, 31, 32, -1, 0x80), fc.integer());
const fields = fc.record({
  registers: fc.tuple(general, general),
  high: fc.boolean(),
  base: fc.oneof(fc.constant(L.ZERO), general),
  index: fc.oneof(fc.constant(L.ZERO), general),
  immediate: word,
  displacement: word,
  scale: fc.constantFrom(0, 1, 2, 3, 0x80),
  segment: fc.integer({ min: 0, max: 5 }),
  flags: fc.constantFrom(0, 0, L.RECORD_FLAG.LIVE_IMMEDIATE, L.RECORD_FLAG.LIVE_DISPLACEMENT),
  open: fc.boolean(),
  link: word,
});
type Fields = typeof fields extends fc.Arbitrary<infer T> ? T : never;

function write(view: DataView, handler: number, one: Fields): void {
  const form = handlers.form(handler)?.form;
  assert.ok(form);
  const place = (operand: Operand | undefined, register: number): number => {
    if (operand?.kind !== "register") return one.link;
    if (operand.file !== undefined) return 0x400 + 16 * ((register - L.GPR) >> 2);
    return register + (operand.size === 1 && one.high ? 1 : 0);
  };
  const set = (at: number, value: number): void => view.setInt32(RECORD + at, value, true);
  const [a, b] = form.operands;
  const named = form.operands.find((operand, i) =>
    i > 0 && operand.kind === "register" && operand.fixed === undefined
  );
  set(L.RECORD.HANDLER, handler);
  set(L.RECORD.A, place(a, one.registers[0]));
  set(L.RECORD.B, place(named ?? b, one.registers[1]));
  set(L.RECORD.IMMEDIATE, one.immediate);
  set(L.RECORD.DISPLACEMENT, one.displacement);
  view.setUint16(RECORD + L.RECORD.BASE, one.base, true);
  view.setUint16(RECORD + L.RECORD.INDEX, one.index, true);
  view.setUint8(RECORD + L.RECORD.SCALE, one.scale);
  view.setUint8(RECORD + L.RECORD.SEGMENT, one.segment | one.flags);
  for (let segment = 0; segment < 6; segment++) {
    view.setInt32(L.segmentOffset(segment) + L.SEGMENT.OPEN, one.open ? 1 : 0, true);
  }
}

function inlineForms(): number[] {
  const all = Array.from({ length: handlers.count }, (_, handler) => handler);
  return all.filter((handler) => INLINE.has(handlers.form(handler)?.form.operation ?? ""));
}

Deno.test("facts that were learned from one record hold for all with the same fields, in every form", () => {
  const context = makeContext();
  const kept = new FormFacts();
  const forms = inlineForms();
  assert.ok(forms.length > 1000, `${forms.length}`);
  let compared = 0;
  for (const handler of forms) {
    fc.assert(
      fc.property(
        fields,
        fc.record({ immediate: word, displacement: word, link: word, open: fc.boolean() }),
        fc.constantFrom(...MODES),
        fc.boolean(),
        (one, other, mode, inside) => {
          write(context.view, handler, one);
          kept.of(context, RECORD, mode, inside);
          write(context.view, handler, { ...one, ...other });
          const { learned } = kept;
          const known = kept.of(context, RECORD, mode, inside);
          if (kept.learned === learned) compared++;
          assert.deepEqual(known, new FormFacts().of(context, RECORD, mode, inside));
        },
      ),
      { numRuns: 6, seed: handler },
    );
  }
  // Only the few forms that look at an immediate are learned again for another one.
  assert.ok(compared > 5 * forms.length, `${compared} of ${forms.length} forms`);
});

Deno.test("facts do not cover an instruction that does more, or sets fewer flags", () => {
  const facts = { ...NO_FACTS, written: 5, flagsSet: true };
  assert.ok(covers(facts, { ...facts }));
  assert.ok(covers({ ...facts, bails: true, spills: true, flagsRead: true }, facts));
  for (
    const more of [
      { written: 6 },
      { bails: true },
      { spills: true },
      { carryRead: true },
      { flagsSetUnderCondition: true },
      { flagsSet: false },
    ]
  ) assert.ok(!covers(facts, { ...facts, ...more }), JSON.stringify(more));
  assert.ok(covers(LEAVING_FACTS, NO_FACTS));
});
