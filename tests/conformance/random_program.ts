/**
 * Random programs for comparing engines: functions of loops, branches, calls of all kinds, and in them instructions of
 * the whole table and what engines get wrong: stores into code, missing pages, faults in the middle, devices,
 * single-stepping, breakpoints, page tables, other modes.
 *
 * A program is a list of parts; each may be left out, its label stays: that is how a failing one is made smaller.
 *
 * @module
 */
import { SIMD } from "../../cpu/isa/simd.ts";
import { SIMD_FLOAT } from "../../cpu/isa/simd_float.ts";
import { INTEGER } from "../../cpu/isa/table.ts";
import { X87 } from "../../cpu/isa/x87.ts";
import { type Pattern, pattern } from "../differential/generate.ts";
import type { Random } from "../differential/random.ts";
import { at, type Part, type Reference, to } from "./assembly.ts";
import * as S from "./random_system.ts";

type Code = (number | Reference)[];

/** Operations that pieces of their own make, or that would only lead out of the program. */
const LEFT_OUT =
  /^(j\.\d+|jmp.*|call.*|ret.*|int.*|iret|hlt|loop.*|jcxz|ins?|in|inDx|ins|outs|outDx|out|out|mov(To|From)\w+|lgdt|lidt|lldt|ltr|lmsw|wrmsr|rdpmc|clts|invd|wbinvd|invlpg|sys\w+|popSegment|loadFarPointer|enter|leave|popf|push.*|pop.*|(movs|cmps|stos|lods|scas)1?|ud|fldenv|frstor|fldcw|ldmxcsr|fxrstor|nop)$/;
const PATTERNS: readonly Pattern[] = [...INTEGER, ...X87, ...SIMD, ...SIMD_FLOAT].map(pattern)
  .filter(({ operation, operands }) =>
    !LEFT_OUT.test(operation) && !operands.some((one) => /^(O|A|J|I2|Iw)/.test(one))
  );
const INTEGERS = PATTERNS.slice(0, PATTERNS.findIndex(({ row }) => row === X87[0]));

const SLOTS = 12;
const NOT_ESP = [0, 1, 2, 3, 5, 6, 7] as const;

function dword(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}
function word(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff];
}

/** What a program is drawn from: some have more of one thing, some have none of it. */
export interface Taste {
  readonly stores: boolean;
  readonly pages: boolean;
  readonly system: boolean;
  readonly floats: boolean;
  readonly modes: boolean;
  readonly debug: boolean;
}

/** Makes one program. */
export class ProgramWriter {
  readonly #random: Random;
  readonly #taste: Taste;
  readonly #functions: readonly string[];
  readonly #placed = new Set<number>();
  #parts: Part[] = [];
  #labels = 0;
  #counters = 0;
  /** Labels of the present function, for jumps that make no sense. */
  #inside: string[] = [];
  #blobs: { label: string; bits: 16 | 32 }[] = [];

  constructor(random: Random, taste: Taste) {
    this.#random = random;
    this.#taste = taste;
    this.#functions = Array.from({ length: 8 }, (_, i) => `f${i}`);
  }

