/**
 * Random systems: descriptor tables, gates, tasks and page tables of chance, under code that uses them at every
 * privilege level and in every mode. Whatever comes of it, it is an exception of the guest, and the same each time,
 * also when the run is cut into pieces.
 * @module
 */
import assert from "node:assert/strict";
import { Cpu } from "../../cpu/mod.ts";
import { Random } from "./random.ts";

const SYSTEMS = 400;
const INSTRUCTIONS = 1000;
const IMAGE_BYTES = 0x40000;
const BOOT = 0xf00;
const CODE = 0x1000;
const CODE_BYTES = 0x900;
const GDT = 0x2000;
const IDT = 0x3000;
const POINTERS = 0x2f00;
/** 64 places for a TSS or LDT. */
const TASKS = 0x5000;
const STACK = 0x9000;
const DIRECTORY = 0x30000;
const TABLE = 0x31000;
const SELECTORS = 32;

/** Access bytes: segments, TSSs of both layouts, LDT, gates of all types, some absent. */
// deno-fmt-ignore
const ACCESS = [
  0x9a, 0x9b, 0x92, 0x93, 0xfa, 0xf2, 0x9e, 0xfe, 0x96, 0x89, 0x8b, 0x81, 0x83, 0x82, 0x85, 0xe5, 0x8c, 0xec, 0x84,
  0xe4, 0xee, 0x8e, 0x8f, 0xe6, 0xe9, 0xe1, 0x12, 0x1a,
];
const GATES = [0x8e, 0xee, 0x8f, 0x86, 0xe6, 0x85, 0xe5, 0x8e, 0xee];
/** GDT entries 1 to 4: flat code and data at CPL 0 and 3. */
const FLAT = [0x9a, 0x92, 0xfa, 0xf2];

const dword = (value: number) => [
  value & 0xff,
  (value >>> 8) & 0xff,
  (value >>> 16) & 0xff,
  value >>> 24,
];
const push = (value: number) => [0x68, ...dword(value)];

