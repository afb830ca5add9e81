/**
 * Every Wasm operation, compiled and run as a native process, against V8: boundary operands as arguments
 * and as constants, since constants take other paths through folding and selection.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  type Call,
  callNative,
  callReference,
  canRunNative,
  type Outcome,
} from "../testing/native.ts";
import { constant, I32, I64, local, type ValueType, WasmBuilder } from "../testing/wasm_builder.ts";

const VALUES_32 = [
  0,
  1,
  2,
  3,
  5,
  7,
  10,
  31,
  32,
  127,
  128,
  255,
  256,
  0xffff,
  0x7fffffff,
  -0x80000000,
]
  .concat([-1, -2, -7, -128, 0x12345678, -0x76543211]);
const VALUES_64 = VALUES_32.map(BigInt).concat([
  0xffffffffn,
  0x100000000n,
  0x7fffffffffffffffn,
  -0x8000000000000000n,
  0x123456789abcdef0n,
  -0x100000000n,
  33n,
  63n,
  64n,
]);

/** Values of a type. */
function values(type: ValueType): readonly (number | bigint)[] {
  return type === I32 ? VALUES_32 : VALUES_64;
}

function equal(
  wasm: Uint8Array<ArrayBuffer>,
  calls: readonly Call[],
  actual: readonly Outcome[],
): void {
  const expected = callReference(wasm, calls);
  calls.forEach((call, index) => {
    assert.equal(actual[index], expected[index], `${call.name}(${call.args.join(", ")})`);
  });
}

interface Operation {
  readonly name: string;
  readonly opcode: readonly number[];
  readonly operands: readonly ValueType[];
  readonly result: ValueType;
}

function operations(
  names: string,
  first: number,
  operands: readonly ValueType[],
  result: ValueType,
): Operation[] {
  return names.split(" ").map((name, index) => ({
    name,
    opcode: [first + index],
    operands,
    result,
  }));
}

const COMPARISONS = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
const BINARY = "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr";

const OPERATIONS: readonly Operation[] = [
  ...operations("i32.eqz", 0x45, [I32], I32),
  ...operations(COMPARISONS, 0x46, [I32, I32], I32),
  ...operations("i64.eqz", 0x50, [I64], I32),
  ...operations(COMPARISONS, 0x51, [I64, I64], I32),
  ...operations("clz ctz popcnt", 0x67, [I32], I32),
  ...operations(BINARY, 0x6a, [I32, I32], I32),
  ...operations("clz ctz popcnt", 0x79, [I64], I64),
  ...operations(BINARY, 0x7c, [I64, I64], I64),
  ...operations("wrap", 0xa7, [I64], I32),
  ...operations("extend_s extend_u", 0xac, [I32], I64),
  ...operations("extend8 extend16", 0xc0, [I32], I32),
  ...operations("extend8 extend16 extend32", 0xc2, [I64], I64),
];

function cases(operation: Operation): { wasm: Uint8Array<ArrayBuffer>; calls: Call[] } {
  const builder = new WasmBuilder();
  const { operands, result, opcode } = operation;
  const [left, right] = operands;
  const calls: Call[] = [];
  const mayTrap = /div|rem/.test(operation.name);
  const gets = operands.flatMap((_, index) => local.get(index));
  builder.func("plain", operands, [result], [], [...gets, ...opcode]);
  const tuples: (number | bigint)[][] = [];
  for (const a of values(left as ValueType)) {
    if (right === undefined) tuples.push([a]);
    else for (const b of values(right)) tuples.push([a, b]);
  }
  for (const args of tuples) {
    const [a, b] = args.map(BigInt);
    const risky = mayTrap && (b === 0n || (b === -1n && a !== undefined && a <= -0x80000000n));
    calls.push({ name: "plain", args, mayTrap: risky });
  }
  if (right !== undefined && left !== undefined) {
    values(right).forEach((value, index) => {
      const name = `right${index}`;
      builder.func(name, [left], [result], [], [
        ...local.get(0),
        ...constant(right, value),
        ...opcode,
      ]);
      for (const a of values(left)) {
        const risky = mayTrap && (BigInt(value) === 0n || BigInt(value) === -1n);
        calls.push({ name, args: [a], mayTrap: risky });
      }
    });
    values(left).forEach((value, index) => {
      const name = `left${index}`;
      builder.func(name, [right], [result], [], [
        ...constant(left, value),
        ...local.get(0),
        ...opcode,
      ]);
      for (const b of [1, 2, 3, 7, 31, 33, 100]) {
        calls.push({ name, args: [right === I64 ? BigInt(b) : b], mayTrap: false });
      }
    });
  }
  if (result === I32) {
    // The value as a condition takes another path than the value as a number.
    const branch = [
      ...gets,
      ...opcode,
      0x04,
      I32,
      ...constant(I32, 11),
      0x05,
      ...constant(I32, 22),
      0x0b,
    ];
    builder.func("branch", operands, [I32], [], branch);
    for (const args of tuples.slice(0, 200)) {
      const risky = mayTrap;
      calls.push({ name: "branch", args, mayTrap: risky });
    }
  }
  return { wasm: builder.build(), calls };
}

for (const operation of OPERATIONS) {
  const types = operation.operands.map((type) => type === I32 ? "i32" : "i64").join(", ");
  Deno.test({
    name: `${operation.name}(${types}) equals V8's on boundary values`,
    ignore: !canRunNative,
    fn: () => {
      const { wasm, calls } = cases(operation);
      assert.ok(calls.length >= 22);
      equal(wasm, calls, callNative(wasm, calls));
    },
  });
}
