/**
 * Pages of RAM that walks have read as page tables, and what is in the TLB because of them.
 *
 * What the TLB holds is always what a walk would find now: a page that a walk has used as a table gets no direct
 * write word, so each store to it comes here first, by whichever linear page, and so do devices' stores. An entry
 * that no walk can have used (not present, or A clear) may change freely; behind any other the TLB forgets what came
 * from it. So neither CR3 loads nor INVLPG have anything to forget.
 * Tables that are written again and again without that are given up: the TLB forgets all that came from them, and
 * they are plain memory until the next walk.
 * Sources: SDM vol. 3A §4.3, §4.4 (tables), §4.8 (A and D), §4.10.4 (what a processor may keep).
 * @module
 */
import * as L from "../state/layout.ts";
import type { Core } from "../execute/core.ts";
import type { AddressSpaces } from "./spaces.ts";

/** PRESENT and ACCESSED: a walk may have used the entry. */
const WALKED = 0x21;
const PAGE_SIZE = 0x80;
const CR4_PAE = 0x20;
/** Stores to entries that nobody used, after which a table is given up. */
const PATIENCE = 128;
/** Roles of one page (places in linear space, levels) that are told apart. */
const MAX_ROLES = 4;
/** Room for pages of a space that are no tables any more. */
const COMPACT = 1024;
/** Role of a table of 4 KiB pages: the first linear page above these bits; of a directory the same with bit 0. */
const ROLE_SHIFT = 2;
const LEAF = 2;
const DIRECTORY = 3;

/** The role of a table of 4 KiB pages whose first entry is for a linear page. */
export function leafRole(firstPage: number): number {
  return (firstPage << ROLE_SHIFT) | LEAF;
}
/** The role of a directory whose first entry is for a linear page. */
export function directoryRole(firstPage: number): number {
  return (firstPage << ROLE_SHIFT) | DIRECTORY;
}

/** Keeps the TLB true to the page tables. */
export class PageTables {
  readonly #core: Core;
  readonly #spaces: AddressSpaces;
  /** By page of RAM: the spaces (bits) with words that came from it. */
  readonly #users: Int32Array;
  /** Its first role; the others are below. */
  readonly #role: Int32Array;
  readonly #roles = new Map<number, number[]>();
  /** Stores to it that concerned nobody. */
  readonly #idle: Uint8Array;
  /** By space: pages that have its bit, or had. */
  readonly #ofSpace: number[][] = Array.from({ length: L.TLB_SPACES }, () => []);
  /** Length of that list at which it is cleaned. */
  readonly #compactAt = new Int32Array(L.TLB_SPACES).fill(COMPACT);

  constructor(core: Core, spaces: AddressSpaces) {
    this.#core = core;
    this.#spaces = spaces;
    const pages = core.ramBytes >>> 12;
    this.#users = new Int32Array(pages);
    this.#role = new Int32Array(pages);
    this.#idle = new Uint8Array(pages);
    spaces.onClear = (space) => this.#cleared(space);
  }

  /** True when the page of RAM is a table that the TLB depends on. */
  has(page: number): boolean {
    return this.#users[page] !== 0;
  }

