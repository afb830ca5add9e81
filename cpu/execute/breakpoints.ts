/**
 * The debug registers at work: breakpoints on code, data and ports, and the #DB traps that wait for the end of an
 * instruction; and watches, which tell somebody outside the guest of accesses to data in the same way.
 *
 * Nothing of this costs anything while DR7 enables nothing and nobody watches. A page with a data breakpoint or a watch
 * has no TLB entries, so that every access to it takes the slow path, which asks `access`. An instruction at the page
 * offset of a code breakpoint gets a hook record, which asks `codeHits`; whether the page is the right one is seen
 * there, since the same decoded code may run at several linear addresses.
 * Sources: SDM vol. 3A §17.2 (registers, Table 17-2), §17.3.1 (#DB), §6.8.3 (MOV SS).
 * @module
 */
import * as L from "../state/layout.ts";

/** Bits of DR6 beside B0–B3. */
export const DR6 = { BD: 0x2000, BS: 0x4000, BT: 0x8000 } as const;
/** General detect: MOV DR raises #DB; cleared when a handler of #DB is entered. */
export const DR7_GD = 0x2000;
const CR4_DE = 8;

/** R/W field of DR7. */
const KIND = { CODE: 0, WRITE: 1, PORT: 2, ACCESS: 3 } as const;

/** What the breakpoints need of the core. */
export interface DebuggedCore {
  readonly i32: Int32Array;
  readonly code: { flush(): void; stopAfterInstruction(): void };
  readonly memory: { flush(): void };
  setUnusual(reason: number, on: boolean): void;
}

interface Breakpoint {
  /** Its bit of DR6. */
  readonly bit: number;
  readonly kind: number;
  /** First and last address, unsigned. */
  readonly first: number;
  readonly last: number;
  readonly enabled: boolean;
}

/** Somebody outside the guest who hears of accesses to a range of data. */
export interface Watch {
  /** First and last linear address, unsigned. */
  readonly first: number;
  readonly last: number;
  /** Called behind a successful access that touches the range: its linear address, bytes and value. */
  readonly callback: (linear: number, size: 1 | 2 | 4, value: number, write: boolean) => void;
}

/** The four breakpoints and what they have found. */
export class Breakpoints {
  readonly #core: DebuggedCore;
  #code: readonly Breakpoint[] = [];
  #data: readonly Breakpoint[] = [];
  #ports: readonly Breakpoint[] = [];
  /** Offsets in their pages of the enabled code breakpoints. */
  codeOffsets: readonly number[] = [];
  /** Any breakpoint is enabled. */
  armed = false;
  readonly #watches = new Set<Watch>();
  /** Enabled breakpoints on data, and watches. */
  watching = 0;
  /** Bits of DR6 for the #DB trap that is due when the instruction has ended. */
  pending = 0;
  /** Behind MOV SS no breakpoint of the next instruction is looked at. */
  inhibited = false;
  /** The frames of events are no accesses of the program. */
  muted = false;

  constructor(core: DebuggedCore) {
    this.#core = core;
  }

  /** DR0–DR3, DR7 or CR4.DE changed. Ends with all code and translations forgotten that know the old ones. */
  refresh(): void {
    const { i32, code, memory } = this.#core;
    const dr = L.DR >> 2;
    const dr7 = i32[dr + 7] as number;
    if ((dr7 & 0xff) === 0 && !this.armed) return;
    const extensions = ((i32[L.CR4 >> 2] as number) & CR4_DE) !== 0;
    const all = [0, 1, 2, 3].map((n): Breakpoint => {
      const kind = (dr7 >>> (16 + 4 * n)) & 3;
      const size = [1, 2, 8, 4][(dr7 >>> (18 + 4 * n)) & 3] as number;
      const address = (i32[dr + n] as number) >>> 0;
      const first = kind === KIND.CODE ? address : address - address % size;
      const last = kind === KIND.CODE ? first : first + size - 1;
      return { bit: 1 << n, kind, first, last, enabled: (dr7 & (3 << (2 * n))) !== 0 };
    });
    const enabled = all.filter((one) => one.enabled);
    this.armed = enabled.length > 0;
    this.#core.setUnusual(L.UNUSUAL_FOR.BREAKPOINTS, this.armed);
    this.#ports = enabled.filter(({ kind }) => kind === KIND.PORT && extensions);
    const data = enabled.filter(({ kind }) => kind === KIND.WRITE || kind === KIND.ACCESS);
    const watched = places(this.#data) !== places(data);
    this.#data = data;
    this.#count();
    if (watched) memory.flush();
    const codes = enabled.filter(({ kind }) => kind === KIND.CODE);
    const hooked = places(this.#code.filter((one) => one.enabled)) !== places(codes);
    // B0–B3 also tell of breakpoints that are not enabled.
    this.#code = all.filter(({ kind }) => kind === KIND.CODE);
    this.codeOffsets = codes.map(({ first }) => first & 0xfff);
    if (hooked) code.flush();
  }

  #count(): void {
    this.watching = this.#data.length + this.#watches.size;
    this.#core.i32[L.WATCHING >> 2] = this.watching + this.#ports.length;
  }

  /** Begins to watch a range. */
  watch(watch: Watch): void {
    this.#watches.add(watch);
    this.#count();
    this.#core.memory.flush();
  }
  /** Ends it. */
  unwatch(watch: Watch): void {
    if (!this.#watches.delete(watch)) return;
    this.#count();
    this.#core.memory.flush();
  }

  /** Whether the page (linear address / 4096) has a breakpoint on data or a watch: no TLB entry for it. */
  watches(page: number): boolean {
    for (const { first, last } of this.#data) {
      if (first >>> 12 === page || last >>> 12 === page) return true;
    }
    for (const { first, last } of this.#watches) {
      if (first >>> 12 <= page && page <= last >>> 12) return true;
    }
    return false;
  }
  /** After a successful access of the program to data. */
  access(linear: number, size: 1 | 2 | 4, value: number, write: boolean): void {
    const first = linear >>> 0;
    const last = first + size - 1;
    this.#match(this.#data, first, last, write);
    for (const watch of this.#watches) {
      if (last >= watch.first && first <= watch.last) watch.callback(first, size, value, write);
    }
  }
  /** After an access to ports. */
  port(port: number, size: number): void {
    this.#match(this.#ports, port, port + size - 1, true);
  }
  #match(list: readonly Breakpoint[], first: number, last: number, write: boolean): void {
    if (this.muted) return;
    for (const one of list) {
      if (last < one.first || first > one.last || (one.kind === KIND.WRITE && !write)) continue;
      this.pending |= one.bit;
      this.#core.code.stopAfterInstruction();
    }
  }
  /** Bits of DR6 for an instruction at a linear address: 0 unless an enabled breakpoint is there. */
  codeHits(linear: number): number {
    const at = linear >>> 0;
    let bits = 0;
    let hit = false;
    for (const { first, bit, enabled } of this.#code) {
      if (first !== at) continue;
      bits |= bit;
      hit ||= enabled;
    }
    return hit && !this.inhibited ? bits : 0;
  }
}

/** Where breakpoints are, for comparison. */
function places(list: readonly Breakpoint[]): string {
  return list.map(({ first, last }) => `${first}-${last}`).sort().join();
}
