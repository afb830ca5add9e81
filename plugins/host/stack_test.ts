/** The frame-pointer walk over small stacks laid out by hand. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type StackSource, walkStack } from "./stack.ts";

const KERNEL = 0xc0000000;

function source(
  registers: { eip: number; esp: number; ebp: number },
  words: Record<number, number>,
  bytes: Record<number, number> = {},
): StackSource {
  return {
    ...registers,
    word: (address) => words[address],
    byte: (address) => bytes[address],
    functionStart: (address) => (address & ~0xff) >>> 0,
    isKernel: (address) => address >= KERNEL,
  };
}

const A = 0xc0100010 >>> 0;
const B = 0xc0100110 >>> 0;
const C = 0xc0100210 >>> 0;
const STACK = 0xc0200000;

Deno.test("walkStack() follows saved EBPs to the zero at the end", () => {
  const words = { [STACK]: STACK + 16, [STACK + 4]: B, [STACK + 16]: 0, [STACK + 20]: C };
  assert.deepEqual(walkStack(source({ eip: A, esp: STACK - 8, ebp: STACK }, words), 10), [A, B, C]);
  assert.deepEqual(walkStack(source({ eip: A, esp: STACK - 8, ebp: STACK }, words), 2), [A, B]);
});

Deno.test("walkStack() finds the caller in the prologue and at RET", () => {
  const start = A & ~0xff;
  const words = {
    [STACK - 8]: B,
    [STACK - 4]: B,
    [STACK]: 0,
    [STACK + 4]: C,
  };
  const bytes = { [start >>> 0]: 0x55, [A]: 0xc3 };
  const at = (eip: number, esp: number): number[] =>
    walkStack(source({ eip: eip >>> 0, esp, ebp: STACK }, words, bytes), 10);
  assert.deepEqual(at(start, STACK - 8), [start >>> 0, B, C]);
  assert.deepEqual(at(start + 1, STACK - 8), [(start + 1) >>> 0, B, C]);
  assert.deepEqual(at(A, STACK - 8), [A, B, C]);
});

Deno.test("walkStack() crosses to the interrupted place, and goes on there only over CALLs", () => {
  const user = 0x08049105;
  const words = { [STACK]: 0xbfff0000, [STACK + 4]: user, [0xbfff0000]: 0, [0xbfff0004]: user };
  const registers = { eip: A, esp: STACK, ebp: STACK };
  assert.deepEqual(walkStack(source(registers, words), 10), [A, user]);
  assert.deepEqual(walkStack(source(registers, words, { [user - 5]: 0xe8 }), 10), [A, user, user]);
});

Deno.test("walkStack() ends on any garbage, within its limit", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(0xffffffff), { minLength: 64, maxLength: 64 }),
      fc.nat(63),
      (memory, at) => {
        const word = (address: number): number | undefined => memory[((address - STACK) / 4) % 64];
        const walked = walkStack({
          ...source({ eip: A, esp: STACK, ebp: STACK + 4 * at }, {}),
          word,
          byte: () => 0xe8,
        }, 50);
        assert.ok(walked.length >= 1 && walked.length <= 50);
      },
    ),
  );
});
