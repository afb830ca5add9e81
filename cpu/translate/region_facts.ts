/**
 * What is known of a region before it is emitted: flags and registers that are live or newer at each node, where the
 * budget is looked at, ranges of addresses. From the facts about its instructions (facts.ts).
 * @module
 */
import type { Form, Semantics } from "../execute/emit.ts";
import { NO_FORM } from "../execute/form.ts";
import { SPECIAL } from "../execute/handlers.ts";
import * as L from "../state/layout.ts";
import { fpuSemantics, transcendentalSemantics } from "../fpu/mod.ts";
import { floatSemantics, simdSemantics } from "../simd/mod.ts";
import {
  CALLING_FACTS,
  type Facts,
  type FactsContext,
  type FormFacts,
  LEAVING_FACTS,
  NO_FACTS,
} from "./facts.ts";
import { NEED, type Need } from "./flags.ts";
import { inlineAssistRegister } from "./inline_assists.ts";
import { leavesPage, type Node, NONE, type Region } from "./region.ts";
import { successors } from "./structure.ts";
import { isTraced } from "./traced.ts";
import { hasPlainAccesses } from "./traced_emitter.ts";
import { Windows } from "./windows.ts";

const ALL_FLAGS = 0x300;

/** x87, MMX and SSE: what they call is arithmetic alone. */
export const FLOATING: ReadonlySet<string> = new Set(
  [fpuSemantics, transcendentalSemantics, simdSemantics, floatSemantics]
    .flatMap((list) => Object.keys(list)),
);
/** Operations that are translated; the others call the interpreter's handler. */
export const INLINE: ReadonlySet<string> = new Set([
  ...FLOATING,
  ...("add or adc sbb and sub xor cmp test inc dec neg not mul imul imul3 div idiv xadd cmpxchg cmpxchg8b " +
    "rol ror rcl rcr shl shr sar shld shrd bt bts btr btc bsf bsr bswap " +
    "mov movzx movsx lea xchg cbw cwd xlat salc lahf sahf clc stc cmc cld std cli nop " +
    "jmp jmpE call callE ret loop loope loopne jcxz push pop popE pusha popa pushSegment movToSegment popSegment leave pushf sti " +
    "int iret sysenter sysexit rdtsc movs movs1 stos stos1 lods lods1 cmps cmps1 scas scas1 " +
    Array.from({ length: 16 }, (_, i) => `j.${i} cmov.${i} set.${i}`).join(" ")).split(" "),
]);

/** Of the end of a trace: other code runs, but nothing of the region is left. */
const TRACED_FACTS: Facts = { ...NO_FACTS, calls: true };
/** What is different where a plugin is called behind each access. */
const TOLD_FACTS = { bails: true, spills: true, spends: true, calls: true, accesses: [] } as const;

/** Records without a form behind which the locals still hold the registers. */
const STAYS: ReadonlySet<number> = new Set([
  SPECIAL.FALL_THROUGH,
  SPECIAL.SECOND,
  SPECIAL.COUNT,
  SPECIAL.LIVE,
  SPECIAL.TRACE_ON,
]);

/** What is known of a node before it is emitted. */
export interface NodeFacts {
  readonly facts: readonly Facts[];
  /** Somebody may look at the flags with which the node is entered. */
  flagsLive: boolean;
  /** The budget may be anything behind it: other code ran, or it is a repeated instruction. */
  readonly spends: boolean;
  /** Instructions of the longest way from here to where the budget is looked at again. */
  reach: number;
  /** The budget is looked at before it. */
  checked: boolean;
  /** What is done with these but at exits, here or behind it. */
  need: Need;
  /** Flags are set (for all ways through). */
  readonly kills: boolean;
  readonly written: number;
  /** Registers that may be newer in locals on entry. */
  dirtyIn: number;
  /** A call or an instruction of the interpreter's is in it, after which nothing is newer. */
  readonly cleans: boolean;
  readonly writtenAfterClean: number;
  /** Addresses that it uses. */
  readonly windows: Windows;
  /** Nodes of the region that it leads to. */
  readonly successors: readonly Node[];
}

/** The facts about a region. */
export class RegionFacts {
  readonly #module: FactsContext & { readonly facts: FormFacts };
  readonly #region: Region;
  readonly #facts = new Map<Node, NodeFacts>();
  /** Registers that are used, as bits. */
  readonly used: number;

