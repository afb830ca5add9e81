/**
 * From a region to a Wasm function: control structure and instructions; region_facts.ts says what is live where.
 *
 * The graph is reducible (structure.ts sees to that), so that it becomes loops and blocks: a node is emitted inside
 * its dominator; one that several forward edges reach is the code behind a block that they leave; a back
 * edge continues a loop. Instructions that have no inline translation call the interpreter's handler, with
 * all state in memory. Source: N. Ramsey, "Beyond Relooper" (2022).
 * @module
 */
import type { Form } from "../execute/emit.ts";
import { NO_FORM } from "../execute/form.ts";
import { RETURNED, SPECIAL } from "../execute/handlers.ts";
import { I32, WasmFunction } from "../execute/wasm.ts";
import * as L from "../state/layout.ts";
import { countersOf } from "./count_locals.ts";
import { covers, type Facts, type FactsContext, type FormFacts, NOWHERE } from "./facts.ts";
import { NEED } from "./flags.ts";
import { FPU_POINTERS } from "./fpu_locals.ts";
import { emitInlineAssist } from "./inline_assists.ts";
import { DEPTH, goOnAt, REGION_TABLE, WAY } from "./leave.ts";
import { leavesPage, type Node, type Region } from "./region.ts";
import { type Edges, RegionEmitter } from "./region_emitter.ts";
import { FLOATING, goesOn, INLINE, RegionFacts } from "./region_facts.ts";
import { FLAGS, RegionState } from "./region_state.ts";
import { REGION_HEADER } from "./resident.ts";
import type { RegionCounters } from "./statistics.ts";
import { TracedEmitter } from "./traced_emitter.ts";
import { Windows } from "./windows.ts";

/** What all regions of a module share; `counters`: regions count what they do. */
export interface RegionModule extends FactsContext {
  readonly counters: RegionCounters | undefined;
  readonly facts: FormFacts;
  /** Whether the region shall report where the indirect jump of a node leads; the name is the last record of its copy. */
  observes(region: Region, node: Node): boolean;
  /** Makes functions of the handlers that are cases of the interpreter's loop, before a region calls one. */
  readonly requireSteps: () => void;
}

const ALL_REGISTERS = 0x3ff;
const ALL_FLAGS = 0x300;
/** So many targets of an indirect jump are compared one after the other; more in a tree. */
const CHAIN = 3;

const LOADS_SEGMENT: ReadonlySet<string> = new Set(["movToSegment", "popSegment"]);
type Label = { readonly node: Node; readonly depth: number };

class RegionWriter {
  readonly #module: RegionModule;
  readonly #region: Region;
  readonly #facts: RegionFacts;
  readonly #state: RegionState;
  #labels: Label[] = [];
  #used = ALL_REGISTERS;
  /** Windows with which the node that is emitted next goes on, and registers that are not as they say. */
  #entered: { readonly windows: Windows | undefined; readonly written: number } | undefined;
  readonly #selectors = new Map<Node, number>();
  /** Local with the mode word at entry. */
  #modeWord = -1;

  constructor(module: RegionModule, region: Region) {
    this.#module = module;
    this.#region = region;
    this.#facts = new RegionFacts(module, region);
    const counted = countersOf(module.view, region.nodes);
    this.#state = new RegionState(new WasmFunction(1), module.counters, counted);
  }

