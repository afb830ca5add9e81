/**
 * Breakpoints on the whole processor beside plugins' hooks, and where QEMU cannot tell. Sources: SDM vol. 3A §17.2–17.3,
 * Table 6-2.
 * @module
 */
import assert from "node:assert/strict";
import { Cpu } from "./mod.ts";

const CODE = 0x1000;
const GDT = 0x2000;
const IDT = 0x3000;
const STACK = 0x8000;
const DATA = 0x5000;
const HANDLERS = 0xa000;
const POINTERS = 0x2f00;

const dword = (value: number) => [
  value & 0xff,
  (value >>> 8) & 0xff,
  (value >>> 16) & 0xff,
  value >>> 24,
];
/** MOV DRn, value, by EAX. */
const setDebug = (register: number, value: number) => [
  0xb8,
  ...dword(value),
  0x0f,
  0x23,
  0xc0 | (register << 3),
];

/** A flat machine at CPL 0 with the table registers loaded; vector n halts at HANDLERS + n. */
function machine(code: readonly number[], handler: readonly number[] = [0xf4]): Cpu {
  const cpu: Cpu = new Cpu({
    ramBytes: 0x100000,
    bus: {
      readPort: () => 0xff,
      writePort: () => cpu.setInterruptLine(true),
      readMemory: () => 0xff,
      writeMemory: () => {},
      acknowledgeInterrupt: () => {
        cpu.setInterruptLine(false);
        return 0x20;
      },
    },
  });
  const { memory } = cpu;
  [0x00cf9a00, 0x00cf9200].forEach((high, i) => {
    memory.write32(GDT + 8 + 8 * i, 0xffff);
    memory.write32(GDT + 12 + 8 * i, high);
  });
  for (let vector = 0; vector < 64; vector++) {
    memory.write32(IDT + 8 * vector, 0x80000 | (HANDLERS + 16 * vector));
    memory.write32(IDT + 8 * vector + 4, 0x8e00);
    memory.write(HANDLERS + 16 * vector, new Uint8Array(handler));
  }
  memory.write16(POINTERS, 0x17);
  memory.write32(POINTERS + 2, GDT);
  memory.write16(POINTERS + 8, 0x1ff);
  memory.write32(POINTERS + 10, IDT);
  const tables = [
    ...[0x0f, 0x01, 0x15, ...dword(POINTERS)],
    ...[0x0f, 0x01, 0x1d, ...dword(POINTERS + 8)],
  ];
  memory.write(CODE - tables.length, new Uint8Array(tables));
  memory.write(CODE, new Uint8Array(code));
  cpu.enterFlatProtectedMode({ eip: CODE - tables.length, esp: STACK });
  return cpu;
}
/** Vector in whose handler the machine has halted. */
function vector(cpu: Cpu): number {
  assert.equal(cpu.run(100_000), "halted");
  return (cpu.registers.get("eip") - 1 - HANDLERS) / 16;
}

Deno.test("a data breakpoint leaves plugins' hooks alone, and they it", () => {
  // mov [DATA], eax; mov ebx, [DATA + 64]; mov [DATA], ebx; hlt, with a write breakpoint on the first word
  const bytes = [
    ...setDebug(0, DATA),
    ...setDebug(7, 0xd0401),
    ...[0xa3, ...dword(DATA), 0x8b, 0x1d, ...dword(DATA + 64), 0x89, 0x1d, ...dword(DATA), 0xf4],
  ];
  for (const hooked of [false, true]) {
    const cpu = machine(bytes, [0xcf]);
    const accesses: string[] = [];
    const traps: number[] = [];
    let executed = 0;
    if (hooked) {
      cpu.hooks.onTranslate((block) => {
        for (const instruction of block.instructions) {
          instruction.onExecute(() => executed++);
          instruction.onMemory(({ address, write }) => {
            if (address >= DATA && address < DATA + 100) {
              accesses.push(`${write ? "w" : "r"}${address - DATA}`);
            }
          });
        }
      });
    }
    cpu.hooks.onDiscontinuity(({ vector, from }) => {
      if (vector === 1) traps.push(from - CODE);
    });
    assert.equal(cpu.run(1000), "halted");
    // Behind each of the two stores.
    assert.deepEqual(traps, [16 + 5, 16 + 5 + 6 + 6]);
    if (!hooked) continue;
    assert.deepEqual(accesses, ["w0", "r64", "w0"]);
    // LGDT, LIDT, eight of the program, two IRETs.
    assert.equal(executed, 12);
  }
});

Deno.test("a code breakpoint comes after an interrupt that waits; code that the bus gives has them too", () => {
  // sti; out 0x10, al; nop; nop: the interrupt that OUT asserts is taken at the NOP with the breakpoint, which is hit then
  const at = CODE + 16 + 3;
  const cpu = machine([...setDebug(0, at), ...setDebug(7, 0x401), 0xfb, 0xe6, 0x10, 0x90, 0xf4], [
    0xcf,
  ]);
  const taken: [number, number][] = [];
  cpu.hooks.onDiscontinuity(({ type, vector, from }) => {
    if (type !== "iret") taken.push([vector, from]);
    if (taken.length === 2) cpu.requestStop();
  });
  cpu.run(1000);
  assert.deepEqual(taken, [[0x20, at], [1, at]]);
  // jmp 0x200000, where there is no RAM
  const beyond = machine([
    ...setDebug(0, 0x200000),
    ...setDebug(7, 0x401),
    0xe9,
    0xeb,
    0xef,
    0x1f,
    0,
  ]);
  assert.equal(vector(beyond), 1);
});

Deno.test("MOV SS delays the trap of its own data breakpoint by an instruction", () => {
  // mov [DATA], ss; mov ss, [DATA]; inc ebx; hlt
  const cpu = machine([
    ...[0x66, 0x8c, 0x15, ...dword(DATA)],
    ...setDebug(0, DATA),
    ...setDebug(7, 0x70401),
    ...[0x8e, 0x15, ...dword(DATA), 0x43, 0x43],
  ]);
  assert.equal(vector(cpu), 1);
  assert.equal(cpu.registers.get("ebx"), 1);
});

Deno.test("without breakpoints no page and no block is treated specially", () => {
  // DR0 is set, DR7 enables nothing: 30000 stores to it run from the TLB.
  const cpu = machine([
    ...setDebug(0, DATA),
    ...setDebug(7, 0xd0400),
    ...[0xb9, ...dword(30_000), 0xa3, ...dword(DATA), 0xe2, 0xf9, 0xcd, 0x30],
  ]);
  assert.equal(vector(cpu), 0x30);
  assert.equal(cpu.codeStatistics.flushes, 1);
});
