/**
 * An emitter of ACPI machine language: each function gives the bytes of one construct, constructs nest
 * as in ASL. Only what the board's tables use.
 *
 * Sources: ACPI 6.4 §20.2 "AML Grammar Definition".
 *
 * @module
 */

/** Bytes of a construct. */
export type Aml = readonly number[];

const OP = {
  ZERO: 0x00,
  ONE: 0x01,
  NAME: 0x08,
  BYTE: 0x0a,
  WORD: 0x0b,
  DWORD: 0x0c,
  STRING: 0x0d,
  SCOPE: 0x10,
  BUFFER: 0x11,
  PACKAGE: 0x12,
  METHOD: 0x14,
  DUAL_NAME: 0x2e,
  MULTI_NAME: 0x2f,
  EXTENDED: 0x5b,
  ROOT: 0x5c,
  LOCAL0: 0x60,
  ARG0: 0x68,
  STORE: 0x70,
  AND: 0x7b,
  OR: 0x7d,
  CREATE_DWORD_FIELD: 0x8a,
  IF: 0xa0,
  ELSE: 0xa1,
  RETURN: 0xa4,
} as const;
const EXTENDED = { REGION: 0x80, FIELD: 0x81, DEVICE: 0x82, PROCESSOR: 0x83 } as const;

/** Little-endian bytes of `value`. */
export function littleEndian(value: number, size: 1 | 2 | 4 | 8): number[] {
  return Array.from({ length: size }, (_, i) => i < 4 ? (value >>> (8 * i)) & 0xff : 0);
}

/** §20.2.4: a length that counts its own bytes. */
function packageLength(content: number): number[] {
  if (content + 1 < 0x40) return [content + 1];
  // The first byte has four bits of the length and the number of bytes that follow.
  for (let more = 1; more <= 3; more++) {
    const length = content + 1 + more;
    if (length < 1 << (4 + 8 * more)) {
      return [(more << 6) | (length & 15), ...littleEndian(length >> 4, 4).slice(0, more)];
    }
  }
  throw new RangeError(`Cannot encode ${content} bytes: the longest AML package has 256 MiB`);
}

function sized(...parts: readonly Aml[]): number[] {
  const content = parts.flat();
  return [...packageLength(content.length), ...content];
}

function segment(name: string): number[] {
  if (!/^[A-Z_][A-Z0-9_]{0,3}$/.test(name)) throw new TypeError(`"${name}" is no ACPI name`);
  return [...name.padEnd(4, "_")].map((letter) => letter.charCodeAt(0));
}

/** §20.2.2: a name, a path of names with dots, from the root with a backslash. Also a reference to it. */
export function path(text: string): Aml {
  const root = text.startsWith("\\");
  const names = text.slice(root ? 1 : 0).split(".");
  const prefix = root ? [OP.ROOT] : [];
  const segments = names.flatMap(segment);
  if (names.length === 1) return [...prefix, ...segments];
  if (names.length === 2) return [...prefix, OP.DUAL_NAME, ...segments];
  return [...prefix, OP.MULTI_NAME, names.length, ...segments];
}

/** An integer, 0 to 2^32 − 1, in its shortest form. */
export function integer(value: number): Aml {
  if (value === 0) return [OP.ZERO];
  if (value === 1) return [OP.ONE];
  if (value < 0x100) return [OP.BYTE, value];
  if (value < 0x10000) return [OP.WORD, ...littleEndian(value, 2)];
  return [OP.DWORD, ...littleEndian(value, 4)];
}

/** A string of ASCII. */
export function string(text: string): Aml {
  return [OP.STRING, ...new TextEncoder().encode(text), 0];
}

/** §19.3.4 "EISAID": three letters and four hexadecimal digits, compressed. */
export function eisaId(id: string): Aml {
  const letter = (at: number): number => id.charCodeAt(at) - 0x40;
  const high = (letter(0) << 10) | (letter(1) << 5) | letter(2);
  const low = parseInt(id.slice(3), 16);
  return integer(
    ((high >> 8) | ((high & 0xff) << 8) | ((low >> 8) << 16) | ((low & 0xff) << 24)) >>> 0,
  );
}

