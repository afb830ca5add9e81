/** Events in Wasm do what TypeScript does: random tables, stacks and flags, with and without a listener. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Cpu } from "../mod.ts";

const GDT = 0x2000;
const IDT = 0x3000;
const TSS = 0x4000;
const STACK = 0x6000;
const CODE = 0x1000;
const USER = 0x8000;
const HANDLER = 0x9000;
const STEPS = 14;

/** Descriptors of the GDT, from index 1 on: code and data of CPL 0 and 3, the TSS, two that are odd. */
const DESCRIPTORS = [
  [0x0000ffff, 0x00cf9b00],
  [0x0000ffff, 0x00cf9300],
  [0x0000ffff, 0x00cffb00],
  [0x0000ffff, 0x00cff300],
  [(TSS << 16) | 0x67, 0x00008900],
  [0x0000ffff, 0x00cf9f00],
  [0x1000ffff, 0x004ff200],
] as const;
const SELECTORS = [0x08, 0x10, 0x1b, 0x23, 0x30, 0x3b, 0, 0x0b, 0x18, 0x400, 0x0c];

interface Case {
  /** Bits to turn over: which descriptor or gate, which of its 64 bits. */
  readonly flips: readonly (readonly [table: "gdt" | "idt" | "tss", index: number, bit: number])[];
  readonly frame: readonly [eip: number, cs: number, flags: number, esp: number, ss: number];
  readonly esp0: number;
  readonly data: readonly number[];
  readonly flags: number;
  readonly way: "iret" | "sysexit" | "int";
  readonly user: readonly number[];
  readonly handler: readonly number[];
}

/** Instructions: int 0x80, iret, iretw, sysenter, sysexit, ud2, hlt, nop, a load that faults, pushf, sti, MOV from CR0, CR2, CR3. */
const instruction: fc.Arbitrary<number[]> = fc.constantFrom(
  [0xcd, 0x80],
  [0xcf],
  [0x66, 0xcf],
  [0x0f, 0x34],
  [0x0f, 0x35],
  [0x0f, 0x0b],
  [0x90],
  [0xa1, 0, 0, 0x40, 0],
  [0x9c],
  [0xfb],
  [0x0f, 0x20, 0xc0],
  [0x0f, 0x20, 0xd3],
  [0x0f, 0x20, 0xd9],
);
const program = fc.array(instruction, { minLength: 1, maxLength: 4 }).map((all) => all.flat());
const pointer = fc.constantFrom(STACK, STACK - 4, STACK + 0x1000 - 8, STACK + 6, STACK + 0xff0, 0);
const flags = fc.integer({ min: 0, max: 0x3fffff }).chain((some) =>
  fc.constantFrom(0x202, 0x2, 0x246, 0x3202, 0x10202, some)
);
const often = <T>(usual: T, other: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other });
const selector = fc.constantFrom(...SELECTORS);

const cases: fc.Arbitrary<Case> = fc.record({
  flips: often(
    [],
    fc.array(
      fc.tuple(
        fc.constantFrom("gdt", "idt", "tss"),
        fc.integer({ min: 0, max: 7 }),
        fc.integer({ min: 0, max: 63 }),
      ),
      { minLength: 1, maxLength: 3 },
    ),
  ),
  frame: fc.tuple(
    fc.constantFrom(USER, CODE),
    often(0x1b, selector),
    flags,
    pointer,
    often(0x23, selector),
  ),
  esp0: pointer,
  data: fc.array(selector, { minLength: 4, maxLength: 4 }),
  flags,
  way: fc.constantFrom("iret", "sysexit", "int"),
  user: program,
  handler: program,
});

