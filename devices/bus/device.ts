/**
 * What every chip of the machine is: registers by offset, a reset input, and a state of named,
 * versioned fields that can be saved and put back.
 *
 * Rules: a chip knows no address, no interrupt controller and no CPU; offset, size and value come in,
 * an interrupt goes out on a {@link Wire}, time comes from the {@link Clock}. Nothing that a guest
 * writes makes a chip throw.
 *
 * @module
 */

/** Size of an access in bytes. */
export type Width = 1 | 2 | 4;

/** Registers that a bus reads and writes. */
export interface Registers {
  /** Reads `size` bytes at `offset` from the first register; unsigned. */
  read(offset: number, size: Width): number;
  /** Writes the low `size` bytes of `value` at `offset` from the first register. */
  write(offset: number, size: Width, value: number): void;
  /**
   * What many reads at `offset`, one after the other, would give, into `into` from `at` on, little-endian: up to
   * `count` of them, and only such that change nothing but what the next one gives (for a data port with a buffer:
   * all but the last, with which the buffer ends). Returns how many.
   */
  readBlock?(offset: number, size: Width, count: number, into: Uint8Array, at: number): number;
  /** The same for writes of what `from` has from `at` on. */
  writeBlock?(offset: number, size: Width, count: number, from: Uint8Array, at: number): number;
}

/** A saved state: plain data, which `JSON` can carry. */
export interface Saved {
  /** The chip's name. */
  readonly device: string;
  /** Version of the fields. */
  readonly version: number;
  /** The fields by name. */
  readonly fields: unknown;
}

/** A chip. */
export interface Device {
  /** The RESET input: registers get their power-on values; a battery keeps what it keeps. */
  reset(): void;
  /** The whole state. */
  save(): Saved;
  /**
   * Puts a saved state back.
   *
   * @throws {TypeError} when it is another chip's state, another version, or damaged.
   */
  restore(saved: Saved): void;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A deep copy of plain data: numbers, booleans, strings, null, arrays, records. */
export function copyFields<T>(value: T): T;
export function copyFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item: unknown): unknown => copyFields(item));
  if (!isRecord(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) copy[name] = copyFields(item);
  return copy;
}

/** Where `value` differs in kind from `pattern`: the path of the first such field. */
function difference(pattern: unknown, value: unknown, path: string): string | undefined {
  if (Array.isArray(pattern)) {
    if (!Array.isArray(value)) return path;
    const items: unknown[] = value;
    // Queues may have any length; an empty pattern is a queue of numbers.
    const item: unknown = pattern.length > 0 ? pattern[0] : 0;
    const at = items.findIndex((found) => difference(item, found, "") !== undefined);
    return at < 0 ? undefined : `${path}[${at}]`;
  }
  if (!isRecord(pattern)) {
    const same = pattern === null || value === null
      ? value === null || typeof value === "number"
      : typeof value === typeof pattern;
    return same ? undefined : path;
  }
  if (!isRecord(value)) return path;
  for (const name of new Set([...Object.keys(pattern), ...Object.keys(value)])) {
    if (!(name in pattern) || !(name in value)) return `${path}.${name}`;
    const found = difference(pattern[name], value[name], `${path}.${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A chip's fields as a saved state. */
export function saveFields(device: string, version: number, fields: unknown): Saved {
  return { device, version, fields: copyFields(fields) };
}

/**
 * The fields of a saved state, checked against the power-on fields: same names, same kinds.
 *
 * @throws {TypeError} when they do not fit.
 */
export function restoreFields<T>(
  device: string,
  version: number,
  pattern: T,
  saved: Saved,
): T {
  if (saved.device !== device || saved.version !== version) {
    throw new TypeError(
      `Cannot restore "${device}" version ${version}: the state is of "${saved.device}" version ${saved.version}`,
    );
  }
  const bad = difference(pattern, saved.fields, "fields");
  if (bad !== undefined) throw new TypeError(`Cannot restore "${device}": "${bad}" does not fit`);
  return copyFields(saved.fields) as T;
}
