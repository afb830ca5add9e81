/**
 * A kernel's allocator by the stacks that call it: what is live at the end, what was allocated, how often; and what is
 * freed twice, with the stacks of both. It hooks the allocator's functions by name.
 *
 * @module
 */
import {
  type AnyPlugin,
  type CallingConvention,
  definePlugin,
  type PluginHost,
} from "../api/mod.ts";
import { profileFormat, StackCounts, stackNames } from "../profiler/mod.ts";

/** Allocators that are known: functions that allocate with the argument that is the size, and that free. */
const PRESETS: Readonly<Record<string, { readonly alloc: string; readonly free: string }>> = {
  overture: { alloc: "kernel/mm/heap/kmalloc:0", free: "kernel/mm/heap/kfree:0" },
  // SLUB of Linux 6.1; constant sizes go to kmalloc_trace. The size of a cache's objects is not among the arguments.
  linux: {
    alloc:
      "__kmalloc:0+__kmalloc_node:0+__kmalloc_node_track_caller:0+kmalloc_large:0+kmalloc_large_node:0+" +
      "kmalloc_trace:2+kmalloc_node_trace:3+kmem_cache_alloc:-+kmem_cache_alloc_lru:-+kmem_cache_alloc_node:-+" +
      "kmem_cache_alloc_bulk:*3",
    free: "kfree:0+kmem_cache_free:1+kmem_cache_free_bulk:*2",
  },
};
const KINDS = ["live", "bytes", "count"] as const;
type Kind = typeof KINDS[number];
const isKind = (text: string): text is Kind => KINDS.some((kind) => kind === text);
/** Pointers whose free is remembered. */
const FREED_MAX = 100_000;
const ARGS_MAX = 6;
const WORD = 4;
/** Pointers of an array that are looked at. */
const BULK_MAX = 4096;

/** A function, and the argument that matters: the size, or the pointer; undefined: none does. */
interface Hooked {
  readonly name: string;
  readonly argument: number | undefined;
  /** It is an array of pointers: as many as the function returns, or as the argument before it says. */
  readonly array: boolean;
}

/** `NAME:ARGUMENT+NAME…`: without argument it is the first; `-` for none, `*N` for an array of pointers. */
function readFunctions(text: string): readonly Hooked[] {
  return text.split("+").map((part) => {
    const [, name = "", array = "", argument = "0"] = /^(.+?)(?::(\*?)(\d+|-))?$/.exec(part) ??
      [];
    if (name === "" || Number(argument) >= ARGS_MAX) {
      throw new RangeError(
        `"${part}" is no function: write NAME or NAME:ARGUMENT, from 0 to ${ARGS_MAX - 1}`,
      );
    }
    return {
      name,
      argument: argument === "-" ? undefined : Number(argument),
      array: array !== "",
    };
  });
}

interface Allocation {
  readonly bytes: number;
  readonly stack: readonly string[];
}

function stack(host: PluginHost): readonly string[] {
  return stackNames(host.stack(), host.process());
}

