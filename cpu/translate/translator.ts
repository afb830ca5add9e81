/**
 * The translator: hot blocks become regions, regions become Wasm functions, several to a module.
 *
 * A region belongs to the blocks that it was made from: when a store drops one of them, the region dies and
 * its entry is interpreted again. Code that is changed again and again is translated late (code_changes.ts).
 * @module
 */
import type { Blocks } from "../execute/blocks.ts";
import { linkBranch } from "../execute/code_finder.ts";
import type { Core } from "../execute/core.ts";
import { type Handlers, REGION_SLOTS, SPECIAL } from "../execute/handlers.ts";
import { Runtime } from "../execute/runtime.ts";
import { I32, type WasmFunction, WasmModule } from "../execute/wasm.ts";
import * as L from "../state/layout.ts";
import { CodeChanges } from "./code_changes.ts";
import { emitRegion } from "./emit_region.ts";
import { formFacts } from "./facts.ts";
import { IndirectJumps } from "./indirect.ts";
import { type Region, RegionFinder } from "./region.ts";
import type { RegionRuntime } from "./region_emitter.ts";
import { type Installed, REGION_HEADER, type ResidentModule, Residents } from "./resident.ts";
import { noStatistics, RegionCounters, type TranslatorStatistics } from "./statistics.ts";

/** Regions that wait before a module is made of them. */
const BATCH = 16;
/** Further entries of a block that a region has until it gets a region of its own. */
const AGAIN = 4000;
/** Most bytes of Wasm that stay: several times what a boot of Linux makes. */
const WASM_BYTES = 32 << 20;
/** Looks of the run loop that a request waits for others to share its module. */
const PATIENCE = 2;
/** Thresholds below are for those who want regions soon: nothing waits. What code that changes waits is counted in it. */
const USUAL_THRESHOLD = 500;

/** What code at a linear address, 0..2^32−1, is called; undefined where nothing is known. */
export type NameCode = (linear: number) => string | undefined;

/** What the interpreter's instance gives to regions. */
export interface InterpreterExports {
  readonly handlers: WebAssembly.Table;
  readonly regions: WebAssembly.Table;
  /** Functions by their names in the handlers' module, and the imports of that module. */
  readonly functions: Readonly<
    Record<string, WebAssembly.ExportValue | ((...a: never[]) => unknown)>
  >;
  /** Puts the functions of the loop's cases into the table of handlers. */
  readonly requireSteps: () => void;
}

/** Makes regions. */
export class Translator {
  readonly #core: Core;
  readonly #blocks: Blocks;
  readonly #handlers: Handlers;
  readonly #exports: InterpreterExports;
  readonly #finder: RegionFinder;
  readonly #batch: number;
  readonly #threshold: number;
  readonly #eager: boolean;
  /** Blocks of regions that were hot once on their own. */
  readonly #again = new Set<number>();
  #queue: number[] = [];
  readonly #jumps = new IndirectJumps();
  /** Regions that are to be made again, for more is known of their indirect jumps. */
  readonly #outdated = new Set<Region>();
  readonly #residents: Residents;
  readonly #patience: number;
  /** Looks of the run loop since the oldest request. */
  #waited = 0;
  /** What modules of regions import. */
  readonly #environment: WebAssembly.ModuleImports;
  readonly #changes: CodeChanges;
  /** Blocks that have to be hot for longer, because their code changes. */
  readonly #waiting = new Set<number>();
  readonly #now: () => number;
  readonly #nameCode: NameCode;
  readonly statistics: TranslatorStatistics = noStatistics();
  /** Counters of what regions do; undefined unless asked for. */
  readonly counters: RegionCounters | undefined;

