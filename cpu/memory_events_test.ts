/**
 * The accesses of which a hook on an instruction hears: all that the instruction makes, each once, with its size and in
 * order, interpreted and translated. The order is that of the SDM's pseudo-code; CMPS reads the destination first, as
 * QEMU does. What events push, descriptors and page tables are no accesses of an instruction.
 * @module
 */
import assert from "node:assert/strict";
import type { Cpu, MemoryEvent } from "./mod.ts";
import { CODE, DATA, makeCpu, STACK } from "./test_cpu.ts";

const GDT = 0x29000;
/** Where far calls and returns lead: JMP to itself. */
const FAR = 0x1800;
const LOOP = 0xfeeb;

/** Accesses of `size` bytes one behind the other, from an address `at` behind the data. */
function run(kind: "r" | "w", at: number, size: number, count: number): string[] {
  return Array.from(
    { length: count },
    (_, i) => `${kind}${size} d+${(at + i * size).toString(16)}`,
  );
}
/** Bytes in the order in which the instruction has them. */
function bytes(kind: "r" | "w", at: number, offsets: readonly number[]): string[] {
  return offsets.map((offset) => `${kind}1 d+${(at + offset).toString(16)}`);
}
/** FXSAVE's image without its reserved end. */
const FXSAVE_WORDS = 288 / 4;
const UP = Array.from({ length: 16 }, (_, i) => i);

