/**
 * Two machines in lockstep: one interprets, the other translates; after every so many instructions registers, hidden
 * state, all of RAM, the chips and what was sent must be equal.
 *
 * When they are not, both start anew: runs repeat, so that the place of the difference is found by running to the last
 * equal point as before and from there to the middle of what is in doubt, again and again. (Comparing more often
 * instead would hide differences: a region that must stop soon leaves its instructions to the interpreter.)
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Decoder, DecoderOptions, Formatter, FormatterSyntax } from "iced-x86";
import * as L from "../../cpu/state/layout.ts";
import type { Cpu } from "../../cpu/mod.ts";
import type { Machine } from "../../devices/mod.ts";
import { withMemory } from "./guest_memory.ts";

/** A processor that is ready to run, and what is around it. */
export interface Prepared {
  readonly cpu: Cpu;
  /** Runs so many instructions; the reason why the run cannot go on, or undefined. */
  readonly advance: (instructions: number) => string | undefined;
  /** The state of what is around it, as plain data. */
  readonly chips?: () => unknown;
  /** Called after each step with all that was sent so far; may type. Must depend on this alone. */
  readonly user?: (text: string) => void;
}

/** A machine, ready to run. */
export function prepared(machine: Machine, user?: (text: string) => void): Prepared {
  return {
    cpu: machine.cpu,
    advance: (instructions) => machine.runSync(instructions)?.type,
    chips: () => machine.saveChips(),
    ...(user === undefined ? {} : { user }),
  };
}

/** What is run in lockstep. */
export interface LockstepGuest {
  readonly name: string;
  /** A new machine; `serial` takes what it sends, which is compared too. */
  make(translateAfter: number, serial: (bytes: Uint8Array) => void): Prepared;
}

/** Where two machines part. */
export interface Difference {
  /** Instruction counts: equal at `from`, different at `to`. */
  readonly from: number;
  readonly to: number;
  /** What differs at `to`: "name: interpreted, translated". */
  readonly what: readonly string[];
  /** The instructions between the two, as the interpreter executes them. */
  readonly path: readonly string[];
}

/** What a run found. */
export interface LockstepReport {
  readonly instructions: number;
  readonly comparisons: number;
  readonly reason: string | undefined;
  readonly text: string;
  /** Regions that the other machine made. */
  readonly regions: number;
  readonly difference: Difference | undefined;
}

/** Hidden state: segment caches, system registers, MSRs, and what the processor waits for. */
const HIDDEN: readonly { readonly name: string; readonly from: number; readonly to: number }[] = [
  { name: "cpl", from: L.CPL, to: L.CPL + 4 },
  { name: "event", from: L.EVENT_PENDING, to: L.EVENT_PENDING + 4 },
  { name: "shadow", from: L.INTERRUPT_SHADOW, to: L.HALTED + 4 },
  { name: "suspended", from: L.SUSPENDED, to: L.SUSPENDED + 4 },
  { name: "segments", from: L.SEGMENTS, to: L.SEGMENTS + 8 * L.SEGMENT_BYTES },
  { name: "system", from: L.GDTR_BASE, to: L.FPU_REGISTERS },
  { name: "msr", from: L.MSR_STORAGE, to: L.MSR_STORAGE + 8 * L.MSR_STORED_MAX },
];
/** Differences that are told. */
const MAX_TOLD = 12;
/** Instructions whose path is told. */
const MAX_PATH = 200;
/** RAM is compared in pieces, so that one that differs is found fast. */
const PIECE = 0x10000;

/** One of the two. */
class Side {
  readonly #prepared: Prepared;
  readonly #memory: WebAssembly.Memory;
  readonly #decoder = new TextDecoder();
  text = "";
  reason: string | undefined = undefined;

