/**
 * Virtual-8086 mode and protected-mode virtual interrupts on the whole processor, decoded and run: what QEMU cannot
 * tell (limits, VME, PVI, INT1). Sources: SDM vol. 3A §20.2–20.4, vol. 2 (CLI, STI, PUSHF, POPF, INT n).
 * @module
 */
import assert from "node:assert/strict";
import { Cpu } from "./mod.ts";

const CODE = 0x1000;
const GDT = 0x2000;
const IDT = 0x3000;
const TSS = 0x4000;
const STACK = 0x8000;
const INNER_STACK = 0x9000;
const HANDLERS = 0xa000;
/** Segments of the program: CS 2000h, SS 3000h, DS 4000h. */
const PROGRAM = 0x20000;
const PROGRAM_STACK = 0x30000;
const DATA = 0x40000;
const VM = 0x20000;
const IOPL = 0x3000;
const IF = 0x200;
const VIF = 0x80000;
const VIP = 0x100000;

const word = (value: number) => [value & 0xff, (value >>> 8) & 0xff];
const dword = (value: number) => [...word(value), ...word(value >>> 16)];
const push = (value: number) => [0x68, ...dword(value)];

/** What the handler's frame says of the program when it has ended. */
interface Outcome {
  readonly vector: number;
  readonly errorCode: number | undefined;
  readonly ip: number;
  readonly flags: number;
  readonly cpu: Cpu;
}

/** Runs bytes at CPL 3 until an interrupt or exception: in virtual-8086 mode when `flags` have VM. */
function program(
  bytes: readonly number[],
  options: { flags: number; cr4?: number; sp?: number; ip?: number },
): Outcome {
  const { flags, cr4 = 0, sp = 0x100, ip = 0 } = options;
  const cpu = new Cpu({
    ramBytes: 0x100000,
    bus: {
      readPort: () => 0xff,
      writePort: () => {},
      readMemory: () => 0xff,
      writeMemory: () => {},
      acknowledgeInterrupt: () => 0x20,
    },
  });
  const { memory } = cpu;
  [0x00cf9a00, 0x00cf9200, 0x00cffa00, 0x00cff200].forEach((high, i) => {
    memory.write32(GDT + 8 + 8 * i, 0xffff);
    memory.write32(GDT + 12 + 8 * i, high);
  });
  memory.write32(GDT + 0x28, (TSS << 16) | 0xff);
  memory.write32(GDT + 0x2c, 0x8900);
  for (let vector = 0; vector < 64; vector++) {
    memory.write32(IDT + 8 * vector, 0x80000 | (HANDLERS + vector));
    memory.write32(IDT + 8 * vector + 4, 0xee00);
    memory.write8(HANDLERS + vector, 0xf4);
  }
  memory.write32(TSS + 4, INNER_STACK);
  memory.write32(TSS + 8, 0x10);
  // The redirection bitmap gives all vectors but 30h to the program; the I/O map follows it.
  memory.write16(TSS + 0x66, 0x88);
  memory.write8(TSS + 0x68 + 6, 1);
  memory.write16(0x2f00, 0x2f);
  memory.write32(0x2f02, GDT);
  memory.write16(0x2f08, 0x1ff);
  memory.write32(0x2f0a, IDT);
  const virtual = (flags & VM) !== 0;
  const frame = virtual
    ? [0, 0, DATA >> 4, 0, PROGRAM_STACK >> 4, sp, flags, PROGRAM >> 4, ip]
    : [0x23, PROGRAM_STACK + sp, flags, 0x1b, PROGRAM + ip];
  memory.write(
    CODE,
    new Uint8Array([
      ...[0x0f, 0x01, 0x15, ...dword(0x2f00), 0x0f, 0x01, 0x1d, ...dword(0x2f08)], // lgdt, lidt
      ...[0x66, 0xb8, 0x28, 0, 0x0f, 0x00, 0xd8], // mov ax, 28h; ltr ax
      ...[0xb8, ...dword(cr4), 0x0f, 0x22, 0xe0], // mov eax, cr4; mov cr4, eax
      ...frame.flatMap(push),
      0xcf,
    ]),
  );
  memory.write(PROGRAM + ip, new Uint8Array(bytes));
  cpu.enterFlatProtectedMode({ eip: CODE, esp: STACK });
  assert.equal(cpu.run(1000), "halted");
  const vector = cpu.registers.get("eip") - 1 - HANDLERS;
  const hasCode = [8, 10, 11, 12, 13, 14, 17].includes(vector);
  const top = INNER_STACK - (virtual ? 36 : 20);
  return {
    vector,
    errorCode: hasCode ? memory.read32(top - 4) : undefined,
    ip: memory.read32(top) - (virtual ? 0 : PROGRAM),
    flags: memory.read32(top + 8),
    cpu,
  };
}
/** Vector, error code and IP of a program that ends with a fault. */
function end(bytes: readonly number[], options: Parameters<typeof program>[1]): unknown[] {
  const { vector, errorCode, ip } = program(bytes, options);
  return [vector, errorCode, ip];
}
const INT_30 = [0xcd, 0x30];
const IN_MODE = { flags: VM | IOPL | 2 };