/** Name, code, what is accessed: `d+` hexadecimal offset in the data, `s` decimal offset from the stack pointer. */
// deno-fmt-ignore
const CASES: readonly (readonly [string, readonly number[], string | readonly string[]])[] = [
  ["mov [m], r", [0x89, 0x46, 0x40], "w4 d+40"],
  ["mov [m], r across pages", [0x89, 0x86, 0xfe, 0x0f, 0, 0], "w4 d+ffe"],
  ["inc [m] across pages", [0xff, 0x86, 0xfe, 0x0f, 0, 0], "r4 d+ffe, w4 d+ffe"],
  ["xchg", [0x87, 0x46, 0x40], "r4 d+40, w4 d+40"],
  ["cmpxchg", [0x0f, 0xb1, 0x4e, 0x40], "r4 d+40, w4 d+40"],
  ["cmpxchg8b", [0x0f, 0xc7, 0x4e, 0x40], "r4 d+40, r4 d+44, w4 d+40, w4 d+44"],
  ["bts", [0x0f, 0xab, 0x46, 0x40], "r4 d+40, w4 d+40"],
  ["bound", [0x62, 0x46, 0x48], "r4 d+48, r4 d+4c"],
  ["arpl that changes nothing", [0x63, 0x46, 0x40], "r2 d+40"],
  ["arpl", [0x63, 0x5e, 0x4c], "r2 d+4c, w2 d+4c"],
  ["verr", [0x0f, 0x00, 0x66, 0x54], "r2 d+54"],
  ["xlat", [0xd7], "r1 d+93"],
  ["push [m]", [0xff, 0x76, 0x40], "r4 d+40, w4 s-4"],
  ["pop [m]", [0x8f, 0x46, 0x40], "r4 s+0, w4 d+40"],
  ["pushf", [0x9c], "w4 s-4"],
  ["push ds", [0x1e], "w2 s-4"],
  ["pusha", [0x60], [4, 8, 12, 16, 20, 24, 28, 32].map((at) => `w4 s-${at}`)],
  ["popa, which skips ESP", [0x61], [0, 4, 8, 16, 20, 24, 28].map((at) => `r4 s+${at}`)],
  ["enter 8, 3", [0xc8, 8, 0, 3], "w4 s-4, r4 d+1fc, w4 s-8, r4 d+1f8, w4 s-12, w4 s-16"],
  ["leave", [0xc9], "r4 d+200"],
  ["movs", [0xa5], "r4 d+0, w4 d+80"],
  ["cmps", [0xa6], "r1 d+80, r1 d+0"],
  ["rep stos", [0xf3, 0x66, 0xab], "w2 d+80, w2 d+82, w2 d+84"],
  ["rep movs", [0xf3, 0xa4], "r1 d+0, w1 d+80, r1 d+1, w1 d+81, r1 d+2, w1 d+82"],
  ["lods", [0xac], "r1 d+0"],
  ["scas", [0xaf], "r4 d+80"],
  ["lds", [0xc5, 0x46, 0x50], "r4 d+50, r2 d+54"],
  ["mov ds, [m]", [0x8e, 0x5e, 0x54], "r2 d+54"],
  ["sgdt", [0x0f, 0x01, 0x46, 0x40], "w2 d+40, w4 d+42"],
  ["lidt", [0x0f, 0x01, 0x5e, 0x50], "r2 d+50, r4 d+52"],
  ["call [m]", [0xff, 0x56, 0x58], "r4 d+58, w4 s-4"],
  ["call far", [0x9a, 0, 0x18, 0, 0, 8, 0], "w4 s-4, w4 s-8"],
  ["call far, 16 bits", [0x66, 0x9a, 0, 0x18, 8, 0], "w2 s-2, w2 s-4"],
  ["call far [m]", [0xff, 0x5e, 0x58], "r4 d+58, r2 d+5c, w4 s-4, w4 s-8"],
  ["ret far", [0xcb], "r4 s+0, r4 s+4"],
  ["iret", [0xcf], "r4 s+0, r4 s+4, r4 s+8"],
  ["fnstenv", [0xd9, 0x76, 0x40], run("w", 0x40, 4, 7)],
  ["fldenv", [0xd9, 0x66, 0x40], run("r", 0x40, 4, 7)],
  ["fnsave", [0xdd, 0x76, 0x40], [...run("w", 0x40, 4, 7), ...run("w", 0x5c, 2, 40)]],
  ["frstor", [0xdd, 0x66, 0x40], [...run("r", 0x40, 4, 7), ...run("r", 0x5c, 2, 40)]],
  ["fnsave, 16 bits", [0x66, 0xdd, 0x76, 0x40], run("w", 0x40, 2, 7 + 40)],
  ["fxsave", [0x0f, 0xae, 0x46, 0x60], run("w", 0x60, 4, FXSAVE_WORDS)],
  ["fxrstor", [0x0f, 0xae, 0x4e, 0x60], run("r", 0x60, 4, FXSAVE_WORDS)],
  ["fld m80", [0xdb, 0x6e, 0x40], "r4 d+40, r4 d+44, r2 d+48"],
  ["fstp m80", [0xdb, 0x7e, 0x40], "w4 d+40, w4 d+44, w2 d+48"],
  ["fild m64", [0xdf, 0x6e, 0x40], "r4 d+40, r4 d+44"],
  ["fist m16", [0xdf, 0x56, 0x40], "w2 d+40"],
  ["fbld", [0xdf, 0x66, 0x40], bytes("r", 0x40, UP.slice(0, 10).reverse())],
  ["fbstp", [0xdf, 0x76, 0x40], bytes("w", 0x40, UP.slice(0, 10))],
  ["movaps xmm, [m]", [0x0f, 0x28, 0x46, 0x40], run("r", 0x40, 4, 4)],
  ["movaps [m], xmm", [0x0f, 0x29, 0x46, 0x40], run("w", 0x40, 4, 4)],
  ["movups [m], xmm, misaligned", [0x0f, 0x11, 0x46, 0x41], bytes("w", 0x41, UP)],
  ["addps", [0x0f, 0x58, 0x46, 0x40], run("r", 0x40, 4, 4)],
  ["movq mm, [m]", [0x0f, 0x6f, 0x46, 0x41], "r4 d+41, r4 d+45"],
  ["maskmovq of four bytes", [0x0f, 0xf7, 0xc1], bytes("w", 0x80, [0, 2, 4, 6])],
  ["ldmxcsr", [0x0f, 0xae, 0x56, 0x44], "r4 d+44"],
  ["lea", [0x8d, 0x46, 0x40], []],
  ["nop [m]", [0x0f, 0x1f, 0x46, 0x40], []],
];

