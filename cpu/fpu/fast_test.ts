/**
 * The fast ways of the x87 against exact integers: significands at the edges and at random.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Cpu } from "../mod.ts";

const CODE = 0x1000;
const DATA = 0x2000;
const BIAS = 0x3fff;
const PE = 0x20;
const C1 = 0x200;

const cpu = new Cpu({
  ramBytes: 0x10000,
  bus: {
    readPort: () => 0,
    writePort: () => {},
    readMemory: () => 0xff,
    writeMemory: () => {},
    acknowledgeInterrupt: () => 0,
  },
});
/** A positive number: significand (bit 63 set) × 2^(exponent − 63). */
interface Number80 {
  readonly significand: bigint;
  readonly exponent: number;
}
/** fninit; fld a; fld b; the instruction; fnstsw; fstp result */
function execute(
  opcode: readonly number[],
  a: Number80,
  b: Number80,
): Number80 & { status: number } {
  const data = new DataView(new ArrayBuffer(32));
  for (const [i, { significand, exponent }] of [a, b].entries()) {
    data.setBigUint64(i * 16, significand, true);
    data.setUint16(i * 16 + 8, exponent + BIAS, true);
  }
  const address = (at: number): number[] => [at & 0xff, at >> 8, 0, 0];
  // deno-fmt-ignore
  cpu.memory.write(CODE, new Uint8Array([
    0xdb, 0xe3, 0xdb, 0x2d, ...address(DATA), 0xdb, 0x2d, ...address(DATA + 16), ...opcode, 0xdd, 0x3d, ...address(DATA + 48),
    0xdb, 0x3d, ...address(DATA + 32),
  ]));
  cpu.memory.write(DATA, new Uint8Array(data.buffer));
  cpu.enterFlatProtectedMode({ eip: CODE, esp: 0x8000 });
  cpu.run(6);
  const out = new DataView(cpu.memory.read(DATA + 32, 20).buffer);
  return {
    significand: out.getBigUint64(0, true),
    exponent: out.getUint16(8, true) - BIAS,
    status: out.getUint16(16, true),
  };
}
/** A positive integer × 2^scale, of which bits below matter only in being there, rounded to nearest, ties to even. */
function round(integer: bigint, scale: number): Number80 & { status: number } {
  const below = integer.toString(2).length - 64;
  const value = below < 0 ? integer << BigInt(-below) : integer;
  const cut = BigInt(Math.max(below, 0));
  const rest = value & ((1n << cut) - 1n);
  let kept = value >> cut;
  const half = cut === 0n ? 0n : 1n << (cut - 1n);
  const up = rest > half || (rest !== 0n && rest === half && (kept & 1n) === 1n);
  let exponent = scale + below + 63;
  if (up) kept += 1n;
  if (kept === 1n << 64n) {
    kept >>= 1n;
    exponent++;
  }
  return { significand: kept, exponent, status: (rest === 0n ? 0 : PE) | (up ? C1 : 0) };
}
function root(n: bigint): bigint {
  let x = 1n << BigInt((n.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

const ALL = (1n << 64n) - 1n;
const significand = fc.oneof(
  fc.bigInt({ min: 1n << 63n, max: ALL }),
  fc.nat(200).map((n) => ALL - BigInt(n)),
  fc.nat(200).map((n) => (1n << 63n) + BigInt(n)),
  // Products, quotients and roots that are exact, or half-way.
  fc.integer({ min: 1, max: 0xffffffff }).map((n) => {
    const square = BigInt(n) * BigInt(n);
    return square << BigInt(64 - square.toString(2).length);
  }),
  fc.nat(30).map((n) => ALL ^ (1n << BigInt(n)) ^ (1n << BigInt(n + 32))),
);
const number80 = fc.record({ significand, exponent: fc.integer({ min: -70, max: 70 }) });

function check(
  opcode: readonly number[],
  exact: (a: Number80, b: Number80) => Number80 & { status: number },
): void {
  fc.assert(
    fc.property(number80, number80, (a, b) => {
      const { status, ...result } = execute(opcode, a, b);
      const { status: expected, ...rounded } = exact(a, b);
      assert.deepEqual(result, rounded);
      assert.equal(status & (PE | C1), expected);
    }),
    { numRuns: 3000, seed: 80 },
  );
}

Deno.test("FSQRT is the root of exact integers, rounded once", () => {
  check([0xd9, 0xfa], (_, { significand, exponent }) => {
    // An even power of two below, 100 bits more than are kept, and one that says what is left.
    const shift = BigInt(201 - ((exponent - 63) & 1));
    const scaled = significand << (shift + 1n & ~1n) + BigInt((exponent - 63) & 1);
    const found = root(scaled);
    const scale = (exponent - 63 - Number((shift + 1n & ~1n) + BigInt((exponent - 63) & 1))) / 2;
    return round(found * 2n + (found * found === scaled ? 0n : 1n), scale - 1);
  });
});
Deno.test("FMULP, FADDP and FDIVP are exact integers, rounded once", () => {
  check(
    [0xde, 0xc9],
    (a, b) => round(a.significand * b.significand, a.exponent + b.exponent - 126),
  );
  check([0xde, 0xc1], (a, b) => {
    const scale = Math.min(a.exponent, b.exponent);
    const [x, y] = [a, b].map((n) => n.significand << BigInt(n.exponent - scale)) as [
      bigint,
      bigint,
    ];
    return round(x + y, scale - 63);
  });
  check([0xde, 0xf9], (a, b) => {
    const dividend = a.significand << 200n;
    const quotient = dividend / b.significand;
    const rest = dividend % b.significand === 0n ? 0n : 1n;
    return round(quotient * 2n + rest, a.exponent - b.exponent - 201);
  });
});
