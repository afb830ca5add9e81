/**
 * Blocks and instructions as plugins see them at translation.
 *
 * @module
 */
import type { Cpu, MemoryEvent, TranslatedInstruction, TranslationBlock } from "../../cpu/mod.ts";
import type {
  Block,
  Filter,
  InlineOperation,
  Instruction,
  MemoryAccess,
  MemoryAccessKind,
  Symbols,
  U64,
  Vcpu,
} from "../api/mod.ts";
import { disassemble, type Disassembly } from "./disassembler.ts";
import { counterOf } from "./scoreboards.ts";

/** The one processor. */
export const VCPU: Vcpu = { index: 0 };

/** What hooks on code need of their plugin. */
export interface CodeOwner {
  readonly cpu: Cpu;
  readonly symbols: Symbols;
  /** Name of the device at a physical address. */
  device(physical: number): string | undefined;
  /** A callback that asks the filter first and whose mistakes are the plugin's; undefined: it is never called. */
  hooked<A extends unknown[]>(
    what: string,
    callback: (...values: A) => void,
    filter: Filter | undefined,
    address: number,
    /** Callbacks of this number at this address that want one event only and have had it are not installed again. */
    once: OnceHooks,
  ): ((...values: A) => void) | undefined;
}

/** Which callbacks that are called once have been, of one subscription: code may be translated many times. */
export interface OnceHooks {
  readonly done: Set<string>;
  /** The next callback's name. */
  key: () => string;
}

/** An access with what plugins ask of it beyond the processor's event. */
class Access implements MemoryAccess {
  readonly address: number;
  readonly physical: number;
  readonly size: number;
  readonly write: boolean;
  readonly value: number | bigint;
  readonly io: boolean;
  readonly signExtended: boolean;
  readonly bigEndian = false as const;
  readonly #owner: CodeOwner;

  constructor(event: MemoryEvent, signExtended: boolean, owner: CodeOwner) {
    this.address = event.address;
    this.physical = event.physical;
    this.size = event.size;
    this.write = event.write;
    this.value = event.value;
    this.io = event.io;
    this.signExtended = signExtended && !event.write;
    this.#owner = owner;
  }
  get sizeShift(): number {
    return Math.ceil(Math.log2(this.size));
  }
  get valueType(): MemoryAccess["valueType"] {
    return (["u8", "u16", "u32", "u64"] as const)[this.sizeShift] ?? "u128";
  }
  get device(): string {
    return this.io ? this.#owner.device(this.physical) ?? "" : "RAM";
  }
}

/** An access as plugins get it. */
export function memoryAccess(
  event: MemoryEvent,
  owner: CodeOwner,
  signExtended = false,
): MemoryAccess {
  return new Access(event, signExtended, owner);
}

/** A block. */
export class TranslatingBlock implements Block {
  readonly instructions: readonly Instruction[];
  readonly #block: TranslationBlock;

  constructor(
    block: TranslationBlock,
    owner: CodeOwner,
    done: Set<string>,
    wanted: ((address: number) => boolean) | undefined,
  ) {
    this.#block = block;
    const seen = wanted === undefined
      ? block.instructions
      : block.instructions.filter(({ address }) => wanted(address));
    this.instructions = seen.map((each) => new TranslatingInstruction(each, owner, done));
  }
  get address(): number {
    return this.instructions[0]?.address ?? this.#block.address;
  }
  get physical(): number {
    return this.instructions[0]?.physical ?? this.#block.physical;
  }
  onExecute(callback: (vcpu: Vcpu) => void, filter?: Filter): void {
    this.instructions[0]?.onExecute(callback, filter);
  }
  inline(operation: InlineOperation, entry: U64, value: number | bigint): void {
    this.instructions[0]?.inline(operation, entry, value);
  }
}

/** The opcode behind the prefixes (SDM vol. 2 §2.1.1): one byte, or 0Fxx. */
export function opcodeOf(bytes: Uint8Array): number {
  let at = 0;
  while (PREFIXES.has(bytes[at] as number)) at++;
  const first = bytes[at] as number;
  return first === 0x0f ? 0x0f00 | (bytes[at + 1] as number) : first;
}
const PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);
const MOVSX_BYTE = 0x0fbe;
const MOVSX_WORD = 0x0fbf;

class TranslatingInstruction implements Instruction {
  readonly #instruction: TranslatedInstruction;
  readonly #owner: CodeOwner;
  readonly #once: OnceHooks;
  #disassembly: Disassembly | undefined;

  constructor(instruction: TranslatedInstruction, owner: CodeOwner, done: Set<string>) {
    this.#instruction = instruction;
    this.#owner = owner;
    let number = 0;
    this.#once = { done, key: () => `${instruction.address}:${number++}` };
  }
  get address(): number {
    return this.#instruction.address;
  }
  get physical(): number {
    return this.#instruction.physical;
  }
  get size(): number {
    return this.#instruction.size;
  }
  bytes(): Uint8Array {
    return this.#instruction.bytes();
  }
  disassembly(): string {
    return this.#disassembled().text;
  }
  mnemonic(): string {
    return this.#disassembled().mnemonic;
  }
  symbol(): string | undefined {
    return this.#owner.symbols.at(this.address)?.name;
  }
  onExecute(callback: (vcpu: Vcpu) => void, filter?: Filter): void {
    const call = this.#owner.hooked("execution", callback, filter, this.address, this.#once);
    if (call !== undefined) this.#instruction.onExecute(() => call(VCPU));
  }
  inline(operation: InlineOperation, entry: U64, value: number | bigint): void {
    const counter = counterOf(entry);
    // Translated code has the addition of what fits 32 bits; the rest is done by a call.
    if (operation === "add" && BigInt(value) === BigInt(Number(value) | 0)) {
      this.#instruction.addInline(counter, Number(value));
    } else this.#instruction.onExecute(operate(operation, entry, value));
  }
  onMemory(
    callback: (access: MemoryAccess, vcpu: Vcpu) => void,
    kind?: MemoryAccessKind,
    filter?: Filter,
  ): void {
    const owner = this.#owner;
    const call = owner.hooked("memory", callback, filter, this.address, this.#once);
    if (call === undefined) return;
    const opcode = opcodeOf(this.bytes());
    const extended = opcode === MOVSX_BYTE || opcode === MOVSX_WORD;
    this.#instruction.onMemory(
      (event) => call(memoryAccess(event, owner, extended), VCPU),
      kind ?? "rw",
    );
  }
  inlineMemory(
    operation: InlineOperation,
    entry: U64,
    value: number | bigint,
    kind: MemoryAccessKind = "rw",
  ): void {
    this.#instruction.onMemory(operate(operation, entry, value), kind);
  }
  #disassembled(): Disassembly {
    return this.#disassembly ??= disassemble(
      this.bytes(),
      this.address,
      this.#owner.cpu.codeBits,
    );
  }
}

function operate(operation: InlineOperation, entry: U64, value: number | bigint): () => void {
  const counter = counterOf(entry);
  const amount = BigInt(value);
  return operation === "add" ? () => counter.value += amount : () => counter.value = amount;
}