  /** Wasm lets stores beside code be, but for those to tables. */
  #setUsers(page: number, users: number): void {
    const { i32 } = this.#core;
    this.#users[page] = users;
    const at = (L.CODE_MAPS >> 2) + page;
    const map = (i32[at] as number) & ~L.CODE_MAP_TABLES;
    i32[at] = users === 0 ? map : map | L.CODE_MAP_TABLES;
  }
  /** A walk in the present space has used a page of RAM in a role. */
  used(page: number, role: number): void {
    const space = this.#spaces.current;
    const bit = 1 << space;
    const users = this.#users[page] as number;
    if (users & bit && this.#role[page] === role) return;
    if (users === 0) {
      this.#role[page] = role;
      this.#idle[page] = 0;
      this.#spaces.see(page);
    } else if (this.#role[page] !== role) {
      let roles = this.#roles.get(page);
      if (roles === undefined) {
        roles = [];
        this.#roles.set(page, roles);
      }
      if (!roles.includes(role) && roles.length < MAX_ROLES) roles.push(role);
    }
    if (users & bit) return;
    this.#setUsers(page, users | bit);
    const pages = this.#ofSpace[space] as number[];
    if (pages.push(page) >= (this.#compactAt[space] as number)) this.#compact(space);
  }
  /** Pages that were given up and used again are in the list more than once. */
  #compact(space: number): void {
    const live = [...new Set(this.#ofSpace[space])].filter((page) =>
      ((this.#users[page] as number) & (1 << space)) !== 0
    );
    this.#ofSpace[space] = live;
    this.#compactAt[space] = 2 * live.length + COMPACT;
  }

  /** Bytes of a page of RAM that {@link has} are about to change; they do not cross its end. */
  change(physical: number, bytes: number): void {
    const page = physical >>> 12;
    const { i32 } = this.#core;
    const shift = this.#extended() ? 3 : 2;
    const first = (physical & 0xfff) >>> shift;
    const last = ((physical & 0xfff) + bytes - 1) >>> shift;
    let idle = true;
    for (let entry = first; entry <= last; entry++) {
      const old = i32[(L.RAM_BASE + page * 0x1000 + (entry << shift)) >>> 2] as number;
      if ((old & WALKED) !== WALKED) continue;
      idle = false;
      this.#forget(page, entry, old);
    }
    if (!idle) return;
    const count = (this.#idle[page] as number) + 1;
    this.#idle[page] = count;
    if (count >= PATIENCE) this.giveUp(page);
  }
  #extended(): boolean {
    return (this.#core.cr4 & CR4_PAE) !== 0;
  }

  /** The TLB forgets what came from an entry. */
  #forget(page: number, entry: number, old: number): void {
    const users = this.#users[page] as number;
    const roles = this.#roles.get(page);
    if (roles !== undefined && roles.length >= MAX_ROLES) {
      this.#clearSpaces(users);
      return;
    }
    this.#forgetAs(this.#role[page] as number, users, entry, old);
    if (roles !== undefined) { for (const role of roles) this.#forgetAs(role, users, entry, old); }
  }
  #forgetAs(role: number, users: number, entry: number, old: number): void {
    const spaces = this.#spaces;
    const first = role >>> ROLE_SHIFT;
    if ((role & DIRECTORY) === LEAF) {
      for (let space = 0; users >>> space !== 0; space++) {
        if (users >>> space & 1) spaces.drop(space, first + entry);
      }
      return;
    }
    const count = this.#extended() ? 512 : 1024;
    const start = first + entry * count;
    for (let space = 0; users >>> space !== 0; space++) {
      if (users >>> space & 1) spaces.dropRange(space, start, count);
    }
    if ((old & PAGE_SIZE) === 0) this.#release(old >>> 12, leafRole(start), users);
  }
  /** A table is no longer reached from the directory of some spaces. */
  #release(page: number, role: number, spaces: number): void {
    if (page >= this.#users.length || this.#role[page] !== role || this.#roles.has(page)) return;
    this.#setUsers(page, (this.#users[page] as number) & ~spaces);
  }
  #clearSpaces(users: number): void {
    for (let space = 0; users >>> space !== 0; space++) {
      if (users >>> space & 1) this.#spaces.clear(space);
    }
  }

  /** The TLB forgets all that came from a table, which is plain memory from now on. */
  giveUp(page: number): void {
    const users = this.#users[page] as number;
    const roles = this.#roles.get(page) ?? [];
    if (roles.length >= MAX_ROLES) this.#clearSpaces(users);
    else {
      const entries = this.#extended() ? 512 : 1024;
      for (const role of [this.#role[page] as number, ...roles]) {
        const count = (role & DIRECTORY) === LEAF ? entries : entries * entries;
        for (let space = 0; users >>> space !== 0; space++) {
          if (users >>> space & 1) this.#spaces.dropRange(space, role >>> ROLE_SHIFT, count);
        }
      }
    }
    this.#setUsers(page, 0);
    this.#roles.delete(page);
  }
  #cleared(space: number): void {
    const pages = this.#ofSpace[space] as number[];
    for (const page of pages) {
      const users = (this.#users[page] as number) & ~(1 << space);
      this.#setUsers(page, users);
      if (users === 0) this.#roles.delete(page);
    }
    pages.length = 0;
  }
}
