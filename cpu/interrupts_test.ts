/**
 * External events on the whole processor: where they are taken. Sources: SDM vol. 3A §6.7–6.8, §6.14.
 * @module
 */
import assert from "node:assert/strict";
import { Cpu } from "./mod.ts";

const CODE = 0x1000;
const GDT = 0x2000;
const IDT = 0x3000;
const STACK = 0x8000;
const HANDLERS = 0x10000;
const IRET = 0xcf;
const HLT = 0xf4;

/** A flat machine whose vector n has its handler at HANDLERS + 16 n; port 0x10 asserts INTR, 0x11 NMI. */
class Machine {
  readonly cpu: Cpu;
  readonly taken: { vector: number; from: number; type: string }[] = [];

  constructor(code: readonly number[], handler: readonly number[] = [HLT]) {
    this.cpu = new Cpu({
      ramBytes: 0x100000,
      bus: {
        readPort: () => 0,
        writePort: (port) => {
          if (port === 0x10) this.cpu.setInterruptLine(true);
          if (port === 0x11) this.cpu.nmi();
        },
        readMemory: () => 0xff,
        writeMemory: () => {},
        acknowledgeInterrupt: () => {
          this.cpu.setInterruptLine(false);
          return 0x20;
        },
      },
    });
    const { cpu } = this;
    cpu.enterFlatProtectedMode({ eip: CODE, esp: STACK });
    cpu.memory.write32(GDT + 8, 0x0000ffff);
    cpu.memory.write32(GDT + 12, 0x00cf9b00);
    cpu.memory.write32(GDT + 16, 0x0000ffff);
    cpu.memory.write32(GDT + 20, 0x00cf9300);
    for (let vector = 0; vector < 64; vector++) {
      cpu.memory.write32(IDT + 8 * vector, 0x80000 | (HANDLERS + 16 * vector) & 0xffff);
      cpu.memory.write32(IDT + 8 * vector + 4, (HANDLERS & 0xffff0000) | 0x8e00);
      cpu.memory.write(HANDLERS + 16 * vector, new Uint8Array(handler));
    }
    // LGDT and LIDT of the pointers at 0x2f00 and 0x2f08.
    cpu.memory.write32(0x2f00, GDT << 16 | 0x17);
    cpu.memory.write32(0x2f04, GDT >>> 16);
    cpu.memory.write32(0x2f08, IDT << 16 | 0x1ff);
    cpu.memory.write32(0x2f0c, IDT >>> 16);
    const tables = [0x0f, 0x01, 0x15, 0, 0x2f, 0, 0, 0x0f, 0x01, 0x1d, 8, 0x2f, 0, 0];
    cpu.memory.write(CODE - tables.length, new Uint8Array(tables));
    cpu.memory.write(CODE, new Uint8Array(code));
    cpu.registers.set("eip", CODE - tables.length);
    cpu.run(2);
    cpu.hooks.onDiscontinuity(({ vector, from, type }) => {
      this.taken.push({ vector, from, type });
    });
  }
  /** Runs to a HLT that nothing ends. */
  finish(): this {
    while (this.cpu.run(1000) === "limit");
    return this;
  }
  /** Vectors and where they interrupted, as offsets from CODE. */
  events(): [number, number][] {
    return this.taken.filter(({ type }) => type !== "iret")
      .map(({ vector, from }) => [vector, from - CODE]);
  }
}

Deno.test("INTR waits for IF and for the instruction after STI", () => {
  // out 0x10, al; nop; sti; nop; nop; hlt
  const machine = new Machine([0xe6, 0x10, 0x90, 0xfb, 0x90, 0x90, HLT]).finish();
  assert.deepEqual(machine.events(), [[0x20, 5]]);
});

Deno.test("INTR with IF set is taken after the instruction in which it was asserted", () => {
  // sti; nop; out 0x10, al; nop; nop; hlt
  const machine = new Machine([0xfb, 0x90, 0xe6, 0x10, 0x90, 0x90, HLT]).finish();
  assert.deepEqual(machine.events(), [[0x20, 4]]);
});

Deno.test("nothing is taken between MOV SS and the instruction behind it", () => {
  // mov eax, ss; sti; nop; mov ss, eax; nop; nop; hlt
  const code = [0x8c, 0xd0, 0xfb, 0x90, 0x8e, 0xd0, 0x90, 0x90, HLT];
  for (const [executed, taken] of [[3, 4], [4, 7], [5, 7]] as const) {
    const machine = new Machine(code);
    machine.cpu.run(executed);
    machine.cpu.setInterruptLine(true);
    assert.deepEqual(machine.finish().events(), [[0x20, taken]]);
  }
});