Deno.test("virtual-8086 mode: an operand beyond FFFFh is #GP(0), on the stack #SS(0)", () => {
  // mov ax, [0xffff]; mov al, [0xffff]; addr32 mov al, [0x10000]
  assert.deepEqual(end([0xa1, 0xff, 0xff], IN_MODE), [13, 0, 0]);
  assert.equal(program([0xa0, 0xff, 0xff, ...INT_30], IN_MODE).vector, 0x30);
  assert.deepEqual(end([0x67, 0xa0, 0, 0, 1, 0], IN_MODE), [13, 0, 0]);
  // push ax with SP 1; SP 0 wraps.
  assert.deepEqual(end([0x50], { ...IN_MODE, sp: 1 }), [12, 0, 0]);
  const wrapped = program([0x50, ...INT_30], { ...IN_MODE, sp: 0 });
  assert.equal(wrapped.vector, 0x30);
  assert.equal(wrapped.cpu.memory.read32(INNER_STACK - 24), 0xfffe);
});

Deno.test("virtual-8086 mode: far and near branches beyond FFFFh are #GP(0), and so is running off the end", () => {
  // Operand prefix: jmp 2000:00010000; jmp to EIP 10006h.
  assert.deepEqual(end([0x66, 0xea, ...dword(0x10000), 0, 0x20], IN_MODE), [13, 0, 0]);
  assert.deepEqual(end([0x66, 0xe9, ...dword(0x10000)], IN_MODE), [13, 0, 0]);
  const { vector, errorCode } = program([0x90], { ...IN_MODE, ip: 0xffff });
  assert.deepEqual([vector, errorCode], [13, 0]);
});

Deno.test("virtual-8086 mode: INT1 goes to vector 1 whatever IOPL is", () => {
  assert.deepEqual(end([0xf1], { flags: VM | 2 }), [1, undefined, 1]);
});

Deno.test("CLI, STI, PUSHF and POPF in virtual-8086 mode with IOPL 0: #GP(0), with VME on VIF", () => {
  for (const code of [[0xfa], [0xfb], [0x9c], [0x9d], [0xcf], [0x66, 0x9c], [0x66, 0x9d]]) {
    assert.deepEqual(end(code, { flags: VM | 2 }), [13, 0, 0], code.join());
  }
  const flags = VM | IF | 2;
  assert.equal(program([0xfb, ...INT_30], { flags, cr4: 1 }).flags & ~0x10000, flags | VIF);
  assert.equal(program([0xfb, 0xfa, ...INT_30], { flags, cr4: 1 }).flags & ~0x10000, flags);
  assert.deepEqual(end([0xfb], { flags: flags | VIP, cr4: 1 }), [13, 0, 0]);
  // sti; pushf; pop ax; cli; pushf; pop bx
  const { cpu } = program([0xfb, 0x9c, 0x58, 0xfa, 0x9c, 0x5b, ...INT_30], { flags, cr4: 1 });
  assert.equal(cpu.registers.get("eax") & 0xffff, IOPL | IF | 2);
  assert.equal(cpu.registers.get("ebx") & 0xffff, IOPL | 2);
  // push 0x201; popf
  const popped = program([0x68, 1, 2, 0x9d, ...INT_30], { flags, cr4: 1 });
  assert.equal(popped.flags & ~0x10000, flags | VIF | 1);
  assert.deepEqual(end([0x68, 0, 1, 0x9d], { flags, cr4: 1 }), [13, 0, 3]);
  assert.deepEqual(end([0x66, 0x9c], { flags, cr4: 1 }), [13, 0, 0]);
});

Deno.test("INT n with VME enters the program's handler, and its IRET comes back", () => {
  // sti; int 0x21; (int 0x30: IOPL 0 and its bit is set, so #GP). Handler at 2000:0100: pushf; pop cx; iret
  const { cpu, vector, errorCode, ip, flags } = program(
    [
      // mov word es:[0x84], 0x100; mov word es:[0x86], 0x2000
      ...[0x26, 0xc7, 0x06, 0x84, 0, 0, 1, 0x26, 0xc7, 0x06, 0x86, 0, 0, 0x20],
      // mov byte cs:[0x100], 0x9c; mov word cs:[0x101], 0xcf59
      ...[0x2e, 0xc6, 0x06, 0, 1, 0x9c, 0x2e, 0xc7, 0x06, 1, 1, 0x59, 0xcf],
      0xfb,
      0xcd,
      0x21,
      ...INT_30,
    ],
    { flags: VM | IF | 2, cr4: 1 },
  );
  assert.deepEqual([vector, errorCode, ip], [13, 0, 14 + 13 + 3]);
  // VIF is clear in the handler and comes back.
  assert.equal(cpu.registers.get("ecx") & 0xffff, IOPL | 2);
  assert.equal(flags & ~0x10000, VM | IF | VIF | 2);
});

Deno.test("CLI and STI at CPL 3 with PVI work on VIF, POPF and PUSHF do not", () => {
  assert.deepEqual(end([0xfa], { flags: 2 }), [13, 0, 0]);
  assert.deepEqual(end([0xfb], { flags: 2, cr4: 1 }), [13, 0, 0]);
  const on = program([0xfb, 0x9c, 0x58, ...INT_30], { flags: IF | 2, cr4: 2 });
  assert.equal(on.flags & ~0x10000, IF | VIF | 2);
  assert.equal(on.cpu.registers.get("eax"), IF | VIF | 2);
  assert.equal(program([0xfb, 0xfa, ...INT_30], { flags: 2, cr4: 2 }).flags & ~0x10000, 2);
  assert.deepEqual(end([0xfb], { flags: VIP | 2, cr4: 2 }), [13, 0, 0]);
  // push 0; popf leaves IF and VIF alone.
  const popped = program([0xfb, 0x6a, 0, 0x9d, ...INT_30], { flags: IF | 2, cr4: 2 });
  assert.equal(popped.flags & ~0x10000, IF | VIF | 2);
});
