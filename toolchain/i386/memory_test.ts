/**
 * Loads, stores, block operations, globals and data segments, natively against V8.
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
  unsigned,
  type ValueType,
  WasmBuilder,
} from "../testing/wasm_builder.ts";

const ignore = !canRunNative;

function compare(builder: WasmBuilder, calls: readonly Call[]): void {
  const wasm = builder.build();
  assert.deepEqual(callNative(wasm, calls), callReference(wasm, calls));
}

function call(name: string, ...args: (number | bigint)[]): Call {
  return { name, args, mayTrap: false };
}

const LOADS: readonly [name: string, opcode: number, type: ValueType][] = [
  ["i32.load", 0x28, I32],
  ["i64.load", 0x29, I64],
  ["i32.load8_s", 0x2c, I32],
  ["i32.load8_u", 0x2d, I32],
  ["i32.load16_s", 0x2e, I32],
  ["i32.load16_u", 0x2f, I32],
  ["i64.load8_s", 0x30, I64],
  ["i64.load8_u", 0x31, I64],
  ["i64.load16_s", 0x32, I64],
  ["i64.load16_u", 0x33, I64],
  ["i64.load32_s", 0x34, I64],
  ["i64.load32_u", 0x35, I64],
];

const STORES: readonly [name: string, opcode: number, type: ValueType][] = [
  ["i32.store", 0x36, I32],
  ["i64.store", 0x37, I64],
  ["i32.store8", 0x3a, I32],
  ["i32.store16", 0x3b, I32],
  ["i64.store8", 0x3c, I64],
  ["i64.store16", 0x3d, I64],
  ["i64.store32", 0x3e, I64],
];

const BYTES = [0x80, 0x7f, 0xff, 0x00, 0x01, 0xfe, 0x12, 0x88, 0x99, 0xaa, 0x55, 0xcc, 0x7e, 0x81];

for (const [name, opcode, type] of LOADS) {
  Deno.test({
    name: `${name} reads every offset of a data segment`,
    ignore,
    fn: () => {
      const builder = new WasmBuilder();
      builder.memory(1);
      builder.data(16, BYTES);
      builder.func("plain", [I32], [type], [], [...local.get(0), opcode, 0, 0]);
      builder.func("displaced", [I32], [type], [], [...local.get(0), opcode, 0, 5]);
      const indexed = [...local.get(0), ...constant(I32, 2), 0x74, ...local.get(1), 0x6a];
      builder.func("indexed", [I32, I32], [type], [], [...indexed, opcode, 0, ...unsigned(3)]);
      builder.func("fixed", [], [type], [], [...constant(I32, 17), opcode, 0, 0]);
      const calls = [call("fixed")];
      for (let address = 8; address < 32; address++) {
        calls.push(
          call("plain", address),
          call("displaced", address),
          call("indexed", 3, address - 12),
        );
      }
      compare(builder, calls);
    },
  });
}

for (const [name, opcode, type] of STORES) {
  Deno.test({
    name: `${name} changes its bytes and no others`,
    ignore,
    fn: () => {
      const builder = new WasmBuilder();
      builder.memory(1);
      builder.data(0, Array.from({ length: 32 }, () => 0xee));
      const value = type === I64 ? 0x8182838485868788n : 0x91929394;
      builder.func("value", [I32, type], [], [], [...local.get(0), ...local.get(1), opcode, 0, 1]);
      const fixed = [...local.get(0), ...constant(type, value), opcode, 0, 3];
      builder.func("constant", [I32], [], [], fixed);
      builder.func("read", [I32], [I64], [], [...local.get(0), 0x29, 0, 0]);
      const reads = [0, 8, 16, 24].map((address) => call("read", address));
      const signed = type === I64 ? BigInt.asIntN(64, BigInt(value)) : Number(value) | 0;
      compare(builder, [
        ...[call("value", 2, signed), ...reads],
        ...[call("value", 13, type === I64 ? -2n : -2), ...reads, call("constant", 7), ...reads],
      ]);
    },
  });
}

for (const operator of [0x6a, 0x6b, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78]) {
  Deno.test({
    name: `an update of memory in place works with opcode 0x${operator.toString(16)}`,
    ignore,
    fn: () => {
      const builder = new WasmBuilder();
      builder.memory(1);
      builder.data(8, [0x12, 0x34, 0x56, 0x87]);
      const update = (right: number[]): number[] => [
        ...[...local.get(0), ...local.get(0), 0x28, 0, 0, ...right, operator, 0x36, 0, 0],
        ...[...local.get(0), 0x28, 0, 0],
      ];
      builder.func("variable", [I32, I32], [I32], [], update(local.get(1)));
      builder.func("constant", [I32], [I32], [], update(constant(I32, 3)));
      const calls = [1, 7, 31, -5].map((value) => call("variable", 8, value));
      compare(builder, [...calls, call("constant", 8), call("constant", 8)]);
    },
  });
}

Deno.test({
  name: "memory.copy moves overlapping blocks in both directions",
  ignore,
  fn: () => {
    const builder = new WasmBuilder();
    builder.memory(1);
    builder.data(100, Array.from({ length: 40 }, (_, index) => index + 1));
    const copy = [...local.get(0), ...local.get(1), ...local.get(2), 0xfc, 10, 0, 0];
    builder.func("copy", [I32, I32, I32], [], [], copy);
    builder.func("read", [I32], [I64], [], [...local.get(0), 0x29, 0, 0]);
    const calls: Call[] = [];
    for (
      const [to, from] of [[101, 100], [103, 100], [107, 100], [100, 101], [95, 103], [200, 100]]
    ) {
      for (const count of [0, 1, 3, 4, 5, 8, 17, 33]) {
        calls.push(call("copy", to as number, from as number, count));
        for (let address = 88; address < 240; address += 8) calls.push(call("read", address));
      }
    }
    compare(builder, calls);
  },
});

Deno.test({
  name: "memory.fill writes the low byte of its value",
  ignore,
  fn: () => {
    const builder = new WasmBuilder();
    builder.memory(1);
    const fill = [...local.get(0), ...local.get(1), ...local.get(2), 0xfc, 11, 0];
    builder.func("fill", [I32, I32, I32], [], [], fill);
    builder.func("read", [I32], [I64], [], [...local.get(0), 0x29, 0, 0]);
    const calls: Call[] = [];
    for (const count of [0, 1, 2, 3, 4, 7, 16, 31]) {
      calls.push(call("fill", 32 + count, 0x1234 + count, count));
      for (let address = 24; address < 96; address += 8) calls.push(call("read", address));
    }
    compare(builder, calls);
  },
});

Deno.test({
  name: "globals keep i32 and i64 values between calls",
  ignore,
  fn: () => {
    const builder = new WasmBuilder();
    const word = builder.global(I32, -7);
    const wide = builder.global(I64, 0x123456789abcdefn);
    builder.func("swap32", [I32], [I32], [], [0x23, word, ...local.get(0), 0x24, word]);
    builder.func("swap64", [I64], [I64], [], [0x23, wide, ...local.get(0), 0x24, wide]);
    compare(builder, [
      ...[call("swap32", 5), call("swap32", 6), call("swap64", -1n), call("swap64", 3n)],
      ...[call("swap64", 0n), call("swap32", 0)],
    ]);
  },
});

Deno.test({
  name: "a load is not moved across a store or a call",
  ignore,
  fn: () => {
    const builder = new WasmBuilder();
    builder.memory(1);
    const store = [...constant(I32, 0), ...local.get(0), 0x36, 0, 0];
    const bump = builder.func("bump", [], [], [], [
      ...constant(I32, 0),
      ...constant(I32, 99),
      0x36,
      0,
      0,
    ]);
    const read = [...constant(I32, 0), 0x28, 0, 0];
    builder.func("store", [I32], [I32], [], [...read, ...store, ...read, 0x6b]);
    builder.func("call", [], [I32], [], [...read, 0x10, bump, ...read, 0x6b]);
    compare(builder, [call("store", 10), call("store", 25), call("call"), call("store", 1)]);
  },
});

Deno.test({
  name: "the checked mode traps on accesses outside the memory",
  ignore,
  fn: () => {
    const builder = new WasmBuilder();
    builder.memory(1);
    builder.func("load", [I32], [I32], [], [...local.get(0), 0x28, 0, 2]);
    builder.func("store", [I32], [], [], [...local.get(0), ...constant(I64, 1), 0x37, 0, 0]);
    builder.func("fill", [I32, I32], [], [], [
      ...[...local.get(0), ...constant(I32, 1), ...local.get(1), 0xfc, 11, 0],
    ]);
    const risky = (name: string, ...args: number[]): Call => ({ name, args, mayTrap: true });
    const calls = [
      ...[65530, 65531, 65535, 65536, -1, -2, 0x7fffffff].map((at) => risky("load", at)),
      ...[65528, 65529, -8, 0].map((at) => risky("store", at)),
      ...[risky("fill", 65536, 0), risky("fill", 65537, 0), risky("fill", 65530, 7)],
    ];
    const wasm = builder.build();
    const expected = callReference(wasm, calls);
    assert.ok(expected.includes(undefined));
    assert.deepEqual(callNative(wasm, calls, true), expected);
  },
});