  constructor(options: {
    core: Core;
    blocks: Blocks;
    handlers: Handlers;
    exports: InterpreterExports;
    /** Entries after which a block is hot; 1: each is translated at once, also where code changes all the time. */
    threshold: number;
    /** Host milliseconds, for figures; regions then count what they do. */
    now: (() => number) | undefined;
    /** Most bytes of Wasm that stay. */
    limit: number | undefined;
    /** What code at a linear address is called, for the host's profilers. */
    nameCode: NameCode | undefined;
  }) {
    this.#core = options.core;
    this.#blocks = options.blocks;
    this.#handlers = options.handlers;
    this.#exports = options.exports;
    this.#threshold = options.threshold;
    this.#eager = options.threshold === 1;
    this.#now = options.now ?? (() => 0);
    this.#nameCode = options.nameCode ?? (() => undefined);
    if (options.now !== undefined) this.counters = new RegionCounters(this.#core.wasmMemory);
    this.#patience = options.threshold < USUAL_THRESHOLD ? 1 : PATIENCE;
    this.#batch = this.#eager ? 1 : BATCH;
    this.#changes = new CodeChanges(() => this.#core.instructions);
    this.#residents = new Residents(
      this.#core.i32,
      options.exports.regions,
      options.limit ?? WASM_BYTES,
      REGION_SLOTS,
    );
    // What groups of handlers add later is seen too.
    this.#environment = Object.create(options.exports.functions);
    this.#environment["reportJump"] = (record: number, eip: number) =>
      this.#jumps.report(record, eip);
    const unstable = (physical: number): boolean =>
      !this.#eager && this.#changes.unstable(physical);
    this.#finder = new RegionFinder(
      this.#core,
      this.#blocks,
      this.#handlers,
      this.#jumps,
      unstable,
    );
    this.#blocks.onDrop = (block) => this.#dropped(block);
  }

  /** Asks for the region that begins with a block. */
  request(block: number): void {
    this.#queue.push(block);
  }
  /** Something has waited long enough for {@link work}; each look counts. */
  get pending(): boolean {
    if (this.#queue.length === 0 && this.#outdated.size === 0) return false;
    return ++this.#waited >= this.#patience || this.urgent;
  }
  /** All decoded code has been dropped. */
  flushed(): void {
    this.#queue = [];
    this.#residents.clear();
    this.statistics.live = 0;
    this.#again.clear();
    this.#waiting.clear();
    this.#jumps.flushed();
    this.#outdated.clear();
  }

  get urgent(): boolean {
    return this.#queue.length >= this.#batch;
  }

  /** Translates what is asked for. Only between blocks. Returns false when there is no room for it. */
  work(): boolean {
    this.#takeBackOutdated();
    const queue = this.#queue;
    this.#queue = [];
    this.#waited = 0;
    for (const installed of this.#residents.superfluous()) {
      this.#remove(installed);
      this.statistics.evicted++;
    }
    const started = this.#now();
    const module = new WasmModule();
    module.importMemory("memory", this.#core.wasmMemory.buffer.byteLength / 0x10000);
    const shared = new RegionImports(module, (name) => this.#handlers.assistIndex(name));
    const imports = shared.regionRuntime();
    const emitted: { region: Region; entry: number; f: WasmFunction }[] = [];
    const covered = new Set<number>();
    for (const entry of queue) {
      if (!this.#wanted(entry)) continue;
      if (
        !this.#eager && (covered.has(entry) || this.#residents.has(entry)) &&
        !this.#again.has(entry)
      ) {
        // Part of a region that is entered elsewhere: worth its own entry only if it stays hot.
        this.#again.add(entry);
        this.#core.i32[(entry + L.BLOCK.COUNT) >> 2] = AGAIN;
        continue;
      }
      const region = this.#finder.find(entry);
      if (region === undefined) {
        this.#core.i32[(entry + L.BLOCK.COUNT) >> 2] = AGAIN;
        continue;
      }
      for (const { source } of region.nodes) covered.add(source);
      if (!this.#copy(region)) return false;
      const f = emitRegion({
        view: this.#core.view,
        handlers: this.#handlers,
        runtime: shared,
        imports,
        counters: this.counters,
        facts: formFacts(this.#handlers),
        observes: (of, node) =>
          this.#jumps.observe(
            this.#finder.physical(node),
            node.eip,
            node.copy + node.last,
            () => this.#outdated.add(of),
          ),
        requireSteps: this.#exports.requireSteps,
      }, region);
      emitted.push({ region, entry, f });
    }
    if (emitted.length === 0) return true;
    const type = shared.handlerType;
    module.importTable("table", this.#exports.handlers.length, type);
    module.importTable("regions", REGION_SLOTS, type);
    for (const [index, { f, region }] of emitted.entries()) {
      const number = module.add(type, f);
      module.exportFunction(`r${index}`, number);
      module.nameFunction(number, this.#regionName(region));
    }
    const bytes = module.encode();
    const generated = this.#now();
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      e: this.#environment,
    });
    const resident = this.#residents.module(bytes.length);
    for (const [index, { region, entry }] of emitted.entries()) {
      const f = instance.exports[`r${index}`] as WebAssembly.ExportValue & (() => number);
      if (!this.#install(resident, region, entry, f)) return false;
    }
    const { statistics } = this;
    statistics.generationMs += generated - started;
    statistics.compilationMs += this.#now() - generated;
    statistics.modules++;
    statistics.bytes += bytes.length;
    return true;
  }

  /** The name of a region's function: `g` and EIP, or what is there and EIP. */
  #regionName({ nodes: [first], base }: Region): string {
    const eip = (first?.eip ?? 0) >>> 0;
    const symbol = this.#nameCode((base + eip) >>> 0);
    const address = eip.toString(16);
    return symbol === undefined ? `g${address}` : `${symbol} [${address}]`;
  }

  #wanted(entry: number): boolean {
    const { i32 } = this.#core;
    const at = entry >> 2;
    if (i32[at] === L.DEAD_LENGTH || i32[(entry + L.BLOCK.REAL) >> 2] !== 0) return false;
    if (this.#eager || this.#waiting.has(entry)) return true;
    const wait = this.#changes.wait(i32[(entry + L.BLOCK.PHYSICAL) >> 2] as number);
    if (wait === 0) return true;
    this.#waiting.add(entry);
    i32[(entry + L.BLOCK.COUNT) >> 2] = wait * Math.min(this.#threshold, USUAL_THRESHOLD);
    return false;
  }

  /** Copies the records, which the region will name, so that it is alone in using them. */
  #copy(region: Region): boolean {
    const { i32, u8 } = this.#core;
    const sizes = region.nodes.map(({ last }) => last + L.RECORD_BYTES);
    const total = sizes.reduce((sum, size) => sum + size, REGION_HEADER.BYTES);
    let at = this.#blocks.allocate(total);
    if (at === 0) return false;
    region.alive = at;
    i32[(at + REGION_HEADER.ALIVE) >> 2] = 1;
    i32[(at + REGION_HEADER.USED) >> 2] = 1;
    at += REGION_HEADER.BYTES;
    for (const [index, node] of region.nodes.entries()) {
      const size = sizes[index] as number;
      u8.copyWithin(at, node.copy, node.copy + size);
      i32[(at + L.BLOCK.COUNT) >> 2] = -1;
      i32[(at + L.BLOCK.REAL) >> 2] = 0;
      node.copy = at;
      const link = at + node.last;
      if (node.takenBlock !== 0) linkBranch(this.#core, link + L.RECORD.A, node.takenBlock);
      if (node.operation.startsWith("j.") && node.nextBlock !== 0) {
        linkBranch(this.#core, link + L.RECORD.B, node.nextBlock);
      }
      at += size;
    }
    return true;
  }

  #install(module: ResidentModule, region: Region, entry: number, f: () => number): boolean {
    const installed = this.#residents.install(module, region, entry, f);
    if (installed === undefined) return false;
    const { i32 } = this.#core;
    i32[(entry + L.BLOCK.REAL) >> 2] = region.nodes[0]?.copy as number;
    i32[(entry + L.BLOCK.LENGTH) >> 2] = 0;
    const record = (entry + L.BLOCK_BYTES) >> 2;
    i32[record] = SPECIAL.REGION;
    i32[record + 1] = installed.slot;
    this.statistics.regions++;
    this.statistics.live++;
    this.statistics.instructions += region.instructions;
    return true;
  }

  /** Gives regions that are to be made again back to the interpreter, and asks for them anew. */
  #takeBackOutdated(): void {
    for (const region of this.#outdated) {
      const [first] = region.nodes;
      const installed = this.#residents.of(first?.source ?? 0)
        .find((one) => one.region === region);
      if (first === undefined || installed === undefined) continue;
      const { entry } = installed;
      this.#uninstall(installed);
      this.statistics.remade++;
      this.#giveBack(entry, first.copy);
      this.#again.add(entry);
      this.#queue.push(entry);
    }
    this.#outdated.clear();
  }
  /** The region is not alive any more, and belongs to no block. */
  #uninstall(installed: Installed): void {
    this.#residents.remove(installed);
    this.statistics.live--;
    for (const { copy, last } of installed.region.nodes) this.#jumps.forget(copy + last);
  }

  /** A block's bytes have changed. */
  #dropped(block: number): void {
    const regions = this.#residents.of(block);
    if (regions.length === 0) return;
    this.#changes.changed(this.#core.i32[(block + L.BLOCK.PHYSICAL) >> 2] as number);
    for (const installed of regions) {
      this.#remove(installed);
      this.statistics.dropped++;
    }
  }
  /** A block's hooks have changed, and not its bytes. */
  forget(block: number): void {
    for (const installed of this.#residents.of(block)) {
      this.#remove(installed);
      this.statistics.dropped++;
    }
  }
  /**
   * A region is gone, and its entry is a block like others again: which blocks there are, and so which stores change one,
   * does not depend on what was translated.
   */
  #remove(installed: Installed): void {
    const { i32 } = this.#core;
    this.#uninstall(installed);
    const { entry, region } = installed;
    this.#again.delete(entry);
    const [first] = region.nodes;
    if (i32[entry >> 2] !== L.DEAD_LENGTH && first !== undefined) {
      this.#giveBack(entry, first.copy);
      i32[(entry + L.BLOCK.COUNT) >> 2] = this.#threshold;
      return;
    }
    // Calls from other regions look at the record alone.
    i32[(entry + L.BLOCK_BYTES) >> 2] = SPECIAL.STOP;
  }
  /** Makes a region's entry the block that it was; `copy`: the region's copy of it, whose first record nothing patches. */
  #giveBack(entry: number, copy: number): void {
    const { i32 } = this.#core;
    i32[(entry + L.BLOCK.LENGTH) >> 2] = i32[(copy + L.BLOCK.LENGTH) >> 2] as number;
    i32[(entry + L.BLOCK.REAL) >> 2] = 0;
    for (let at = L.BLOCK_BYTES; at < L.BLOCK_BYTES + 8; at += 4) {
      i32[(entry + at) >> 2] = i32[(copy + at) >> 2] as number;
    }
  }
}

/** The handlers' runtime as regions see it: what the interpreter's module has is imported, not built again. */
export class RegionImports extends Runtime {
  readonly #imported = new Map<string, number>();

  override shared(
    name: string,
    parameters: readonly number[],
    results: readonly number[],
  ): number {
    let index = this.#imported.get(name);
    if (index === undefined) {
      index = this.module.importFunction(name, this.module.type(parameters, results));
      this.#imported.set(name, index);
    }
    return index;
  }
  regionRuntime(): RegionRuntime {
    return {
      ready: this.shared("ready", [I32, I32], [I32]),
      pageFault: this.shared("pageFault", [I32], [I32]),
      follow: this.shared("follow", [I32, I32, I32], [I32]),
      jump: this.shared("jump", [I32], [I32]),
      access: this.shared("access", [I32, I32, I32, I32, I32], []),
      report: this.shared("reportJump", [I32, I32], []),
    };
  }
}