Deno.test("INTR that waits is taken after the POPF that sets IF", () => {
  // cli; out 0x10, al; push 0x202; popf; nop; hlt
  const code = [0xfa, 0xe6, 0x10, 0x68, 2, 2, 0, 0, 0x9d, 0x90, HLT];
  assert.deepEqual(new Machine(code).finish().events(), [[0x20, 9]]);
});

Deno.test("NMI ignores IF; a second one waits for the first one's IRET", () => {
  // cli; out 0x11, al; nop; hlt. Handler: out 0x11, al; nop; iret
  const machine = new Machine([0xfa, 0xe6, 0x11, 0x90, HLT], [0x90, 0x90, IRET]);
  machine.cpu.memory.write(HANDLERS + 32, new Uint8Array([0x80, 0x3d, 0, 0x50, 0, 0, 1, 0x74, 9]));
  // cmp byte [0x5000], 1; je +9; mov byte [0x5000], 1; out 0x11, al; iret
  machine.cpu.memory.write(
    HANDLERS + 41,
    new Uint8Array([0xc6, 5, 0, 0x50, 0, 0, 1, 0xe6, 0x11, IRET]),
  );
  machine.finish();
  assert.deepEqual(machine.events(), [[2, 3], [2, 3]]);
  assert.equal(machine.cpu.registers.get("esp"), STACK);
});

Deno.test("NMI too waits for the instruction behind MOV SS", () => {
  // mov eax, ss; mov ss, eax; nop; nop; hlt
  const machine = new Machine([0x8c, 0xd0, 0x8e, 0xd0, 0x90, 0x90, HLT]);
  machine.cpu.run(2);
  machine.cpu.nmi();
  assert.deepEqual(machine.finish().events(), [[2, 5]]);
});

Deno.test("HLT ends with an interrupt and goes on behind it", () => {
  // sti; hlt; mov byte [0x5000], 7; hlt
  const machine = new Machine([0xfb, HLT, 0xc6, 5, 0, 0x50, 0, 0, 7, HLT], [IRET]).finish();
  assert.equal(machine.cpu.memory.read8(0x5000), 0);
  machine.cpu.setInterruptLine(true);
  machine.finish();
  assert.deepEqual(machine.events(), [[0x20, 2]]);
  assert.equal(machine.cpu.memory.read8(0x5000), 7);
});

Deno.test("a repeated string instruction is interrupted between elements and completes", () => {
  // cld; sti; mov edi, 0x20000; mov ecx, 40000; mov eax, 0x55; rep stosb; hlt
  const code = [
    0xfc,
    0xfb,
    0xbf,
    0,
    0,
    2,
    0,
    0xb9,
    0x40,
    0x9c,
    0,
    0,
    0xb8,
    0x55,
    0,
    0,
    0,
    0xf3,
    0xaa,
    HLT,
  ];
  const machine = new Machine(code, [IRET]);
  machine.cpu.run(100);
  machine.cpu.setInterruptLine(true);
  machine.finish();
  assert.deepEqual(machine.events(), [[0x20, 17]]);
  // RF in the frame: a code breakpoint on the instruction is not hit again.
  assert.equal(machine.cpu.memory.read32(STACK - 4) & 0x10000, 0x10000);
  assert.equal(machine.cpu.registers.get("ecx"), 0);
  assert.deepEqual(new Set(machine.cpu.memory.read(0x20000, 40000)), new Set([0x55]));
  assert.equal(machine.cpu.memory.read8(0x20000 + 40000), 0);
});

Deno.test("a triple fault shuts down and stays so until reset", () => {
  // lidt [0x2f10] (limit 0); ud2
  const machine = new Machine([0x0f, 0x01, 0x1d, 0x10, 0x2f, 0, 0, 0x0f, 0x0b]);
  assert.equal(machine.cpu.run(100), "shutdown");
  assert.equal(machine.cpu.run(100), "shutdown");
  machine.cpu.reset();
  assert.equal(machine.cpu.registers.get("eip"), 0xfff0);
  assert.equal(machine.cpu.registers.get("edx"), 0x673);
});

Deno.test("an interrupt right behind a branch does not become the branch's target", () => {
  // sti; mov ecx, 3; again: jmp next; next: dec ecx; jnz again; hlt
  const code = [0xfb, 0xb9, 3, 0, 0, 0, 0xeb, 0, 0x49, 0x75, 0xfb, HLT];
  for (const executed of [3, 5]) {
    const machine = new Machine(code, [IRET]);
    machine.cpu.run(executed); // ends with the branch done, the first time that it is taken
    const from = machine.cpu.registers.get("eip") - CODE;
    machine.cpu.setInterruptLine(true);
    const before = machine.cpu.instructions;
    assert.deepEqual(machine.finish().events(), [[0x20, from]]);
    // 9 instructions behind the first two, HLT and IRET.
    assert.equal(machine.cpu.instructions - before, 2 + 9 + 1 + 1 - executed);
  }
});
