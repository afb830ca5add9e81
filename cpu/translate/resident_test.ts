/**
 * Translated code is bounded: programs that come and go, and more hot code than may stay.
 * @module
 */
import assert from "node:assert/strict";
import { Cpu } from "../mod.ts";
import type { Region } from "./region.ts";
import { REGION_HEADER, Residents } from "./resident.ts";

const CODE = 0x10000;
const FUNCTIONS = 64;

function makeCpu(options: { translateAfter: number; translationLimit?: number }): Cpu {
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
