/**
 * Handlers: the Wasm code that records name, one piece for each form, made at start-up from the semantics.
 *
 * The forms that programs spend their time in are cases of one function's loop around a `br_table`; the
 * others are functions of their own that return the next record. (Measured: V8's return_call_indirect
 * costs 6 ns, a step of the loop 1.5 ns; a loop of all forms would take the optimising compiler minutes.)
 * The forms of a row are all combinations of operand size, kind of memory operand and (where the
 * semantics say that they depend on it) flatness, address size and repeat prefix. Equal forms of
 * different rows share a handler.
 * Start-up is mostly the making of this code, so the semantics of units that not every guest uses come in
 * groups, each a module of its own, made when the first instruction of the group is decoded.
 * @module
 */
import type { Decoder, Entry, Instruction } from "../isa/decode.ts";
import {
  BUDGET,
  CURRENT,
  EIP,
  EXIT,
  EXIT_REASON,
  GPR,
  LINK_CHECKED,
  LINK_SLOT,
  RECORD,
  SECOND_CHECKED,
  TLB_READ,
  TLB_TRACE,
} from "../state/layout.ts";
import {
  Emitter,
  type Form,
  LocalPool,
  type Operand,
  type OperandKind,
  type Semantics,
} from "./emit.ts";
import { NO_FORM } from "./form.ts";
import { codeStores } from "./code_stores.ts";
import { settleFlags } from "./deferred_flags.ts";
import { Runtime } from "./runtime.ts";
import { stringRuns } from "./string_runs.ts";
import { shortRuns } from "./string_short.ts";
import { I32, WasmFunction, WasmModule } from "./wasm.ts";

/** Numbers of the handlers that belong to no instruction. */
export const SPECIAL = {
  ASSIST: 0,
  ASSIST_ENDS: 1,
  /** Raises vector A with error code B. */
  RAISE: 2,
  /** End of a block without a branch: continues at IMMEDIATE. */
  FALL_THROUGH: 3,
  /** Leaves before the instruction. */
  STOP: 4,
  /** Calls a plugin. */
  HOOK: 5,
  /** Adds IMMEDIATE (signed) to the 64-bit counter at address A. */
  COUNT: 6,
  /** Makes TLBs miss, so that the next instruction's accesses are seen; and back. */
  TRACE_ON: 7,
  TRACE_OFF: 8,
  /** Calls the region with number A. */
  REGION: 9,
  /** Leaves unless the read TLB has word B at A, or the run loop has just looked: begins blocks across pages. */
  SECOND: 10,
  /**
   * Loads a field of an instruction that is patched again and again: from A, shifted left and back by IMMEDIATE bits,
   * cut by DISPLACEMENT, to B bytes behind this record.
   */
  LIVE: 11,
} as const;
const SPECIALS = 12;
/** Slots in the table of regions. */
export const REGION_SLOTS = 0x4000;
/** What a region returns when it executed a RET: EIP is in memory. No record has this address. */
export const RETURNED = 1;
/** Host calls that guest calls may nest before a region returns to the interpreter. */
const MAX_DEPTH = 200;

const KINDS: readonly OperandKind[] = ["register", "base", "indexed", "segmented"];

/** Codes of operands that are or may be in memory. */
const MEMORY_KINDS = "EMOQW";

/** Handler numbers of an entry by variant. */
const VARIANTS = 2 * 2 * 4 * 2 * 3;

function variant(
  size: number,
  address: number,
  kind: number,
  flat: number,
  repeat: number,
): number {
  return (((size * 2 + address) * 4 + kind) * 2 + flat) * 3 + repeat;
}

/** Functions of the module that are called from outside, by name; each is built once and gives its index. */
export type Exported = Readonly<Record<string, (runtime: Runtime) => number>>;

