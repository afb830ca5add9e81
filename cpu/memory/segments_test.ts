/**
 * Segment loads and limits. The properties restate SDM vol. 3A §5.3 and §5.4 (Tables 3-1, 5-1) on their own terms.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import * as L from "../state/layout.ts";
import { fault, type Outcome, SELECTOR, TestSystem } from "../system/test_system.ts";

const system = new TestSystem();

/** What a load of DS or SS must raise, from the tables of the SDM. */
function expectedLoad(
  kind: { type: number; dpl: number; present: boolean },
  load: { rpl: number; cpl: number; stack: boolean },
): Outcome | undefined {
  const { type, dpl, present } = kind;
  const { rpl, cpl, stack } = load;
  const error = SELECTOR.FREE;
  // Table 3-1: 0–7 data (bit 1 writable), 8–15 code (bit 1 readable, bit 2 conforming); below 16 system.
  const name = type < 16 ? "system" : type < 24 ? "data" : "code";
  const second = (type & 2) !== 0;
  if (stack) {
    if (name !== "data" || !second || rpl !== cpl || dpl !== cpl) return fault(13, error);
    return present ? undefined : fault(12, error);
  }
  if (name === "system" || (name === "code" && !second)) return fault(13, error);
  const conforming = name === "code" && (type & 4) !== 0;
  if (!conforming && Math.max(rpl, cpl) > dpl) return fault(13, error);
  return present ? undefined : fault(11, error);
}

Deno.test("loads of DS and SS raise what the tables of the SDM say, and change nothing then", () => {
  const arbitrary = fc.record({
    type: fc.integer({ min: 0, max: 31 }),
    dpl: fc.integer({ min: 0, max: 3 }),
    present: fc.boolean(),
    rpl: fc.integer({ min: 0, max: 3 }),
    cpl: fc.constantFrom<0 | 3>(0, 3),
    stack: fc.boolean(),
  });
  fc.assert(
    fc.property(arbitrary, (sample) => {
      const { type, dpl, present, rpl, cpl, stack } = sample;
      system.segments(cpl);
      const access = type | (dpl << 5) | (present ? 0x80 : 0);
      system.descriptor(SELECTOR.FREE, { access, base: 0x1234000, limit: 0x12345, flags: 0x4 });
      const segment = stack ? L.SS : L.DS;
      const before = system.core.selector(segment);
      const outcome = system.load(segment, SELECTOR.FREE | rpl);
      const expected = expectedLoad(sample, sample);
      assert.deepEqual(outcome, expected);
      if (expected === undefined) {
        assert.equal(system.core.selector(segment), SELECTOR.FREE | rpl);
        assert.equal(system.core.segmentBase(segment), 0x1234000);
        assert.equal(system.core.segmentLimit(segment), 0x12345);
        assert.equal(system.peek32(0x1000 + SELECTOR.FREE + 4) & 0x100, 0x100);
      } else {
        assert.equal(system.core.selector(segment), before);
        assert.equal(system.peek32(0x1000 + SELECTOR.FREE + 4) & 0x100, (type & 1) << 8);
      }
    }),
    { numRuns: 3000 },
  );
});

Deno.test("an access is inside a segment when all its bytes are, expand-down and granularity counted", () => {
  const arbitrary = fc.record({
    limit: fc.oneof(fc.constantFrom(0, 1, 2, 0xf, 0xffff, 0xffffe, 0xfffff), fc.nat(0xfffff)),
    granular: fc.boolean(),
    big: fc.boolean(),
    type: fc.integer({ min: 16, max: 31 }),
    size: fc.constantFrom(1, 2, 4, 8, 10),
    write: fc.boolean(),
    near: fc.integer({ min: -12, max: 12 }),
    anchor: fc.constantFrom("limit", "64K", "top", "zero"),
  });
  fc.assert(
    fc.property(arbitrary, ({ limit, granular, big, type, size, write, near, anchor }) => {
      const last = granular ? limit * 4096 + 4095 : limit;
      const anchors = { limit: last, "64K": 0xffff, top: 0xffffffff, zero: 0 };
      const offset = Math.min(Math.max(anchors[anchor] + near, 0), 0xffffffff);
      const flags = (granular ? 8 : 0) | (big ? 4 : 0);
      system.segments(3);
      const base = 0x10000;
      system.descriptor(SELECTOR.FREE, { access: 0xe0 | type, base, limit, flags });
      const data = type < 24;
      const readable = data || (type & 2) !== 0;
      const loaded = system.load(L.FS, SELECTOR.FREE | 3);
      assert.equal(loaded === undefined, readable);
      if (loaded !== undefined) return;
      const down = data && (type & 4) !== 0;
      const [lowest, highest] = down ? [last + 1, big ? 0xffffffff : 0xffff] : [0, last];
      const inside = offset >= lowest && offset + size - 1 <= highest;
      const allowed = inside && (!write || (data && (type & 2) !== 0));
      let linear = -1;
      const outcome = system.outcome(() => {
        linear = system.core.linear(L.FS, offset | 0, size, write);
      });
      assert.deepEqual(outcome, allowed ? undefined : fault(13, 0));
      if (allowed) assert.equal(linear, (base + offset) | 0);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("a null selector loads into DS but not into SS, and then every access is #GP(0)", () => {
  system.segments(3);
  assert.deepEqual(system.load(L.SS, 3), fault(13, 0));
  for (const selector of [0, 1, 2, 3]) {
    assert.equal(system.load(L.GS, selector), undefined);
    assert.equal(system.core.selector(L.GS), selector);
    assert.deepEqual(system.outcome(() => system.core.read(L.GS, 0x10, 1)), fault(13, 0));
  }
});

Deno.test("selectors beyond GDT or LDT are #GP with the selector, TI kept and RPL not", () => {
  system.segments(3);
  assert.deepEqual(system.load(L.DS, 0x203), fault(13, 0x200));
  assert.deepEqual(system.load(L.DS, 0x107), fault(13, 0x104));
  system.descriptor(0x1f4 & 0xfc | 4, { access: 0xf2 });
  assert.equal(system.load(L.DS, 0xf7), undefined);
  system.segments(0);
  assert.equal(system.execute("lldt", { rm: 0 }, [0]), undefined);
  assert.deepEqual(system.load(L.DS, 0xf7), fault(13, 0xf4));
  assert.equal(system.execute("lldt", { rm: 0 }, [SELECTOR.LDT]), undefined);
});

Deno.test("a descriptor in a page that is not there is #PF at the descriptor, supervisor read", () => {
  const paged = new TestSystem();
  paged.enablePaging();
  paged.segments(3);
  paged.mapPage(0x3000, 0);
  assert.deepEqual(paged.load(L.DS, 0x0f), fault(14, 0, 0x3008));
});

Deno.test("real mode loads selector × 16 and keeps the limit", () => {
  const real = new TestSystem();
  real.core.i32[L.CR0 >> 2] = 0x10;
  real.core.setSegment(L.ES, 0, 0, 0xffffffff, 0x8093);
  assert.equal(real.load(L.ES, 0xb800), undefined);
  assert.equal(real.core.segmentBase(L.ES), 0xb8000);
  assert.equal(real.core.segmentLimit(L.ES), 0xffffffff);
});
