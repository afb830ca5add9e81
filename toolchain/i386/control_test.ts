/**
 * Control flow, calls and the calling convention, natively against V8.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Call, callNative, callReference, canRunNative } from "../testing/native.ts";
import {
  constant,
  I32,
  I64,
  local,
  signed,
  type ValueType,
  WasmBuilder,
} from "../testing/wasm_builder.ts";

const ignore = !canRunNative;
const NO_RESULT = 0x40;

function compare(builder: WasmBuilder, calls: readonly Call[], checked = false): void {
  const wasm = builder.build();
  assert.deepEqual(callNative(wasm, calls, checked), callReference(wasm, calls));
}

function call(name: string, ...args: (number | bigint)[]): Call {
  return { name, args, mayTrap: false };
}

const TESTED = [-2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 100];

for (const size of [1, 2, 3, 4, 6]) {
  Deno.test({
    name: `br_table with ${size} targets takes each and the default`,
    ignore,
    fn: () => {
      const builder = new WasmBuilder();
      // block × (size + 1), then a table that leaves the n-th; each end sets the result.
      const opens = Array.from({ length: size + 1 }, () => [0x02, NO_RESULT]).flat();
      const table = [0x0e, size, ...Array.from({ length: size + 1 }, (_, index) => index)];
      const ends = Array.from({ length: size + 1 }, (_, index) => [
        ...[0x0b, ...constant(I32, 10 * index + 1), 0x0f],
      ]).flat();
      const code = [...opens, ...local.get(0), ...table, ...ends];
      builder.func("table", [I32], [I32], [], code);
      compare(builder, TESTED.map((value) => call("table", value)));
    },
  });
}

Deno.test({
  name: "br_table carries a value out of a block",
  ignore,
  fn: () => {
    const builder = new WasmBuilder();
    builder.func("carry", [I32], [I64], [], [
      ...[0x02, I64, 0x02, I64, ...constant(I64, 5), ...local.get(0), 0x0e, 1, 0, 1],
      ...[0x0b, ...constant(I64, 100), 0x7c, 0x0b],
    ]);
    compare(builder, TESTED.map((value) => call("carry", value)));
  },
});

Deno.test({
  name: "loops with parameters and blocks with several results pass them on",
  ignore,
  fn: () => {
    const builder = new WasmBuilder();
    const pair = builder.type([I32, I64], [I32, I64]);
    // loop (n, sum): n - 1, sum + n while n is not zero
    builder.func("sum", [I32], [I64], [I32, I64], [
      ...[...local.get(0), ...constant(I64, 0), 0x03, ...signed(BigInt(pair))],
      ...[...local.set(2), ...local.set(1), ...local.get(1), ...constant(I32, 1), 0x6b],
      ...[...local.get(2), ...local.get(1), 0xad, 0x7c],
      ...[...local.get(1), ...constant(I32, 1), 0x4b, 0x0d, 0, 0x0b],
      ...[...local.set(2), 0x1a, ...local.get(2)],
    ]);
    const swap = builder.type([I32, I32], [I32, I32]);
    // A loop whose parameters exchange places each time.
    builder.func("swap", [I32, I32, I32], [I32], [], [
      ...[...local.get(0), ...local.get(1), 0x03, ...signed(BigInt(swap))],
      ...[...local.set(0), ...local.set(1), ...local.get(0), ...local.get(1)],
      ...[...local.get(2), ...constant(I32, 1), 0x6b, ...local.tee(2), 0x0d, 0, 0x0b, 0x6b],
    ]);
    const two = builder.type([], [I32, I32]);
    builder.func("if", [I32], [I32], [], [
      ...[...local.get(0), 0x04, ...signed(BigInt(two)), ...constant(I32, 1), ...constant(I32, 2)],
      ...[0x05, ...constant(I32, 30), ...constant(I32, 4), 0x0b, 0x6b],
    ]);
    compare(builder, [
      ...[1, 2, 10, 1000].map((count) => call("sum", count)),
      ...[1, 2, 3, 4].map((count) => call("swap", 50, 8, count)),
      ...[call("if", 0), call("if", 1)],
    ]);
  },
});

Deno.test({
  name: "an if without else passes its parameter through",
  ignore,
  fn: () => {
    const builder = new WasmBuilder();
    const through = builder.type([I32], [I32]);
    builder.func("maybe", [I32, I32], [I32], [], [
      ...[...local.get(0), ...local.get(1), 0x04, ...signed(BigInt(through))],
      ...[...constant(I32, 3), 0x6c, 0x0b],
    ]);
    compare(builder, [call("maybe", 7, 0), call("maybe", 7, 1), call("maybe", -7, 9)]);
  },
});

Deno.test({
  name: "code behind an unconditional branch is skipped",
  ignore,
  fn: () => {
    const builder = new WasmBuilder();
    builder.func("dead", [I32], [I32], [], [
      ...[0x02, I32, ...local.get(0), 0x0c, 0],
      ...[0x02, I32, ...constant(I32, 1), 0x0b, 0x1a, 0x03, NO_RESULT, 0x0c, 0, 0x0b],
      ...[0x00, 0x0e, 1, 0, 0, 0x0b],
    ]);
    compare(builder, [call("dead", 4)]);
  },
});

Deno.test({
  name: "unreachable traps",
  ignore,
  fn: () => {
    const builder = new WasmBuilder();
    builder.func("trap", [I32], [I32], [], [
      ...[...local.get(0), 0x04, NO_RESULT, 0x00, 0x0b, ...constant(I32, 8)],
    ]);
    compare(builder, [call("trap", 0), { ...call("trap", 1), mayTrap: true }]);
  },
});

Deno.test({
  name: "select takes i32 and i64 values",
  ignore,
  fn: () => {
    const builder = new WasmBuilder();
    const gets = [...local.get(0), ...local.get(1), ...local.get(2)];
    builder.func("select32", [I32, I32, I32], [I32], [], [...gets, 0x1b]);
    builder.func("select64", [I64, I64, I32], [I64], [], [...gets, 0x1b]);
    builder.func("typed", [I64, I64, I32], [I64], [], [...gets, 0x1c, 1, I64]);
    builder.func("compared", [I32, I32], [I32], [], [
      ...[...local.get(0), ...local.get(1), ...local.get(0), ...local.get(1), 0x48, 0x1b],
    ]);
    compare(builder, [
      ...[call("select32", 1, 2, 0), call("select32", 1, 2, -1)],
      ...[call("select64", 1n << 40n, -2n, 0), call("select64", 1n << 40n, -2n, 4)],
      ...[call("typed", 1n, -2n, 0), call("compared", -3, 4), call("compared", 4, -3)],
    ]);
  },
});

/** Every shape of up to five parameters, so that each position meets each register and the stack. */
function signatures(): ValueType[][] {
  const all: ValueType[][] = [[]];
  for (let i = 0; i < all.length && all.length < 63; i++) {
    for (const type of [I32, I64] as const) all.push([...all[i] as ValueType[], type]);
  }
  return all;
}

