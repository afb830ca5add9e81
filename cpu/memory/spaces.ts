/**
 * The address spaces whose TLB tables are kept: those of the last values of CR3.
 *
 * A word is in a table only while a walk would give the same again (page_tables.ts sees to that), so a space that
 * is switched to again has its words at once, and a switch costs two pointers. Global pages need no rule of their
 * own. Tables are sparse: what was never filled was never touched, and to clear one costs what was filled.
 * To a page of RAM at most two linear pages have direct write words, so that they are found when stores to it are
 * to be seen.
 * Sources: SDM vol. 3A §4.10.2, §4.10.4 (what a processor may keep), state/layout.ts (words).
 * @module
 */
import * as L from "../state/layout.ts";
import type { Core } from "../execute/core.ts";

/** Words of a table, and of all tables of a space. */
const SPACE_WORDS: number = L.TLB_SPACE_BYTES >> 2;
const READ_SUPERVISOR: number = L.TLB_READ_SUPERVISOR >> 2;
const WRITE_SUPERVISOR: number = L.TLB_WRITE_SUPERVISOR >> 2;
const READ_USER: number = L.TLB_READ_USER >> 2;
const WRITE_USER: number = L.TLB_WRITE_USER >> 2;
/** Linear pages of a region: what one page of host memory has the words of. */
const REGION_PAGES = 1024;
const REGIONS = 1024;
/** Marks of a region: which tables have words, and that they may be pieces of a large page. */
const HAS = { READ: 1, WRITE: 2, READ_USER: 4, WRITE_USER: 8, LARGE: 16 } as const;
const POINTERS = 8;

/** What a page allows, of which the words are made. */
export interface PageWords {
  /** Addend for reads, or 0 where there are none (the low 12 bits of both are 0). */
  readonly read: number;
  readonly write: number;
  readonly user: boolean;
  /** Supervisor and user may write. */
  readonly supervisorWrites: boolean;
  readonly userWrites: boolean;
  readonly large: boolean;
  /** Stores are to be seen. */
  readonly seen: boolean;
}

/** TLB tables of several address spaces. */
export class AddressSpaces {
  readonly #i32: Int32Array;
  /** Keys: CR3, and PAE's pointers as they were loaded. */
  readonly #cr3 = new Int32Array(L.TLB_SPACES);
  readonly #pointers = new Int32Array(L.TLB_SPACES * POINTERS);
  readonly #valid = new Uint8Array(L.TLB_SPACES);
  /** When each was used last. */
  readonly #used = new Float64Array(L.TLB_SPACES);
  #clock = 0;
  #current = 0;
  /** {@link HAS} by space and region, and the regions that are marked. */
  readonly #marks = new Uint8Array(L.TLB_SPACES * REGIONS);
  readonly #marked: number[][] = Array.from({ length: L.TLB_SPACES }, () => []);
  /** By page of RAM: the linear pages (plus 1) that may have direct write words, 0 for none. */
  readonly #writer: Int32Array;
  readonly #otherWriter: Int32Array;
  /** Hears that a space was emptied. */
  onClear: (space: number) => void = () => {};

  constructor(core: Core) {
    this.#i32 = core.i32;
    const pages = core.ramBytes >>> 12;
    this.#writer = new Int32Array(pages);
    this.#otherWriter = new Int32Array(pages);
    this.#valid[0] = 1;
  }

  /** Number of the present space. */
  get current(): number {
    return this.#current;
  }

  // ---- switching ------------------------------------------------------------------------------------

