/**
 * Generates random valid Wasm modules with integer code for the differential test.
 *
 * Every module is a function of its seed alone. Code always terminates: loops count down, calls go
 * only to functions with a lower index. Divisors may be zero, so calls may trap.
 *
 * @module
 */

import {
  constant,
  I32,
  I64,
  local,
  signed,
  unsigned,
  type ValueType,
  WasmBuilder,
} from "./wasm_builder.ts";
import type { Call } from "./native.ts";

/** xorshift32 (Marsaglia 2003). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed, 0x9e3779b1) >>> 0 || 1;
  }

  /** 0 … limit - 1. */
  below(limit: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state % limit;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

const INTERESTING = [0, 1, -1, 2, 3, 5, 7, 8, 10, 24, 31, 32, 63, 64, 127, 128, 255, 256, 65535]
  .concat([0x7fffffff, -0x80000000, 1000003, 641, -7]);

const BINARY_OFFSETS = [0, 1, 2, 7, 8, 9, 10, 11, 12, 13, 14]; // without division
const DIVISION_OFFSETS = [3, 4, 5, 6];
const MEMORY_MASK = 1023;
const EXPRESSION_BUDGET = 150;
const COUNTERS = 3;
const NO_RESULT = 0x40;

interface Signature {
  readonly params: readonly ValueType[];
  readonly result: ValueType;
}

/** A module and calls of its functions. */
export interface Generated {
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly calls: readonly Call[];
}

/** The module of a seed. */
export function generateModule(seed: number): Generated {
  return new Generator(seed).run();
}

class Generator {
  #random: Random;
  #builder = new WasmBuilder();
  #functions: Signature[] = [];
  #locals: ValueType[] = [];
  #firstCounter = 0;
  #countersUsed = 0;
  #budget = 0;
  #globals: Readonly<Record<ValueType, number>>;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#globals = { [I32]: 0, [I64]: 1 } as Record<ValueType, number>;
  }

  run(): Generated {
    const random = this.#random;
    this.#builder.memory(1);
    this.#builder.global(I32, 7);
    this.#builder.global(I64, 9);
    this.#builder.data(0, Array.from({ length: 64 }, () => random.below(256)));
    const count = 2 + random.below(5);
    for (let i = 0; i < count; i++) this.#function(i);
    this.#builder.table(this.#functions.map((_, index) => index));
    const calls = Array.from({ length: 12 }, () => {
      const index = random.below(count);
      const { params } = this.#functions[index] as Signature;
      return { name: `f${index}`, args: params.map((type) => this.#value(type)), mayTrap: false };
    });
    calls.push({ name: "checksum", args: [], mayTrap: false });
    this.#checksum();
    return { wasm: this.#builder.build(), calls };
  }

  /** A function that hashes the memory that the others can reach, so that stores are compared too. */
  #checksum(): void {
    const [hash, address] = [0, 1];
    this.#builder.func("checksum", [], [I32], [I32, I32], [
      ...[0x03, NO_RESULT, ...local.get(hash), ...constant(I32, 31), 0x6c],
      ...[...local.get(address), 0x28, 2, 0, 0x6a, ...local.set(hash)],
      ...[...local.get(address), ...constant(I32, 4), 0x6a, ...local.tee(address)],
      ...[...constant(I32, 2 * (MEMORY_MASK + 1)), 0x49, 0x0d, 0, 0x0b, ...local.get(hash)],
    ]);
  }

  #type(): ValueType {
    return this.#random.pick([I32, I64]);
  }

  #value(type: ValueType): number | bigint {
    const random = this.#random;
    const small = random.below(2) === 0 ? random.pick(INTERESTING) : random.below(0xffffffff) | 0;
    if (type === I32) return small;
    if (random.below(3) > 0) return BigInt(small);
    return BigInt.asIntN(64, BigInt(small) << 32n | BigInt(random.below(0xffffffff)));
  }

  #function(index: number): void {
    const random = this.#random;
    const params = Array.from({ length: random.below(6) }, () => this.#type());
    const result = this.#type();
    const own = Array.from({ length: 1 + random.below(8) }, () => this.#type());
    const counters = Array.from({ length: COUNTERS }, () => I32 as ValueType);
    this.#locals = [...params, ...own];
    this.#firstCounter = this.#locals.length;
    this.#countersUsed = 0;
    this.#budget = EXPRESSION_BUDGET;
    const code: number[] = [];
    for (let i = random.below(5) + 1; i > 0; i--) code.push(...this.#statement(3));
    code.push(...this.#expression(result, 5));
    this.#builder.func(`f${index}`, params, [result], [...own, ...counters], code);
    this.#functions.push({ params, result });
  }

  #localOf(type: ValueType): number | undefined {
    const fitting = this.#locals.flatMap((other, index) => other === type ? [index] : []);
    return fitting.length === 0 ? undefined : this.#random.pick(fitting);
  }

  #leaf(type: ValueType): number[] {
    const index = this.#localOf(type);
    if (index !== undefined && this.#random.below(4) > 0) return local.get(index);
    return constant(type, this.#value(type));
  }

  #address(depth: number): number[] {
    return [...this.#expression(I32, depth), ...constant(I32, MEMORY_MASK), 0x71];
  }

  #memoryArgument(): number[] {
    return [0, ...unsigned(this.#random.below(64))];
  }

  /** Code that leaves a value of `type`. */
  #expression(type: ValueType, depth: number): number[] {
    this.#budget--;
    if (depth <= 0 || this.#budget < 0) return this.#leaf(type);
    const random = this.#random;
    const sub = (other: ValueType): number[] => this.#expression(other, depth - 1);
    const base = type === I32 ? 0x6a : 0x7c;
    switch (random.below(18)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return [...sub(type), ...sub(type), base + random.pick(BINARY_OFFSETS)];
      case 4: {
        if (type === I64) return [...sub(I32), random.pick([0xac, 0xad])];
        const compared = this.#type();
        const first = compared === I32 ? 0x46 : 0x51;
        return [...sub(compared), ...sub(compared), first + random.below(10)];
      }
      case 5:
        if (type === I32) return [...sub(I64), 0xa7];
        return [...sub(I64), random.pick([0x79, 0x7a, 0x7b, 0xc2, 0xc3, 0xc4])];
      case 6:
        if (type === I32) return [...sub(I32), random.pick([0x67, 0x68, 0x69, 0x45, 0xc0, 0xc1])];
        return [
          ...this.#address(depth - 1),
          0x29 + random.pick([0, 7, 8, 9, 10, 11, 12]),
          ...this.#memoryArgument(),
        ];
      case 7: {
        const opcode = type === I32 ? random.pick([0x28, 0x2c, 0x2d, 0x2e, 0x2f]) : 0x29;
        return [...this.#address(depth - 1), opcode, ...this.#memoryArgument()];
      }
      case 8:
        return [...sub(type), ...sub(type), ...sub(I32), 0x1b];
      case 9:
        return [
          ...sub(I32),
          0x04,
          type,
          ...this.#statement(1),
          ...sub(type),
          0x05,
          ...this.#statement(1),
          ...sub(type),
          0x0b,
        ];
      case 10: {
        const index = this.#localOf(type);
        return index === undefined ? sub(type) : [...sub(type), ...local.tee(index)];
      }
      case 11:
        return this.#call(type, depth);
      case 12: {
        const divisor = random.below(2) === 0
          ? constant(type, random.pick([1, 2, 3, 5, 7, 10, 16, 100, 641, 1000003, -1, -3]))
          : [...sub(type), ...constant(type, random.pick([0, 1, 1, 1])), base + 8];
        return [...sub(type), ...divisor, base + random.pick(DIVISION_OFFSETS)];
      }
      case 13:
        // block … br_if with a value
        return [
          0x02,
          type,
          ...sub(type),
          ...sub(I32),
          0x0d,
          0,
          0x1a,
          ...this.#statement(1),
          ...sub(type),
          0x0b,
        ];
      case 14:
        return this.#multiValue(type, depth);
      default:
        return [0x23, this.#globals[type] as number];
    }
  }

  /** A block with two results, and a loop with a parameter. */
  #multiValue(type: ValueType, depth: number): number[] {
    const random = this.#random;
    const sub = (other: ValueType): number[] => this.#expression(other, depth - 1);
    const add = type === I32 ? 0x6a : 0x7c;
    if (random.below(2) === 0) {
      const block = this.#builder.type([], [type, type]);
      return [
        0x02,
        ...signed(BigInt(block)),
        ...sub(type),
        ...sub(type),
        ...sub(I32),
        0x0d,
        0,
        0x0b,
        random.pick([add, add + 1]),
      ];
    }
    if (this.#countersUsed >= COUNTERS) return sub(type);
    const counter = this.#firstCounter + this.#countersUsed++;
    const loop = this.#builder.type([type], [type]);
    return [
      ...[...constant(I32, 1 + random.below(5)), ...local.set(counter)],
      ...[
        ...sub(type),
        0x03,
        ...signed(BigInt(loop)),
        ...this.#leaf(type),
        random.pick([add, add + 1]),
      ],
      ...[...local.get(counter), ...constant(I32, 1), 0x6b, ...local.tee(counter), 0x0d, 0, 0x0b],
    ];
  }

  #call(type: ValueType, depth: number): number[] {
    const random = this.#random;
    const fitting = this.#functions.flatMap(({ result }, i) => result === type ? [i] : []);
    if (fitting.length === 0) return this.#expression(type, depth - 1);
    const index = random.pick(fitting);
    const { params, result } = this.#functions[index] as Signature;
    const args = params.flatMap((param) => this.#expression(param, depth - 2));
    if (random.below(2) === 0) return [...args, 0x10, ...unsigned(index)];
    const signature = this.#builder.type(params, [result]);
    return [...args, ...constant(I32, index), 0x11, ...unsigned(signature), 0];
  }

  /** Code that leaves nothing. */
  #statement(depth: number): number[] {
    if (depth <= 0 || this.#budget < 0) return [];
    const random = this.#random;
    const inner = (): number[] => this.#statement(depth - 1);
    switch (random.below(10)) {
      case 0:
      case 1:
      case 2: {
        const index = random.below(this.#locals.length);
        return [...this.#expression(this.#locals[index] as ValueType, 4), ...local.set(index)];
      }
      case 3: {
        const type = this.#type();
        const opcode = type === I32
          ? random.pick([0x36, 0x3a, 0x3b])
          : random.pick([0x37, 0x3c, 0x3d, 0x3e]);
        return [
          ...this.#address(2),
          ...this.#expression(type, 3),
          opcode,
          ...this.#memoryArgument(),
        ];
      }
      case 4:
        return [
          ...this.#expression(I32, 3),
          0x04,
          NO_RESULT,
          ...inner(),
          ...inner(),
          0x05,
          ...inner(),
          0x0b,
        ];
      case 5: {
        if (this.#countersUsed >= COUNTERS) return [];
        const counter = this.#firstCounter + this.#countersUsed++;
        return [
          ...[...constant(I32, 1 + random.below(6)), ...local.set(counter)],
          ...[0x02, NO_RESULT, 0x03, NO_RESULT, ...inner(), ...this.#expression(I32, 2), 0x0d, 1],
          ...[...inner(), ...local.get(counter), ...constant(I32, 1), 0x6b, ...local.tee(counter)],
          ...[0x0d, 0, 0x0b, 0x0b],
        ];
      }
      case 6: {
        const type = this.#type();
        return [...this.#expression(type, 3), 0x24, this.#globals[type] as number];
      }
      case 7: {
        const copy = random.below(2) === 0;
        const length = [...this.#expression(I32, 1), ...constant(I32, 63), 0x71];
        return [
          ...this.#address(2),
          ...(copy ? this.#address(2) : this.#expression(I32, 2)),
          ...length,
          ...(copy ? [0xfc, 10, 0, 0] : [0xfc, 11, 0]),
        ];
      }
      default:
        return [
          ...[0x02, NO_RESULT, 0x02, NO_RESULT, 0x02, NO_RESULT],
          ...[...this.#expression(I32, 2), ...constant(I32, 7), 0x70],
          ...[0x0e, 4, 0, 1, 2, 1, 0, 0x0b, ...inner(), 0x0b, ...inner(), 0x0b],
        ];
    }
  }
}