/** A memory image and whether paging is on. */
class RandomSystem {
  readonly image = new Uint8Array(IMAGE_BYTES);
  readonly #view = new DataView(this.image.buffer);
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
    for (let at = 0; at < 0x20000; at += 4) {
      this.#put(at, random.word());
      if (random.oneIn(4)) this.#view.setUint16(at, this.#selector(), true);
    }
    this.#descriptors();
    for (let i = 0; i < 64; i++) this.#task(TASKS + 0x80 * i);
    for (let at = CODE; at < CODE + CODE_BYTES;) {
      const bytes = this.#instruction();
      this.image.set(bytes, at);
      at += bytes.length;
    }
    this.#put(DIRECTORY, TABLE | 7);
    for (let page = 0; page < 512; page++) {
      this.#put(TABLE + 4 * page, (page << 12) | (random.oneIn(30) ? random.below(8) : 7));
    }
    this.#boot(random.oneIn(2));
  }

  #put(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }
  #selector(): number {
    const random = this.#random;
    if (random.oneIn(20)) return random.below(0x10000);
    return random.below(SELECTORS) * 8 + (random.oneIn(3) ? 3 : 0) + (random.oneIn(15) ? 4 : 0);
  }
  #gate(at: number, access: number, selector: number): void {
    this.#put(at, (selector << 16) | (CODE + this.#random.below(0x800)));
    this.#put(at + 4, (access << 8) | this.#random.below(8));
  }
  #descriptors(): void {
    const random = this.#random;
    for (let i = 1; i < SELECTORS; i++) {
      const at = GDT + 8 * i;
      const access = FLAT[i - 1] ?? ACCESS[random.below(ACCESS.length)] as number;
      if ((access & 0x14) === 4) {
        this.#gate(at, access, this.#selector());
        continue;
      }
      const segment = (access & 0x10) !== 0;
      let base = TASKS + 0x80 * random.below(64);
      let limit = random.oneIn(4) ? random.below(0x100) : 0x67;
      if (segment) {
        base = i > FLAT.length && random.oneIn(3) ? random.below(16) << 12 : 0;
        limit = i > FLAT.length && random.oneIn(6) ? random.below(0x10000) : 0xfffff;
      }
      const flags = !segment ? 0 : i > FLAT.length && random.oneIn(4) ? random.below(16) : 0xc;
      this.#put(at, (limit & 0xffff) | (base << 16));
      this.#put(at + 4, (base >>> 16) | (access << 8) | (limit & 0xf0000) | (flags << 20));
    }
    // The first task, in TR.
    this.#put(GDT + 0x28, (TASKS << 16) | 0x67);
    this.#put(GDT + 0x2c, 0x8900);
    for (let vector = 0; vector < 64; vector++) {
      const access = GATES[random.below(GATES.length)] as number;
      this.#gate(IDT + 8 * vector, access, random.oneIn(6) ? this.#selector() : 8);
    }
    this.#put(POINTERS, (GDT << 16) | (8 * SELECTORS - 1));
    this.#put(POINTERS + 4, GDT >>> 16);
    this.#put(POINTERS + 8, (IDT << 16) | 0x1ff);
    this.#put(POINTERS + 12, IDT >>> 16);
  }
  /** A 32-bit TSS with mostly sensible fields. */
  #task(at: number): void {
    const random = this.#random;
    this.#put(at + 4, STACK);
    this.#put(at + 8, 0x10);
    this.#put(at + 0x1c, DIRECTORY);
    this.#put(at + 0x20, CODE + random.below(0x800));
    this.#put(at + 0x24, random.below(0x400000) & (random.oneIn(3) ? 0x3f7fd7 : 0x4ed7));
    this.#put(at + 0x38, STACK + random.below(0x1000));
    const [code, data] = random.oneIn(3) ? [0x1b, 0x23] : [8, 0x10];
    for (let i = 0; i < 6; i++) {
      this.#put(at + 0x48 + 4 * i, random.oneIn(6) ? this.#selector() : i === 1 ? code : data);
    }
    this.#put(at + 0x60, random.oneIn(3) ? this.#selector() : 0);
    this.#put(at + 0x64, 0x680000 | (random.oneIn(8) ? 1 : 0));
  }
  #far(opcode: number): number[] {
    const selector = this.#selector();
    return [opcode, ...dword(CODE + 256 * this.#random.below(8)), ...dword(selector).slice(0, 2)];
  }
  #instruction(): number[] {
    const random = this.#random;
    const selector = this.#selector();
    const load = [0x66, 0xb8, ...dword(selector).slice(0, 2)];
    switch (random.below(21)) {
      case 0:
        return this.#far(0xea);
      case 1:
        return this.#far(0x9a);
      case 2:
        return [[0xcf], [0xcb], [0x9d], [0x9c]][random.below(4)] as number[];
      case 3:
        return [0xcd, random.below(64)];
      case 4:
        return [...push(selector), ...push(CODE + random.below(0x800))];
      case 5:
        return [random.oneIn(2) ? 0xfa : 0xfb];
      case 6:
        return [...load, 0x8e, 0xc0 | (random.below(6) << 3)];
      case 7:
        return [...load, 0x0f, 0x00, 0xd0 | (random.below(2) << 3)];
      case 8:
        return push(random.below(0x400000));
      case 9:
        return [[0x0f, 0x0b], [0xf1], [0xcc], [0xce]][random.below(4)] as number[];
      case 10: // mov cr4, eax: VME and PVI
        return [0xb8, ...dword(random.below(4)), 0x0f, 0x22, 0xe0];
      case 11: { // IRETD with a frame that may enter virtual-8086 mode
        const flags = random.below(0x400000) | (random.oneIn(2) ? 0x20000 : 0);
        const frame = [selector, selector, selector, selector, selector, STACK, flags];
        const entry = [random.below(0x110), CODE >> 4 | random.below(2)];
        return [
          ...frame.flatMap(push),
          ...push(entry[1] as number),
          ...push(entry[0] as number),
          0xcf,
        ];
      }
      case 12: // mov [field of a TSS], selector
        return [0xc7, 0x05, ...dword(TASKS + 4 * random.below(0x800)), ...dword(selector)];
      case 13:
        return [[0xe6, 0x80], [0xf4], [0x66], [0x67]][random.below(4)] as number[];
      case 14: // CR0.PE off or on
        return [
          0x0f,
          0x20,
          0xc0,
          random.oneIn(2) ? 0x24 : 0x0c,
          random.below(256),
          0x0f,
          0x22,
          0xc0,
        ];
      case 16: { // a breakpoint, mostly where something happens
        const register = random.pick([0, 1, 2, 3, 7, 7]);
        const place = random.pick([CODE, TASKS, STACK - 0x800]) + random.below(0x800);
        const value = register === 7 ? random.word() & (random.oneIn(4) ? -1 : ~0x2000) : place;
        return [0xb8, ...dword(value), 0x0f, 0x23, 0xc0 | (register << 3)];
      }
      case 15:
        return [0x6a, random.below(128)];
      default:
        return [...random.bytes(1 + random.below(2))];
    }
  }
  /** LGDT, LIDT, LTR, paging, and into the code: CPL 0, CPL 3 or virtual-8086 mode. */
  #boot(paging: boolean): void {
    const bytes = [
      ...[0x0f, 0x01, 0x15, ...dword(POINTERS), 0x0f, 0x01, 0x1d, ...dword(POINTERS + 8)],
      ...[0x66, 0xb8, 0x28, 0, 0x0f, 0x00, 0xd8],
      ...[0xb8, ...dword(DIRECTORY), 0x0f, 0x22, 0xd8],
      ...[0x0f, 0x20, 0xc0, 0x0d, ...dword(paging ? 0x80000000 : 0), 0x0f, 0x22, 0xc0],
    ];
    const flags = 2 | this.#random.below(4) << 12;
    const user = [0x23, STACK, flags, 0x1b, CODE];
    const virtual = [0, 0, TASKS >> 4, 0, 0, STACK, flags | 0x20000, CODE >> 4, 0];
    const end = !this.#random.oneIn(3)
      ? [...this.#random.pick([user, virtual]).flatMap(push), 0xcf]
      : [0xe9, ...dword(CODE - (BOOT + bytes.length + 5))];
    this.image.set([...bytes, ...end], BOOT);
  }
}