  write(): WasmFunction {
    const { used } = this.#facts;
    const { f } = this.#state;
    this.#modeWord = f.local();
    this.#used = used;
    this.#state.fpu.hasPointers = (used & FPU_POINTERS) !== 0;
    f.loadAt(L.MODE_WORD).set(this.#modeWord);
    this.#reload();
    const [entry] = this.#region.nodes;
    const { leaving } = this.#state;
    leaving.begin();
    f.i32(0).i32(1).store(this.#region.alive + REGION_HEADER.USED);
    this.#module.counters?.add(f, "entered");
    this.#charge(entry as Node);
    this.#limit(entry as Node);
    this.#passFlags(entry as Node, entry as Node);
    this.#tree(entry as Node);
    f.op("unreachable");
    if ((this.#state.used & ~used) !== 0) throw new Error("a register that no facts name");
    leaving.end(this.#state, used, this.#module);
    return f;
  }

  /** Leaves code that is not all inside CS's limit to the interpreter, which looks at each block. */
  #limit(entry: Node): void {
    if ((this.#region.mode & L.MODE.FLAT_CODE) !== 0) return;
    const { f } = this.#state;
    const { nodes, base } = this.#region;
    let last = 0;
    for (const { copy, eip } of nodes) {
      const bytes = this.#module.view.getInt32(copy + L.BLOCK.BYTES, true);
      last = Math.max(last, (eip >>> 0) + bytes - 1);
    }
    const cs = L.segmentOffset(L.CS);
    f.loadAt(cs + L.SEGMENT.LIMIT).i32(Math.min(last, 0xffffffff) | 0).ltU();
    // Where the next page is follows from the base.
    f.loadAt(cs + L.SEGMENT.BASE).i32(base).ne().or().if(undefined, false);
    this.#emitter(NO_FORM, entry.copy + L.BLOCK_BYTES, NOWHERE).bail();
    f.end();
  }
  /** Loads registers, budget and tables: other code ran. */
  #reload(): void {
    const { f, registers, budget, readTable, writeTable } = this.#state;
    for (let i = 0; i < FLAGS; i++) {
      if (this.#used & (1 << i)) f.loadAt(L.GPR + 4 * i).set(registers[i] as number);
    }
    if (this.#used & ALL_FLAGS) {
      f.loadAt(L.FLAGS_RESULT).set(registers[FLAGS] as number);
      f.loadAt(L.FLAGS_AUX).set(registers[FLAGS + 1] as number);
    }
    f.loadAt(L.BUDGET).set(budget).loadAt(L.TLB_READ).set(readTable);
    f.loadAt(L.TLB_WRITE).set(writeTable);
    this.#state.fpu.load(this.#used);
    this.#state.dirty = 0;
    this.#state.pending = undefined;
    this.#state.guarded = 0;
    this.#state.lowBytes = 0;
    this.#state.windows.forget();
  }

  // ---- structure --------------------------------------------------------------------------------

  /** Emits a node and what it dominates. */
  #tree(node: Node): void {
    const { f } = this.#state;
    const labels = this.#labels;
    const joins = node.children.filter(({ forward }) => forward > 1);
    // The last in reverse postorder is behind the outermost block.
    joins.sort((a, b) => b.order - a.order);
    if (node.isLoop) {
      f.loop();
      this.#labels = [...labels, { node, depth: f.depth }];
    }
    this.#within(node, joins);
    if (node.isLoop) f.end();
    this.#labels = labels;
  }
  #within(node: Node, joins: readonly Node[]): void {
    const { f } = this.#state;
    const [join, ...rest] = joins;
    if (join === undefined) {
      this.#body(node);
      return;
    }
    const labels = this.#labels;
    f.block();
    this.#labels = [...labels, { node: join, depth: f.depth }];
    this.#within(node, rest);
    f.end();
    this.#labels = labels;
    this.#tree(join);
  }
  #body(node: Node): void {
    const state = this.#state;
    if (node.entries.length > 0) {
      const [first = 0, ...rest] = node.entries.map((to) => this.#branchDepth(to));
      state.f.get(this.#selector(node)).brTable([first, ...rest], first);
      return;
    }
    state.dirty = this.#facts.of(node).dirtyIn;
    const entered = this.#entered;
    this.#entered = undefined;
    const { need } = this.#facts.of(node);
    if (this.#defers(node)) state.pending = { kind: "deferred", carry: need === NEED.CARRY };
    else if (entered === undefined) state.pending = undefined;
    // What one way led here with still holds.
    if (node.isLoop || node.forward !== 1) state.guarded = state.lowBytes = 0;
    const edges = this.#edges(node);
    const { facts, windows } = this.#facts.of(node);
    const first = node.copy + L.BLOCK_BYTES;
    const last = node.copy + node.last;
    state.withWindows(new Windows(windows.plan, entered?.windows, entered?.written), () => {
      for (const [index, known] of facts.entries()) {
        const record = first + index * L.RECORD_BYTES;
        state.begin();
        this.#instruction(node, record, edges, known);
        // (What the last one did was seen before other nodes.)
        if (record < last && !covers(known, state.seen)) {
          const { operation } = this.#facts.form(record)?.form ?? NO_FORM;
          throw new Error(`wrong facts of ${operation}`);
        }
        state.release();
      }
    });
  }

  /** Goes on at a node of the region. */
  #goTo(from: Node, to: Node): void {
    const state = this.#state;
    const { f } = state;
    state.elsewhere(() => {
      this.#charge(to);
      this.#passFlags(from, to);
      const at = to.dispatcher ?? to;
      if (at !== to) f.i32(at.entries.indexOf(to)).set(this.#selector(at));
      if (at.order <= from.order || at.forward > 1) f.br(this.#branchDepth(at));
      else if (at !== to) this.#tree(at);
      else {
        const { windows } = state;
        const goesOnThere = goesOn(from, to) && windows.known;
        this.#entered = { windows: goesOnThere ? windows : undefined, written: state.seen.written };
        this.#tree(to);
      }
    });
  }
  /** How many structures are to be left for a node. */
  #branchDepth(to: Node): number {
    const label = this.#labels.findLast((one) => one.node === to);
    if (label === undefined) throw new Error("a node of the region has no label");
    return this.#state.f.depth - label.depth;
  }
  /** Local with the number of the entry that a dispatcher goes to. */
  #selector(dispatcher: Node): number {
    let local = this.#selectors.get(dispatcher);
    if (local === undefined) this.#selectors.set(dispatcher, local = this.#state.f.local());
    return local;
  }
  /** Whether a node is entered with flags that are deferred: several ways lead there, and they may not be needed. */
  #defers(node: Node): boolean {
    const { flagsLive, need } = this.#facts.of(node);
    return (node.isLoop || node.forward > 1) && flagsLive && need !== NEED.ALL;
  }
  /** Brings flags into the form that a node expects. */
  #passFlags(from: Node, to: Node): void {
    const { flagsLive, need } = this.#facts.of(to);
    if (!flagsLive || (!to.isLoop && to.forward <= 1)) return;
    const x = this.#emitter(NO_FORM, from.copy + L.BLOCK_BYTES, NOWHERE);
    if (this.#defers(to)) x.passFlags(need === NEED.CARRY);
    else x.settleFlags();
  }
  /** Pays for a node's instructions; leaves before them where the budget may end on the way that begins here. */
  #charge(node: Node): void {
    const state = this.#state;
    const { f, budget } = state;
    const { checked, reach } = this.#facts.of(node);
    if (checked) {
      f.get(budget).i32(reach).ltS().if(undefined, false);
      this.#emitter(NO_FORM, node.copy + L.BLOCK_BYTES, NOWHERE).leaveBy(WAY.BUDGET, node.copy);
      f.end();
    }
    f.get(budget).i32(node.length).sub().set(budget);
    this.#module.counters?.add(f, "translated", node.length);
  }

  #edges(node: Node): Edges {
    const { f } = this.#state;
    const { imports } = this.#module;
    return {
      follow: (link) => {
        const to = link === L.RECORD.A ? node.taken : node.next;
        if (to === undefined) return false;
        if (leavesPage(node, to.eip)) {
          // To another page only while it is mapped where that block was decoded.
          f.get(this.#state.readTable);
          this.#mapped(to);
          f.if(undefined, true);
          this.#goTo(node, to);
          f.end();
          return false;
        }
        this.#goTo(node, to);
        return true;
      },
      call: (link, target) => {
        const [callee, result] = [this.#state.take(I32), this.#state.take(I32)];
        f.block();
        const found = f.depth;
        if (link >= 0) this.#calleeOfLink(node, link, callee, found);
        if (link >= 0) this.#followLink(node, link);
        else f.get(target).call(imports.jump);
        f.tee(callee).eqz().if(undefined, false).i32(0).return().end();
        f.get(callee).load(L.RECORD.HANDLER).i32(SPECIAL.REGION).ne().get(DEPTH).eqz().or();
        f.if(undefined, false).get(callee).return().end();
        f.end();
        this.#state.counters?.add(f, "nested call");
        f.get(DEPTH).i32(1).sub().get(callee).load(L.RECORD.A);
        f.callIndirect(this.#module.runtime.handlerType, REGION_TABLE).tee(result);
        f.i32(RETURNED).ne().if(undefined, false).get(result).return().end();
        this.#arrive(node);
      },
      jumpTo: (target) => this.#goToOthers(node, target),
      reportsJump: () => this.#module.observes(this.#region, node),
      sameMode: () => {
        const { next } = node;
        if (next === undefined || leavesPage(node, next.eip)) return;
        f.loadAt(L.MODE_WORD).get(this.#modeWord).eq().if(undefined, true);
        this.#goTo(node, next);
        f.end();
      },
      returnTo: (target) => {
        this.#goToOthers(node, target);
        if (node.next !== undefined) this.#goIf(node, target, node.next, true);
      },
    };
  }
  /** Goes on at the other node whose EIP is in a local, if it is one. */
  #goToOthers(node: Node, target: number): void {
    const others = [...node.others];
    if (others.length > CHAIN) {
      others.sort((a, b) => (a.eip >>> 0) - (b.eip >>> 0));
      this.#choose(node, target, others);
    } else for (const other of others) this.#goIf(node, target, other);
  }
  /** Goes on at the one of these nodes, in the order of their EIPs, whose EIP is in a local; behind it at none. */
  #choose(from: Node, target: number, nodes: readonly Node[]): void {
    const { f } = this.#state;
    const middle = nodes.length >> 1;
    const [first] = nodes;
    if (nodes.length === 1 && first !== undefined) return this.#goIf(from, target, first);
    f.get(target).i32((nodes[middle] as Node).eip).ltU().if();
    this.#choose(from, target, nodes.slice(0, middle));
    f.else();
    this.#choose(from, target, nodes.slice(middle));
    f.end();
  }
  #goIf(from: Node, target: number, to: Node, likely?: boolean): void {
    const { f } = this.#state;
    f.get(target).i32(to.eip).eq();
    if (leavesPage(from, to.eip)) {
      f.get(this.#state.readTable);
      this.#mapped(to);
      f.and();
    }
    f.if(undefined, likely);
    this.#goTo(from, to);
    f.end();
  }
  /** Leaves the block at depth `found`, with the callee's record in a local, if a link leads to a region. */
  #calleeOfLink(node: Node, link: number, callee: number, found: number): void {
    const { f } = this.#state;
    f.block();
    const { depth } = f;
    f.get(DEPTH).eqz().brIf(f.depth - depth, false);
    f.loadAt(node.copy + node.last + link).tee(callee).i32(L.LINK_CHECKED).and().if();
    f.get(callee).i32(L.LINK_CHECKED).sub().set(callee);
    f.get(this.#state.readTable).get(callee).load(L.BLOCK.TLB_AT).add().load();
    f.get(callee).load(L.BLOCK.TLB_WORD).ne().brIf(f.depth - depth, false);
    f.end();
    f.get(callee).i32(L.BLOCK_BYTES).add().tee(callee).load(L.RECORD.HANDLER).i32(SPECIAL.REGION);
    f.eq().brIf(f.depth - found, true).end();
  }
  /** Pushes the next record on the way along a link, which is charged for, or 0. */
  #followLink(node: Node, link: number): void {
    const { f } = this.#state;
    const { view, imports } = this.#module;
    const record = node.copy + node.last;
    f.i32(record + link).i32(view.getInt32(record + L.RECORD.IMMEDIATE, true));
    f.i32(record).call(imports.follow);
  }
  /** After other code: goes on at `next` if EIP in memory says so and nothing has changed meanwhile. */
  #arrive(node: Node): void {
    const { f } = this.#state;
    const { imports } = this.#module;
    const { next } = node;
    if (next !== undefined) {
      f.loadAt(L.EIP).i32(next.eip).eq().loadAt(L.MODE_WORD).get(this.#modeWord).eq().and();
      f.loadAt(this.#region.alive).and().loadAt(L.TLB_READ);
      this.#mapped(next);
      f.and();
      f.if(undefined, true);
      this.#reload();
      this.#goTo(node, next);
      f.end();
    }
    const record = this.#state.take(I32);
    f.loadAt(L.EIP).call(imports.jump).set(record);
    goOnAt(f, record, this.#module.runtime.handlerType);
  }

  /** Replaces the read table's address by whether a node's page is mapped where it was decoded. */
  #mapped(node: Node): void {
    const { f } = this.#state;
    const { view } = this.#module;
    f.load(view.getInt32(node.source + L.BLOCK.TLB_AT, true));
    f.i32(view.getInt32(node.source + L.BLOCK.TLB_WORD, true)).eq();
  }

  // ---- instructions -----------------------------------------------------------------------------

  #emitter(form: Form, record: number, edges: Edges): RegionEmitter {
    const { runtime, imports, view } = this.#module;
    const { mode } = this.#region;
    return new RegionEmitter({
      state: this.#state,
      form,
      runtime,
      imports,
      view,
      record,
      mode,
      edges,
    });
  }

  #instruction(node: Node, record: number, edges: Edges, facts: Facts): void {
    const { windows, f, seen } = this.#state;
    windows.begin(
      this.#facts.form(record)?.form ?? NO_FORM,
      this.#module.view,
      record,
      this.#region.mode,
    );
    const { calls } = f;
    this.#emitInstruction(node, record, edges, facts);
    // Calls run code that may change the TLB, but for those to functions of numbers.
    const operation = this.#facts.form(record)?.form.operation ?? "";
    if (f.calls !== calls && !FLOATING.has(operation)) windows.forget();
    else windows.end(seen.written);
  }
  #emitInstruction(node: Node, record: number, edges: Edges, facts: Facts): void {
    const state = this.#state;
    const { f } = state;
    const handler = this.#facts.handler(record);
    const form = this.#facts.form(record);
    const x = this.#emitter(form?.form ?? NO_FORM, record, edges);
    if (LOADS_SEGMENT.has(form?.form.operation ?? "")) {
      state.fpu.storePointers(this.#module.runtime);
    }
    if (form !== undefined && this.#facts.isHeardOf(node, record) && this.#facts.isPlain(record)) {
      const { runtime, imports, view } = this.#module;
      const { mode } = this.#region;
      const options = { state, form: form.form, runtime, imports, view, record, mode, edges };
      const traced = new TracedEmitter(options, imports.access, () => this.#reload());
      if (facts.flagsSetUnderCondition) traced.settleFlags();
      form.semantics.emit(traced);
      traced.end();
      return;
    }
    if (this.#facts.isTraced(node, record)) {
      x.spill();
      f.i32(record - L.RECORD_BYTES).i32(1).call(this.#module.runtime.trace);
      if (form !== undefined) {
        this.#handlerCall(x, record, handler, form.semantics.ends === true, true);
        return;
      }
    } else if (form !== undefined && INLINE.has(form.form.operation)) {
      // In one arm of a condition the flags cannot stay to be computed.
      if (facts.flagsSetUnderCondition) x.settleFlags();
      form.semantics.emit(x);
      return;
    }
    switch (handler) {
      case SPECIAL.SECOND:
        // The second page must be where it was; the run loop, which just looked, is believed.
        f.get(state.readTable).loadAt(record + L.RECORD.A).add().load();
        f.loadAt(record + L.RECORD.B).ne().loadAt(L.SECOND_CHECKED).i32(record).ne().and();
        f.if(undefined, false);
        x.bail();
        f.end().i32(0).i32(0).store(L.SECOND_CHECKED);
        return;
      case SPECIAL.LIVE: {
        const { view } = this.#module;
        const shift = view.getInt32(record + L.RECORD.IMMEDIATE, true);
        f.i32(0).loadAt(view.getInt32(record + L.RECORD.A, true));
        if (shift !== 0) f.i32(shift).shl().i32(shift).shrS();
        f.i32(view.getInt32(record + L.RECORD.DISPLACEMENT, true)).and();
        f.store(record + view.getInt32(record + L.RECORD.B, true));
        return;
      }
      case SPECIAL.FALL_THROUGH:
        x.branch(L.RECORD.A, () => x.field(L.RECORD.IMMEDIATE));
        return;
      case SPECIAL.COUNT: {
        const { view } = this.#module;
        const counter = view.getInt32(record + L.RECORD.A, true);
        state.counts.add(counter, view.getInt32(record + L.RECORD.IMMEDIATE, true));
        return;
      }
      case SPECIAL.HOOK:
        state.seen.bails = true;
        x.spill();
        f.i32(0).i32(record).store(L.CURRENT).i32(record).call(this.#module.runtime.hook);
        this.#goOnBehind(record);
        return;
      case SPECIAL.TRACE_ON:
        // The instruction behind it sees to that.
        return;
      case SPECIAL.TRACE_OFF: {
        if (!this.#facts.isTraced(node, record - L.RECORD_BYTES)) return;
        f.i32(record).i32(0).call(this.#module.runtime.trace);
        this.#reload();
        return;
      }
      case SPECIAL.ASSIST:
      case SPECIAL.ASSIST_ENDS:
        if (!this.#facts.isTraced(node, record)) {
          const { view, handlers } = this.#module;
          if (emitInlineAssist(x, view, handlers, record)) return;
        }
        this.#assist(node, x, record, handler === SPECIAL.ASSIST_ENDS);
        return;
    }
    if (form === undefined) {
      // #UD and the like, callbacks: the interpreter's.
      x.bail();
      return;
    }
    state.counters?.add(f, `handler ${form.form.operation}`);
    this.#handlerCall(x, record, handler, form.semantics.ends === true);
  }

  /** An instruction in TypeScript. */
  #assist(node: Node, x: RegionEmitter, record: number, ends: boolean): void {
    const state = this.#state;
    const { f } = state;
    state.seen.bails = true;
    if (state.counters !== undefined) {
      const assist = this.#module.view.getInt32(record + L.RECORD.A, true);
      state.counters.add(f, `assist ${this.#module.handlers.assists[assist & 0xffff]}`);
    }
    x.spill();
    f.i32(record).i32(-1).call(this.#module.runtime.assist);
    if (!ends) {
      f.drop();
      this.#goOnBehind(record);
      return;
    }
    f.if(undefined, false).i32(0).i32(0).store(L.LINK_SLOT);
    f.i32(0).i32(L.EXIT.DISPATCH).store(L.EXIT_REASON).i32(0).return().end();
    this.#arrive(node);
  }
  /** An instruction that the interpreter's handler executes; behind a `traced` one everything is taken up. */
  #handlerCall(
    x: RegionEmitter,
    record: number,
    handler: number,
    ends: boolean,
    traced = false,
  ): void {
    const state = this.#state;
    const { f } = state;
    const { runtime, handlers } = this.#module;
    state.seen.bails = true;
    if (!traced) x.spill();
    else if (handler < handlers.cases) this.#module.requireSteps();
    f.i32(record).i32(handlers.functionIndex(handler)).callIndirect(runtime.handlerType, 0);
    const result = state.take(I32);
    if (ends) {
      f.set(result);
      if (traced) f.i32(record).i32(0).call(runtime.trace);
      goOnAt(f, result, runtime.handlerType);
      return;
    }
    f.tee(result).i32(record + L.RECORD_BYTES).ne().if(undefined, false);
    f.get(result).return().end();
    this.#goOnBehind(record, traced);
  }
  /** Behind an instruction that ran outside: leaves if somebody wants to look, else takes up the state. */
  #goOnBehind(record: number, traced = false): void {
    const { f } = this.#state;
    f.loadAt(L.STOP_REQUESTED).if(undefined, false);
    f.i32(record + L.RECORD_BYTES).return().end();
    if (!traced) this.#reload();
  }
}

/** The function of a region. */
export function emitRegion(module: RegionModule, region: Region): WasmFunction {
  return new RegionWriter(module, region).write();
}