/** `Scope (name) { … }` */
export function scope(name: string, ...body: readonly Aml[]): Aml {
  return [OP.SCOPE, ...sized(path(name), ...body)];
}

/** `Device (name) { … }` */
export function device(name: string, ...body: readonly Aml[]): Aml {
  return [OP.EXTENDED, EXTENDED.DEVICE, ...sized(path(name), ...body)];
}

/** `Processor (name, id, 0, 0) {}` */
export function processor(name: string, id: number): Aml {
  return [OP.EXTENDED, EXTENDED.PROCESSOR, ...sized(path(name), [id, 0, 0, 0, 0, 0])];
}

/** `Name (name, value)` */
export function name(at: string, value: Aml): Aml {
  return [OP.NAME, ...path(at), ...value];
}

/** `Method (name, args, Serialized) { … }` */
export function method(at: string, args: number, ...body: readonly Aml[]): Aml {
  return [OP.METHOD, ...sized(path(at), [args | 0x08], ...body)];
}

/** `Package () { … }` */
export function packageOf(...elements: readonly Aml[]): Aml {
  return [OP.PACKAGE, ...sized([elements.length], ...elements)];
}

/** `Buffer () { … }` */
export function buffer(bytes: readonly number[]): Aml {
  return [OP.BUFFER, ...sized(integer(bytes.length), bytes)];
}

/** `OperationRegion (name, PCI_Config, offset, length)` */
export function pciRegion(at: string, offset: number, length: number): Aml {
  const space = 2;
  return [
    OP.EXTENDED,
    EXTENDED.REGION,
    ...path(at),
    space,
    ...integer(offset),
    ...integer(length),
  ];
}

/** `Field (region, ByteAcc, NoLock, Preserve) { … }` of bytes with these names. */
export function byteFields(region: string, names: readonly string[]): Aml {
  const byteAccess = 1;
  return [
    OP.EXTENDED,
    EXTENDED.FIELD,
    ...sized(path(region), [byteAccess], ...names.map((field) => [...segment(field), 8])),
  ];
}

/** `ArgX` */
export function arg(index: number): Aml {
  return [OP.ARG0 + index];
}

/** `LocalX` */
export function local(index: number): Aml {
  return [OP.LOCAL0 + index];
}

/** `Store (value, target)` */
export function store(value: Aml, target: Aml): Aml {
  return [OP.STORE, ...value, ...target];
}

const NO_TARGET = [OP.ZERO];

/** `And (a, b, target)`; the target may be left out. */
export function and(a: Aml, b: Aml, target: Aml = NO_TARGET): Aml {
  return [OP.AND, ...a, ...b, ...target];
}

/** `Or (a, b, target)` */
export function or(a: Aml, b: Aml, target: Aml): Aml {
  return [OP.OR, ...a, ...b, ...target];
}

/** `CreateDWordField (buffer, byte, name)` */
export function createDwordField(source: Aml, byte: number, field: string): Aml {
  return [OP.CREATE_DWORD_FIELD, ...source, ...integer(byte), ...path(field)];
}

/** `If (condition) { … }` */
export function when(condition: Aml, ...body: readonly Aml[]): Aml {
  return [OP.IF, ...sized(condition, ...body)];
}

/** `Else { … }`, directly behind {@link when}. */
export function otherwise(...body: readonly Aml[]): Aml {
  return [OP.ELSE, ...sized(...body)];
}

/** `Return (value)` */
export function giveBack(value: Aml): Aml {
  return [OP.RETURN, ...value];
}

/** The call of a method. */
export function call(at: string, ...args: readonly Aml[]): Aml {
  return [...path(at), ...args.flat()];
}
