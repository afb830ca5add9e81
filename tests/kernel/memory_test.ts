/** Page allocator and heap, against a model. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { compileUnit, type Unit } from "./wasm_unit.ts";

const RAM_PAGES = 512;
const FIRST = 0x100000 >> 12;

/*
 * The direct map begins at the arena instead of 3 GiB, so that pages are memory of the unit; records of
 * the frames lie behind it.
 */
function compile(): Promise<Unit> {
  const page = Deno.readTextFileSync(new URL("../../kernel/mm/page.ts", import.meta.url));
  const moved = page.replace(
    "export const DIRECT_MAP: usize = 0xc0000000;",
    "export const DIRECT_MAP: usize = 0x100000;",
  );
  assert.notEqual(page, moved);
  return compileUnit({
    entry: `
import * as page from "./kernel/mm/page.ts";
import * as heap from "./kernel/mm/heap.ts";
export function start(): void {
  const end: u32 = ${(FIRST + RAM_PAGES) * 4096};
  memory.grow(64 * 2);
  page.pagesInit(0x100000 + end, end);
  page.pagesAdd(${FIRST * 4096}, end);
}
export function alloc(order: u32): u32 { return page.allocPages(order); }
export function free(physical: u32, order: u32): void { page.freePages(physical, order); }
export function ref(physical: u32): void { page.pageRef(physical); }
export function unref(physical: u32): void { page.pageUnref(physical); }
export function freePages(): u32 { return page.pagesFree(); }
export function kmalloc(size: u32): usize { return heap.kmalloc(size); }
export function kfree(block: usize): void { heap.kfree(block); }
export function inUse(): u32 { return heap.heapInUse(); }
export function fill(at: usize, value: u32, n: u32): void { memory.fill(at, <u8> value, n); }
export function isFilled(at: usize, value: u32, n: u32): bool {
  for (let i: u32 = 0; i < n; i++) if (<u32> load<u8>(at + i) !== value) return false;
  return true;
}
`,
    fakes: {
      "kernel/mm/page.ts": moved,
      "kernel/lib/printk.ts":
        "export function printk(f: usize, a: u32 = 0, b: u32 = 0, c: u32 = 0): void {}",
      "kernel/lib/panic.ts": "export function panic(message: usize): void { unreachable(); }",
      "kernel/arch/i386/irq_flags.ts":
        "export function irqSave(): u32 { return 0; } export function irqRestore(flags: u32): void {}",
    },
  });
}

Deno.test("allocPages() gives blocks that are aligned, apart, and all of memory again after freePages()", async () => {
  const unit = await compile();
  const { start, alloc, free, freePages } = unit.call;
  start!();
  assert.equal(freePages!(), RAM_PAGES);
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.nat({ max: 6 }), fc.constant(-1)), { maxLength: 200 }),
      (steps) => {
        const held: { at: number; order: number }[] = [];
        const used = new Set<number>();
        for (const step of steps) {
          if (step < 0) {
            const block = held.shift();
            if (block === undefined) continue;
            free!(block.at, block.order);
            for (let i = 0; i < 1 << block.order; i++) used.delete((block.at >> 12) + i);
            continue;
          }
          const at = alloc!(step) >>> 0;
          if (at === 0) continue;
          assert.equal((at >> 12) % (1 << step), 0);
          for (let i = 0; i < 1 << step; i++) {
            const page = (at >> 12) + i;
            assert.ok(page >= FIRST && page < FIRST + RAM_PAGES);
            assert.ok(!used.has(page), `page ${page} twice`);
            used.add(page);
          }
          held.push({ at, order: step });
        }
        assert.equal(freePages!(), RAM_PAGES - used.size);
        for (const { at, order } of held) free!(at, order);
        assert.equal(freePages!(), RAM_PAGES);
      },
    ),
    { numRuns: 60 },
  );
  // Everything has merged: the largest blocks are there again.
  assert.notEqual(alloc!(8), 0);
});

Deno.test("allocPages() gives 0 when memory is out, and pages one by one until then", async () => {
  const unit = await compile();
  const { start, alloc, freePages } = unit.call;
  start!();
  for (let i = 0; i < RAM_PAGES; i++) assert.notEqual(alloc!(0), 0);
  assert.equal(freePages!(), 0);
  assert.equal(alloc!(0), 0);
});

Deno.test("pageUnref() frees with the last reference, and panics after it", async () => {
  const unit = await compile();
  const { start, alloc, ref, unref, freePages } = unit.call;
  start!();
  const at = alloc!(0);
  ref!(at);
  unref!(at);
  assert.equal(freePages!(), RAM_PAGES - 1);
  unref!(at);
  assert.equal(freePages!(), RAM_PAGES);
  assert.throws(() => unref!(at), WebAssembly.RuntimeError);
});

Deno.test("kmalloc() blocks do not overlap, keep their contents, and all come back", async () => {
  const unit = await compile();
  const { start, kmalloc, kfree, fill, isFilled, inUse } = unit.call;
  start!();
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.integer({ min: 0, max: 9000 }), fc.constant(-1)), { maxLength: 120 }),
      (steps) => {
        const held: { at: number; size: number; mark: number }[] = [];
        const release = (block: { at: number; size: number; mark: number }) => {
          assert.ok(isFilled!(block.at, block.mark, block.size));
          kfree!(block.at);
        };
        steps.forEach((step, index) => {
          if (step < 0) {
            const block = held.pop();
            if (block !== undefined) release(block);
            return;
          }
          const at = kmalloc!(step) >>> 0;
          if (at === 0) return;
          assert.equal(at % 16, 0);
          const mark = index & 0xff;
          fill!(at, mark, step);
          held.push({ at, size: step, mark });
        });
        held.forEach(release);
        assert.equal(inUse!(), 0);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("kfree() panics on a block freed twice and on an address inside one", async () => {
  const unit = await compile();
  const { start, kmalloc, kfree } = unit.call;
  start!();
  const first = kmalloc!(40);
  kmalloc!(40);
  kfree!(first);
  assert.throws(() => kfree!(first), WebAssembly.RuntimeError);
  const other = kmalloc!(100);
  assert.throws(() => kfree!(other + 16), WebAssembly.RuntimeError);
});
