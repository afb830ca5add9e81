/**
 * Watches on data: every access to the range is told of, once, whoever makes it, and no other.
 * @module
 */
import assert from "node:assert/strict";
import { CODE, DATA, makeCpu, STACK } from "./test_cpu.ts";
import type { MemoryEvent } from "./mod.ts";

/** `+1 w2 55aa`: place in the data, kind, bytes, value. */
function told({ address, write, size, value }: MemoryEvent): string {
  return `+${address - DATA} ${write ? "w" : "r"}${size} ${value.toString(16)}`;
}

for (const threshold of [0, 1]) {
  const how = threshold === 0 ? "interpreted" : "translated";

  Deno.test(`a watch tells of each access that touches its range, ${how}`, () => {
    // L: mov [esi+8], eax; mov cl, [esi+9]; inc dword [esi+12]; mov [esi+6], edx; mov [esi+4100], eax; dec ebx; jnz L
    const cpu = makeCpu([
      ...[0x89, 0x46, 8, 0x8a, 0x4e, 9, 0xff, 0x46, 12, 0x89, 0x56, 6],
      ...[0x89, 0x86, 4, 0x10, 0, 0, 0x4b, 0x75, 0xeb, 0xf4],
    ], threshold);
    const { registers } = cpu;
    registers.set("ebx", 40);
    registers.set("eax", 0x01020304);
    registers.set("edx", 0xa0b0c0d0);
    cpu.run(70);
    const events: MemoryEvent[] = [];
    const watch = cpu.hooks.onAccess((event) => void events.push(event), {
      start: DATA + 8,
      end: DATA + 10,
    });
    const writes: string[] = [];
    using _writes = cpu.hooks.onAccess(
      (event) => void writes.push(`${told(event)} at ${cpu.instructions}`),
      { start: DATA + 15, end: DATA + 16 },
      "w",
    );
    cpu.run(14);
    const round = ["+8 w4 1020304", "+9 r1 3", "+6 w4 a0b0c0d0"];
    assert.deepEqual(events.map(told), [...round, ...round]);
    assert.deepEqual(events.map((event) => [event.physical, event.io])[0], [DATA + 8, false]);
    assert.deepEqual(writes, ["+12 w4 b at 72", "+12 w4 c at 79"]);
    watch[Symbol.dispose]();
    const { length } = events;
    assert.equal(cpu.run(7 * 40), "halted");
    assert.equal(events.length, length);
    assert.equal(writes.length, 30);
  });

  Deno.test(`a watch sees elements of strings, what is beyond 4 bytes, and pushes of events, ${how}`, () => {
    // lidt [esi]; rep stosd; fld qword [esi+0x100]; int 0x21
    const cpu = makeCpu(
      [0x0f, 0x01, 0x1e, 0xf3, 0xab, 0xdd, 0x86, 0, 1, 0, 0, 0xcd, 0x21],
      threshold,
    );
    const gate = 0x28000;
    cpu.memory.write16(DATA, 0x7ff);
    cpu.memory.write32(DATA + 2, gate);
    cpu.memory.write32(DATA + 0x200, 0);
    cpu.memory.write32(gate + 8 * 0x21, 0x80000 | 0x1800);
    cpu.memory.write32(gate + 8 * 0x21 + 4, 0x8e00);
    // GDT: selector 8 is flat code.
    cpu.memory.write32(0x29008, 0xffff);
    cpu.memory.write32(0x2900c, 0x00cf9a00);
    cpu.memory.write(0x1800, new Uint8Array([0xf4]));
    cpu.enterFlatProtectedMode({ eip: CODE, esp: STACK, gdt: { base: 0x29000, limit: 0x1f } });
    cpu.registers.set("esi", DATA);
    cpu.registers.set("edi", DATA + 0x100);
    cpu.registers.set("ecx", 4);
    cpu.registers.set("eax", 0x11223344);
    const events: string[] = [];
    const note = (event: MemoryEvent): void => void events.push(told(event));
    using _data = cpu.hooks.onAccess(note, { start: DATA + 0x104, end: DATA + 0x108 });
    using _stack = cpu.hooks.onAccess(note, { start: STACK - 8, end: STACK - 4 }, "w");
    assert.equal(cpu.run(100), "halted");
    assert.deepEqual(events, [
      `+${0x104} w4 11223344`,
      `+${0x104} r4 11223344`,
      `+${STACK - 8 - DATA} w4 8`,
    ]);
  });

  Deno.test(`a watch sees both halves of read-modify-writes, and 16 bytes at once, ${how}`, () => {
    // mov eax, 200h; mov cr4, eax (OSFXSR); xor eax, eax
    // L: inc dword [esi]; xadd [esi+2], al; movups [esi+16], xmm0; movaps xmm1, [esi+16]; dec ecx; jnz L; hlt
    // deno-fmt-ignore
    const cpu = makeCpu([
      0xb8, 0, 2, 0, 0, 0x0f, 0x22, 0xe0, 0x31, 0xc0,
      0xff, 0x06, 0x0f, 0xc0, 0x46, 2, 0x0f, 0x11, 0x46, 16, 0x0f, 0x28, 0x4e, 16, 0x49, 0x75, 0xef, 0xf4,
    ], threshold);
    cpu.registers.set("ecx", 20);
    cpu.registers.setBytes("xmm0", new Uint8Array(16).map((_, i) => i + 1));
    const events: string[] = [];
    const note = (event: MemoryEvent): void => void events.push(told(event));
    using _integer = cpu.hooks.onAccess(note, { start: DATA, end: DATA + 4 });
    using _vector = cpu.hooks.onAccess(note, { start: DATA + 30, end: DATA + 31 });
    const reads: string[] = [];
    using _reads = cpu.hooks.onAccess((event) => void reads.push(told(event)), {
      start: DATA,
      end: DATA + 1,
    }, "r");
    assert.equal(cpu.run(3 + 6 * 20 + 1), "halted");
    assert.equal(events.length, 6 * 20);
    assert.deepEqual(events.slice(0, 6), [
      ...["+0 r4 0", "+0 w4 1", "+2 r1 0", "+2 w1 0"],
      ...["+28 w4 100f0e0d", "+28 r4 100f0e0d"],
    ]);
    assert.deepEqual(reads, Array.from({ length: 20 }, (_, i) => `+0 r4 ${i.toString(16)}`));
  });
}

Deno.test("a range that is none is refused", () => {
  const cpu = makeCpu([0xf4], 0);
  for (
    const range of [{ start: 5, end: 5 }, { start: -1, end: 4 }, { start: 0, end: 2 ** 32 + 1 }]
  ) {
    assert.throws(() => cpu.hooks.onAccess(() => {}, range), /Cannot watch addresses from/);
  }
});