/** The bundled plugin `memprofile`. */
export const plugin: AnyPlugin = definePlugin({
  name: "memprofile",
  description: "an allocator's calls by stack: live bytes, allocated bytes or calls; double frees",
  options: {
    preset: { type: "string", help: `${Object.keys(PRESETS).join(" or ")}`, default: "overture" },
    alloc: {
      type: "string",
      help:
        "functions that allocate, instead of the preset's: NAME:SIZE+NAME:SIZE, SIZE the argument from 0",
      default: "",
    },
    free: { type: "string", help: "functions that free: NAME:POINTER+…", default: "" },
    convention: { type: "string", help: "regparm3 or cdecl", default: "regparm3" },
    kind: { type: "string", help: "live, bytes or count", default: "live" },
    out: { type: "string", help: "a file (.svg, .folded, …) for the stacks", default: "" },
  },
  install(host, options) {
    const preset = PRESETS[options.preset];
    if (preset === undefined) {
      throw new RangeError(
        `preset is ${Object.keys(PRESETS).join(" or ")}, not "${options.preset}"`,
      );
    }
    const { kind } = options;
    if (!isKind(kind)) throw new RangeError(`kind is ${KINDS.join(", ")}, not "${kind}"`);
    if (options.convention !== "regparm3" && options.convention !== "cdecl") {
      throw new RangeError(`convention is regparm3 or cdecl, not "${options.convention}"`);
    }
    const present = ({ name }: Hooked): boolean => host.symbols.find(name) !== undefined;
    /** Those that are given must all be there, of a preset's one. */
    const functions = (given: string, known: string, what: string): readonly Hooked[] => {
      const all = readFunctions(given || known);
      const missing = all.find((one) => !present(one));
      if (missing !== undefined && (given !== "" || !all.some(present))) {
        throw new RangeError(`the kernel has no function "${missing.name}": give ${what}=`);
      }
      return all.filter(present);
    };
    const allocs = functions(options.alloc, preset.alloc, "alloc");
    const frees = functions(options.free, preset.free, "free");
    const convention: CallingConvention = options.convention;
    const live = new Map<number, Allocation>();
    const freed = new Map<number, readonly string[]>();
    const all = new StackCounts();
    const totals = { calls: 0, bytes: 0, failed: 0, frees: 0, unknown: 0, unseen: 0, twice: 0 };
    const allocated = (pointer: number, bytes: number): void => {
      if (pointer === 0) {
        totals.failed++;
        return;
      }
      const frames = stack(host);
      totals.calls++;
      totals.bytes += bytes;
      // It was freed by something that is not hooked.
      if (live.has(pointer)) totals.unseen++;
      live.set(pointer, { bytes, stack: frames });
      freed.delete(pointer);
      if (kind === "bytes" && bytes > 0) all.add(frames, bytes);
      if (kind === "count") all.add(frames);
    };
    const free = (pointer: number): void => {
      if (pointer === 0) return;
      totals.frees++;
      if (live.delete(pointer)) {
        if (freed.size >= FREED_MAX) freed.delete(freed.keys().next().value as number);
        freed.set(pointer, stack(host));
        return;
      }
      const before = freed.get(pointer);
      if (before === undefined) {
        totals.unknown++;
        return;
      }
      totals.twice++;
      const [now, then] = [stack(host), before].map((frames) => frames.join(";"));
      host.out(`0x${pointer.toString(16)} is freed twice:\n  now by ${now}\n  before by ${then}\n`);
    };
    /** So many pointers from an address on. */
    const pointers = (address: number, count: number): readonly number[] => {
      const bytes = host.readMemory(address, WORD * Math.min(count, BULK_MAX));
      return bytes === undefined ? [] : [...new Uint32Array(bytes.buffer)];
    };
    for (const { name, argument, array } of allocs) {
      host.onReturn(name, ({ call, value }) => {
        const what = argument === undefined ? 0 : call.args(ARGS_MAX)[argument] as number;
        // The size of each is not among the arguments.
        if (array) { for (const one of pointers(what, value)) allocated(one, 0); }
        else allocated(value, what);
      }, { convention });
    }
    for (const { name, argument = 0, array } of frees) {
      host.onCall(name, ({ args }) => {
        const what = args(ARGS_MAX)[argument] as number;
        if (array) pointers(what, args(argument)[argument - 1] ?? 0).forEach(free);
        else free(what);
      }, { convention });
    }
    host.atExit(() => {
      let bytes = 0;
      for (const one of live.values()) {
        bytes += one.bytes;
        if (kind === "live" && one.bytes > 0) all.add(one.stack, one.bytes);
      }
      host.out(
        `${totals.calls} allocations of ${totals.bytes} bytes (${totals.failed} failed), ${totals.frees} frees ` +
          `(${totals.unknown} of what nobody saw allocated, ${totals.unseen} unseen, ${totals.twice} twice); ` +
          `live: ${live.size} of ${bytes} bytes\n`,
      );
      if (options.out === "") {
        const rows = all.entries().sort((a, b) =>
          b.count - a.count || (a.stack < b.stack ? -1 : 1)
        );
        for (const { stack: frames, count } of rows.slice(0, 20)) host.out(`${count} ${frames}\n`);
      } else {
        const name = kind === "count" ? "allocations" : `${kind} bytes`;
        const file = profileFormat(options.out).encode(all, {
          name: `${allocs[0]?.name}: ${name}`,
          periodNs: 1,
          countName: kind === "count" ? name : "bytes",
        });
        if (typeof file === "string") Deno.writeTextFileSync(options.out, file);
        else Deno.writeFileSync(options.out, file);
      }
    });
  },
});
