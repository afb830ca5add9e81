/**
 * Indirect jumps in translated code: the targets come into the region, and the state stays the interpreter's.
 * @module
 */
import assert from "node:assert/strict";
import type { Cpu } from "../mod.ts";
import { CODE, makeCpu, state } from "../test_cpu.ts";
import { IndirectJumps } from "./indirect.ts";

const TABLE = 0x8000;
const CASES = 0x2000;
const CASE_BYTES = 16;

function words(...values: number[]): number[] {
  return values.flatMap((value) => [0, 8, 16, 24].map((shift) => value >>> shift & 0xff));
}

/** A loop of `rounds` that jumps through a table to one of `cases`, by a generator of numbers in EBX. */
function makeJumps(
  options: { cases: number; rounds: number; place: (i: number) => number; translateAfter: number },
): Cpu {
  const { cases, place } = options;
  const loop = CODE + 5;
  // deno-fmt-ignore
  const code = [
    0xb9, ...words(options.rounds),
    // loop: imul ebx, ebx, 1103515245; add ebx, 12345; mov eax, ebx; shr eax, 16; and eax, 15; cmp eax, 5
    0x69, 0xdb, ...words(1103515245), 0x81, 0xc3, ...words(12345), 0x89, 0xd8, 0xc1, 0xe8, 16,
    0x83, 0xe0, 15, 0x83, 0xf8, 5,
    // jmp [TABLE + 4 * eax]
    0xff, 0x24, 0x85, ...words(TABLE),
  ];
  const bottom = CODE + code.length;
  code.push(0x49, 0x0f, 0x85, ...words(loop - (bottom + 7)), 0xf4); // dec ecx; jnz loop; hlt
  const cpu = makeCpu(code, options.translateAfter);
  for (let i = 0; i < cases; i++) {
    const at = place(i);
    // adc edx, i (with the flags of cmp); lea esi, [esi + edx]; jmp bottom
    // deno-fmt-ignore
    const body = [0x83, 0xd2, i, 0x8d, 0x34, 0x16, 0xe9, ...words(bottom - (at + 11))];
    cpu.memory.write(at, new Uint8Array(body));
  }
  const table = Array.from({ length: 16 }, (_, i) => place(i % cases));
  cpu.memory.write(TABLE, new Uint8Array(words(...table)));
  return cpu;
}
for (const cases of [1, 2, 3, 5, 8, 16]) {
  Deno.test(`a jump through a table of ${cases} stays exact`, () => {
    const options = {
      cases,
      rounds: 4000,
      place: (i: number) => CASES + CASE_BYTES * i,
    };
    const plain = makeJumps({ ...options, translateAfter: 0 });
    const translated = makeJumps({ ...options, translateAfter: 5 });
    for (let step = 1; !plain.halted; step = step * 7 % 1009 + 1) {
      assert.equal(translated.run(step), plain.run(step));
      assert.equal(state(translated), state(plain));
    }
  });
}

Deno.test("the targets of a jump come into its region, and get none of their own", () => {
  const place = (i: number): number => CASES + CASE_BYTES * i;
  const cpu = makeJumps({ cases: 16, rounds: 20_000, place, translateAfter: 60 });
  while (!cpu.halted) cpu.run(500);
  const { regions = 0, instructions = 0 } = cpu.translation ?? {};
  assert.ok(regions > 0 && regions <= 8, `${regions} regions`);
  assert.ok(instructions >= 10 + 16 * 3, `${instructions} instructions in regions`);
});

Deno.test("targets in other pages, and a table that changes while the region has the old targets", () => {
  const options = {
    cases: 6,
    rounds: 6000,
    place: (i: number) => CASES + 0x1000 * (i & 3) + 32 * i,
  };
  const plain = makeJumps({ ...options, translateAfter: 0 });
  const translated = makeJumps({ ...options, translateAfter: 5 });
  const other = new Uint8Array(
    words(...Array.from({ length: 16 }, (_, i) => options.place(i % 2 + 3))),
  );
  for (let round = 0; !plain.halted; round++) {
    if (round === 60) { for (const cpu of [plain, translated]) cpu.memory.write(TABLE, other); }
    assert.equal(translated.run(499), plain.run(499));
    assert.equal(state(translated), state(plain));
  }
});

Deno.test("the targets of a jump are settled after some samples, rare ones left out, and no more than three times", () => {
  const jumps = new IndirectJumps();
  let settled = 0;
  const observe = (record: number): boolean =>
    jumps.observe(0x1000, 0x2000, record, () => settled++);
  assert.ok(observe(64));
  for (let i = 0; i < 99; i++) jumps.report(64, i % 3 === 0 ? 0x30 : 0x40);
  assert.deepEqual([settled, ...jumps.targets(0x1000, 0x2000)], [0]);
  jumps.report(64, 0x50);
  assert.deepEqual([settled, ...jumps.targets(0x1000, 0x2000)], [1, 0x40, 0x30]);
  jumps.report(64, 0x50);
  assert.equal(settled, 1);
  for (const samples of [2000, 50_000]) {
    assert.ok(observe(samples));
    for (let i = 0; i < samples; i++) jumps.report(samples, samples);
  }
  assert.deepEqual(jumps.targets(0x1000, 0x2000), [0x40, 0x30, 2000, 50_000]);
  assert.ok(!observe(128));
  assert.deepEqual(jumps.targets(0x1000, 0x2001), []);
  jumps.flushed();
  assert.deepEqual(jumps.targets(0x1000, 0x2000), []);
  assert.ok(observe(192));
  jumps.forget(192);
  for (let i = 0; i < 100; i++) jumps.report(192, 1);
  assert.equal(settled, 3);
});
