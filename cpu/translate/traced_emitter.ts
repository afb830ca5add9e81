/**
 * Instructions whose memory accesses a plugin hears of, in translated code: they are emitted like others, and behind each
 * access the plugin is called, with all state in memory, in the order in which the interpreter's handler would.
 *
 * What is no plain access of RAM is left to the interpreter at the record that begins the tracing.
 * @module
 */
import type { Form, Size } from "../execute/emit.ts";
import * as L from "../state/layout.ts";
import { WAY } from "./leave.ts";
import { RegionEmitter } from "./region_emitter.ts";

/** Operations that access memory as told here, on all ways through them, and end no block. */
const PLAIN: ReadonlySet<string> = new Set(
  "mov movzx movsx add or adc sbb and sub xor cmp test inc dec neg not push pop imul imul3 leave"
    .split(" "),
);

/** Whether the accesses of a form are told of by a {@link TracedEmitter}; else its handler does it all. */
export function hasPlainAccesses({ operation, operands }: Form): boolean {
  return PLAIN.has(operation) &&
    operands.every(({ size, file }) => size <= 4 && file === undefined);
}

/** Emits one instruction of a region, and calls behind its accesses. */
export class TracedEmitter extends RegionEmitter {
  readonly #record: number;
  readonly #access: number;
  readonly #reload: () => void;

  /** `access`: the function that is called; `reload`: takes up the state behind it. */
  constructor(
    options: ConstructorParameters<typeof RegionEmitter>[0],
    access: number,
    reload: () => void,
  ) {
    super(options);
    this.#record = options.record;
    this.#access = access;
    this.#reload = reload;
  }

  override bail(): this {
    return this.leaveBy(WAY.INTERPRET, this.#record - L.RECORD_BYTES);
  }
  override readLinear(linear: number, size: Size | 8): this {
    super.readLinear(linear, size);
    const value = this.local();
    this.f.set(value);
    this.#tell(linear, size, value, false);
    this.f.get(value);
    return this;
  }
  override writeLinear(linear: number, size: Size | 8, value: number): this {
    super.writeLinear(linear, size, value);
    this.#tell(linear, size, value, true);
    return this;
  }
  override readModify(index: number, into: number): this {
    super.readModify(index, into);
    const { kind, size } = this.operand(index);
    if (kind !== "register") this.#tell(this.linearLocal, size, into, false);
    return this;
  }
  override modifyWrite(index: number, value: number): this {
    super.modifyWrite(index, value);
    const { kind, size } = this.operand(index);
    if (kind !== "register") this.#tell(this.linearLocal, size, value, true);
    return this;
  }
  #tell(linear: number, size: number, value: number, write: boolean): void {
    const { f } = this;
    this.spill();
    f.i32(0).i32(this.#record).store(L.CURRENT);
    f.i32(this.#record - L.RECORD_BYTES).get(linear).i32(size).get(value).i32(write ? 1 : 0);
    f.call(this.#access);
    this.#reload();
  }
  /** Behind the instruction: leaves if somebody wants to look. */
  end(): void {
    this.f.loadAt(L.STOP_REQUESTED).if(undefined, false);
    this.leaveBy(WAY.INTERPRET, this.#record + L.RECORD_BYTES).f.end();
  }
}
