/**
 * The symbol table that a kernel carries for its own backtraces.
 *
 * From `__symbols_start` to `__symbols_end`: one record of two 32-bit words a function, the address and
 * the address of its NUL-terminated name, sorted by address. The names follow.
 *
 * @module
 */

/** Bytes of the table for functions with these names. */
export function symbolTableSize(names: readonly string[]): number {
  const encoder = new TextEncoder();
  return names.reduce((sum, name) => sum + 8 + encoder.encode(name).length + 1, 0);
}

/** The table's bytes, to be loaded at `base`. */
export function symbolTableBytes(
  symbols: readonly { readonly name: string; readonly address: number }[],
  base: number,
): Uint8Array {
  const encoder = new TextEncoder();
  const bytes = new Uint8Array(symbolTableSize(symbols.map((symbol) => symbol.name)));
  const view = new DataView(bytes.buffer);
  const sorted = [...symbols].sort((a, b) => a.address - b.address || (a.name < b.name ? -1 : 1));
  let name = 8 * sorted.length;
  sorted.forEach((symbol, index) => {
    view.setUint32(8 * index, symbol.address, true);
    view.setUint32(8 * index + 4, base + name, true);
    const text = encoder.encode(symbol.name);
    bytes.set(text, name);
    name += text.length + 1;
  });
  return bytes;
}
