/** Agent expressions, against values worked out by hand from the manual's descriptions. @module */
import assert from "node:assert/strict";
import { AgentError, evaluate } from "./agent_expression.ts";

const context = {
  register: (number: number) => number === 3 ? 0x1122334455667788n : undefined,
  memory: (address: number, length: number) =>
    address === 0x1000
      ? new Uint8Array([0x80, 0xff, 0, 1, 2, 3, 4, 0x85]).slice(0, length)
      : undefined,
};
const value = (...code: number[]): bigint => evaluate(new Uint8Array(code), context);
const END = 0x27;
const minus = (n: bigint): bigint => BigInt.asUintN(64, -n);

Deno.test("constants are big-endian, memory is little-endian", () => {
  assert.equal(value(0x22, 0xfe, END), 0xfen);
  assert.equal(value(0x23, 1, 2, END), 0x0102n);
  assert.equal(value(0x24, 0x80, 0, 0, 1, END), 0x80000001n);
  assert.equal(value(0x25, 0xff, 2, 3, 4, 5, 6, 7, 8, END), 0xff02030405060708n);
  assert.equal(value(0x23, 0x10, 0, 0x17, END), 0x80n);
  assert.equal(value(0x23, 0x10, 0, 0x18, END), 0xff80n);
  assert.equal(value(0x23, 0x10, 0, 0x19, END), 0x0100ff80n);
  assert.equal(value(0x23, 0x10, 0, 0x1a, END), 0x850403020100ff80n);
  assert.equal(value(0x26, 0, 3, END), 0x1122334455667788n);
});

Deno.test("arithmetic is on 64 bits, the second operand on top", () => {
  const two = (operation: number, a: number, b: number): bigint =>
    value(0x22, a, 0x22, b, operation, END);
  assert.equal(two(0x02, 200, 100), 300n);
  assert.equal(two(0x03, 3, 5), minus(2n));
  assert.equal(two(0x04, 200, 200), 40000n);
  assert.equal(two(0x06, 200, 7), 28n);
  assert.equal(two(0x08, 200, 7), 4n);
  assert.equal(two(0x09, 3, 62), 3n << 62n & 0xffffffffffffffffn);
  assert.equal(two(0x0b, 200, 3), 25n);
  assert.equal(two(0x0f, 12, 10), 8n);
  assert.equal(two(0x10, 12, 10), 14n);
  assert.equal(two(0x11, 12, 10), 6n);
  assert.equal(two(0x13, 7, 7), 1n);
  assert.equal(two(0x14, 7, 8), 1n);
  assert.equal(two(0x15, 8, 7), 0n);
  // −2 by sign extension: signed and unsigned differ.
  assert.equal(value(0x22, 0xfe, 0x16, 8, 0x22, 2, 0x05, END), minus(1n));
  assert.equal(value(0x22, 0xfb, 0x16, 8, 0x22, 3, 0x07, END), minus(2n));
  assert.equal(value(0x22, 0xfe, 0x16, 8, 0x22, 1, 0x0a, END), minus(1n));
  assert.equal(value(0x22, 0xfe, 0x16, 8, 0x22, 1, 0x14, END), 1n);
  assert.equal(value(0x22, 0xfe, 0x16, 8, 0x22, 1, 0x15, END), 0n);
  assert.equal(value(0x22, 0xfe, 0x16, 8, 0x2a, 16, END), 0xfffen);
  assert.equal(value(0x22, 0, 0x12, END), minus(1n));
  assert.equal(value(0x22, 5, 0x0e, END), 0n);
});

Deno.test("the stack is moved about, and jumps go to offsets", () => {
  assert.equal(value(0x22, 1, 0x22, 2, 0x2b, 0x03, END), 1n);
  assert.equal(value(0x22, 9, 0x28, 0x02, END), 18n);
  assert.equal(value(0x22, 9, 0x22, 1, 0x29, END), 9n);
  assert.equal(value(0x22, 1, 0x22, 2, 0x22, 3, 0x32, 2, END), 1n);
  // a b c → c a b: 3 − … the top is b = 2, below it a = 1.
  assert.equal(value(0x22, 1, 0x22, 2, 0x22, 3, 0x33, END), 2n);
  assert.equal(value(0x22, 1, 0x22, 2, 0x22, 3, 0x33, 0x29, 0x29, END), 3n);
  // if (1) goto 8 else 7
  assert.equal(value(0x22, 1, 0x20, 0, 8, 0x22, 7, END, 0x22, 8, END), 8n);
  assert.equal(value(0x22, 0, 0x20, 0, 8, 0x22, 7, END, 0x22, 8, END), 7n);
  assert.equal(value(0x21, 0, 5, 0, 0, 0x22, 4, END), 4n);
});

Deno.test("what cannot be evaluated says why", () => {
  assert.throws(() => value(0x22, 1, 0x22, 0, 0x06, END), AgentError);
  assert.throws(() => value(0x22, 0, 0x19, END), /no memory at 0/);
  assert.throws(() => value(0x26, 0, 4, END), /no register 4/);
  assert.throws(() => value(0x02, END), /stack is empty/);
  assert.throws(() => value(0x28, END), /not that deep/);
  assert.throws(() => value(0x22, 1), /no end/);
  assert.throws(() => value(0xee, END), /unknown operation ee/);
  assert.throws(() => value(0x21, 0, 0), /does not end/);
});
