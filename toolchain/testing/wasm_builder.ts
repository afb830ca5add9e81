/**
 * Writes small Wasm modules for tests, instruction by instruction (WebAssembly core specification 2.0 §5).
 *
 * @module
 */

export const I32 = 0x7f;
export const I64 = 0x7e;
export const F64 = 0x7c;
export type ValueType = typeof I32 | typeof I64 | typeof F64;

/** Unsigned LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  do {
    const low = value & 0x7f;
    value >>>= 7;
    bytes.push(value === 0 ? low : low | 0x80);
  } while (value !== 0);
  return bytes;
}

/** Signed LEB128. */
export function signed(value: bigint): number[] {
  const bytes: number[] = [];
  for (;;) {
    const low = Number(value & 0x7fn);
    value >>= 7n;
    const done = (value === 0n && (low & 0x40) === 0) || (value === -1n && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

/** `i32.const` or `i64.const`. */
export function constant(type: ValueType, value: number | bigint): number[] {
  return type === I32
    ? [0x41, ...signed(BigInt.asIntN(32, BigInt(value)))]
    : [0x42, ...signed(BigInt.asIntN(64, BigInt(value)))];
}

/** `local.get`, `local.set`, `local.tee`. */
export const local = {
  get: (index: number): number[] => [0x20, ...unsigned(index)],
  set: (index: number): number[] => [0x21, ...unsigned(index)],
  tee: (index: number): number[] => [0x22, ...unsigned(index)],
};

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function section(id: number, content: readonly number[]): number[] {
  return content.length === 0 ? [] : [id, ...unsigned(content.length), ...content];
}

function name(text: string): number[] {
  const bytes = [...new TextEncoder().encode(text)];
  return [...unsigned(bytes.length), ...bytes];
}

/** A module under construction. Every function is exported by its name. */
export class WasmBuilder {
  #types: number[][] = [];
  #functions: { name: string; type: number; body: number[] }[] = [];
  #globals: number[][] = [];
  #table: number[] = [];
  #data: number[][] = [];
  #pages = 0;

  /** Index of a function type. */
  type(params: readonly ValueType[], results: readonly ValueType[]): number {
    const bytes = [0x60, ...vector(params.map((t) => [t])), ...vector(results.map((t) => [t]))];
    const found = this.#types.findIndex((other) => other.join() === bytes.join());
    return found >= 0 ? found : this.#types.push(bytes) - 1;
  }

  /** Adds a function and returns its index. `code` is without the final `end`. */
  func(
    exportName: string,
    params: readonly ValueType[],
    results: readonly ValueType[],
    locals: readonly ValueType[],
    code: readonly number[],
  ): number {
    const body = [...vector(locals.map((type) => [1, type])), ...code, 0x0b];
    return this.#functions.push({ name: exportName, type: this.type(params, results), body }) - 1;
  }

  memory(pages: number): void {
    this.#pages = pages;
  }

  global(type: ValueType, value: number | bigint): number {
    return this.#globals.push([type, 1, ...constant(type, value), 0x0b]) - 1;
  }

  /** Sets the function table's contents. */
  table(functions: readonly number[]): void {
    this.#table = [...functions];
  }

  data(offset: number, bytes: readonly number[]): void {
    this.#data.push([0, ...constant(I32, offset), 0x0b, ...unsigned(bytes.length), ...bytes]);
  }

  build(): Uint8Array<ArrayBuffer> {
    const functions = this.#functions;
    return Uint8Array.from([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, vector(this.#types)),
      ...section(3, vector(functions.map(({ type }) => unsigned(type)))),
      ...(this.#table.length === 0
        ? []
        : section(4, vector([[0x70, 0, ...unsigned(this.#table.length)]]))),
      ...(this.#pages === 0 ? [] : section(5, vector([[0, ...unsigned(this.#pages)]]))),
      ...section(6, this.#globals.length === 0 ? [] : vector(this.#globals)),
      ...section(
        7,
        vector(functions.map((f, index) => [...name(f.name), 0, ...unsigned(index)])),
      ),
      ...(this.#table.length === 0 ? [] : section(
        9,
        vector([[0, ...constant(I32, 0), 0x0b, ...vector(this.#table.map(unsigned))]]),
      )),
      ...section(10, vector(functions.map(({ body }) => [...unsigned(body.length), ...body]))),
      ...(this.#data.length === 0 ? [] : section(11, vector(this.#data))),
    ]);
  }
}