function build(one: Case, translateAfter: number): Cpu {
  const cpu = new Cpu({
    ramBytes: 1 << 20,
    translateAfter,
    bus: {
      readPort: () => 0xff,
      writePort: () => {},
      readMemory: () => 0xff,
      writeMemory: () => {},
      acknowledgeInterrupt: () => 0x20,
    },
  });
  const { memory } = cpu;
  const pair = (at: number, [low, high]: readonly [number, number]): void => {
    memory.write32(at, low);
    memory.write32(at + 4, high);
  };
  for (const [i, words] of DESCRIPTORS.entries()) pair(GDT + 8 + 8 * i, words);
  for (let vector = 0; vector < 256; vector++) {
    // Every third one is a trap gate; programs may use all from 0x40 on.
    const kind = (vector % 3 === 0 ? 0x8f00 : 0x8e00) | (vector >= 0x40 ? 0x6000 : 0);
    pair(IDT + 8 * vector, [(0x08 << 16) | HANDLER, kind]);
  }
  memory.write32(TSS + 4, one.esp0);
  memory.write32(TSS + 8, 0x10);
  for (const [table, index, bit] of one.flips) {
    const vector = [0x80, 6, 13, 14, 11, 10, 12, 8][index] as number;
    const at = (table === "gdt" ? GDT + 8 * index : table === "idt" ? IDT + 8 * vector : TSS + 4) +
      (bit >> 3);
    memory.write(at, new Uint8Array([memory.read8(at) ^ (1 << (bit & 7))]));
  }
  memory.write(USER, new Uint8Array([...one.user, 0xf4]));
  memory.write(HANDLER, new Uint8Array([...one.handler, 0xcf]));
  for (const [i, word] of one.frame.entries()) memory.write32(STACK + 4 * i, word);
  memory.write32(0x5000, 0xffff | (GDT << 16));
  const pseudo = (at: number, limit: number, base: number): void => {
    memory.write(at, new Uint8Array([limit, limit >> 8, base, base >> 8, base >> 16, 0]));
  };
  pseudo(0x5000, 8 * (1 + DESCRIPTORS.length) - 1, GDT);
  pseudo(0x5008, 0x7ff, IDT);
  const prelude = [
    ...[0x0f, 0x01, 0x15, 0, 0x50, 0, 0], // lgdt
    ...[0x0f, 0x01, 0x1d, 8, 0x50, 0, 0], // lidt
    ...[0xb8, 0x28, 0, 0, 0, 0x0f, 0x00, 0xd8], // ltr
    // MSRs of SYSENTER: CS 8, ESP, EIP
    ...[0x31, 0xd2, 0xb9, 0x74, 1, 0, 0, 0xb8, 8, 0, 0, 0, 0x0f, 0x30],
    ...[0x41, 0xb8, 0, 0x60, 0, 0, 0x0f, 0x30, 0x41, 0xb8, 0, 0x90, 0, 0, 0x0f, 0x30],
  ];
  memory.write(CODE, new Uint8Array(prelude));
  cpu.enterFlatProtectedMode({ eip: CODE, esp: STACK });
  cpu.run(13);
  for (const [i, segment] of (["ds", "es", "fs", "gs"] as const).entries()) {
    const value = one.data[i] as number;
    const load = CODE + 0x100;
    // mov ax, value; mov segment, ax; it may fault: then the rest is the same with what is there.
    const modrm = { es: 0xc0, ds: 0xd8, fs: 0xe0, gs: 0xe8 }[segment];
    memory.write(load, new Uint8Array([0x66, 0xb8, value, value >> 8, 0x8e, modrm]));
    cpu.registers.set("eip", load);
    cpu.run(2);
  }
  cpu.registers.set("esp", STACK);
  const last = { iret: [0xcf], sysexit: [0x0f, 0x35], int: [0xcd, 0x80] }[one.way];
  memory.write(CODE + 0x200, new Uint8Array([...last, 0xf4]));
  cpu.registers.set("eip", CODE + 0x200);
  cpu.registers.set("ecx", one.esp0);
  cpu.registers.set("edx", USER);
  cpu.registers.set("eflags", one.flags & ~0x20000);
  return cpu;
}

const NAMES = "eax ecx edx ebx esp ebp esi edi eip eflags cs ss ds es fs gs cr2".split(" ");
function state(cpu: Cpu): string {
  const registers = NAMES.map((name) =>
    `${name} ${(cpu.registers.get(name) as number).toString(16)}`
  );
  return `${cpu.instructions} ${registers.join(" ")} ${cpu.memory.read(TSS, 0x4000).join("")}`;
}

for (const translateAfter of [0, 1]) {
  Deno.test(`events in Wasm are those in TypeScript (translated after ${translateAfter})`, () => {
    let fast = 0;
    fc.assert(
      fc.property(cases, (one) => {
        const [quick, watched] = [build(one, translateAfter), build(one, translateAfter)];
        let events = 0;
        watched.hooks.onDiscontinuity(() => void events++);
        for (let i = 0; i < STEPS; i++) {
          const [a, b] = [quick.run(1), watched.run(1)];
          assert.equal(a, b);
          assert.equal(state(quick), state(watched));
          if (a !== "limit") break;
        }
        fast += events;
      }),
      { numRuns: 300, seed: 4 },
    );
    assert.ok(fast > 300, `only ${fast} events`);
  });
}
