/** Windows: accesses that share a look into the TLB against the interpreter, with paging on. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Cpu } from "../mod.ts";

const RAM = 0x60000;
const CODE = 0x1000;
const HANDLER = 0x2000;
const IDT = 0x3000;
const GDT = 0x3800;
const DIRECTORY = 0x4000;
const TABLE = 0x5000;
/** Has other rights in some tests. */
const STACK_PAGE = 0x20000;
const NAMES = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags", "cr2"];
const HLT = 0xf4;
/** Bytes before a program that turn paging on. */
const START_BYTES = 28;
const P = 1;
const RW = 2;

function words(...values: number[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new Int32Array(values).buffer);
}
function word(value: number): number[] {
  return [...words(value)];
}

/** A processor at CODE with paging on, one to one; a page fault goes to `handler`. */
function makeCpu(
  code: readonly number[],
  options: {
    translateAfter: number;
    handler?: readonly number[];
    esp: number;
    entries?: readonly (readonly [page: number, entry: number])[];
  },
): Cpu {
  const cpu = new Cpu({
    ramBytes: RAM,
    translateAfter: options.translateAfter,
    bus: {
      readPort: () => 0,
      writePort: () => {},
      readMemory: () => 0xff,
      writeMemory: () => {},
      acknowledgeInterrupt: () => 0x20,
    },
  });
  const { memory } = cpu;
  memory.write(
    TABLE,
    words(...Array.from({ length: RAM >> 12 }, (_, page) => (page << 12) | P | RW)),
  );
  for (const [page, entry] of options.entries ?? []) memory.write(TABLE + page * 4, words(entry));
  memory.write(DIRECTORY, words(TABLE | P | RW));
  // Selector 8: flat code.
  memory.write(GDT + 8, words(0xffff, 0x00cf9b00));
  memory.write(GDT + 16, words(0xffff, 0x00cf9300));
  memory.write(IDT + 14 * 8, words((8 << 16) | HANDLER, 0x8e00));
  memory.write(HANDLER, new Uint8Array(options.handler ?? [HLT]));
  // lidt [5f00h]; mov eax, DIRECTORY; mov cr3, eax; mov eax, cr0; or eax, 80010000h; mov cr0, eax; xor eax, eax
  memory.write(0x5f00, new Uint8Array([0xff, 0x07, ...word(IDT)]));
  // deno-fmt-ignore
  const start = [0x0f, 0x01, 0x1d, ...word(0x5f00), 0xb8, ...word(DIRECTORY), 0x0f, 0x22, 0xd8,
    0x0f, 0x20, 0xc0, 0x0d, ...word(0x80010000 | 0), 0x0f, 0x22, 0xc0, 0x31, 0xc0];
  assert.equal(start.length, START_BYTES);
  memory.write(CODE, new Uint8Array([...start, ...code]));
  cpu.enterFlatProtectedMode({ eip: CODE, esp: options.esp, gdt: { base: GDT, limit: 0x17 } });
  return cpu;
}
function state(cpu: Cpu): string {
  const registers = NAMES.map((name) => ((cpu.registers.get(name) as number) >>> 0).toString(16));
  return [...registers, cpu.instructions].join(" ");
}
/** Runs interpreted and translated until both halt; compares them all the way. */
function compare(
  code: readonly number[],
  options: Omit<Parameters<typeof makeCpu>[1], "translateAfter">,
  step = 1000,
): Cpu {
  const plain = makeCpu(code, { ...options, translateAfter: 0 });
  const translating = makeCpu(code, { ...options, translateAfter: 1 });
  for (let i = 0; i < 400 && !plain.halted; i++) {
    assert.equal(translating.run(step), plain.run(step));
    assert.equal(state(translating), state(plain));
  }
  assert.ok(plain.halted, "the program ends");
  const [one, other] = [plain, translating].map((cpu) => cpu.memory.read(0, RAM));
  assert.equal(one?.findIndex((byte, i) => byte !== other?.[i]), -1);
  assert.ok((translating.translation?.regions ?? 0) > 0);
  return translating;
}