/** What the data, registers and stack have before each execution. */
function prepare(cpu: Cpu): void {
  const { memory, registers } = cpu;
  memory.write(
    GDT + 8,
    new Uint8Array([0xff, 0xff, 0, 0, 0, 0x9a, 0xcf, 0, 0xff, 0xff, 0, 0, 0, 0x92, 0xcf, 0]),
  );
  memory.write16(FAR, LOOP);
  memory.write(DATA, new Uint8Array(0x2000));
  const words: readonly (readonly [number, number])[] = [
    ...[[0x40, 0x37f], [0x44, 0x1f80], [0x4c, 100], [0x50, 0x7ff], [0x54, 0x10]] as const,
    ...[[0x58, FAR], [0x5c, 8], [0x60, 0x37f], [0x78, 0x1f80]] as const,
  ];
  for (const [at, value] of words) memory.write32(DATA + at, value);
  for (const [i, value] of [FAR, 8, 2].entries()) memory.write32(STACK + 4 * i, value);
  // CR4.OSFXSR, FNINIT; mm1 has a mask.
  memory.write(0x1100, new Uint8Array([0xb8, 0, 2, 0, 0, 0x0f, 0x22, 0xe0, 0xdb, 0xe3]));
  cpu.enterFlatProtectedMode({ eip: 0x1100, esp: STACK, gdt: { base: GDT, limit: 0x17 } });
  cpu.run(3);
  cpu.enterFlatProtectedMode({ eip: CODE, esp: STACK, gdt: { base: GDT, limit: 0x17 } });
  const values = {
    esi: DATA,
    edi: DATA + 0x80,
    ecx: 3,
    ebx: DATA + 0x93,
    ebp: DATA + 0x200,
    eax: 0,
  };
  for (const [name, value] of Object.entries(values)) registers.set(name, value);
  registers.setBytes("st1", new Uint8Array([0x80, 1, 0x80, 1, 0x80, 1, 0x80, 1, 0xff, 0xff]));
}

function translatedCount(cpu: Cpu): number {
  return cpu.translationCounts.get("translated") ?? 0;
}

for (const threshold of [0, 1]) {
  Deno.test(`a hook hears of all that its instruction accesses, ${threshold === 0 ? "interpreted" : "translated"}`, () => {
    for (const [name, code, expected] of CASES) {
      // nop; jmp +0; the instruction; jmp $
      const cpu = makeCpu([0x90, 0xeb, 0, ...code, 0xeb, 0xfe], threshold, () => 0);
      const events: string[] = [];
      cpu.hooks.onTranslate((block) => {
        const one = block.instructions.find(({ address }) => address === CODE + 3);
        one?.onMemory(({ address, size, write }: MemoryEvent) => {
          const stack = address - STACK;
          const place = Math.abs(stack) < 0x100
            ? `s${stack < 0 ? "" : "+"}${stack}`
            : `d+${(address - DATA).toString(16)}`;
          events.push(`${write ? "w" : "r"}${size} ${place}`);
        });
      });
      const wanted = typeof expected === "string" ? expected.split(", ") : [...expected];
      for (let round = 0; round < 4; round++) {
        prepare(cpu);
        events.length = 0;
        const before = translatedCount(cpu);
        // Each iteration of REP counts.
        const steps = name.startsWith("rep") ? 6 : 4;
        cpu.run(steps);
        assert.deepEqual(events, wanted, `${name}, round ${round}`);
        // Of what goes across pages all behind the jump is left to the interpreter.
        const translated = threshold === 0 ? 0 : name.includes("across") ? 2 : steps;
        assert.equal(translatedCount(cpu) - before, translated, name);
      }
    }
  });
}
