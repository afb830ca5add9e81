/**
 * The processor as a whole: reset, paging on, random bytes.
 * @module
 */
import assert from "node:assert/strict";
import { Cpu } from "./mod.ts";

/** A small linear congruential generator: runs repeat. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 9) & 0xffff;
  };
}

function makeCpu(
  port: (port: number, value: number | undefined) => number = () => 0xff,
  translateAfter = 0,
): Cpu {
  return new Cpu({
    ramBytes: 1 << 20,
    translateAfter,
    bus: {
      readPort: (at) => port(at, undefined),
      writePort: (at, _size, value) => void port(at, value),
      readMemory: () => 0xff,
      writeMemory: () => {},
      acknowledgeInterrupt: () => 0x20,
    },
  });
}

Deno.test("reset() gives the state of SDM Table 9-1", () => {
  const cpu = makeCpu();
  assert.equal(cpu.registers.get("eip"), 0xfff0);
  assert.equal(cpu.registers.get("cs"), 0xf000);
  assert.equal(cpu.registers.get("cs_base"), 0xffff0000);
  assert.equal(cpu.registers.get("eflags"), 2);
  assert.equal(cpu.registers.get("cr0"), 0x60000010);
  assert.equal(cpu.codeBits, 16);
});

Deno.test("paging: a 4 MiB page maps code and data, beyond it #PF loads CR2, and no IDT means shutdown", () => {
  const ports: [number, number, number][] = [];
  const cpu: Cpu = makeCpu((at, value) => {
    if (value !== undefined) ports.push([at, value, cpu.instructions]);
    return 0xff;
  });
  cpu.memory.write32(0x2000, 0x83);
  cpu.memory.write(
    0x1000,
    new Uint8Array([
      ...[0x0f, 0x20, 0xe0, 0x83, 0xc8, 0x10, 0x0f, 0x22, 0xe0], // mov eax, cr4; or eax, PSE; mov cr4, eax
      ...[0xb8, 0, 0x20, 0, 0, 0x0f, 0x22, 0xd8], // mov eax, 2000h; mov cr3, eax
      ...[0x0f, 0x20, 0xc0, 0x0d, 0, 0, 0, 0x80, 0x0f, 0x22, 0xc0], // mov eax, cr0; or eax, PG; mov cr0, eax
      ...[0xb0, 0x41, 0xe6, 0xe9, 0xa1, 0, 0, 0x40, 0], // mov al, 41h; out e9h, al; mov eax, [400000h]
    ]),
  );
  cpu.enterFlatProtectedMode({ eip: 0x1000, esp: 0x9000 });
  assert.equal(cpu.translate(0x400000), 0x400000);
  assert.equal(cpu.run(100), "shutdown");
  // The port sees the count before its own instruction.
  assert.deepEqual(ports, [[0xe9, 0x41, 9]]);
  assert.equal(cpu.registers.get("cr2"), 0x400000);
  assert.equal(cpu.translate(0x400000), undefined);
  assert.equal(cpu.translate(0x1234), 0x1234);
});

Deno.test("a call to another page follows the page table after INVLPG and after loading CR3", () => {
  for (
    const flush of [[0x0f, 0x01, 0x3d, 0, 0x50, 0, 0], [0x0f, 0x20, 0xda, 0x0f, 0x22, 0xda, 0x90]]
  ) {
    const cpu = makeCpu();
    // Page directory 2000h, table 3000h: identity; linear 5000h is physical 6000h or 7000h.
    cpu.memory.write32(0x2000, 0x3003);
    for (let page = 0; page < 16; page++) cpu.memory.write32(0x3000 + 4 * page, page << 12 | 3);
    cpu.memory.write32(0x3014, 0x6003);
    cpu.memory.write(0x6000, new Uint8Array([0x83, 0xc0, 0x01, 0xc3])); // add eax, 1; ret
    cpu.memory.write(0x7000, new Uint8Array([0x83, 0xc0, 0x64, 0xc3])); // add eax, 100; ret
    cpu.memory.write(
      0x1000,
      new Uint8Array([
        ...[0xb8, 0, 0x20, 0, 0, 0x0f, 0x22, 0xd8], // mov eax, 2000h; mov cr3, eax
        ...[0x0f, 0x20, 0xc0, 0x0d, 0, 0, 0, 0x80, 0x0f, 0x22, 0xc0], // paging on
        ...[0x31, 0xc0, 0xb9, 10, 0, 0, 0], // xor eax, eax; mov ecx, 10
        ...[0xe8, 0xe1, 0x3f, 0, 0, 0xe8, 0xdc, 0x3f, 0, 0], // l: call 5000h, twice
        ...[0x81, 0x35, 0x14, 0x30, 0, 0, 0, 0x10, 0, 0], // xor dword [3014h], 1000h
        ...flush,
        ...[0x49, 0x75, 0xe2, 0xf4], // dec ecx; jnz l; hlt
      ]),
    );
    cpu.enterFlatProtectedMode({ eip: 0x1000, esp: 0x9000 });
    assert.equal(cpu.run(1000), "halted");
    assert.equal(cpu.registers.get("eax"), 5 * 2 + 5 * 200);
  }
});

Deno.test("random bytes in every mode raise nothing in the host and stop at the limit", () => {
  const random = generator(20);
  const cpu = makeCpu(() => random());
  for (let i = 0; i < 400; i++) {
    cpu.reset();
    cpu.memory.write(0, Uint8Array.from({ length: 0x8000 }, random));
    const start = 0x1000 + random() % 0x1000;
    const mode = i % 4;
    if (mode === 0) {
      cpu.registers.set("cs", 0);
      cpu.registers.set("eip", start);
    } else {
      cpu.enterFlatProtectedMode({ eip: mode === 1 ? start : 0x900, esp: 0x8000 - random() % 64 });
    }
    if (mode >= 2) prepareTables(cpu, random, mode === 3);
    for (const name of ["eax", "ecx", "edx", "ebx", "ebp", "esi", "edi"]) {
      cpu.registers.set(name, random() % 3 ? random() & 0x7fff : random() << 16 | random());
    }
    const before = cpu.instructions;
    cpu.run(2000);
    assert.ok(cpu.instructions - before <= 2000);
  }
});

/** GDT, an IDT whose gates point at random bytes, and code that loads them and turns paging on. */
function prepareTables(cpu: Cpu, random: () => number, paging: boolean): void {
  const { memory } = cpu;
  for (let vector = 0; vector < 256; vector++) {
    memory.write32(0x5000 + vector * 8, 0x00080000 | (0x1000 + vector * 37 % 0x3000));
    memory.write32(0x5004 + vector * 8, 0xee00);
  }
  [0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300].forEach((word, i) =>
    memory.write32(0x6000 + 4 * i, word)
  );
  memory.write(0x4000, new Uint8Array([0xff, 7, 0, 0x50, 0, 0, 0xff, 0, 0, 0x60, 0, 0]));
  const load = [0x0f, 1, 0x1d, 0, 0x40, 0, 0, 0x0f, 1, 0x15, 6, 0x40, 0, 0]; // lidt, lgdt
  const page = [
    ...[0xb8, 0x10, 0, 0, 0, 0x0f, 0x22, 0xe0, 0xb8, 0, 0x30, 0, 0, 0x0f, 0x22, 0xd8],
    ...[0x0f, 0x20, 0xc0, 0x0d, 0, 0, 0, 0x80, 0x0f, 0x22, 0xc0],
  ];
  memory.write(0x900, new Uint8Array([...load, ...(paging ? page : []), 0xe9, 0, 2, 0, 0]));
  memory.write32(0x3000, 0x83);
  for (let i = 1; i < 64; i++) memory.write32(0x3000 + 4 * i, random() << 16 | random());
}

Deno.test("RDTSC counts instructions, in the interpreter, in regions, and where the run is cut", () => {
  // again: rdtsc; sub esi, eax; stosd (the time); mov esi, eax; nop; dec ecx; jnz again; hlt
  const code = [0x0f, 0x31, 0x29, 0xc6, 0xab, 0x89, 0xc6, 0x90, 0x49, 0x75, 0xf5, 0xf4];
  const times = (translateAfter: number, step: number): number[] => {
    const cpu = makeCpu(undefined, translateAfter);
    cpu.memory.write(0x1000, new Uint8Array(code));
    cpu.enterFlatProtectedMode({ eip: 0x1000, esp: 0x90000 });
    cpu.registers.set("ecx", 200);
    cpu.registers.set("edi", 0x20000);
    while (cpu.run(step) === "limit");
    return Array.from({ length: 200 }, (_, i) => cpu.memory.read32(0x20000 + 4 * i));
  };
  const expected = Array.from({ length: 200 }, (_, i) => 7 * i);
  for (const translateAfter of [0, 1, 20]) {
    for (const step of [1, 3, 1e6]) assert.deepEqual(times(translateAfter, step), expected);
  }
});
