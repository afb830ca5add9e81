/**
 * Physical region descriptor tables: a request's memory, cut where the bus master wants it cut.
 *
 * @module
 */
import { PRD_BOUNDARY, PRD_ENTRIES, PRD_LAST } from "./ata.ts";

/** A piece of physical memory of a request. */
/*@unmanaged*/
export class Segment {
  physical: u32;
  bytes: u32;
}

/** Bytes of one `Segment` in an array. */
export const SEGMENT_SIZE: u32 = 8;

/** Where a request stands in its segments. */
/*@unmanaged*/
export class SegmentCursor {
  segments: usize;
  count: u32;
  index: u32;
  offset: u32;
}

/** Bytes at the cursor up to the end of its segment; 0 at the end of all. */
export function segmentRoom(c: SegmentCursor): u32 {
  if (c.index >= c.count) return 0;
  return load<u32>(c.segments + c.index * SEGMENT_SIZE, 4) - c.offset;
}

/** Physical address at the cursor. */
export function segmentAddress(c: SegmentCursor): u32 {
  return load<u32>(c.segments + c.index * SEGMENT_SIZE) + c.offset;
}

/** Moves on by `bytes`, which may not pass the end of the segment. */
export function segmentAdvance(c: SegmentCursor, bytes: u32): void {
  c.offset += bytes;
  while (c.index < c.count && segmentRoom(c) === 0) {
    c.index++;
    c.offset = 0;
  }
}

/**
 * Fills `table` with descriptors for at most `bytes` from the cursor, which moves on. No region
 * crosses 64 KiB (a length field of 0 means 64 KiB); the last one is marked. Returns the bytes
 * described, rounded down to whole sectors when the table is full.
 */
export function prdFill(table: usize, cursor: SegmentCursor, bytes: u32): u32 {
  let done: u32 = 0;
  let n: u32 = 0;
  while (done < bytes && n < PRD_ENTRIES) {
    let piece = segmentRoom(cursor);
    if (piece === 0) break;
    const address = segmentAddress(cursor);
    const inside = PRD_BOUNDARY - (address & (PRD_BOUNDARY - 1));
    if (piece > inside) piece = inside;
    if (piece > bytes - done) piece = bytes - done;
    // Neighbours in memory share a descriptor.
    const last = table + ((n - 1) << 3);
    if (
      n > 0 && load<u32>(last) + load<u32>(last, 4) === address &&
      (address & (PRD_BOUNDARY - 1)) !== 0
    ) {
      store<u32>(last, load<u32>(last, 4) + piece, 4);
    } else {
      store<u32>(table + (n << 3), address);
      store<u32>(table + (n << 3), piece, 4);
      n++;
    }
    done += piece;
    segmentAdvance(cursor, piece);
  }
  for (let i: u32 = 0; i < n; i++) {
    const entry = table + (i << 3);
    const length = load<u32>(entry, 4) & 0xffff;
    store<u32>(entry, i + 1 === n ? length | PRD_LAST : length, 4);
  }
  return done;
}