  constructor(module: FactsContext & { readonly facts: FormFacts }, region: Region) {
    this.#module = module;
    this.#region = region;
    this.used = this.#analyse();
  }

  /** Those about a node of it. */
  of(node: Node): NodeFacts {
    const facts = this.#facts.get(node);
    if (facts === undefined) throw new Error("a node that is not in the region");
    return facts;
  }

  /** Finds out what the nodes do and need; returns the registers that are used. */
  #analyse(): number {
    const { nodes, mode } = this.#region;
    let used = ALL_FLAGS;
    for (const node of nodes) {
      const facts: Facts[] = [];
      let [kills, exposed, written, cleans, after] = [false, false, 0, false, 0];
      let need: Need = NEED.NOTHING;
      let spends = false;
      const windows = new Windows();
      const last = node.copy + node.last;
      for (let record = node.copy + L.BLOCK_BYTES; record <= last; record += L.RECORD_BYTES) {
        const form = this.form(record)?.form ?? NO_FORM;
        const seen = this.#factsOf(node, record, form);
        facts.push(seen);
        windows.begin(form, this.#module.view, record, mode);
        for (const access of seen.accesses) {
          const displacement = access.displaced
            ? this.#module.view.getInt32(record + L.RECORD.DISPLACEMENT, true)
            : 0;
          windows.place(0, access.register, access.plus + displacement);
          windows.find(0, access.size, access.write, undefined);
        }
        if (seen.calls && !FLOATING.has(form.operation)) windows.forget();
        else windows.end(seen.written);
        used |= seen.used;
        if (!kills) {
          const { flagsRead, carryRead, flagsSetUnderCondition, spills, bails } = seen;
          if (flagsRead || flagsSetUnderCondition || spills) need = NEED.ALL;
          else if (carryRead && need === NEED.NOTHING) need = NEED.CARRY;
          if (flagsRead || carryRead || bails || flagsSetUnderCondition) exposed = true;
        }
        if (seen.flagsSet) kills = true;
        written |= seen.written;
        after |= seen.written;
        spends ||= seen.spends;
        if (this.#leavesState(node, record)) {
          cleans = true;
          after = 0;
        }
      }
      const { taken, next, others } = node;
      this.#facts.set(node, {
        facts,
        flagsLive: exposed || (!kills && canLeaveBehind(node)),
        spends: spends || cleans,
        reach: 0,
        checked: false,
        need,
        kills,
        written,
        dirtyIn: 0,
        cleans,
        writtenAfterClean: after,
        windows,
        successors: [taken, next, ...others].filter((to) => to !== undefined),
      });
    }
    // Windows: backwards, nodes that are entered from one place only add to what is known there.
    for (const node of nodes.toReversed()) {
      const [from] = node.predecessors;
      if (from === undefined || !goesOn(from, node)) continue;
      if (this.#leavesState(from, from.copy + from.last)) continue;
      this.#facts.get(from)?.windows.followedBy(this.of(node).windows);
    }
    this.#planBudget();
    // What is needed of flags: backwards, through nodes that do not set them.
    for (let changed = true; changed;) {
      changed = false;
      for (const node of nodes.toReversed()) {
        const facts = this.of(node);
        if (facts.kills) continue;
        for (const to of facts.successors) {
          const { need, checked, flagsLive } = this.of(to);
          if (need > facts.need || ((checked || flagsLive) && !facts.flagsLive)) {
            facts.need = need > facts.need ? need : facts.need;
            facts.flagsLive ||= checked || flagsLive;
            changed = true;
          }
        }
      }
    }
    // Registers newer in locals: forwards.
    for (let changed = true; changed;) {
      changed = false;
      for (const node of nodes) {
        const facts = this.of(node);
        const out = facts.cleans
          ? facts.writtenAfterClean | ALL_FLAGS
          : facts.dirtyIn | facts.written | ALL_FLAGS;
        for (const to of facts.successors) {
          const target = this.of(to);
          if ((target.dirtyIn | out) !== target.dirtyIn) {
            target.dirtyIn |= out;
            changed = true;
          }
        }
      }
    }
    return used;
  }
  /**
   * Where the budget is looked at: on entry, once in each loop, and where it may be anything. There it must be enough
   * for every way to the next such place.
   */
  #planBudget(): void {
    const { nodes } = this.#region;
    for (const node of nodes.toReversed()) {
      const facts = this.of(node);
      for (const to of facts.successors) {
        const target = this.of(to);
        if (facts.spends) target.checked = true;
      }
      facts.checked ||= node.isLoop || node.dispatcher !== undefined || node === nodes[0];
    }
    for (const node of nodes.toReversed()) {
      const facts = this.of(node);
      for (const to of facts.successors) {
        const { checked, reach } = this.of(to);
        if (!checked) facts.reach = Math.max(facts.reach, reach);
      }
      facts.reach += node.length;
    }
  }
  /** Facts of an instruction. */
  #factsOf(node: Node, record: number, { operation }: Form): Facts {
    const handler = this.handler(record);
    if (this.isTraced(node, record)) return CALLING_FACTS;
    if (operation !== "") {
      if (!INLINE.has(operation)) return CALLING_FACTS;
      // A call that stays inside is a jump; of other edges the data flow knows.
      const inside = operation !== "call" || node.taken !== undefined;
      const facts = this.#module.facts.of(this.#module, record, this.#region.mode, inside);
      // Behind each access a plugin is called.
      return this.isHeardOf(node, record) ? { ...facts, ...TOLD_FACTS } : facts;
    }
    switch (handler) {
      case SPECIAL.LIVE:
      case SPECIAL.FALL_THROUGH:
      case SPECIAL.COUNT:
      case SPECIAL.TRACE_ON:
        return NO_FACTS;
      case SPECIAL.TRACE_OFF:
        return this.isTraced(node, record - L.RECORD_BYTES) ? TRACED_FACTS : NO_FACTS;
      case SPECIAL.ASSIST: {
        const { view, handlers } = this.#module;
        const written = inlineAssistRegister(view, handlers, record);
        if (written === undefined) return CALLING_FACTS;
        return { ...LEAVING_FACTS, written: 1 << written, used: 1 << written };
      }
      case SPECIAL.HOOK:
      case SPECIAL.ASSIST_ENDS:
        return CALLING_FACTS;
      default:
        return LEAVING_FACTS;
    }
  }
  /** After it all registers were loaded from memory. */
  #leavesState(node: Node, record: number): boolean {
    const form = this.form(record);
    if (this.isTraced(node, record)) return true;
    // Behind what touches no memory it is nothing.
    if (this.handler(record) === SPECIAL.TRACE_OFF) {
      return this.isTraced(node, record - L.RECORD_BYTES);
    }
    if (form === undefined) {
      const { view, handlers } = this.#module;
      return !STAYS.has(this.handler(record)) &&
        inlineAssistRegister(view, handlers, record) === undefined;
    }
    if (form.form.operation === "call") return node.taken === undefined;
    return !INLINE.has(form.form.operation) || form.form.operation === "callE";
  }
  /** Whether the interpreter's handler executes an instruction, since a plugin hears of its accesses. */
  isTraced(node: Node, record: number): boolean {
    return this.isHeardOf(node, record) && !this.isPlain(record);
  }
  /** Whether a plugin hears of an instruction's accesses. */
  isHeardOf(node: Node, record: number): boolean {
    const { view, handlers } = this.#module;
    return isTraced(view, handlers, record, node.copy + L.BLOCK_BYTES);
  }
  /** Whether it is translated then too. */
  isPlain(record: number): boolean {
    const form = this.form(record)?.form;
    return form !== undefined && hasPlainAccesses(form);
  }
  /** The handler of a record. */
  handler(record: number): number {
    return this.#module.view.getInt32(record, true);
  }
  /** The form of a record; undefined where it has none. */
  form(record: number): { form: Form; semantics: Semantics } | undefined {
    return this.#module.handlers.form(this.handler(record));
  }
}

/** Whether the region may be left on an edge of a node, or behind it. */
function canLeaveBehind(node: Node): boolean {
  const { taken, next, takenEip, nextEip } = node;
  if ((takenEip !== NONE && taken === undefined) || (nextEip !== NONE && next === undefined)) {
    return true;
  }
  const to = successors(node);
  return to.length === 0 || to.some(({ eip }) => leavesPage(node, eip));
}

/** Whether a node is entered from that place only. */
export function goesOn(from: Node, to: Node): boolean {
  return to.predecessors.length === 1 && to.predecessors[0] === from && to.forward <= 1 &&
    !to.isLoop;
}
