/**
 * The whole board under a hostile guest: any port, any width, any address, with time passing between.
 * Nothing throws, time goes on, and the state that is saved comes back.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Board, Clock, MemoryDisk, NS_PER_INSTRUCTION, Wire } from "../../devices/mod.ts";

const RAM = 1 << 20;

/** Ports that something answers at, and some others. */
const PORTS: readonly (readonly [first: number, count: number])[] = [
  [0x20, 2],
  [0xa0, 2],
  [0x40, 4],
  [0x60, 5],
  [0x70, 2],
  [0x80, 1],
  [0x92, 1],
  [0xb2, 2],
  [0xe9, 1],
  [0xf0, 8],
  [0x170, 8],
  [0x1ce, 2],
  [0x1f0, 8],
  [0x402, 1],
  [0x510, 12],
  [0x376, 1],
  [0x3f6, 1],
  [0x3b0, 0x30],
  [0x3f8, 8],
  [0x4d0, 2],
  [0x600, 64],
  [0xcf8, 8],
  [0xc040, 16],
  [0, 0x10000],
];

/** Addresses that something answers at. */
const ADDRESSES: readonly (readonly [first: number, count: number])[] = [
  [0xa0000, 0x20000],
  [0xfec00000, 0x14],
  [0xfed00000, 0x160],
  [0xfee00000, 0x400],
];

function board() {
  let instructions = 0;
  const clock = new Clock(() => instructions);
  const memory = new Uint8Array(RAM);
  const ends: string[] = [];
  const made = new Board({
    clock,
    memory: {
      size: RAM,
      read: (at, length) => memory.slice(at, at + length),
      write: (at, bytes) => memory.set(bytes, at),
    },
    disks: [
      new MemoryDisk(new Uint8Array(512 * 100)),
      undefined,
      new MemoryDisk(new Uint8Array(512)),
    ],
    serial: () => {},
    debug: () => {},
    timeMs: 0,
    a20: () => {},
    intr: new Wire(),
    apic: { entries: 5 },
    resetLine: () => ends.push("reset"),
    powerOff: () => ends.push("off"),
    exit: () => ends.push("exit"),
  });
  return {
    board: made,
    clock,
    memory,
    ends,
    pass: (ns: number): void => {
      const end = clock.now() + ns;
      while (clock.now() < end) {
        const next = Math.min(end, clock.nextDeadlineNs);
        instructions += Math.max(1, Math.ceil((next - clock.now()) / NS_PER_INSTRUCTION));
        clock.fire();
      }
    },
  };
}

interface Step {
  readonly range: number;
  readonly offset: number;
  readonly size: 1 | 2 | 4;
  readonly value: number;
  readonly kind: "read" | "write" | "memory" | "acknowledge";
  readonly waitNs: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  range: fc.nat(PORTS.length - 1),
  offset: fc.nat(0xffff),
  size: fc.constantFrom(1 as const, 2 as const, 4 as const),
  value: fc.oneof(fc.nat(0xff), fc.integer({ min: 0, max: 0xffffffff })),
  kind: fc.constantFrom(
    "read" as const,
    "write" as const,
    "write" as const,
    "memory" as const,
    "acknowledge" as const,
  ),
  waitNs: fc.constantFrom(0, 0, 0, 0, 1000, 1_000_000, 50_000_000),
});

function perform(at: ReturnType<typeof board>, steps: readonly Step[]): void {
  for (const { range, offset, size, value, kind, waitNs } of steps) {
    const [first, count] = PORTS[range];
    const port = (first + offset % count) & 0xffff;
    let found = 0;
    if (kind === "read") found = at.board.ports.read(port, size);
    else if (kind === "write") at.board.ports.write(port, size, value);
    else if (kind === "acknowledge") found = at.board.acknowledgeInterrupt();
    else {
      const [start, span] = ADDRESSES[range % ADDRESSES.length];
      const address = start + (offset * 2) % span;
      at.board.addresses.write(address, size, value);
      found = at.board.addresses.read(address, size);
    }
    assert.ok(Number.isInteger(found) && found >= 0 && found <= 0xffffffff);
    at.pass(waitNs);
  }
}

Deno.test("the board takes any access at any port, width and time", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 400, size: "max" }),
      (steps) => perform(board(), steps),
    ),
    { numRuns: 60 },
  );
});

Deno.test("the board's saved state comes back after any accesses", () => {
  const steps = fc.array(step, { maxLength: 150, size: "max" });
  fc.assert(
    fc.property(steps, steps, (before, after) => {
      const at = board();
      perform(at, before);
      const saved = JSON.parse(JSON.stringify(at.board.save()));
      perform(at, after.map((s) => ({ ...s, waitNs: 0 })));
      at.board.restore(saved);
      assert.deepEqual(JSON.parse(JSON.stringify(at.board.save())), saved);
    }),
    { numRuns: 25 },
  );
});

Deno.test("a base address register that points at taken ports takes nothing away", () => {
  const { board: pc } = board();
  pc.ports.write(0xcf8, 4, 0x80000920);
  for (const base of [0x3f8, 0x20, 0xcf0, 0xfff0, 0]) {
    pc.ports.write(0xcfc, 4, base);
    pc.ports.write(0xcf8, 4, 0x80000904);
    pc.ports.write(0xcfc, 2, 5);
    pc.ports.write(0xcf8, 4, 0x80000920);
    assert.equal(pc.ports.at(0x3f8)?.name, "16550A");
    assert.equal(pc.ports.at(0x20)?.name, "8259A master");
    assert.equal(pc.ports.at(0xcf8)?.name, "PCI configuration");
  }
});
