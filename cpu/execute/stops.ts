/**
 * Stopping at an exact instruction: the record there is replaced by one that leaves, and put back when it has.
 *
 * A plugin's callback runs as part of the instruction that it is before. What it causes (interrupts, hooks that come and
 * go) waits until that instruction has ended. Only what decides whether and how the instruction runs stops before it: a
 * request to stop, other code, another EIP, flags or mode. Then the instruction has begun: its other callbacks and counts
 * still run, and when the machine goes on there it is executed without calling any of them again.
 * @module
 */
import * as L from "../state/layout.ts";
import type { Core } from "./core.ts";
import { SPECIAL } from "./handlers.ts";

/** Records that stop, and the instruction that has begun. */
export class Stops {
  readonly #core: Core;
  /** Patched records: address and original handler. */
  readonly #patches: number[] = [];
  /** Budget taken away, to be given back. */
  #stolen = 0;
  /** Where a callback wants to go on; undefined: nowhere else. */
  #jump: number | undefined = undefined;
  /** Count and EIP of the instruction of which everything before it has run, and that is next; −1: none. */
  #begun = -1;
  #begunEip = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Budget that is put aside: instructions are counted without it. */
  get stolen(): number {
    return this.#stolen;
  }
  /** EIP that a callback before the present instruction has set. */
  get jump(): number | undefined {
    return this.#jump;
  }
  /** Whether a callback before an instruction is running. */
  get inCallback(): boolean {
    const { i32 } = this.#core;
    const current = i32[L.CURRENT >> 2] as number;
    return current !== 0 && i32[current >> 2] === SPECIAL.HOOK;
  }

  /** Stops behind the present instruction, of which a callback may be running. */
  after(): void {
    const { i32, u8 } = this.#core;
    const current = i32[L.CURRENT >> 2] as number;
    i32[L.STOP_REQUESTED >> 2] = 1;
    const left = (u8[current + L.RECORD.REMAINING] as number) - 1;
    // Budget 0: the block's end cannot enter another block.
    this.#stolen += i32[L.BUDGET >> 2] as number;
    i32[L.BUDGET >> 2] = 0;
    if (left > 0) this.atRemaining(current + L.RECORD_BYTES, left);
  }
  /** Stops before the instruction that a callback is before, else behind the present one. */
  before(): void {
    if (!this.inCallback) {
      this.after();
      return;
    }
    const { i32 } = this.#core;
    const current = i32[L.CURRENT >> 2] as number;
    let record = current + L.RECORD_BYTES;
    while (isBefore(i32[record >> 2] as number)) record += L.RECORD_BYTES;
    this.#begun = this.#core.instructions;
    this.#begunEip = i32[(current + L.RECORD.EIP) >> 2] as number;
    this.at(record);
  }
  /** Stops before the instruction that a callback is before, and goes on at EIP as it is in memory now. */
  jumped(): void {
    if (!this.inCallback) return;
    this.#jump = this.#core.i32[L.EIP >> 2] as number;
    this.before();
  }
  /** Stops before the instruction, at `record` or behind it, from which so many are left in the block. */
  atRemaining(record: number, left: number): void {
    let at = record;
    while (this.#core.u8[at + L.RECORD.REMAINING] !== left) at += L.RECORD_BYTES;
    this.at(at);
  }
  /** Stops at a record. */
  at(record: number): void {
    const { i32 } = this.#core;
    i32[L.STOP_REQUESTED >> 2] = 1;
    if (i32[record >> 2] === SPECIAL.STOP) return;
    this.#patches.push(record, i32[record >> 2] as number);
    i32[record >> 2] = SPECIAL.STOP;
  }
  /** Puts back what was replaced; whether there was anything to stop for. */
  restore(): boolean {
    const { i32 } = this.#core;
    if (i32[L.STOP_REQUESTED >> 2] === 0) return false;
    while (this.#patches.length > 0) {
      const handler = this.#patches.pop() as number;
      i32[(this.#patches.pop() as number) >> 2] = handler;
    }
    i32[L.BUDGET >> 2] = (i32[L.BUDGET >> 2] as number) + this.#stolen;
    this.#stolen = 0;
    i32[L.STOP_REQUESTED >> 2] = 0;
    return true;
  }
  /** Behind a stop before an instruction: EIP is where the callback wants it. */
  arrive(): void {
    if (this.#jump !== undefined) this.#core.i32[L.EIP >> 2] = this.#jump;
    this.#jump = undefined;
  }
  /** An event or a fault came first: the instruction will begin anew. */
  forget(): void {
    this.#begun = -1;
    this.#jump = undefined;
  }

  /** Whether the next instruction has begun. */
  get hasBegun(): boolean {
    return this.#begun !== -1 && this.#begun === this.#core.instructions &&
      this.#begunEip === this.#core.i32[L.EIP >> 2];
  }
  /** The record of a block at which an instruction that has begun goes on. */
  takeUp(block: number): number {
    const { i32 } = this.#core;
    this.#begun = -1;
    let record = block + L.BLOCK_BYTES;
    // The run loop has just looked where the second page is.
    if (i32[record >> 2] === SPECIAL.SECOND) record += L.RECORD_BYTES;
    while (isBefore(i32[record >> 2] as number)) record += L.RECORD_BYTES;
    i32[L.SECOND_CHECKED >> 2] = 0;
    return record;
  }
}

/** Records of plugins that run before their instruction. */
function isBefore(handler: number): boolean {
  return handler === SPECIAL.HOOK || handler === SPECIAL.COUNT;
}
