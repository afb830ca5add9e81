/**
 * Agent expressions: the byte code that gdb makes of a breakpoint's condition, so that it is looked at where the machine
 * runs and not over the wire.
 * Source: "Debugging with GDB", appendix F.1–F.2 (values are 64 bits here, as on gdb's own server).
 *
 * @module
 */

/** What an expression may look at. */
export interface AgentContext {
  /** A register by the client's number; undefined: there is none. */
  register(number: number): bigint | undefined;
  /** Bytes of memory; undefined where there are none. */
  memory(address: number, length: number): Uint8Array | undefined;
}

/** Thrown by what cannot be evaluated: an unknown operation, memory that is not there. */
export class AgentError extends Error {
  /** The class's name. */
  override name = "AgentError";
}

const OP = {
  ADD: 0x02,
  SUB: 0x03,
  MUL: 0x04,
  DIV_SIGNED: 0x05,
  DIV_UNSIGNED: 0x06,
  REM_SIGNED: 0x07,
  REM_UNSIGNED: 0x08,
  LSH: 0x09,
  RSH_SIGNED: 0x0a,
  RSH_UNSIGNED: 0x0b,
  LOG_NOT: 0x0e,
  BIT_AND: 0x0f,
  BIT_OR: 0x10,
  BIT_XOR: 0x11,
  BIT_NOT: 0x12,
  EQUAL: 0x13,
  LESS_SIGNED: 0x14,
  LESS_UNSIGNED: 0x15,
  EXT: 0x16,
  REF8: 0x17,
  REF16: 0x18,
  REF32: 0x19,
  REF64: 0x1a,
  IF_GOTO: 0x20,
  GOTO: 0x21,
  CONST8: 0x22,
  CONST16: 0x23,
  CONST32: 0x24,
  CONST64: 0x25,
  REG: 0x26,
  END: 0x27,
  DUP: 0x28,
  POP: 0x29,
  ZERO_EXT: 0x2a,
  SWAP: 0x2b,
  PICK: 0x32,
  ROT: 0x33,
} as const;

const signed = (value: bigint): bigint => BigInt.asIntN(64, value);
const truth = (value: boolean): bigint => value ? 1n : 0n;
function divisor(value: bigint): bigint {
  if (value === 0n) throw new AgentError("division by zero");
  return value;
}
const shift = (by: bigint): bigint => by > 63n ? 64n : by;

type Binary = (a: bigint, b: bigint) => bigint;
const BINARY: ReadonlyMap<number, Binary> = new Map<number, Binary>([
  [OP.ADD, (a, b) => a + b],
  [OP.SUB, (a, b) => a - b],
  [OP.MUL, (a, b) => a * b],
  [OP.DIV_SIGNED, (a, b) => signed(a) / signed(divisor(b))],
  [OP.DIV_UNSIGNED, (a, b) => a / divisor(b)],
  [OP.REM_SIGNED, (a, b) => signed(a) % signed(divisor(b))],
  [OP.REM_UNSIGNED, (a, b) => a % divisor(b)],
  [OP.LSH, (a, b) => a << shift(b)],
  [OP.RSH_SIGNED, (a, b) => signed(a) >> shift(b)],
  [OP.RSH_UNSIGNED, (a, b) => a >> shift(b)],
  [OP.BIT_AND, (a, b) => a & b],
  [OP.BIT_OR, (a, b) => a | b],
  [OP.BIT_XOR, (a, b) => a ^ b],
  [OP.EQUAL, (a, b) => truth(a === b)],
  [OP.LESS_SIGNED, (a, b) => truth(signed(a) < signed(b))],
  [OP.LESS_UNSIGNED, (a, b) => truth(a < b)],
]);
/** Bytes that follow a constant's or a reference's code, big-endian. */
const CONSTANTS: ReadonlyMap<number, number> = new Map([
  [OP.CONST8, 1],
  [OP.CONST16, 2],
  [OP.CONST32, 4],
  [OP.CONST64, 8],
]);
const REFERENCES: ReadonlyMap<number, number> = new Map([
  [OP.REF8, 1],
  [OP.REF16, 2],
  [OP.REF32, 4],
  [OP.REF64, 8],
]);
/** An expression that loops is given up. */
const MAX_STEPS = 100_000;
const ADDRESS_BITS = 32;

/**
 * The value of an expression, unsigned, 64 bits.
 *
 * @throws {AgentError} when it cannot be evaluated.
 */
export function evaluate(code: Uint8Array, context: AgentContext): bigint {
  const stack: bigint[] = [];
  let at = 0;
  const push = (value: bigint): void => void stack.push(BigInt.asUintN(64, value));
  const pop = (): bigint => {
    const value = stack.pop();
    if (value === undefined) throw new AgentError("the stack is empty");
    return value;
  };
  const take = (bytes: number): number => {
    let value = 0;
    for (let i = 0; i < bytes; i++) value = value * 256 + (code[at + i] ?? 0);
    at += bytes;
    return value;
  };
  const pick = (depth: number): bigint => {
    const value = stack[stack.length - 1 - depth];
    if (value === undefined) throw new AgentError("the stack is not that deep");
    return value;
  };
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    if (at >= code.length) throw new AgentError("the code has no end");
    const operation = take(1);
    const binary = BINARY.get(operation);
    const constant = CONSTANTS.get(operation);
    const reference = REFERENCES.get(operation);
    if (binary !== undefined) {
      const b = pop();
      push(binary(pop(), b));
    } else if (constant !== undefined) {
      push(constant === 8 ? (BigInt(take(4)) << 32n) | BigInt(take(4)) : BigInt(take(constant)));
    } else if (reference !== undefined) {
      const address = Number(BigInt.asUintN(ADDRESS_BITS, pop()));
      const bytes = context.memory(address, reference);
      if (bytes === undefined) throw new AgentError(`no memory at ${address.toString(16)}`);
      push(bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n));
    } else if (operation === OP.LOG_NOT) push(truth(pop() === 0n));
    else if (operation === OP.BIT_NOT) push(~pop());
    else if (operation === OP.EXT) push(BigInt.asIntN(take(1), pop()));
    else if (operation === OP.ZERO_EXT) push(BigInt.asUintN(take(1), pop()));
    else if (operation === OP.IF_GOTO) {
      const target = take(2);
      if (pop() !== 0n) at = target;
    } else if (operation === OP.GOTO) at = take(2);
    else if (operation === OP.REG) {
      const number = take(2);
      const value = context.register(number);
      if (value === undefined) throw new AgentError(`no register ${number}`);
      push(value);
    } else if (operation === OP.END) return pop();
    else if (operation === OP.DUP) push(pick(0));
    else if (operation === OP.POP) pop();
    else if (operation === OP.SWAP) stack.push(...stack.splice(-2).reverse());
    else if (operation === OP.PICK) push(pick(take(1)));
    else if (operation === OP.ROT) {
      // a b c → c a b
      const c = pop();
      stack.splice(Math.max(0, stack.length - 2), 0, c);
    } else throw new AgentError(`unknown operation ${operation.toString(16)}`);
  }
  throw new AgentError("the expression does not end");
}