/** A frame as compilers make it: pushes, locals, and all of it undone. */
// deno-fmt-ignore
const FRAME = [
  0x55, 0x89, 0xe5, 0x57, 0x56, 0x53, 0x83, 0xec, 0x18, // push ebp; mov ebp, esp; push edi esi ebx; sub esp, 24
  0x89, 0x4d, 0xf0, 0xc7, 0x45, 0xec, ...word(7), // mov [ebp-16], ecx; mov dword [ebp-20], 7
  0x03, 0x45, 0xf0, 0x01, 0x45, 0xe8, 0x66, 0x89, 0x44, 0x24, 0x03, // add eax, [ebp-16]; add [ebp-24], eax; mov [esp+3], ax
  0x8b, 0x54, 0x24, 0x04, 0x83, 0xc4, 0x18, // mov edx, [esp+4]; add esp, 24
  0x5b, 0x5e, 0x5f, 0xc9, // pop ebx esi edi; leave
];
/** mov ecx, n; L: FRAME; dec ecx; jnz L; hlt */
const LOOP = [0xb9, ...word(20), ...FRAME, 0x49, 0x0f, 0x85, ...word(-(FRAME.length + 7)), HLT];

Deno.test("a frame anywhere, also across pages, has the same effect", () => {
  for (let offset = -4; offset < 72; offset++) {
    compare(LOOP, { esp: STACK_PAGE + 0x1000 + offset }, offset % 3 === 0 ? 7 : 1000);
  }
});

Deno.test("a fault inside a frame is at its instruction, and nothing behind it has happened", () => {
  const page = STACK_PAGE >> 12;
  // A page that is not there leaves no stack for the fault's frame: a double fault. A read-only one is read first.
  for (const entry of [0, STACK_PAGE | P, STACK_PAGE | P | RW]) {
    for (let offset = 4; offset < 72; offset += 4) {
      const options = { esp: STACK_PAGE + 0x1000 + offset, entries: [[page, entry] as const] };
      // The handler makes the page writable, moves the stack 4 bytes, and begins anew.
      const fixed = [0xc7, 0x05, ...word(TABLE + page * 4), ...word(STACK_PAGE | P | RW)];
      const again = [...fixed, 0xbc, ...word(options.esp - 4), 0xe9];
      const handler = [...again, ...word(CODE + START_BYTES - (HANDLER + again.length + 4))];
      const plain = makeCpu(LOOP, { ...options, handler, translateAfter: 0 });
      const translating = makeCpu(LOOP, { ...options, handler, translateAfter: 1 });
      for (let i = 0; i < 60; i++) {
        assert.equal(translating.run(13), plain.run(13), `offset ${offset}`);
        assert.equal(state(translating), state(plain));
      }
    }
  }
});

Deno.test("a store that maps the stack elsewhere holds from the next push on", () => {
  const pte = TABLE + (STACK_PAGE >> 12) * 4;
  // deno-fmt-ignore
  const body = [
    0x50, 0x51, 0x52, 0x53, // push eax ecx edx ebx
    0x81, 0x35, ...word(pte), ...word(0x10000), // xor dword [pte], 10000h: the frame at 20000h or 30000h
    0x50, 0x51, 0x52, 0x53, 0x8b, 0x7c, 0x24, 0x10, 0x83, 0xc4, 0x20, // the same; mov edi, [esp+16]; add esp, 32
  ];
  const code = [0xb9, ...word(9), ...body, 0x49, 0x0f, 0x85, ...word(-(body.length + 7)), HLT];
  const cpu = compare(code, { esp: STACK_PAGE + 0x800 });
  const at = (address: number) => cpu.memory.read32(address) & 0xff;
  // The last round, ECX 1: its first four pushes in one frame, the others in the other.
  assert.deepEqual([at(0x207e8 + 0x10), at(0x307e8)], [1, 1]);
});

