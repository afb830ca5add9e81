/**
 * Lowers loads, stores and block operations (core specification §4.4.7).
 *
 * Addresses are final, up to the memory base, so an access is one instruction. In the checked mode it traps
 * outside the memory, as Wasm demands.
 *
 * @module
 */

import type { GraphBuilder } from "./graph_builder.ts";
import { pushSigned } from "./integer.ts";
import { FIRST_STORE, MEMORY_ACCESSES, readMemoryArgument } from "./opcodes.ts";
import { binary, compare, constant, load, symbol, type Tree, type Width } from "./tree.ts";
import { I32 } from "./wasm_module.ts";
import type { WasmReader } from "./wasm_reader.ts";

/** What lowering of memory accesses depends on. */
export interface MemoryOptions {
  /** Added to every address. */
  readonly memoryBase: number;
  /** Whether accesses outside the memory trap. */
  readonly checked: boolean;
}

/** Lowers the memory instructions of one function. */
export class MemoryLowering {
  #builder: GraphBuilder;
  #reader: WasmReader;
  #options: MemoryOptions;

  constructor(builder: GraphBuilder, reader: WasmReader, options: MemoryOptions) {
    this.#builder = builder;
    this.#reader = reader;
    this.#options = options;
  }

  /** The address operand and its offset, with the checked mode's test for `bytes` bytes. */
  #address(offset: number, bytes: number): { address: Tree; displacement: number } {
    const builder = this.#builder;
    let address = builder.pop32();
    if (this.#options.checked) {
      address = builder.keep(address);
      if (offset + bytes > 0x7fffffff) {
        builder.trapIf(compare("e", constant(0), constant(0)));
        return { address, displacement: 0 };
      }
      const size = load(32, false, symbol("$memory_bytes"), 0);
      const last = builder.force(binary("sub", size, constant(offset + bytes)));
      builder.trapIf(compare("l", last, constant(0)));
      builder.trapIf(compare("a", address, last));
    }
    const displacement = offset + this.#options.memoryBase;
    if (
      address.kind === "binary" && address.operator === "add" && address.right.kind === "constant"
    ) {
      return {
        address: address.left,
        displacement: (displacement + address.right.value) | 0,
      };
    }
    return { address, displacement: displacement | 0 };
  }

  /** Lowers a load or store. */
  access(opcode: number): void {
    const access = MEMORY_ACCESSES[opcode];
    if (access === undefined) return;
    const [type, bits, signed] = access;
    const offset = readMemoryArgument(this.#reader);
    if (opcode >= FIRST_STORE) this.#store(bits, offset);
    else this.#load(type, bits, signed, offset);
  }

  #load(type: number, bits: 8 | 16 | 32 | 64, signed: boolean, offset: number): void {
    const builder = this.#builder;
    const { address, displacement } = this.#address(offset, bits / 8);
    if (bits === 64) {
      const base = builder.force(address);
      const high = load(32, false, base, displacement + 4);
      builder.push64(load(32, false, base, displacement), high);
      return;
    }
    const word = load(bits, signed, address, displacement);
    if (type === I32) builder.push32(word);
    else if (signed) pushSigned(builder, word);
    else builder.push64(word, constant(0));
  }

  #store(bits: 8 | 16 | 32 | 64, offset: number): void {
    const builder = this.#builder;
    const { low, high } = builder.pop();
    const { checked } = this.#options;
    const lowWord = checked ? builder.keep(low) : low;
    const keepsHigh = high !== undefined && (checked || high.readsMemory);
    const highWord = keepsHigh ? builder.keep(high) : high;
    const { address, displacement } = this.#address(offset, bits / 8);
    builder.keepLoads();
    if (bits !== 64 || highWord === undefined) {
      builder.store(bits as Width, address, displacement, lowWord);
      return;
    }
    const base = builder.force(address);
    builder.store(32, base, displacement, lowWord);
    builder.store(32, base, displacement + 4, highWord);
  }

  /** Lowers `memory.copy` or `memory.fill`. */
  block(copies: boolean): void {
    const builder = this.#builder;
    const reader = this.#reader;
    reader.u8();
    if (copies) reader.u8();
    let count = builder.pop32();
    let source = builder.pop32();
    let destination = builder.pop32();
    builder.keepLoads();
    if (this.#options.checked) {
      [destination, source, count] = [
        builder.keep(destination),
        builder.keep(source),
        builder.keep(count),
      ];
      const size = builder.keep(load(32, false, symbol("$memory_bytes"), 0));
      builder.trapIf(compare("a", count, size));
      builder.trapIf(compare("a", destination, binary("sub", size, count)));
      if (copies) builder.trapIf(compare("a", source, binary("sub", size, count)));
    }
    const base = constant(this.#options.memoryBase);
    const args = [
      binary("add", destination, base),
      copies ? binary("add", source, base) : source,
      count,
    ];
    builder.call(copies ? "__memmove" : "__memset", [I32, I32, I32], args, 0);
  }
}