function processor(translateAfter: number): Cpu {
  return new Cpu({
    translateAfter,
    ramBytes: 0x200000,
    bus: {
      readPort: () => 0xff,
      writePort: () => {},
      readMemory: () => 0xff,
      writeMemory: () => {},
      acknowledgeInterrupt: () => 0x20,
    },
  });
}
// deno-fmt-ignore
const STATE = [
  "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags", "cs", "ss", "ds", "es", "fs", "gs",
  "cs_base", "ss_base", "ds_base", "es_base", "cr0", "cr2", "cr3", "cr4", "cpl",
];

/** Runs a system in pieces of `slice` instructions; all that it left behind. */
function run(cpu: Cpu, image: Uint8Array, slice: number): { reason: string; state: string } {
  cpu.reset();
  cpu.memory.write(0, image);
  cpu.enterFlatProtectedMode({ eip: BOOT, esp: STACK - 0x800 });
  const start = cpu.instructions;
  let reason = "limit";
  while (reason === "limit" && cpu.instructions - start < INSTRUCTIONS) {
    reason = cpu.run(Math.min(slice, INSTRUCTIONS - (cpu.instructions - start)));
  }
  let sum = 7;
  for (const byte of cpu.memory.read(0, IMAGE_BYTES)) sum = (Math.imul(sum, 31) + byte) | 0;
  const registers = STATE.map((name) => cpu.registers.get(name).toString(16)).join(" ");
  return { reason, state: `${reason} ${cpu.instructions - start} ${sum} ${registers}` };
}

Deno.test("random systems raise guest exceptions only, and do the same whole, in pieces and translated", () => {
  const random = new Random(80386);
  // Each runs each system once, so that their time stamps are the same.
  const first = processor(0);
  const others = {
    "in pieces": processor(0),
    translated: processor(1),
    "translated, in pieces": processor(1),
  };
  const reasons = new Map<string, number>();
  const modes = { virtual: 0, real: 0, user: 0, tasks: 0 };
  for (let i = 0; i < SYSTEMS; i++) {
    const { image } = new RandomSystem(random);
    const { reason, state } = run(first, image, INSTRUCTIONS);
    const slice = 1 + random.below(40);
    for (const [how, cpu] of Object.entries(others)) {
      const other = run(cpu, image, how.includes("pieces") ? slice : INSTRUCTIONS);
      assert.equal(other.state, state, `system ${i}, ${how}`);
    }
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    const { registers } = first;
    const real = (registers.get("cr0") & 1) === 0;
    if (real) modes.real++;
    else if (registers.get("eflags") & 0x20000) modes.virtual++;
    else if (registers.get("cpl") === 3) modes.user++;
    if (registers.get("cr0") & 8) modes.tasks++;
  }
  // They got everywhere.
  for (const [mode, count] of Object.entries(modes)) assert.ok(count >= 5, `${mode}: ${count}`);
  for (const reason of ["limit", "shutdown", "halted"]) {
    assert.ok((reasons.get(reason) ?? 0) >= 5, `${reason}: ${reasons.get(reason)}`);
  }
});