Deno.test({
  name: "every mix of up to five i32 and i64 arguments arrives, directly and through a table",
  ignore,
  fn: () => {
    const builder = new WasmBuilder();
    const calls: Call[] = [];
    const table: number[] = [];
    signatures().forEach((params, number) => {
      // The sum of the arguments, each multiplied by another odd number.
      const body = params.flatMap((type, index) => [
        ...[...local.get(index), ...(type === I32 ? [0xac] : [])],
        ...[...constant(I64, 2 * index + 3), 0x7e, ...(index > 0 ? [0x7c] : [])],
      ]);
      const code = params.length === 0 ? constant(I64, 77) : body;
      const index = builder.func(`callee${number}`, params, [I64], [], code);
      table.push(index);
      const forward = params.flatMap((_, position) => local.get(position));
      builder.func(`caller${number}`, params, [I64], [], [
        ...forward,
        0x10,
        ...unsignedIndex(index),
      ]);
      const type = builder.type(params, [I64]);
      builder.func(`indirect${number}`, params, [I64], [], [
        ...[...forward, ...constant(I32, number), 0x11, ...unsignedIndex(type), 0],
      ]);
      const args = params.map((type, position) =>
        type === I32 ? -1000 * position - 7 : BigInt(position + 1) * 0x1_2345_6789n
      );
      for (const name of ["callee", "caller", "indirect"]) calls.push(call(name + number, ...args));
    });
    builder.table(table);
    compare(builder, calls);
    compare(builder, calls, true);
  },
});

function unsignedIndex(index: number): number[] {
  return index < 128 ? [index] : [index & 0x7f | 0x80, index >> 7];
}

Deno.test({
  name: "the checked mode traps on wrong signatures and table indices",
  ignore,
  fn: () => {
    const builder = new WasmBuilder();
    const plain = builder.func("plain", [], [I32], [], constant(I32, 1));
    const other = builder.func("other", [I32], [I32], [], local.get(0));
    builder.table([plain, other]);
    const type = builder.type([], [I32]);
    builder.func("indirect", [I32], [I32], [], [...local.get(0), 0x11, type, 0]);
    const calls = [0, 1, 2, -1].map((index) => ({ ...call("indirect", index), mayTrap: true }));
    const wasm = builder.build();
    assert.deepEqual(callNative(wasm, calls, true), [1, undefined, undefined, undefined]);
    assert.deepEqual(callReference(wasm, calls), [1, undefined, undefined, undefined]);
  },
});

Deno.test({
  name: "recursion and many live values keep their registers across calls",
  ignore,
  fn: () => {
    const builder = new WasmBuilder();
    // ackermann(m, n)
    builder.func("ackermann", [I32, I32], [I32], [], [
      ...[...local.get(0), 0x45, 0x04, I32, ...local.get(1), ...constant(I32, 1), 0x6a, 0x05],
      ...[...local.get(1), 0x45, 0x04, I32, ...local.get(0), ...constant(I32, 1), 0x6b],
      ...[...constant(I32, 1), 0x10, 0, 0x05, ...local.get(0), ...constant(I32, 1), 0x6b],
      ...[
        ...local.get(0),
        ...local.get(1),
        ...constant(I32, 1),
        0x6b,
        0x10,
        0,
        0x10,
        0,
        0x0b,
        0x0b,
      ],
    ]);
    const many = Array.from({ length: 12 }, () => I32 as ValueType);
    const set = many.flatMap((_, index) => [
      ...[...local.get(0), ...constant(I32, 3 * index + 1), 0x6c, ...local.set(index + 1)],
    ]);
    const sum = many.flatMap((_, index) => [...local.get(index + 1), ...(index > 0 ? [0x73] : [])]);
    const nested = [...constant(I32, 1), ...constant(I32, 2), 0x10, 0];
    builder.func("many", [I32], [I32], many, [...set, ...nested, 0x1a, ...sum, ...sum, 0x6a]);
    compare(builder, [call("ackermann", 2, 3), call("ackermann", 1, 5), call("many", 12345)]);
  },
});
