/**
 * Translated code is bounded: programs that come and go, and more hot code than may stay.
 * @module
 */
import assert from "node:assert/strict";
import { Cpu } from "../mod.ts";
import { ARENA_BYTES } from "../state/layout.ts";
import type { Region } from "./region.ts";
import { REGION_HEADER, Residents } from "./resident.ts";

const CODE = 0x10000;
const FUNCTIONS = 64;

function makeCpu(
  options: { translateAfter: number; translationLimit?: number; ramBytes?: number },
): Cpu {
  return new Cpu({
    ramBytes: 0x80000,
    ...options,
    bus: {
      readPort: () => 0,
      writePort: () => {},
      readMemory: () => 0xff,
      writeMemory: () => {},
      acknowledgeInterrupt: () => 0,
    },
  });
}

/** Loops of 20 turns, a page each, that compute with `seed` and jump to the next one; endless. */
function program(seed: number): Uint8Array {
  const bytes = new Uint8Array(FUNCTIONS * 0x1000);
  for (let i = 0; i < FUNCTIONS; i++) {
    const next = CODE + ((i + 1) % FUNCTIONS) * 0x1000;
    // mov ecx, 20; L: add eax, seed + i; rol eax, 5; dec ecx; jnz L; mov edx, next; jmp edx
    // deno-fmt-ignore
    bytes.set([
      0xb9, 20, 0, 0, 0, 0x05, (seed + i) & 0xff, (seed + i) >> 8, 0, 0, 0xc1, 0xc0, 5, 0x49,
      0x75, 0xf5, 0xba, 0, next >> 8 & 0xff, next >> 16, 0, 0xff, 0xe2,
    ], i * 0x1000);
  }
  return bytes;
}
/** All functions some times, in steps that end anywhere. */
function run(cpu: Cpu): void {
  cpu.enterFlatProtectedMode({ eip: CODE, esp: 0x8000 });
  for (let i = 0; i < 50; i++) cpu.run(499);
}
function assertSame(cpu: Cpu, plain: Cpu): void {
  for (const name of ["eax", "ecx", "edx", "eip", "eflags"]) {
    assert.equal(cpu.registers.get(name), plain.registers.get(name), name);
  }
  assert.equal(cpu.instructions, plain.instructions);
}

Deno.test("programs that come and go leave nothing behind", () => {
  const [cpu, plain] = [makeCpu({ translateAfter: 3 }), makeCpu({ translateAfter: 0 })];
  let most = 0;
  for (let seed = 0; seed < 40; seed++) {
    for (const one of [cpu, plain]) {
      one.memory.write(CODE, program(seed));
      run(one);
    }
    assertSame(cpu, plain);
    most = Math.max(most, cpu.translation?.live ?? 0);
  }
  const { regions, live, dropped, evicted, remade } = cpu.translation ?? assert.fail();
  assert.ok(regions > 3 * FUNCTIONS, `${regions} regions`);
  assert.ok(most <= 3 * FUNCTIONS, `${most} at a time`);
  assert.equal(regions - dropped - evicted - remade, live);
});

Deno.test("what is too much is evicted, and comes again where it is hot", () => {
  const cpu = makeCpu({ translateAfter: 3, translationLimit: 100_000 });
  const plain = makeCpu({ translateAfter: 0 });
  for (const one of [cpu, plain]) one.memory.write(CODE, program(7));
  for (let round = 0; round < 12; round++) {
    for (const one of [cpu, plain]) run(one);
    assertSame(cpu, plain);
  }
  const { regions, live, evicted, dropped, remade } = cpu.translation ?? assert.fail();
  assert.ok(evicted > FUNCTIONS, `${evicted} evicted of ${regions}`);
  assert.equal(regions - evicted - dropped - remade, live);
  assert.ok(live > 0 && live < 2 * FUNCTIONS, `${live} alive`);
});

Deno.test("more code than the arena has room for does the same, and is translated anew", () => {
  // Behind the hole below 1 MiB.
  const base = 0x100000;
  // A record is 32 bytes: so many instructions of a byte fill the arena more than once in two rounds.
  const bytes = Math.ceil(ARENA_BYTES / 32);
  const code = new Uint8Array(bytes).map((_, i) => 0x40 | (i % 4));
  // Each page ends with: mov ebp, 30; L: add eax, ebp; dec ebp; jnz L
  for (let end = 0x1000; end < bytes; end += 0x1000) {
    code.set([0xbd, 30, 0, 0, 0, 0x01, 0xe8, 0x4d, 0x75, 0xfb], end - 10);
  }
  code.set([0xe9, 0, 0, 0, 0], bytes - 5);
  new DataView(code.buffer).setInt32(bytes - 4, -bytes, true);
  const [cpu, plain] = [3, 0].map((translateAfter) => {
    const one = makeCpu({ translateAfter, ramBytes: 4 << 20 });
    one.memory.write(base, code);
    one.enterFlatProtectedMode({ eip: base, esp: 0x8000 });
    return one;
  }) as [Cpu, Cpu];
  const flushes = [cpu, plain].map((one) => one.codeStatistics.flushes);
  const regions: number[] = [];
  for (let step = 0; step < 31; step++) {
    for (const one of [cpu, plain]) one.run(99_991);
    assertSame(cpu, plain);
    regions.push(cpu.translation?.live ?? 0);
  }
  for (const [i, one] of [cpu, plain].entries()) {
    assert.ok(one.codeStatistics.flushes > (flushes[i] as number));
  }
  // They are gone with the blocks, and come again.
  const fall = regions.findIndex((live, i) => live < (regions[i - 1] ?? 0));
  assert.ok(fall > 0 && (regions.at(-1) ?? 0) > (regions[fall] ?? 0), `${regions}`);
});

Deno.test("what was entered since the last look stays", () => {
  const i32 = new Int32Array(1024);
  const table = new WebAssembly.Table({ element: "anyfunc", initial: 256 });
  const residents = new Residents(i32, table, 1000, 256);
  const install = (alive: number): void => {
    const region = { alive, nodes: [{ source: alive }] } as unknown as Region;
    i32[(alive + REGION_HEADER.USED) >> 2] = 1;
    residents.install(residents.module(300), region, alive, null as unknown as () => number);
  };
  for (const alive of [64, 128, 192]) install(alive);
  assert.deepEqual([...residents.superfluous()], []);
  for (const alive of [64, 128, 192]) i32[(alive + REGION_HEADER.USED) >> 2] = 0;
  i32[(128 + REGION_HEADER.USED) >> 2] = 1;
  install(256);
  const gone: number[] = [];
  for (const installed of residents.superfluous()) {
    gone.push(installed.entry);
    residents.remove(installed);
  }
  assert.deepEqual(gone, [64, 192]);
  assert.equal(residents.bytes, 600);
  assert.equal(residents.count, 2);
  assert.ok(!residents.has(64) && residents.has(128));
});
