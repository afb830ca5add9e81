/** Descriptor tables for the bus master. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { compileUnit, type Unit } from "./wasm_unit.ts";

const compiled = compileUnit({
  entry: `
import { prdFill, segmentAdvance, SegmentCursor } from "./kernel/drivers/storage/prd.ts";
const cursor = changetype<SegmentCursor>(memory.data(32, 4));
const segments: usize = memory.data(1024, 4);
const table: usize = memory.data(4096, 4);
export function segment(i: u32, physical: u32, bytes: u32): void {
  store<u32>(segments + i * 8, physical); store<u32>(segments + i * 8, bytes, 4);
}
export function begin(count: u32): void {
  cursor.segments = segments; cursor.count = count; cursor.index = 0; cursor.offset = 0;
  segmentAdvance(cursor, 0);
}
export function fill(bytes: u32): u32 { return prdFill(table, cursor, bytes); }
export function entry(i: u32, w: u32): u32 { return load<u32>(table + i * 8 + w * 4); }
`,
});

/** Fills one table; the regions it describes. */
function fill(unit: Unit, bytes: number): { done: number; regions: [number, number][] } {
  const done = unit.call["fill"]!(bytes);
  const regions: [number, number][] = [];
  for (let i = 0; i < 512; i++) {
    const flags = unit.call["entry"]!(i, 1) >>> 0;
    regions.push([unit.call["entry"]!(i, 0) >>> 0, (flags & 0xffff) || 0x10000]);
    if (flags & 0x80000000) return { done, regions };
  }
  return { done, regions };
}

Deno.test("prdFill() joins neighbours, and a region of 64 KiB has length 0", async () => {
  const unit = await compiled;
  unit.call["segment"]!(0, 0x30000, 0x8000);
  unit.call["segment"]!(1, 0x38000, 0x8000);
  unit.call["begin"]!(2);
  assert.deepEqual(fill(unit, 0x10000), { done: 0x10000, regions: [[0x30000, 0x10000]] });
  assert.equal(unit.call["entry"]!(0, 1) >>> 0, 0x80000000);
});

Deno.test("prdFill() covers exactly the memory asked for and never crosses 64 KiB", async () => {
  const unit = await compiled;
  const segment = fc.tuple(fc.integer({ min: 1, max: 0x7ffff }), fc.integer({ min: 0, max: 64 }));
  fc.assert(fc.property(fc.array(segment, { minLength: 1, maxLength: 20 }), (list) => {
    const want: number[] = [];
    list.forEach(([page, sectors], i) => {
      unit.call["segment"]!(i, page * 512, sectors * 512);
      for (let s = 0; s < sectors; s++) want.push(page * 512 + s * 512);
    });
    unit.call["begin"]!(list.length);
    const got: number[] = [];
    while (got.length < want.length) {
      const { done, regions } = fill(unit, 256 * 512);
      assert.ok(done > 0 && done % 512 === 0 && done <= 256 * 512);
      assert.equal(regions.reduce((sum, [, n]) => sum + n, 0), done);
      for (const [at, n] of regions) {
        assert.equal(at >>> 16, (at + n - 1) >>> 16);
        for (let b = 0; b < n; b += 512) got.push(at + b);
      }
    }
    assert.deepEqual(got, want);
  }));
});
