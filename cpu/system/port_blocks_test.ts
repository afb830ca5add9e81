/**
 * REP INS and REP OUTS of a port whose chip takes blocks, against the same chip one access at a time: registers,
 * memory, instructions, and what the chip saw, at every boundary where a run may end.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Cpu } from "../mod.ts";

type Size = 1 | 2 | 4;

const RAM = 0x8000;
const CODE = 0x1000;
const PORT = 0x1f0;
const NAMES = ["eax", "ecx", "edx", "esi", "edi", "eip", "eflags"];

/** A chip with a buffer of so many elements, which counts how often it was at its end. */
class Chip {
  readonly #length: number;
  #position = 0;
  seed = 1;
  ends = 0;
  blocks = 0;
  readonly written: number[] = [];

  constructor(length: number) {
    this.#length = length;
  }
  #next(): void {
    if (++this.#position < this.#length) return;
    this.#position = 0;
    this.ends++;
  }
  read(size: Size): number {
    this.seed = Math.imul(this.seed, 0x343fd) + 0x269ec3 | 0;
    this.#next();
    return (this.seed >>> 0) % 2 ** (8 * size);
  }
  write(value: number): void {
    this.written.push(value);
    this.#next();
  }
  #room(count: number): number {
    this.blocks++;
    return Math.min(count, this.#length - this.#position - 1);
  }
  readBlock(size: Size, count: number, into: Uint8Array, at: number): number {
    const done = this.#room(count);
    for (let i = 0; i < done; i++) {
      const value = this.read(size);
      for (let k = 0; k < size; k++) into[at++] = value >>> (8 * k);
    }
    return done;
  }
  writeBlock(size: Size, count: number, from: Uint8Array, at: number): number {
    const done = this.#room(count);
    for (let i = 0; i < done; i++) {
      let value = 0;
      for (let k = 0; k < size; k++) value += (from[at++] as number) * 2 ** (8 * k);
      this.write(value);
    }
    return done;
  }
}

const cases = fc.record({
  write: fc.boolean(),
  size: fc.constantFrom<Size>(1, 2, 4),
  count: fc.oneof(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 700 })),
  /** Where the memory is: around ends of pages, in the code's page, and beyond the RAM. */
  at: fc.oneof(
    fc.integer({ min: 0x2000, max: 0x6000 }),
    fc.integer({ min: 0xfa0, max: 0xfff }),
    fc.constantFrom(0x2ffc, 0x3000, 0x3001, 0x1800, 0x7f00, 0xfffe, 0xfff0),
  ),
  down: fc.boolean(),
  short: fc.boolean(),
  length: fc.integer({ min: 1, max: 300 }),
  steps: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 12 }),
  translateAfter: fc.constantFrom(0, 1),
});
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

function make(
  { write, size, count, at, down, short, length, translateAfter }: Case,
  blocks: boolean,
): { readonly cpu: Cpu; readonly chip: Chip } {
  const chip = new Chip(length);
  const cpu = new Cpu({
    ramBytes: RAM,
    translateAfter,
    bus: {
      readPort: (_port, width) => chip.read(width),
      writePort: (_port, _width, value) => chip.write(value),
      readMemory: () => 0xff,
      writeMemory: () => {},
      acknowledgeInterrupt: () => 0x20,
      ...(blocks
        ? {
          readPorts: (_port, width, n, into, to) => chip.readBlock(width, n, into, to),
          writePorts: (_port, width, n, from, next) => chip.writeBlock(width, n, from, next),
        }
        : {}),
    },
  });
  for (let i = 0; i < RAM; i++) cpu.memory.write8(i, i * 7 + (i >> 8));
  const opcode = (write ? 0x6e : 0x6c) | (size === 1 ? 0 : 1);
  const prefixes = [...(size === 2 ? [0x66] : []), ...(short ? [0x67] : []), 0xf3];
  cpu.memory.write(CODE, new Uint8Array([down ? 0xfd : 0xfc, ...prefixes, opcode, 0xf4]));
  cpu.enterFlatProtectedMode({ eip: CODE });
  const high = short ? 0x50000 : 0;
  const registers = { ecx: high + count, edx: PORT, esi: high + at, edi: high + at };
  for (const [name, value] of Object.entries(registers)) cpu.registers.set(name, value);
  return { cpu, chip };
}

function state({ cpu, chip }: ReturnType<typeof make>): string {
  const registers = NAMES.map((name) => cpu.registers.get(name).toString(16)).join(" ");
  return `${registers} ${cpu.instructions} ${chip.seed} ${chip.ends} ${chip.written.length}`;
}

Deno.test("blocks of a port are what single accesses are", () => {
  let blocks = 0;
  fc.assert(
    fc.property(cases, (one) => {
      const [plain, fast] = [make(one, false), make(one, true)];
      for (const step of [...one.steps, 1000]) {
        assert.equal(fast.cpu.run(step), plain.cpu.run(step));
        assert.equal(state(fast), state(plain));
      }
      assert.deepEqual(fast.chip.written, plain.chip.written);
      assert.deepEqual(fast.cpu.memory.read(0, RAM), plain.cpu.memory.read(0, RAM));
      blocks += fast.chip.blocks;
    }),
    { numRuns: 300 },
  );
  assert.ok(blocks > 100, `${blocks} blocks`);
});

Deno.test("a chunk of REP INS that its chip has at hand is one block", () => {
  const { cpu, chip } = make({
    write: false,
    size: 2,
    count: 256,
    at: 0x2000,
    down: false,
    short: false,
    length: 256,
    steps: [],
    translateAfter: 0,
  }, true);
  cpu.run(1000);
  assert.ok(cpu.halted);
  assert.deepEqual([chip.blocks, chip.ends], [4, 1]);
});

Deno.test("memory events of REP INS and OUTS are of each element", () => {
  for (const write of [false, true]) {
    const { cpu, chip } = make({
      write,
      size: 2,
      count: 5,
      at: 0x2000,
      down: false,
      short: false,
      length: 256,
      steps: [],
      translateAfter: 0,
    }, true);
    const events: string[] = [];
    cpu.hooks.onTranslate((block) => {
      for (const one of block.instructions) {
        one.onMemory((event) => {
          events.push(`${event.address.toString(16)} ${event.size} ${event.write}`);
        });
      }
    });
    cpu.run(1000);
    assert.deepEqual(
      events,
      [0, 1, 2, 3, 4].map((i) => `${(0x2000 + 2 * i).toString(16)} 2 ${!write}`),
    );
    assert.equal(chip.blocks, 0);
  }
});