  /** CR3 and PAE's pointers, if any, were loaded: makes their space the present one. */
  switchTo(cr3: number, extended: boolean): void {
    const space = this.#find(cr3);
    this.#used[space] = ++this.#clock;
    this.#current = space;
    const i32 = this.#i32;
    i32[L.TLB_SPACE >> 2] = space * L.TLB_SPACE_BYTES;
    if (!extended) return;
    // The table that CR3 names may have changed.
    const from = L.PDPTE >> 2;
    const to = space * POINTERS;
    const pointers = this.#pointers;
    let same = true;
    for (let i = 0; i < POINTERS; i++) {
      const word = i32[from + i] as number;
      if (pointers[to + i] !== word) {
        pointers[to + i] = word;
        same = false;
      }
    }
    if (!same) this.clear(space);
  }
  #find(cr3: number): number {
    const keys = this.#cr3;
    let oldest = 0;
    for (let space = 0; space < L.TLB_SPACES; space++) {
      if (this.#valid[space] === 0) this.#used[space] = 0;
      else if (keys[space] === cr3) return space;
      if ((this.#used[space] as number) < (this.#used[oldest] as number)) oldest = space;
    }
    this.clear(oldest);
    this.#valid[oldest] = 1;
    keys[oldest] = cr3;
    return oldest;
  }
  /** Forgets all spaces: the rules of translation have changed. The present one stays in use. */
  clearAll(cr3: number): void {
    for (let space = 0; space < L.TLB_SPACES; space++) {
      if (this.#valid[space] === 1) this.clear(space);
      this.#valid[space] = 0;
    }
    const space = this.#current;
    this.#i32[L.TLB_SPACE >> 2] = space * L.TLB_SPACE_BYTES;
    this.#valid[space] = 1;
    this.#used[space] = ++this.#clock;
    this.#cr3[space] = cr3;
    this.#pointers.set(
      this.#i32.subarray(L.PDPTE >> 2, (L.PDPTE >> 2) + POINTERS),
      space * POINTERS,
    );
  }

  // ---- words ----------------------------------------------------------------------------------------

  /** Puts a page into the tables of the present space. `physical`: its page of RAM, where it can be written. */
  fill(page: number, physical: number, words: PageWords): void {
    const i32 = this.#i32;
    const base = this.#current * SPACE_WORDS + page;
    let marks = words.large ? HAS.LARGE : 0;
    if (words.read !== 0) {
      const word = words.read | L.TLB_DIRECT;
      i32[base + READ_SUPERVISOR] = word;
      marks |= HAS.READ;
      if (words.user) {
        i32[base + READ_USER] = word;
        marks |= HAS.READ_USER;
      }
    }
    if (words.supervisorWrites || words.userWrites) {
      const word = words.write | (words.seen ? L.TLB_SEEN : L.TLB_DIRECT);
      if (!words.seen) this.#addWriter(page, physical);
      if (words.supervisorWrites) {
        i32[base + WRITE_SUPERVISOR] = word;
        marks |= HAS.WRITE;
      }
      if (words.userWrites) {
        i32[base + WRITE_USER] = word;
        marks |= HAS.WRITE_USER;
      }
    }
    const region = this.#current * REGIONS + (page >>> 10);
    const had = this.#marks[region] as number;
    if ((had & marks) === marks) return;
    if (had === 0) (this.#marked[this.#current] as number[]).push(page >>> 10);
    this.#marks[region] = had | marks;
  }
  /** A page of RAM no longer has anyone who looks: the word of a page of the present space is direct from now on. */
  unsee(page: number, physical: number): void {
    this.#addWriter(page, physical);
    const i32 = this.#i32;
    const base = this.#current * SPACE_WORDS + page;
    for (const table of [WRITE_SUPERVISOR, WRITE_USER]) {
      const word = i32[base + table] as number;
      if (word & L.TLB_SEEN) i32[base + table] = word ^ (L.TLB_SEEN | L.TLB_DIRECT);
    }
  }
  /** Forgets a page of a space. */
  drop(space: number, page: number): void {
    const marks = this.#marks[space * REGIONS + (page >>> 10)] as number;
    if (marks === 0) return;
    const i32 = this.#i32;
    const base = space * SPACE_WORDS + page;
    if (marks & HAS.READ) i32[base + READ_SUPERVISOR] = 0;
    if (marks & HAS.WRITE) i32[base + WRITE_SUPERVISOR] = 0;
    if (marks & HAS.READ_USER) i32[base + READ_USER] = 0;
    if (marks & HAS.WRITE_USER) i32[base + WRITE_USER] = 0;
  }
  /** Forgets linear pages of a space, in pieces that do not cross a region unless they are whole ones. */
  dropRange(space: number, page: number, count: number): void {
    for (let at = page; at < page + count; at += REGION_PAGES) {
      const marks = this.#marks[space * REGIONS + (at >>> 10)] as number;
      if (marks !== 0) this.#zero(space, marks, at, Math.min(count, REGION_PAGES));
    }
  }
  #zero(space: number, marks: number, page: number, count: number): void {
    const i32 = this.#i32;
    const base = space * SPACE_WORDS + page;
    for (
      const [mark, table] of [
        [HAS.READ, READ_SUPERVISOR],
        [HAS.WRITE, WRITE_SUPERVISOR],
        [HAS.READ_USER, READ_USER],
        [HAS.WRITE_USER, WRITE_USER],
      ] as const
    ) if (marks & mark) i32.fill(0, base + table, base + table + count);
  }
  /** Forgets a space's pages. */
  clear(space: number): void {
    const marked = this.#marked[space] as number[];
    for (const region of marked) {
      const at = space * REGIONS + region;
      this.#zero(space, this.#marks[at] as number, region * REGION_PAGES, REGION_PAGES);
      this.#marks[at] = 0;
    }
    marked.length = 0;
    this.onClear(space);
  }
  /** INVLPG: forgets a page of the present space, of a large one all pieces. */
  invalidate(page: number): void {
    const space = this.#current;
    const large = (this.#marks[space * REGIONS + (page >>> 10)] as number) & HAS.LARGE;
    if (large === 0) this.drop(space, page);
    else this.dropRange(space, page & ~(REGION_PAGES - 1), REGION_PAGES);
  }

  // ---- who writes to a page of RAM --------------------------------------------------------------------

  #addWriter(page: number, physical: number): void {
    const key = page + 1;
    const writer = this.#writer[physical] as number;
    if (writer === key || this.#otherWriter[physical] === key) return;
    if (writer !== 0) {
      const other = this.#otherWriter[physical] as number;
      if (other !== 0) this.#eachWriteWord(other - 1, physical, 0);
      this.#otherWriter[physical] = writer;
    }
    this.#writer[physical] = key;
  }
  /** Direct write words of a linear page that lead to a page of RAM: to be seen from now on, or (0) dropped. */
  #eachWriteWord(page: number, physical: number, kind: number): void {
    const i32 = this.#i32;
    const direct = ((L.RAM_BASE + physical * 0x1000 - page * 0x1000) | 0) + L.TLB_DIRECT;
    const wanted = kind === 0 ? 0 : direct - L.TLB_DIRECT + kind;
    for (let space = 0; space < L.TLB_SPACES; space++) {
      const marks = this.#marks[space * REGIONS + (page >>> 10)] as number;
      const base = space * SPACE_WORDS + page;
      if (marks & HAS.WRITE && i32[base + WRITE_SUPERVISOR] === direct) {
        i32[base + WRITE_SUPERVISOR] = wanted;
      }
      if (marks & HAS.WRITE_USER && i32[base + WRITE_USER] === direct) {
        i32[base + WRITE_USER] = wanted;
      }
    }
  }
  /** Stores to a page of RAM are to be seen from now on. */
  see(physical: number): void {
    const writer = this.#writer[physical] as number;
    const other = this.#otherWriter[physical] as number;
    if (writer !== 0) this.#eachWriteWord(writer - 1, physical, L.TLB_SEEN);
    if (other !== 0) this.#eachWriteWord(other - 1, physical, L.TLB_SEEN);
    this.#writer[physical] = this.#otherWriter[physical] = 0;
  }
}
