/**
 * Facts: what the code of an instruction reads, writes and may do, known before a region is emitted.
 *
 * They are what its emission does, so they are found by emitting it once on its own; but they depend on a few fields
 * of its record only (form, registers, segment, address size, mode), and instructions that agree in them are emitted
 * once in all. What else a record has (displacement, immediate, where it leads) changes no fact; a form that looks at
 * the immediate when it is emitted has facts for each one. {@link RegionWriter} compares what it emits with the facts,
 * so that a wrong one is found out.
 * @module
 */
import type { Form, Semantics } from "../execute/emit.ts";
import type { Operand } from "../execute/form.ts";
import type { Handlers } from "../execute/handlers.ts";
import type { Runtime } from "../execute/runtime.ts";
import { WasmFunction } from "../execute/wasm.ts";
import * as L from "../state/layout.ts";
import { type Edges, RegionEmitter, type RegionRuntime } from "./region_emitter.ts";
import { RegionState } from "./region_state.ts";
import { Windows } from "./windows.ts";

/** An access at a register plus a number; `displaced`: plus the record's displacement too. */
export interface RegisterAccess {
  /** State offset. */
  readonly register: number;
  readonly plus: number;
  readonly displaced: boolean;
  readonly size: number;
  readonly write: boolean;
}

/** What an instruction does, as far as order matters. */
export interface Facts {
  readonly bails: boolean;
  readonly flagsRead: boolean;
  readonly carryRead: boolean;
  readonly spills: boolean;
  readonly flagsSet: boolean;
  readonly flagsSetUnderCondition: boolean;
  /** The budget is changed. */
  readonly spends: boolean;
  /** Registers, as bits. */
  readonly written: number;
  /** Registers that have to be in locals, as bits. */
  readonly used: number;
  /** Other code runs. */
  readonly calls: boolean;
  /** In order. */
  readonly accesses: readonly RegisterAccess[];
}

/** Of an instruction that has no code. */
export const NO_FACTS: Facts = {
  bails: false,
  flagsRead: false,
  carryRead: false,
  spills: false,
  flagsSet: false,
  flagsSetUnderCondition: false,
  spends: false,
  written: 0,
  used: 0,
  calls: false,
  accesses: [],
};
/** Of one that always leaves to the interpreter. */
export const LEAVING_FACTS: Facts = { ...NO_FACTS, bails: true };
/** Of one that other code executes, with all state in memory. */
export const CALLING_FACTS: Facts = { ...NO_FACTS, bails: true, spills: true, calls: true };

/** Edges that emit nothing. */
export const NOWHERE: Edges = {
  follow: () => true,
  call: () => {},
  returnTo: () => {},
  jumpTo: () => {},
  reportsJump: () => false,
  sameMode: () => {},
};
/** Those of a call whose callee is not in the region. */
const OUTSIDE: Edges = { ...NOWHERE, follow: () => false };

/** What emission needs. */
export interface FactsContext {
  readonly view: DataView;
  readonly handlers: Handlers;
  readonly runtime: Runtime;
  readonly imports: RegionRuntime;
}

/** Notes accesses instead of opening windows. */
class NotedWindows extends Windows {
  readonly accesses: RegisterAccess[] = [];
  readonly #places = new Map<number, { register: number; plus: number; displaced: boolean }>();

  override place(local: number, register: number, plus: number, displaced = false): void {
    this.#places.set(local, { register, plus: displaced ? 0 : plus, displaced });
  }
  override find(local: number, size: number, write: boolean): undefined {
    const place = this.#places.get(local);
    if (place !== undefined) this.accesses.push({ ...place, size, write });
  }
}

/** Notes whether the value of an immediate was asked for. */
class FactsEmitter extends RegionEmitter {
  looksAtImmediate = false;

  override constant(index: number): number | undefined {
    this.looksAtImmediate = true;
    return super.constant(index);
  }
}

/** Which of a record's fields the facts of a form depend on. */
interface FormFields {
  readonly form: Form;
  readonly semantics: Semantics;
  readonly a: boolean;
  readonly b: boolean;
  /** By fields. */
  readonly known: Map<number, Facts | Map<number, Facts>>;
}

const byHandlers = new WeakMap<Handlers, FormFacts>();

/** The facts about the forms of handlers, for all processors that share them. */
export function formFacts(handlers: Handlers): FormFacts {
  let facts = byHandlers.get(handlers);
  if (facts === undefined) {
    facts = new FormFacts();
    byHandlers.set(handlers, facts);
  }
  return facts;
}

/** Facts by what they depend on. */
export class FormFacts {
  /** By mode and handler. */
  readonly #forms = new Map<number, (FormFields | undefined)[]>();
  /** Times that an instruction was emitted for its facts. */
  learned = 0;

