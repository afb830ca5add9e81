/**
 * Symbol tables of ELF files, looked up by address and by name.
 *
 * @module
 */
import type { SymbolAt } from "../api/mod.ts";

/** A function or object with an address range. */
export interface SymbolRange {
  /** The name, as the symbol table spells it. */
  readonly name: string;
  /** Linear address of the first byte. */
  readonly address: number;
  /** Bytes; 0 where the file does not say: then it reaches to the next symbol. */
  readonly size: number;
}

/** Symbols of one file. */
export class SymbolTable {
  /** What names the file in stacks: `kernel`, `/bin/bash`. */
  readonly image: string;
  readonly #sorted: readonly SymbolRange[];
  readonly #byName: Map<string, number>;
  readonly #ranges: readonly { readonly start: number; readonly end: number }[];

  /**
   * The symbols of a file.
   *
   * @param image the file's name
   * @param functions what addresses resolve to
   * @param objects what only names resolve to
   * @param ranges the executable parts of the file in memory, end exclusive
   */
  constructor(
    image: string,
    functions: readonly SymbolRange[],
    objects: readonly SymbolRange[],
    ranges: readonly { readonly start: number; readonly end: number }[],
  ) {
    this.image = image;
    // Of several names of one address the one that covers most is kept: a label has no size.
    const best = new Map<number, SymbolRange>();
    for (const symbol of functions) {
      const present = best.get(symbol.address);
      if (present === undefined || symbol.size > present.size) best.set(symbol.address, symbol);
    }
    this.#sorted = [...best.values()].sort((a, b) => a.address - b.address);
    this.#byName = new Map([...objects, ...functions].map(({ name, address }) => [name, address]));
    this.#ranges = ranges;
  }

  /** Whether the address lies in an executable part of the file. */
  covers(address: number): boolean {
    return this.#ranges.some(({ start, end }) => address >= start && address < end);
  }

  /** The function that covers the address. */
  at(address: number): SymbolAt | undefined {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]!.address <= address) low = middle + 1;
      else high = middle;
    }
    const symbol = this.#sorted[low - 1];
    if (symbol === undefined || !this.covers(address)) return undefined;
    const offset = address - symbol.address;
    if (symbol.size !== 0 && offset >= symbol.size) return undefined;
    return { name: symbol.name, offset, image: this.image };
  }

  /** The address of a symbol. */
  find(name: string): number | undefined {
    return this.#byName.get(name);
  }
}