  constructor(guest: LockstepGuest, translateAfter: number) {
    const { made, memory } = withMemory(() =>
      guest.make(translateAfter, (bytes) => {
        this.text += this.#decoder.decode(bytes, { stream: true });
      })
    );
    this.#prepared = made;
    this.#memory = memory;
  }
  get cpu(): Cpu {
    return this.#prepared.cpu;
  }
  get count(): number {
    return this.cpu.instructions;
  }
  chips(): unknown {
    return this.#prepared.chips?.();
  }
  /** Runs up to an instruction count, or to the end of the run. */
  advance(to: number): void {
    while (this.reason === undefined && this.count < to) {
      this.reason = this.#prepared.advance(to - this.count);
    }
  }
  /** Lets the user act. */
  act(): void {
    this.#prepared.user?.(this.text);
  }
  words(from: number, to: number): Uint32Array {
    return new Uint32Array(this.#memory.buffer, from, (to - from) >> 2);
  }
  ram(): Uint8Array {
    return new Uint8Array(this.#memory.buffer, L.RAM_BASE);
  }
}

/** Paths of a saved state at which two differ. */
function* differences(a: unknown, b: unknown, path: string): Generator<string> {
  if (Object.is(a, b)) return;
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) {
    const [x, y] = [a, b].map((v) => Buffer.from(v.buffer, v.byteOffset, v.byteLength));
    if (x !== undefined && y !== undefined && !x.equals(y)) yield `${path}: bytes`;
    return;
  }
  if (typeof a === "object" && typeof b === "object" && a !== null && b !== null) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      yield* differences(
        (a as Record<string, unknown>)[key],
        (b as Record<string, unknown>)[key],
        `${path}.${key}`,
      );
    }
    return;
  }
  yield `${path}: ${String(a)}, ${String(b)}`;
}

/** Two texts from a little before the place where they part. */
function parted(a: string, b: string): [string, string] {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  const from = Math.max(0, at - 80);
  return [a.slice(from, at + 120), b.slice(from, at + 120)];
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}

/** What differs between two sides, at most {@link MAX_TOLD} places; empty: they are equal. */
function compare(one: Side, other: Side): string[] {
  const what: string[] = [];
  const tell = (name: string, a: string, b: string): void => {
    if (what.length < MAX_TOLD) what.push(`${name}: ${a}, ${b}`);
  };
  if (one.count !== other.count) tell("instructions", String(one.count), String(other.count));
  if (one.reason !== other.reason) tell("end", one.reason ?? "none", other.reason ?? "none");
  const [a, b] = [one.cpu.registers, other.cpu.registers];
  for (const name of a.names) {
    const [x, y] = [a, b].map((registers) => Buffer.from(registers.getBytes(name).reverse()));
    if (x !== undefined && y !== undefined && !x.equals(y)) {
      tell(name, x.toString("hex"), y.toString("hex"));
    }
  }
  for (const { name, from, to } of HIDDEN) {
    const [x, y] = [one.words(from, to), other.words(from, to)];
    for (let i = 0; i < x.length; i++) {
      if (x[i] !== y[i]) {
        tell(`${name} ${hex(from + 4 * i)}`, hex(x[i] as number), hex(y[i] as number));
      }
    }
  }
  const [x, y] = [one.ram(), other.ram()];
  for (let at = 0; at < x.length && what.length < MAX_TOLD; at += PIECE) {
    if (Buffer.compare(x.subarray(at, at + PIECE), y.subarray(at, at + PIECE)) === 0) continue;
    for (let i = at; i < at + PIECE; i++) {
      if (x[i] !== y[i]) tell(`RAM ${hex(i)}`, String(x[i]), String(y[i]));
    }
  }
  for (const path of differences(one.chips(), other.chips(), "chips")) {
    if (what.length < MAX_TOLD) what.push(path);
  }
  if (one.text !== other.text) tell("sent", ...parted(one.text, other.text));
  return what;
}