/** The forms of a table and the Wasm module of their handlers. */
export class Handlers {
  readonly #numbers: Int16Array;
  readonly #assists: string[] = [];
  readonly #assistNumbers = new Map<string, number>();
  readonly #forms = new Map<string, number>();
  readonly #hot: { form: Form; semantics: Semantics }[] = [];
  readonly #cold: { form: Form; semantics: Semantics; group: number }[] = [];
  /** First of eight handlers with a fixed register, by the number of the general one. */
  readonly #fixedNumbers = new Map<number, number>();
  /** By operation: the semantics, and the group; 0 is the module that is made at start-up. */
  readonly #semantics = new Map<
    string,
    { readonly semantics: Semantics; readonly group: number }
  >();
  /** First number of a handler that is not in the loop. */
  readonly #firstCold: number;
  /** Modules of the groups by group and pages of memory. */
  readonly #groupModules = new Map<string, WebAssembly.Module>();
  readonly #groups: number;
  readonly #exported: Exported;

  /** `groups`: semantics that are made later, on first use. `exported`: functions that the engine looks for. */
  constructor(
    decoder: Decoder,
    semantics: Readonly<Record<string, Semantics>>,
    groups: readonly Readonly<Record<string, Semantics>>[] = [],
    exported: Exported = {},
  ) {
    this.#exported = exported;
    this.#groups = groups.length + 2;
    for (const [group, list] of [semantics, ...groups].entries()) {
      for (const [operation, one] of Object.entries(list)) {
        this.#semantics.set(operation, { semantics: one, group });
      }
    }
    this.#numbers = new Int16Array(decoder.entries.length * VARIANTS).fill(-1);
    for (const entry of decoder.entries) this.#enumerate(entry);
    for (const [index, { form, semantics }] of [...this.#hot].entries()) {
      const variants = fixedVariants(form);
      if (variants.length > 0) {
        this.#fixedNumbers.set(SPECIALS + index, SPECIALS + this.#hot.length);
      }
      for (const variant of variants) this.#hot.push({ form: variant, semantics });
    }
    this.#firstCold = SPECIALS + this.#hot.length;
    // Hot forms come first, so that they are the cases of the br_table.
    const shift = this.#hot.length - COLD;
    for (let i = 0; i < this.#numbers.length; i++) {
      const number = this.#numbers[i] as number;
      if (number >= COLD) this.#numbers[i] = number + shift;
    }
  }

  /** Names of the assists in the order of their numbers. */
  get assists(): readonly string[] {
    return this.#assists;
  }
  /** Number of forms that are cases of the loop. */
  get hotCount(): number {
    return this.#hot.length;
  }
  /** Number of forms, for statistics. */
  get count(): number {
    return this.#hot.length + this.#cold.length + SPECIALS;
  }
  /** Numbers below are cases of the interpreter's loop, the others functions of table 0, in order. */
  get cases(): number {
    return SPECIALS + this.#hot.length;
  }
  /** The form of a handler and its semantics; undefined for {@link SPECIAL} ones. */
  form(number: number): { readonly form: Form; readonly semantics: Semantics } | undefined {
    const hot = number - SPECIALS;
    return hot < this.#hot.length ? this.#hot[hot] : this.#cold[hot - this.#hot.length];
  }
  assistIndex(name: string): number {
    let index = this.#assistNumbers.get(name);
    if (index === undefined) {
      index = this.#assists.length;
      this.#assistNumbers.set(name, index);
      this.#assists.push(name);
    }
    return index;
  }
  /** True when the entry has Wasm semantics. */
  hasSemantics(entry: Entry): boolean {
    return this.#semantics.has(entry.operation);
  }

  #enumerate(entry: Entry): void {
    const found = this.#semantics.get(entry.operation);
    if (found === undefined) {
      this.assistIndex(entry.operation);
      return;
    }
    const { semantics, group } = found;
    const stack = semantics.stack === true;
    const string = semantics.string === true;
    const memory = entry.operands.some(({ kind }) => MEMORY_KINDS.includes(kind));
    const fixedSize = !stack && !string && entry.operands.length > 0 &&
      entry.operands.every(({ size }) => size > 0);
    for (let size = 0; size < (fixedSize ? 1 : 2); size++) {
      for (let address = 0; address < (string ? 2 : 1); address++) {
        for (let kind = 0; kind < (memory ? 4 : 1); kind++) {
          for (let flat = 0; flat < (stack ? 2 : 1); flat++) {
            for (let repeat = 0; repeat < (string ? 3 : 1); repeat++) {
              const number = this.#number(entry, semantics, group, {
                operandSize: fixedSize || size === 1 ? 4 : 2,
                addressSize: address === 1 ? 4 : 2,
                kind,
                flat: flat === 1,
                repeat: repeat === 0 ? 0 : 0xf1 + repeat,
              });
              if (number < 0) continue;
              for (const s of fixedSize ? [0, 1] : [size]) {
                for (const a of string ? [address] : [0, 1]) {
                  for (const b of stack ? [flat] : [0, 1]) {
                    for (const r of string ? [repeat] : [0, 1, 2]) {
                      this.#numbers[entry.index * VARIANTS + variant(s, a, kind, b, r)] = number;
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }

  #number(
    entry: Entry,
    semantics: Semantics,
    group: number,
    choice: { operandSize: 2 | 4; addressSize: 2 | 4; kind: number; flat: boolean; repeat: number },
  ): number {
    const { operandSize } = choice;
    const memory = KINDS[choice.kind] as OperandKind;
    const operands: Operand[] = [];
    for (const token of entry.operands) {
      const size = token.size === 0 ? operandSize : Math.max(token.size, 0);
      let kind: OperandKind = "register";
      if (MEMORY_KINDS.includes(token.kind)) {
        kind = memory;
        if ((token.kind === "M" || token.kind === "O") && kind === "register") return -1;
        if (token.kind === "O" && kind === "indexed") return -1;
      } else if ("IJA".includes(token.kind)) kind = "immediate";
      if (kind === "register" && "PQN".includes(token.kind)) {
        operands.push({ kind, size, file: "mmx" });
      } else if (kind === "register" && "VWU".includes(token.kind)) {
        operands.push({ kind, size, file: "xmm" });
      } else if (kind === memory && size === 16 && entry.aligned) {
        operands.push({ kind, size, aligned: true });
      } else operands.push({ kind, size });
    }
    const { addressSize, flat, repeat } = choice;
    let form: Form = {
      operation: entry.operation,
      operands,
      operandSize,
      addressSize,
      flat,
      repeat,
    };
    if ((memory === "base" || memory === "indexed") && !isHot(form) && !FLAT.has(form.operation)) {
      // The general form will do, and start-up is felt.
      form = {
        ...form,
        operands: operands.map((one) => one.kind === memory ? { ...one, kind: "segmented" } : one),
      };
    }
    const places = form.operands.map((o) =>
      `${o.file ?? o.kind}${o.size}${o.aligned === true ? "a" : ""}`
    );
    const key = `${entry.operation} ${operandSize} ${places} ` +
      `${semantics.string ? addressSize + "/" + repeat : ""} ${semantics.stack ? flat : ""}`;
    let number = this.#forms.get(key);
    if (number === undefined) {
      if (isHot(form)) {
        number = SPECIALS + this.#hot.length;
        this.#hot.push({ form, semantics });
      } else {
        number = SPECIALS + this.#cold.length + COLD;
        this.#cold.push({ form, semantics, group });
      }
      this.#forms.set(key, number);
    }
    return number;
  }

  /**
   * The handler for a decoded instruction, or −1 when the encoding has none (an operand that must be
   * memory is a register). `kind`: 0 no memory operand, 1 base, 2 indexed, 3 segmented.
   */
  select(entry: Entry, instruction: Instruction, kind: number, flat: boolean): number {
    const { repeat } = instruction;
    return this.#numbers[
      entry.index * VARIANTS + variant(
        instruction.operandSize === 4 ? 1 : 0,
        instruction.addressSize === 4 ? 1 : 0,
        kind,
        flat ? 1 : 0,
        repeat === 0 ? 0 : repeat - 0xf1,
      )
    ] as number;
  }

  /** The handler in place of `number` when its only operand is register 0..7. */
  fix(number: number, register: number): number {
    const first = this.#fixedNumbers.get(number);
    return first === undefined ? number : first + register;
  }

  /** Where the function of a handler is in table 0; those of the loop's cases are there with {@link stepGroup}. */
  functionIndex(number: number): number {
    return number < this.#firstCold
      ? this.#cold.length + number - SPECIALS
      : number - this.#firstCold;
  }
  /** The group of the loop's cases as functions, which execute one record: for regions whose accesses are traced. */
  get stepGroup(): number {
    return this.#groups - 1;
  }
  /** Number of groups; group 0 is there from the start. */
  get groupCount(): number {
    return this.#groups;
  }
  /** The group of a handler's number. */
  groupOf(number: number): number {
    return number < this.#firstCold
      ? 0
      : (this.#cold[number - this.#firstCold] as { group: number }).group;
  }

  /**
   * The module of a group from 1 on: puts its functions into the imported `table`, exports what they share. New assists may be named
   * afterwards ({@link assists}).
   */
  groupModule(group: number, pages: number): WebAssembly.Module {
    const key = `${group} ${pages}`;
    let made = this.#groupModules.get(key);
    if (made === undefined) {
      const { module, runtime } = this.#begin(pages);
      module.importTable("table", this.#functionCount, runtime.handlerType);
      this.#functions(module, runtime, group);
      // Regions call them too.
      for (const [name, index] of runtime.built) module.exportFunction(name, index);
      made = new WebAssembly.Module(module.encode());
      this.#groupModules.set(key, made);
    }
    return made;
  }

  #begin(pages: number): { module: WasmModule; runtime: Runtime } {
    const module = new WasmModule();
    module.importMemory("memory", pages);
    const runtime = new Runtime(module, (name) => this.assistIndex(name));
    runtime.enterBlock = (f, block) => {
      new Emitter(f, NO_FORM, runtime).enter(block);
    };
    return { module, runtime };
  }
  get #functionCount(): number {
    return this.#cold.length + this.#hot.length;
  }
  /** Adds the functions of a group and puts them in table 0. */
  #functions(module: WasmModule, runtime: Runtime, group: number): void {
    const steps = this.#hot.map((one) => ({ ...one, group: this.stepGroup }));
    const all = [...this.#cold, ...steps];
    let run: number[] = [];
    for (let i = 0; i <= all.length; i++) {
      const one = all[i];
      if (one?.group === group) {
        const f = new WasmFunction(1);
        const x = new Emitter(f, one.form, runtime);
        one.semantics.emit(x);
        if (one.semantics.ends !== true) x.next();
        run.push(module.add(runtime.handlerType, f));
      } else if (run.length > 0) {
        module.elements(i - run.length, run, runtime.handlerType);
        run = [];
      }
    }
  }

  /**
   * Encodes the module: exports `run` (a record) and `enter` (a block), which return at an exit, and the `table`
   * of the handlers that are functions.
   */
  build(pages: number): Uint8Array<ArrayBuffer> {
    const { module, runtime } = this.#begin(pages);
    const specials = specialHandlers(runtime);
    const cases = [
      ...specials.map((emit) => ({ form: NO_FORM, emit })),
      ...this.#hot.map(({ form, semantics }) => ({
        form,
        emit(x: Emitter): void {
          semantics.emit(x);
          if (semantics.ends !== true) x.next();
        },
      })),
    ];
    const one = module.type([I32]);
    const run = module.declare(one);
    module.define(run, interpreterLoop(runtime, cases));
    module.exportFunction("run", run);
    const enter = new WasmFunction(1);
    const locals = new LocalPool();
    // The loop's `go` would need a loop: charge here, then run.
    new Emitter(enter.block(), NO_FORM, runtime, { depth: 1, locals }).enter(0);
    enter.end().get(0).call(run);
    module.exportFunction("enter", module.add(one, enter));
    const table = module.table(this.#functionCount, runtime.handlerType);
    module.exportTable("table", table);
    this.#functions(module, runtime, 0);
    module.exportTable("regions", module.table(REGION_SLOTS, runtime.handlerType));
    for (const [name, index] of Object.entries(regionRuntime(runtime))) {
      module.exportFunction(name, index);
    }
    for (const [name, build] of Object.entries(this.#exported)) {
      module.exportFunction(name, build(runtime));
    }
    return module.encode();
  }
}

/** `loop { br_table handler … }`; what is not a case is called through the table. */
function interpreterLoop(
  runtime: Runtime,
  cases: readonly { readonly form: Form; readonly emit: (x: Emitter) => void }[],
): WasmFunction {
  const f = new WasmFunction(1);
  const locals = new LocalPool();
  const count = cases.length;
  f.loop();
  const { depth } = f;
  for (let i = 0; i <= count; i++) f.block();
  f.get(0).load(RECORD.HANDLER);
  f.brTable(Array.from({ length: count }, (_, i) => i), count);
  for (const { form, emit } of cases) {
    f.end();
    emit(new Emitter(f, form, runtime, { depth, locals }));
  }
  f.end();
  f.get(0).get(0).load(RECORD.HANDLER).i32(count).sub().callIndirect(runtime.handlerType);
  f.tee(0).brIf(0).end();
  return f;
}

/** What regions (translate/) call in the interpreter's module. */
function regionRuntime(runtime: Runtime): Record<string, number> {
  const emitter = (f: WasmFunction): Emitter => new Emitter(f, NO_FORM, runtime);
  const follow = runtime.shared("follow", [I32, I32, I32], [I32], (f) => {
    const block = f.local();
    f.get(0).load().tee(block).i32(LINK_CHECKED).and().if();
    f.get(block).i32(LINK_CHECKED).sub().set(block);
    runtime.mapped(f, block);
    f.eqz().if(undefined, false).get(1).get(0).get(2).call(runtime.branchUnlinked()).return();
    f.end().end();
    emitter(f).enter(block);
    f.op("unreachable");
  });
  const jump = runtime.shared("jump", [I32], [I32], (f) => {
    emitter(f).jump(0);
    f.op("unreachable");
  });
  return {
    follow,
    jump,
    ready: runtime.ready(),
    settleFlags: settleFlags(runtime),
    ...stringRuns(runtime),
    ...shortRuns(runtime),
    ...codeStores(runtime),
  };
}
const REGION_TABLE = 1;

/** Operations whose 32-bit and 8-bit forms are worth a case of the loop. */
const HOT: ReadonlySet<string> = new Set(
  ("mov movzx movsx add sub and or xor cmp test inc dec lea push pop jmp jmpE call callE ret " +
    "shl shr sar imul3 leave cwd nop neg not adc sbb xchg j.0 j.1 j.2 j.3 j.4 j.5 j.6 j.7 j.8 j.9 " +
    "j.10 j.11 j.12 j.13 j.14 j.15").split(" "),
);
/** Those that read, change and write memory with an index, or carries in memory, are left out. */
const COLD_IN_MEMORY: ReadonlySet<string> = new Set(
  "adc sbb neg not shl shr sar imul3 xchg".split(" "),
);

function isHot({ operation, operands, operandSize, flat }: Form): boolean {
  if (!HOT.has(operation) || operandSize !== 4) return false;
  const stack = ["push", "pop", "call", "callE", "ret", "leave"].includes(operation);
  if (stack && !flat) return false;
  const memory = operands.some(({ kind }) => kind !== "register" && kind !== "immediate");
  if (memory && COLD_IN_MEMORY.has(operation)) return false;
  return operands.every(({ kind, size }) => {
    if (kind === "segmented") return false;
    return size !== 2 || operation === "movzx" || operation === "movsx" || operation === "ret";
  });
}

/** Operations outside the loop of which the flat forms of memory operands are made too. */
const FLAT: ReadonlySet<string> = new Set(
  ("movups movq movd movss movsd fld.memory fst.memory fstp.memory fild addss subss mulss divss addsd subsd mulsd " +
    "divsd addps subps mulps addpd subpd mulpd comiss ucomiss comisd ucomisd cvtsi2sd cvtss2sd cvttsd2si")
    .split(" "),
);

/** One-byte encodings of one register, which compilers use most. */
const FIX: ReadonlySet<string> = new Set("inc dec push pop".split(" "));

/**
 * The forms of a hot form with each choice of its register: it needs neither a look into the record nor a
 * bounds check (V8 checks all but constant addresses). Only for single registers: with the forms of two
 * operands too, loops of a few instructions ran at 1.3 times the speed, but bash at 0.9 times, for the
 * loop's code outgrew the caches. (Fusing comparisons with the jump behind them gained nothing either.)
 */
function fixedVariants(form: Form): Form[] {
  const [operand] = form.operands;
  if (!FIX.has(form.operation) || form.operands.length !== 1 || operand === undefined) return [];
  if (operand.kind !== "register" || operand.size !== 4) return [];
  return Array.from({ length: 8 }, (_, i) => ({
    ...form,
    operands: [{ ...operand, fixed: GPR + 4 * i }],
  }));
}

/** Added to the numbers of cold forms until the number of hot ones is known. */
const COLD = 0x4000;

/** In the order of {@link SPECIAL}. */
function specialHandlers(runtime: Runtime): ((x: Emitter) => void)[] {
  return [
    (x) => {
      x.record().f.i32(-1).call(runtime.assist).drop();
      x.next();
    },
    (x) => {
      const target = x.local();
      x.record().f.i32(-1).call(runtime.assist);
      x.f.loadAt(EIP).set(target);
      x.f.if(undefined, false);
      x.f.i32(0).i32(0).store(LINK_SLOT).i32(0).i32(EXIT.DISPATCH).store(EXIT_REASON);
      x.leave().f.end();
      x.jump(target);
    },
    (x) => {
      x.f.i32(0);
      x.record().f.store(CURRENT);
      x.field(RECORD.A).field(RECORD.B).f.call(runtime.raise).op("unreachable");
    },
    (x) => x.branch(RECORD.A, () => x.field(RECORD.IMMEDIATE)),
    (x) => {
      const { f } = x;
      f.i32(0).loadAt(BUDGET).get(0).memory("i32.load8_u", RECORD.REMAINING).add().store(BUDGET);
      f.i32(0);
      x.field(RECORD.EIP).f.store(EIP);
      f.i32(0).i32(EXIT.STOP).store(EXIT_REASON);
      x.leave();
    },
    (x) => {
      x.f.i32(0);
      x.record().f.store(CURRENT);
      x.record().f.call(runtime.hook);
      x.next();
    },
    (x) => {
      x.field(RECORD.A).field(RECORD.A).f.memory("i64.load");
      x.field(RECORD.IMMEDIATE).f.op("i64.extend_i32_s", "i64.add").memory("i64.store");
      x.next();
    },
    (x) => {
      x.record().f.i32(1).call(runtime.trace);
      x.next();
    },
    (x) => {
      x.record().f.i32(0).call(runtime.trace);
      x.next();
    },
    (x) => {
      const { f } = x;
      const [next, target] = [x.local(), x.local()];
      // The traced instruction was the one that led here.
      f.loadAt(TLB_READ).i32(TLB_TRACE).eq().if(undefined, false);
      x.record().f.i32(0).call(runtime.trace).end();
      f.i32(MAX_DEPTH);
      x.field(RECORD.A).f.callIndirect(runtime.handlerType, REGION_TABLE).tee(next);
      f.eqz().if(undefined, false);
      x.leave().f.end();
      f.get(next).i32(RETURNED).eq().if();
      f.loadAt(EIP).set(target);
      x.jump(target).f.end();
      f.get(next);
      x.go();
    },
    (x) => {
      const { f } = x;
      f.loadAt(TLB_READ);
      x.field(RECORD.A).f.add().load();
      x.field(RECORD.B).f.ne().loadAt(SECOND_CHECKED);
      x.record().f.ne().and().if(undefined, false);
      f.i32(0).loadAt(BUDGET).get(0).memory("i32.load8_u", RECORD.REMAINING).add().store(BUDGET);
      f.i32(0);
      x.field(RECORD.EIP).f.store(EIP).i32(0).i32(0).store(LINK_SLOT);
      f.i32(0).i32(EXIT.DISPATCH).store(EXIT_REASON);
      x.leave().f.end().i32(0).i32(0).store(SECOND_CHECKED);
      x.next();
    },
    (x) => {
      x.record();
      x.field(RECORD.B).f.add();
      x.field(RECORD.A).f.load();
      x.field(RECORD.IMMEDIATE).f.shl();
      x.field(RECORD.IMMEDIATE).f.shrS();
      x.field(RECORD.DISPLACEMENT).f.and().store();
      x.next();
    },
  ];
}
