/**
 * A section while it is assembled: a list of pieces, some of which get their size only when all are known.
 *
 * @module
 */

import type { Fixup } from "./encode_text.ts";
import type { Sum } from "./expression.ts";

/** One piece of a section. */
export type Piece =
  | {
    readonly type: "bytes";
    readonly bytes: readonly number[];
    readonly fixups: readonly Fixup[];
    readonly line: number;
  }
  | {
    readonly type: "branch";
    readonly short: readonly number[];
    readonly long: readonly number[];
    readonly target: Sum;
    readonly line: number;
    isLong: boolean;
  }
  | {
    readonly type: "align";
    readonly alignment: number;
    readonly fill: number | undefined;
    readonly limit: number;
  }
  | { readonly type: "space"; readonly count: number; readonly fill: number }
  | { readonly type: "label"; readonly name: string };

/** A section under construction. */
export class SectionBuilder {
  readonly name: string;
  readonly pieces: Piece[] = [];
  alignment = 1;

  constructor(name: string) {
    this.name = name;
  }

  /** True where padding must be executable. */
  get isCode(): boolean {
    return this.name.startsWith(".text") || this.name.startsWith(".boot");
  }

  /** True where there are no bytes in the file. */
  get isZero(): boolean {
    return this.name.startsWith(".bss");
  }

  /** Offsets of all pieces, and of the end, with the branch sizes as they are now. */
  offsets(): number[] {
    const offsets: number[] = [];
    let offset = 0;
    for (const piece of this.pieces) {
      offsets.push(offset);
      offset += pieceSize(piece, offset);
    }
    offsets.push(offset);
    return offsets;
  }
}

/** Bytes that a piece takes at `offset`. */
export function pieceSize(piece: Piece, offset: number): number {
  switch (piece.type) {
    case "bytes":
      return piece.bytes.length;
    case "branch":
      return piece.isLong ? piece.long.length + 4 : piece.short.length + 1;
    case "align": {
      const padding = -offset & (piece.alignment - 1);
      return padding > piece.limit ? 0 : padding;
    }
    case "space":
      return piece.count;
    case "label":
      return 0;
  }
}

/** Fillers that do nothing, by length (GNU as, `f32_patt` of gas/config/tc-i386.c). */
const NOPS: readonly (readonly number[])[] = [
  [],
  [0x90],
  [0x66, 0x90],
  [0x8d, 0x76, 0x00],
  [0x8d, 0x74, 0x26, 0x00],
  [0x8d, 0x74, 0x26, 0x00, 0x90],
  [0x8d, 0xb6, 0x00, 0x00, 0x00, 0x00],
  [0x8d, 0xb4, 0x26, 0x00, 0x00, 0x00, 0x00],
];
const LONGEST_NOP = 7;
/** More than this many whole fillers are jumped over. */
const NOP_LIMIT = 2;
const SHORT_JUMP_LIMIT = 127;

/** `count` bytes of executable padding, the same that GNU as chooses for a generic i386. */
export function codePadding(count: number): number[] {
  const bytes: number[] = [];
  if (Math.floor(count / LONGEST_NOP) > NOP_LIMIT) {
    if (count - 2 <= SHORT_JUMP_LIMIT) {
      count -= 2;
      bytes.push(0xeb, count);
    } else {
      count -= 5;
      bytes.push(0xe9, count & 0xff, count >> 8 & 0xff, count >> 16 & 0xff, count >>> 24);
    }
  }
  while (count > 0) {
    const length = Math.min(count, LONGEST_NOP);
    bytes.push(...NOPS[length] as readonly number[]);
    count -= length;
  }
  return bytes;
}
