/** IN and OUT in all forms against a model of theirs: ports, sizes, parts of EAX, permission, the exact moment. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Cpu } from "../mod.ts";
import { VM } from "../state/flags.ts";
import { fault, SELECTOR, TestSystem, TSS } from "./test_system.ts";

type Size = 1 | 2 | 4;
interface Access {
  readonly port: number;
  readonly size: number;
  /** What was written; undefined: it was read. */
  readonly value: number | undefined;
  /** Instructions before this one. */
  readonly at: number;
}

const CODE = 0x1000;
const MASKS = { 1: 0xff, 2: 0xffff, 4: 0xffffffff } as const;

/** An instruction: in or out, its size, and an immediate port or DX. */
const forms = fc.record({
  write: fc.boolean(),
  size: fc.constantFrom<Size>(1, 2, 4),
  immediate: fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined }),
  dx: fc.integer({ min: 0, max: 0xffff }),
  /** CMP EAX, EDX before it, whose flags nobody has computed. */
  compare: fc.boolean(),
});
type Form = typeof forms extends fc.Arbitrary<infer T> ? T : never;

/** What a port reads, whatever it is. */
function portValue(port: number, size: number): number {
  return (Math.imul(port + size, 0x9e3779b1) >>> 0) & MASKS[size as Size];
}

function encode({ write, size, immediate, dx, compare }: Form, wide: boolean): number[] {
  const opcode = (immediate === undefined ? 0xec : 0xe4) | (write ? 2 : 0) | (size === 1 ? 0 : 1);
  const prefix = size !== 1 && (size === 4) !== wide ? [0x66] : [];
  return [
    ...[0x66].slice(0, wide ? 1 : 0),
    ...[0xba, dx & 0xff, dx >> 8],
    ...(compare ? [...[0x66].slice(wide ? 1 : 0), 0x39, 0xd0] : []),
    ...prefix,
    opcode,
    ...(immediate === undefined ? [] : [immediate]),
  ];
}

/** What the SDM says of the program. */
function model(program: readonly Form[], eax: number): { accesses: Access[]; eax: number } {
  const accesses: Access[] = [];
  let [value, at] = [eax >>> 0, 0];
  for (const { write, size, immediate, dx, compare } of program) {
    at += compare ? 2 : 1;
    const port = immediate ?? dx;
    const mask = MASKS[size];
    accesses.push({ port, size, value: write ? (value & mask) >>> 0 : undefined, at });
    if (!write) value = ((value & ~mask) | portValue(port, size)) >>> 0;
    at++;
  }
  return { accesses, eax: value };
}

/** Runs a program; the mode is that after reset (16 bits) or flat protected mode. */
function run(program: readonly Form[], eax: number, wide: boolean, translateAfter: number) {
  const accesses: Access[] = [];
  let begin = 0;
  const cpu = new Cpu({
    ramBytes: 1 << 20,
    translateAfter,
    bus: {
      readPort: (port, size) => {
        accesses.push({ port, size, value: undefined, at: cpu.instructions - begin });
        return portValue(port, size);
      },
      writePort: (port, size, value) => {
        accesses.push({ port, size, value, at: cpu.instructions - begin });
      },
      readMemory: () => 0xff,
      writeMemory: () => {},
      acknowledgeInterrupt: () => 0x20,
    },
  });
  cpu.memory.write(CODE, new Uint8Array([...program.flatMap((f) => encode(f, wide)), 0xf4]));
  if (wide) cpu.enterFlatProtectedMode({ eip: CODE });
  else {
    // jmp 0:CODE
    const jump = [0xea, CODE & 0xff, CODE >> 8, 0, 0];
    cpu.memory.write(0x500, new Uint8Array(jump));
    cpu.registers.set("cs", 0);
    cpu.registers.set("eip", 0x500);
    cpu.run(1);
  }
  cpu.registers.set("eax", eax);
  begin = cpu.instructions;
  assert.equal(cpu.run(1000), "halted");
  const get = (name: string): number => (cpu.registers.get(name) as number) >>> 0;
  return { accesses, eax: get("eax"), flags: get("eflags"), eip: get("eip") };
}

for (const wide of [true, false]) {
  Deno.test(`IN and OUT are those of the SDM, translated too (${wide ? 32 : 16}-bit code)`, () => {
    const programs = fc.array(forms, { minLength: 1, maxLength: 12 });
    let parts = 0;
    fc.assert(
      fc.property(programs, fc.integer(), (program, eax) => {
        const expected = model(program, eax);
        const [interpreted, translated] = [0, 1].map((after) => run(program, eax, wide, after));
        assert.deepEqual(interpreted?.accesses, expected.accesses);
        assert.equal(interpreted?.eax, expected.eax);
        assert.deepEqual(translated, interpreted);
        parts += program.filter(({ write, size }) => !write && size < 4).length;
      }),
      { numRuns: 60, seed: 11 },
    );
    assert.ok(parts > 50, `only ${parts} reads of a part of EAX`);
  });
}

Deno.test("ports are allowed by IOPL, else by all their bits of the I/O map, in virtual-8086 mode by it alone", () => {
  const system = new TestSystem();
  const { core } = system;
  system.descriptor(SELECTOR.FREE, { access: 0x89, base: TSS, limit: 0x67 + 0x12, flags: 0 });
  system.execute("ltr", { rm: 0 }, [SELECTOR.FREE]);
  system.poke32(TSS + 0x64, 0x68 << 16);
  const seen = new Set<string>();
  const tries = fc.record({
    map: fc.integer(),
    port: fc.integer({ min: 0, max: 27 }),
    operandSize: fc.constantFrom<2 | 4>(2, 4),
    opcode: fc.constantFrom(0xec, 0xed, 0xee, 0xef),
    privilege: fc.constantFrom<0 | 3>(0, 3),
    iopl: fc.integer({ min: 0, max: 3 }),
    virtual: fc.boolean(),
    arithmetic: fc.constantFrom(0, 0x8d5),
  });
  fc.assert(
    fc.property(tries, (t) => {
      system.segments(t.virtual ? 3 : t.privilege);
      core.eflags = (t.iopl << 12) | (t.virtual ? VM : 0) | t.arithmetic | 2;
      system.poke32(TSS + 0x68, t.map);
      system.ports.length = 0;
      const size = t.opcode & 1 ? t.operandSize : 1;
      const name = t.opcode & 2 ? "outDx" : "inDx";
      const outcome = system.execute(name, t, [0x1234, 0, t.port]);
      const denied = (t.map >>> t.port) & ((1 << size) - 1);
      const byLevel = !t.virtual && t.privilege <= t.iopl;
      const allowed = byLevel || denied === 0;
      assert.deepEqual(outcome, allowed ? undefined : fault(13, 0));
      assert.equal(system.ports.length, allowed ? 1 : 0);
      if (allowed) assert.deepEqual([system.ports[0]?.port, system.ports[0]?.size], [t.port, size]);
      seen.add(`${t.virtual} ${byLevel} ${allowed}`);
    }),
    { numRuns: 2000, seed: 5 },
  );
  // Protected: by level, by map, refused; virtual-8086: by map, refused.
  assert.equal(seen.size, 5);
});