Deno.test("random sequences of moves on the stack and through pointers do the same translated", () => {
  const displacement = fc.integer({ min: -64, max: 64 }).map((n) => n & 0xff);
  const register = fc.constantFrom(0, 2, 3, 7);
  const base = fc.constantFrom(3, 5, 6, 7);
  const one: fc.Arbitrary<number[]> = fc.oneof(
    register.map((r) => [0x50 + r]),
    fc.tuple(register, displacement).map(([r, d]) => [0x8b, 0x44 | (r << 3), 0x24, d & 0x3c]),
    fc.tuple(register, displacement).map(([r, d]) => [0x89, 0x44 | (r << 3), 0x24, d & 0x3f]),
    fc.tuple(base, register, displacement).map(([b, r, d]) => [0x89, 0x40 | (r << 3) | b, d]),
    fc.tuple(base, register, displacement).map(([b, r, d]) => [0x03, 0x40 | (r << 3) | b, d]),
    fc.tuple(base, displacement).map(([b, d]) => [0x80, 0x40 | b, d, 3]),
    fc.constantFrom(
      ...[[0x83, 0xec, 0x0c], [0x83, 0xc4, 0x04], [0x89, 0xe5], [0x8d, 0x6c, 0x24, 0x10]],
      ...[[0x8d, 0x5d, 0x04], [0x89, 0xee], [0x46], [0x4b], [0x83, 0xc6, 0x10], [0x83, 0xeb, 0x08]],
      // A branch over a byte-sized addition; EAX decides.
      ...[[0xa8, 0x04, 0x74, 0x04, 0x83, 0x45, 0x08, 0x01], [0x60, 0x83, 0xc4, 0x20]],
    ),
  );
  const program = fc.tuple(fc.array(one, { minLength: 4, maxLength: 24 }), fc.nat(0xff));
  fc.assert(
    fc.property(program, ([list, low]) => {
      const esp = STACK_PAGE + 0x1000 + low;
      const around = (r: number, plus: number): number[] => [0xb8 + r, ...word(esp + plus)];
      const body = [
        ...[0xbc, ...word(esp)],
        ...[...around(5, -40), ...around(6, 0x2000), ...around(3, 0x2008), ...around(7, -0xff0)],
        ...list.flat(),
      ];
      // dec dword [5f80h]; jnz
      const count = [0xff, 0x0d, ...word(0x5f80), 0x0f, 0x85];
      const code = [
        ...[0xc7, 0x05, ...word(0x5f80), ...word(6)],
        ...[...body, ...count, ...word(-(body.length + count.length + 4)), HLT],
      ];
      compare(code, { esp }, 97);
    }),
    { numRuns: 60 },
  );
});

Deno.test("a distance that the guest patches all the time does not lead through the window of another page", () => {
  // The page behind STACK_PAGE is elsewhere, so that an address of the wrong page is a wrong one.
  const entries = [[(STACK_PAGE >> 12) + 1, 0x30000 | P | RW]] as const;
  const variants: readonly (readonly number[])[] = [
    [0x89, 0x8b], // mov [ebx+x], ecx
    [0x81, 0xc3], // add ebx, x
    [0x81, 0xeb], // sub ebx, x
    [0x8d, 0x9b], // lea ebx, [ebx+x]
  ];
  for (const opcode of variants) {
    const [near, far] = opcode[1] === 0xeb ? [-0x10, -0x1010] : [0x10, 0x1010];
    // mov ecx, 40; L: mov ebx, STACK_PAGE; mov [ebx+4], ecx; mov [ebx+8], ecx; add edx, [ebx+12]
    // deno-fmt-ignore
    const head = [0xb9, ...word(40), 0xbb, ...word(STACK_PAGE), 0x89, 0x4b, 4, 0x89, 0x4b, 8, 0x03, 0x53, 12];
    const field = CODE + START_BYTES + head.length + opcode.length;
    // the variant; mov [ebx+4], ecx; xor dword [field], near ^ far; dec ecx; jnz L; hlt
    // deno-fmt-ignore
    const code = [...head, ...opcode, ...word(near), 0x89, 0x4b, 4,
      0x81, 0x35, ...word(field), ...word(near ^ far), 0x49];
    compare([...code, 0x0f, 0x85, ...word(5 - code.length - 6), HLT], {
      esp: STACK_PAGE + 0x800,
      entries,
    }, 1000);
  }
});