  write(): S.ProgramParts {
    const random = this.#random;
    this.#parts = S.mainLoop(this.#functions.length);
    for (const name of this.#functions) {
      this.#function(name);
      // Some functions go over page ends, some are far away.
      if (random.oneIn(3)) this.#add(...Array.from(random.bytes(random.below(400)), () => 0x90));
    }
    const code = this.#parts;
    const switched = [0, 1].map(() => {
      this.#parts = [];
      this.#inside = [];
      for (let i = 1 + random.below(6); i > 0; i--) this.#piece();
      this.#add(0xc3);
      return this.#parts;
    }) as [Part[], Part[]];
    this.#parts = code;
    for (const { label, bits } of this.#blobs) this.#blob(label, bits);
    // The slots that were not placed are somewhere in the data.
    const fallback = new Map(
      Array.from({ length: SLOTS }, (_, i) => [`s${i}`, S.DATA + 0x40 + 8 * i] as const),
    );
    return { code, switched, functions: this.#functions, fallback, data: random.bytes(0x3000) };
  }

  #label(): string {
    return `l${this.#labels++}`;
  }
  #add(...code: Code): void {
    this.#parts.push({ code });
  }
  #mark(label: string): void {
    this.#parts.push({ label, code: [] });
    this.#inside.push(label);
  }
  #slot(): string {
    return `s${this.#random.below(SLOTS)}`;
  }

  // ---- structure --------------------------------------------------------------------------------

  #function(name: string): void {
    const random = this.#random;
    this.#inside = [];
    this.#mark(name);
    this.#add(0x81, 0xfc, ...dword(S.STACK_LOW), 0x0f, 0x82, to(S.MAIN));
    if (random.oneIn(2)) this.#pointer();
    for (let i = 2 + random.below(5); i > 0; i--) this.#segment(2);
    // A tail call, RET with an operand, or RET.
    const end = random.below(8);
    if (end === 0) this.#add(0xe9, to(random.pick(this.#functions)));
    else if (end === 1) this.#add(0x6a, 1, 0xc2, ...word(4 * random.below(2)));
    else this.#add(0xc3);
  }

  #segment(depth: number): void {
    const random = this.#random;
    const kind = random.below(depth > 0 ? 16 : 7);
    switch (kind) {
      case 7:
      case 8:
      case 9:
        this.#loop(depth - 1);
        return;
      case 10:
      case 11:
        this.#branch(depth - 1);
        return;
      case 12:
      case 13:
        this.#call();
        return;
      case 14:
        this.#choice(depth - 1);
        return;
      case 15:
        this.#wildJump();
        return;
      default:
        for (let i = 1 + random.below(6); i > 0; i--) this.#piece();
    }
  }
  #body(depth: number): void {
    for (let i = 1 + this.#random.below(3); i > 0; i--) this.#segment(depth);
  }
  #condition(): number {
    return this.#random.below(16);
  }
  #loop(depth: number): void {
    const random = this.#random;
    const head = this.#label();
    const rounds = random.oneIn(4) ? 40 + random.below(60) : 2 + random.below(12);
    switch (random.below(3)) {
      case 0: {
        const counter = S.COUNTERS + 0x10 + 4 * (this.#counters++ % 200);
        this.#add(0xc7, 0x05, ...dword(counter), ...dword(rounds));
        this.#mark(head);
        this.#body(depth);
        this.#add(0xff, 0x0d, ...dword(counter), 0x0f, 0x85 + 10 * random.below(2), to(head));
        return;
      }
      case 1:
        this.#add(0xb9, ...dword(rounds));
        this.#mark(head);
        this.#add(0x51);
        this.#body(depth);
        this.#add(0x59, 0x49, 0x0f, 0x85, to(head));
        return;
      default:
        // LOOP, its flags from elsewhere; and a second way into the loop.
        this.#add(0xb9, ...dword(rounds));
        if (random.oneIn(3)) {
          const middle = this.#label();
          this.#add(0x0f, 0x80 | this.#condition(), to(middle));
          this.#mark(head);
          this.#piece();
          this.#mark(middle);
        } else this.#mark(head);
        for (let i = 1 + random.below(3); i > 0; i--) this.#quiet();
        this.#add(0x83, 0xe1, 0x3f, 0xe3, 9, random.pick([0xe0, 0xe1, 0xe2, 0xe2]), 2, 0xeb, 5);
        this.#add(0xe9, to(head), 0x90);
    }
  }
  #branch(depth: number): void {
    const random = this.#random;
    const [other, end] = [this.#label(), this.#label()];
    if (random.oneIn(2)) this.#quiet();
    this.#add(0x0f, 0x80 | this.#condition(), to(other));
    this.#body(depth);
    if (random.oneIn(2)) {
      this.#add(0xe9, to(end));
      this.#mark(other);
      this.#body(depth);
      this.#mark(end);
    } else this.#mark(other);
  }
  #call(): void {
    const random = this.#random;
    const target = random.pick(this.#functions);
    const behind = this.#label();
    switch (random.below(9)) {
      case 0:
      case 1:
      case 2:
        this.#add(0xe8, to(target));
        return;
      case 3:
        // Through the table, by a register.
        this.#add(0x83, 0xe0, 7, 0xff, 0x14, 0x85, ...dword(S.FUNCTIONS));
        return;
      case 4:
        this.#add(0xb8, at(target), 0xff, 0xd0);
        return;
      case 5:
        // A call that is none; a return that is a jump.
        this.#add(0xe8, to(behind));
        this.#mark(behind);
        this.#add(0x58);
        return;
      case 6:
        this.#add(0x68, at(behind), ...(random.oneIn(2) ? [0xc3] : [0xc2, 0, 0]));
        this.#mark(behind);
        return;
      case 7:
        // A return address on the stack, then a jump.
        this.#add(0x68, at(behind), 0xe9, to(target));
        this.#mark(behind);
        return;
      default:
        if (this.#taste.pages) this.#add(0xb8, ...dword(S.SWITCHED), 0xff, 0xd0);
        else this.#add(0xe8, to(target));
    }
  }
  #choice(depth: number): void {
    const random = this.#random;
    const cases = [this.#label(), this.#label(), this.#label(), this.#label()];
    const end = this.#label();
    const table = this.#label();
    this.#add(0x89, 0xc2, 0x83, 0xe2, 3, 0xff, 0x24, 0x95, at(table));
    this.#parts.push({ label: table, code: cases.map((one) => at(one)) });
    for (const one of cases) {
      this.#mark(one);
      if (random.oneIn(2)) this.#segment(depth > 0 ? depth - 1 : 0);
      else this.#piece();
      if (!random.oneIn(4)) this.#add(0xe9, to(end));
    }
    this.#mark(end);
  }
  /** Somewhere else in the function, now and then; or out of everything, like longjmp. */
  #wildJump(): void {
    const random = this.#random;
    const over = this.#label();
    const counter = S.COUNTERS + 0x340 + 4 * random.below(8);
    this.#add(0xff, 0x05, ...dword(counter), 0xf6, 0x05, ...dword(counter), 7);
    this.#add(0x0f, 0x85, to(over));
    if (random.oneIn(4)) this.#add(0xe9, to(S.MAIN));
    else this.#add(0xe9, to(random.pick(this.#inside)));
    this.#mark(over);
  }
  /** A function for far calls: of 16 bits, or of a segment with a base. */
  #blob(label: string, bits: 16 | 32): void {
    const random = this.#random;
    const head = this.#label();
    this.#parts.push({ label, code: [0x51] });
    this.#add(0xb9, ...(bits === 16 ? word(3 + random.below(20)) : dword(3 + random.below(20))));
    this.#mark(head);
    for (let i = 2 + random.below(6); i > 0; i--) {
      const code = this.#fromTable(random.oneIn(3) ? PATTERNS : INTEGERS);
      if (bits === 16 && code.length > 1) this.#add(0x66, 0x67, ...code);
      else this.#add(...code);
      if (bits === 16 && random.oneIn(2)) this.#add(random.pick([0x40, 0x43, 0x48, 0xf9, 0x4a]));
    }
    if (bits === 16) {
      this.#add(0x83, 0xe1, 0x1f, 0xe3, 5, 0x49, 0x0f, 0x85, { ...to(head), size: 2 });
      this.#add(0x59, 0x66, 0xcb);
    } else this.#add(0x83, 0xe1, 0x1f, 0xe3, 7, 0x49, 0x0f, 0x85, to(head), 0x59, 0xcb);
  }

  // ---- instructions -----------------------------------------------------------------------------

  #address(): number {
    const random = this.#random;
    const { pages } = this.#taste;
    switch (random.below(pages ? 14 : 5)) {
      case 4:
        return S.DATA + 0x1000 * random.below(3) + 0xff8 + random.below(8);
      case 5:
        return S.ABSENT + random.below(0xf80);
      case 6:
        return S.READ_ONLY + random.below(0xf80);
      case 7:
        return S.BUS + random.below(0xf80);
      case 8:
        return S.BUS - 6 + random.below(8);
      case 9:
        return S.ABSENT - 6 + random.below(8);
      case 10:
        return S.DATA_ALIAS + random.below(0xf80);
      default:
        return S.DATA + random.below(0x2f80);
    }
  }
  /** ESI, EDI or EBP gets an address. */
  #pointer(): void {
    const register = this.#random.pick([5, 6, 7]);
    this.#add(0xb8 | register, ...dword(this.#address() - 64));
  }
  /** ModRM and what follows it for a memory operand. */
  #memory(reg: number): number[] {
    const random = this.#random;
    const field = reg << 3;
    switch (random.below(6)) {
      case 0:
        return [field | 5, ...dword(this.#address())];
      case 1: {
        // Below the stack pointer, or what is on the stack, to be read.
        const displacement = random.oneIn(2) ? -4 * (1 + random.below(12)) : random.below(16) * 4;
        return [0x44 | field, 0x24, displacement & 0xff];
      }
      case 2:
        return [0x44 | field, random.pick([0x0e, 0x4e, 0x8f, 0x0d]), random.below(128)];
      case 3:
        return [0x80 | field | random.pick([5, 6, 7]), ...dword(random.below(0x400))];
      default:
        return [0x40 | field | random.pick([5, 6, 7]), random.below(128)];
    }
  }
  /** An instruction of the table with its operands. */
  #fromTable(patterns: readonly Pattern[]): number[] {
    const random = this.#random;
    const p = random.pick(patterns);
    const small = random.oneIn(8) && p.mandatory === 0;
    const prefixes = [...(small ? [0x66] : []), ...(p.mandatory ? [p.mandatory] : [])];
    const bytes = [...p.bytes];
    const general = p.operands.some((one) => /^[EGRZ]/.test(one));
    const register = (): number => general ? random.pick(NOT_ESP) : random.below(8);
    const immediate = (): number[] =>
      p.operands.flatMap((one) =>
        one === "Ib" || one === "Is"
          ? [...random.bytes(1)]
          : one === "Iz"
          ? small ? word(random.operand()) : dword(random.operand())
          : []
      );
    if (p.second >= 0) return [...prefixes, ...bytes, p.second | (p.plus ? random.below(8) : 0)];
    if (p.plus) {
      bytes.push((bytes.pop() as number) | register());
      return [...prefixes, ...bytes, ...immediate()];
    }
    const modrm = p.extension >= 0 || p.form !== "" ||
      p.operands.some((one) => /^[EGMPQVWSNUR]/.test(one));
    if (!modrm) return [...prefixes, ...bytes, ...immediate()];
    const reg = p.extension >= 0 ? p.extension : register();
    const inMemory = p.form === "m" || (p.form === "" && random.oneIn(2));
    // An instruction that writes [esp + n] would write over return addresses.
    let tail = inMemory ? this.#memory(reg) : [0xc0 | (reg << 3) | register()];
    if (inMemory && ((tail[0] as number) & 0xc7) === 0x44) {
      if (tail[1] === 0x24) tail = [tail[0] as number, 0x24, 0x80 | random.below(0x70)];
    }
    return [...prefixes, ...bytes, ...tail, ...immediate()];
  }
  /** Registers and flags only: keeps loops short. */
  #quiet(): void {
    const random = this.#random;
    const [a, b] = [random.pick(NOT_ESP), random.pick(NOT_ESP)];
    const modrm = 0xc0 | (a << 3) | b;
    switch (random.below(6)) {
      case 0:
        this.#add(random.pick([0x01, 0x11, 0x19, 0x29, 0x31, 0x39, 0x85, 0x21]), modrm);
        return;
      case 1:
        this.#add(random.pick([0x00, 0x10, 0x18, 0x28, 0x38, 0x84]), modrm);
        return;
      case 2:
        this.#add(random.pick([0x40, 0x48]) | a);
        return;
      case 3:
        this.#add(0xc1, 0xc0 | random.pick([0, 8, 16, 24, 32, 40, 56]) | b, random.below(34));
        return;
      case 4:
        this.#add(0x0f, 0x90 | this.#condition(), 0xc0 | random.below(8));
        return;
      default:
        this.#add(0x81, 0xc0 | random.below(8) << 3 | b, ...dword(random.operand()));
    }
  }

  #piece(): void {
    const random = this.#random;
    const { stores, pages, system, floats, modes, debug } = this.#taste;
    switch (random.below(24)) {
      case 0:
      case 1:
        this.#pointer();
        return;
      case 2:
      case 3:
      case 4:
      case 5:
        this.#add(...this.#fromTable(INTEGERS));
        return;
      case 6:
      case 7:
        if (floats) this.#add(...this.#fromTable(PATTERNS));
        else this.#add(...this.#fromTable(INTEGERS));
        return;
      case 8:
        this.#place();
        return;
      case 9:
      case 10:
        if (stores) this.#store();
        else this.#move();
        return;
      case 11:
        if (pages) this.#page();
        else this.#move();
        return;
      case 12:
        if (system) this.#system();
        else this.#move();
        return;
      case 13:
        if (modes) this.#mode();
        else this.#stack();
        return;
      case 14:
        if (debug) this.#debug();
        else this.#stack();
        return;
      case 15:
        this.#string();
        return;
      case 16:
        this.#stack();
        return;
      case 17:
      case 18:
      case 19:
        this.#move();
        return;
      default:
        this.#quiet();
    }
  }
  #move(): void {
    const random = this.#random;
    const op = random.pick([
      0x89,
      0x8b,
      0x8b,
      0x88,
      0x8a,
      0x01,
      0x03,
      0x29,
      0x2b,
      0x3b,
      0x31,
      0x0b,
    ]);
    const tail = this.#memory(random.pick(NOT_ESP));
    const writes = [0x89, 0x88, 0x01, 0x29, 0x31].includes(op);
    if (writes && tail[1] === 0x24) tail[2] = 0x80 | random.below(0x70);
    if (random.oneIn(8)) this.#add(0x66, op, ...tail);
    else this.#add(op, ...tail);
  }
  /** An instruction that others write over: add eax, imm32. */
  #place(): void {
    const random = this.#random;
    const slot = random.below(SLOTS);
    if (this.#placed.has(slot)) {
      this.#move();
      return;
    }
    this.#placed.add(slot);
    if (this.#placed.size === 1) this.#parts.push({ label: S.PATCHED, code: [] });
    this.#parts.push({
      label: `s${slot}`,
      code: [random.pick([0x05, 0x2d, 0x35]), ...dword(random.word())],
    });
  }
  #store(): void {
    const random = this.#random;
    const slot = this.#slot();
    const plus = (random.oneIn(3) ? S.CODE_ALIAS : 0) + 1 + random.below(4);
    switch (random.below(7)) {
      case 0:
        this.#add(0xfe, 0x05, at(slot, plus));
        return;
      case 1:
        this.#add(0x88, 0x05 | (random.below(4) << 3), at(slot, plus));
        return;
      case 2:
        this.#add(0x89, 0x05 | (random.pick(NOT_ESP) << 3), at(slot, plus - plus % 16 + 1));
        return;
      case 3:
        // Another operation.
        this.#add(
          0x80,
          0x35,
          at(slot),
          random.pick([0x28, 0x10, 0x38]),
          0x80,
          0x35,
          at(slot),
          0x08,
        );
        return;
      case 4:
        this.#add(0xbf, at(slot, plus), 0xb9, ...dword(random.below(4)), 0xf3, 0xaa);
        return;
      case 5:
        this.#add(0xf0, 0x0f, 0xc1, 0x05, at(slot, 1));
        return;
      default:
        // The opcode as it was: dropped, and the same again.
        this.#add(0x8a, 0x1d, at(slot), 0x88, 0x1d, at(slot));
    }
  }
  #page(): void {
    const random = this.#random;
    const page = random.pick([S.ABSENT, S.READ_ONLY, S.SWITCHED, S.DATA, S.DATA_ALIAS]) >>> 12;
    const entry = S.TABLE_ALIAS + 4 * page;
    const flush = (): void => {
      switch (random.below(5)) {
        case 0:
          this.#add(0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8);
          return;
        case 1:
          // Later, or never.
          return;
        default:
          this.#add(0x0f, 0x01, 0x3d, ...dword(page << 12));
      }
    };
    switch (random.below(4)) {
      case 0:
        this.#add(0x80, 0x35, ...dword(entry), page === S.READ_ONLY >>> 12 ? 2 : 1);
        break;
      case 1: {
        // The other frame of the two.
        const [one, other] = S.SWITCHED_FRAMES;
        this.#add(
          0x80,
          0x35,
          ...dword(S.TABLE_ALIAS + 4 * (S.SWITCHED >>> 12) + 1),
          (one ^ other) >> 8,
        );
        if (!random.oneIn(5)) this.#add(0x0f, 0x01, 0x3d, ...dword(S.SWITCHED));
        break;
      }
      case 2:
        this.#add(0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8);
        break;
      default:
        // Accessed and dirty bits away.
        this.#add(0x80, 0x25, ...dword(entry), 0x9f);
    }
    flush();
  }
  #system(): void {
    const random = this.#random;
    switch (random.below(14)) {
      case 0:
        this.#add(0xe4, random.below(16));
        return;
      case 1:
        this.#add(0x66, 0xba, ...word(0x20 + random.below(8)), random.pick([0xec, 0xed]));
        return;
      case 2:
        // A timer that interrupts after AL instructions.
        this.#add(0xb0, random.below(120), 0xe6, 0x10);
        return;
      case 3:
        this.#add(0xe7, 0x18);
        return;
      case 4:
        this.#add(random.oneIn(4) ? 0xfa : 0xfb);
        return;
      case 5:
        this.#add(0x9c, 0x81, 0x24, 0x24, ...dword(~0x27000), 0x9d);
        return;
      case 6:
        this.#add(0xcd, S.COUNT_VECTOR);
        return;
      case 7:
        this.#add(random.pick([0xcc, 0xce]));
        return;
      case 8:
        this.#add(0x0f, 0x31);
        return;
      case 9:
        this.#add(0x0f, 0xa2);
        return;
      case 10: {
        const behind = this.#label();
        this.#add(0x89, 0xe1, 0xba, at(behind), 0x0f, 0x34);
        this.#mark(behind);
        return;
      }
      case 11:
        this.#add(
          0x0f,
          0x20,
          0xc0,
          0x35,
          ...dword(random.oneIn(4) ? 8 : 0x10000),
          0x0f,
          0x22,
          0xc0,
        );
        return;
      case 12:
        // REP INSB, OUTSB.
        this.#add(0xbf, ...dword(this.#address()), 0x89, 0xfe, 0xb9, ...dword(random.below(6)));
        this.#add(0x66, 0xba, 0x20, 0, 0xf3, random.pick([0x6c, 0x6e]));
        return;
      default:
        this.#add(0xcd, random.oneIn(8) ? S.GIVE_UP_VECTOR : S.COUNT_VECTOR);
    }
  }
  #mode(): void {
    const random = this.#random;
    switch (random.below(6)) {
      case 0:
        this.#add(0xcd, S.USER_VECTOR);
        return;
      case 1:
      case 2: {
        const label = this.#label();
        this.#blobs.push({ label, bits: 16 });
        this.#add(0x9a, at(label), ...word(S.CODE16));
        return;
      }
      case 3: {
        const label = this.#label();
        this.#blobs.push({ label, bits: 32 });
        this.#add(0x9a, at(label, -S.BASED), ...word(S.CODE_BASED));
        return;
      }
      case 4: {
        // FS with base and limit, and what it reaches.
        this.#add(0xb8, ...dword(S.DATA_SMALL), 0x8e, 0xe0);
        this.#add(0xbe, ...dword(random.below(0x3010)), 0x64, 0x8b, 0x46, random.below(16));
        this.#pointer();
        return;
      }
      default:
        // DS is not flat for a while.
        this.#add(0xb8, ...dword(S.DATA_SMALL), 0x8e, 0xd8, 0xbe, ...dword(random.below(0x2000)));
        for (let i = 1 + random.below(3); i > 0; i--) {
          this.#add(
            random.pick([0x01, 0x03, 0x88, 0x8b]),
            0x46 | (random.below(4) << 3),
            random.below(128),
          );
        }
        this.#add(0xb8, ...dword(S.DATA3), 0x8e, 0xd8);
        this.#pointer();
    }
  }
  #debug(): void {
    const random = this.#random;
    switch (random.below(5)) {
      case 0:
      case 1:
        // Single-stepping; the handler ends it.
        this.#add(0x9c, 0x81, 0x0c, 0x24, ...dword(0x100), 0x9d);
        return;
      case 2:
        this.#add(0xb8, at(random.oneIn(2) ? random.pick(this.#functions) : this.#slot()));
        this.#add(0x0f, 0x23, 0xc0, 0xb8, ...dword(0x402), 0x0f, 0x23, 0xf8);
        return;
      case 3: {
        // Data: writes or all, 1, 2 or 4 bytes.
        const length = random.pick([0, 1, 3]);
        this.#add(0xb8, ...dword(this.#address() & ~length), 0x0f, 0x23, 0xc8);
        this.#add(
          0xb8,
          ...dword((length << 22) | (random.pick([1, 3]) << 20) | 0x408),
          0x0f,
          0x23,
          0xf8,
        );
        return;
      }
      default:
        this.#add(0x31, 0xc0, 0x0f, 0x23, 0xf8);
    }
  }
  #string(): void {
    const random = this.#random;
    const op = random.pick([0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xa6, 0xa7, 0xae, 0xaf, 0xad]);
    if (random.oneIn(3)) this.#add(random.pick([0xfc, 0xfc, 0xfd]));
    this.#add(0xbe, ...dword(this.#address()), 0xbf, ...dword(this.#address()));
    const count = random.oneIn(6) ? 0x300 + random.below(0x600) : random.below(20);
    this.#add(0xb9, ...dword(count));
    if (random.oneIn(4)) this.#add(op);
    else if (random.oneIn(6)) this.#add(random.pick([0xf2, 0xf3]), 0x66, op);
    else this.#add(random.pick([0xf2, 0xf3, 0xf3]), op);
    if (random.oneIn(2)) this.#add(0xfc);
  }
  #stack(): void {
    const random = this.#random;
    const [a, b] = [random.pick(NOT_ESP), random.pick(NOT_ESP)];
    switch (random.below(8)) {
      case 0:
        this.#add(0x50 | a, 0x58 | b);
        return;
      case 1:
        this.#add(0x60, 0x61);
        return;
      case 2:
        this.#add(0xc8, ...word(random.below(64)), random.below(3), 0xc9);
        return;
      case 3:
        this.#add(0x9c, 0x58 | a);
        return;
      case 4:
        this.#add(0x68, ...dword(random.operand()), 0x6a, random.below(256), 0x58 | a, 0x58 | b);
        return;
      case 5:
        this.#add(0xff, 0x30 | 6, 0x8f, 0x40 | 6, random.below(64));
        return;
      case 6:
        this.#add(0x66, 0x50 | a, 0x66, 0x58 | b);
        return;
      default:
        // Frames as compilers make them.
        this.#add(0x55, 0x89, 0xe5, 0x83, 0xec, 0x20, 0x89, 0x45, 0xfc, 0x03, 0x4d, 0xfc, 0xc9);
    }
  }
}