  /** Facts of an instruction with an inline translation. `inside`: of a call whose callee is in the region. */
  of(context: FactsContext, record: number, mode: number, inside = true): Facts {
    const { view } = context;
    const fields = this.#fields(context, view.getInt32(record + L.RECORD.HANDLER, true), mode);
    const key = fieldsKey(view, record, fields.a, fields.b) << 1 | (inside ? 1 : 0);
    const known = fields.known.get(key);
    if (known === undefined) return this.#learn(context, fields, record, mode, inside, key);
    if (!(known instanceof Map)) return known;
    const immediate = view.getInt32(record + L.RECORD.IMMEDIATE, true);
    return known.get(immediate) ?? this.#learn(context, fields, record, mode, inside, key);
  }

  #fields({ handlers }: FactsContext, handler: number, mode: number): FormFields {
    let forms = this.#forms.get(mode);
    if (forms === undefined) {
      forms = [];
      this.#forms.set(mode, forms);
    }
    let fields = forms[handler];
    if (fields === undefined) {
      const found = handlers.form(handler);
      if (found === undefined) throw new Error(`handler ${handler} has no form`);
      const named = (operand: Operand): boolean =>
        operand.kind === "register" && operand.fixed === undefined;
      const [first, ...others] = found.form.operands;
      const a = first !== undefined && named(first);
      fields = { ...found, a, b: others.some(named), known: new Map() };
      forms[handler] = fields;
    }
    return fields;
  }

  #learn(
    context: FactsContext,
    fields: FormFields,
    record: number,
    mode: number,
    inside: boolean,
    key: number,
  ): Facts {
    this.learned++;
    const { facts, looksAtImmediate } = learn(context, fields, record, mode, inside);
    if (!looksAtImmediate) {
      fields.known.set(key, facts);
      return facts;
    }
    let byImmediate = fields.known.get(key);
    if (!(byImmediate instanceof Map)) {
      byImmediate = new Map();
      fields.known.set(key, byImmediate);
    }
    byImmediate.set(context.view.getInt32(record + L.RECORD.IMMEDIATE, true), facts);
    return facts;
  }
}

/** Emits an instruction for its facts. */
function learn(
  { view, runtime, imports }: FactsContext,
  { form, semantics }: { readonly form: Form; readonly semantics: Semantics },
  record: number,
  mode: number,
  inside: boolean,
): { readonly facts: Facts; readonly looksAtImmediate: boolean } {
  const f = new WasmFunction(1);
  const state = new RegionState(f);
  const windows = new NotedWindows();
  state.windows = windows;
  const edges = inside ? NOWHERE : OUTSIDE;
  const x = new FactsEmitter({ state, form, runtime, imports, view, record, mode, edges });
  semantics.emit(x);
  const { seen, used } = state;
  const { looksAtImmediate } = x;
  return {
    facts: { ...seen, used, calls: f.calls !== 0, accesses: windows.accesses },
    looksAtImmediate,
  };
}

/** The fields of a record that facts depend on, in 29 bits. */
function fieldsKey(view: DataView, record: number, a: boolean, b: boolean): number {
  let key = view.getUint8(record + L.RECORD.SEGMENT);
  key = key << 1 | view.getUint8(record + L.RECORD.SCALE) >> 7;
  key = key << 4 | Math.min(place(view.getUint16(record + L.RECORD.BASE, true)) >> 2, 8);
  key = key << 4 | Math.min(place(view.getUint16(record + L.RECORD.INDEX, true)) >> 2, 8);
  key = key << 6 | (a ? place(view.getInt32(record + L.RECORD.A, true)) : NO_PLACE);
  return key << 6 | (b ? place(view.getInt32(record + L.RECORD.B, true)) : NO_PLACE);
}
/** Of a register that no local holds. */
const NO_PLACE = 32;
/** A general register or a byte of it by its offset from the first. */
function place(offset: number): number {
  const at = offset - L.GPR;
  return at >= 0 && at < NO_PLACE ? at : NO_PLACE;
}

/** Whether an instruction that was emitted did what its facts say, and no more. */
export function covers(
  facts: Facts,
  seen: Omit<Facts, "used" | "calls" | "accesses">,
): boolean {
  return (facts.bails || !seen.bails) && (facts.spills || !seen.spills) &&
    (facts.spends || !seen.spends) &&
    (facts.flagsRead || facts.carryRead || !(seen.flagsRead || seen.carryRead)) &&
    (facts.flagsSetUnderCondition || !seen.flagsSetUnderCondition) &&
    (seen.flagsSet || !facts.flagsSet) && (seen.written & ~facts.written) === 0;
}