/** The next instruction of a machine, as text. */
function disassemble(cpu: Cpu, formatter: Formatter): string {
  const linear = (cpu.registers.get("cs_base") + cpu.registers.get("eip")) >>> 0;
  const bytes = new Uint8Array(15);
  for (let i = 0; i < bytes.length; i++) {
    const physical = cpu.translate((linear + i) >>> 0);
    if (physical === undefined) break;
    bytes[i] = cpu.memory.read8(physical);
  }
  const decoder = new Decoder(cpu.codeBits, bytes, DecoderOptions.None);
  decoder.ip = BigInt(cpu.registers.get("eip"));
  const instruction = decoder.decode();
  const text = formatter.format(instruction);
  const raw = Buffer.from(bytes.subarray(0, instruction.length)).toString("hex");
  instruction.free();
  decoder.free();
  return `${hex(cpu.registers.get("eip"))}  ${raw.padEnd(22)} ${text}`;
}

/** Runs a guest in lockstep: interpreted, and translated after `translateAfter` entries. */
export class Lockstep {
  readonly #guest: LockstepGuest;
  readonly #translateAfter: number;
  readonly #step: number;

  /** `step`: instructions between two comparisons. */
  constructor(
    options: {
      readonly guest: LockstepGuest;
      readonly translateAfter: number;
      readonly step: number;
    },
  ) {
    this.#guest = options.guest;
    this.#translateAfter = options.translateAfter;
    this.#step = options.step;
  }

  /** Runs to the guest's end or for so many instructions. */
  run(limit: number, progress?: (instructions: number, text: string) => void): LockstepReport {
    const [one, other] = this.#start();
    let comparisons = 0;
    let difference: Difference | undefined;
    for (let from = 0; from < limit && one.reason === undefined; from = one.count) {
      const to = Math.min(limit, from + this.#step);
      for (const side of [one, other]) side.advance(to);
      comparisons++;
      const what = compare(one, other);
      if (what.length > 0) {
        difference = this.#narrow({ from, to: Math.max(to, one.count), what });
        break;
      }
      progress?.(one.count, one.text);
      for (const side of [one, other]) side.act();
    }
    return {
      instructions: one.count,
      comparisons,
      reason: one.reason,
      text: one.text,
      regions: other.cpu.translation?.regions ?? 0,
      difference,
    };
  }

  #start(): [Side, Side] {
    return [new Side(this.#guest, 0), new Side(this.#guest, this.#translateAfter)];
  }
  /** Both sides, run as before up to `to`. */
  #again(to: number): [Side, Side] {
    const sides = this.#start();
    for (const side of sides) this.#runTo(side, to);
    return sides;
  }
  #runTo(side: Side, to: number): void {
    for (let at = 0; at < to && side.reason === undefined; side.act()) {
      at += this.#step;
      side.advance(Math.min(at, to));
      if (at > to) break;
    }
  }

  /** Halves the step in which they part; each time both run to its beginning as before, then on at once. */
  #narrow(found: { from: number; to: number; what: readonly string[] }): Difference {
    let { from, to, what } = found;
    while (to - from > 1) {
      const middle = from + Math.floor((to - from) / 2);
      const [one, other] = this.#again(found.from);
      for (const side of [one, other]) side.advance(middle);
      const now = compare(one, other);
      if (now.length > 0) [to, what] = [middle, now];
      else from = middle;
    }
    return { from, to, what, path: this.#path(to) };
  }
  /** What the interpreter executes up to `to`. */
  #path(to: number): string[] {
    const side = new Side(this.#guest, 0);
    this.#runTo(side, Math.max(0, to - MAX_PATH));
    const formatter = new Formatter(FormatterSyntax.Nasm);
    const path: string[] = [];
    while (side.reason === undefined && side.count < to) {
      path.push(`${side.count} ${disassemble(side.cpu, formatter)}`);
      side.advance(side.count + 1);
    }
    formatter.free();
    return path;
  }
}

/** A difference for people. */
export function describe({ from, to, what, path }: Difference): string {
  return [
    `Equal after ${from} instructions, different after ${to} (interpreted, translated):`,
    ...what.map((line) => `  ${line}`),
    "The way there:",
    ...path.map((line) => `  ${line}`),
  ].join("\n");
}
