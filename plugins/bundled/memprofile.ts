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

/** Allocators that are known: their functions, the argument with the size, and how arguments are passed. */
const PRESETS: Readonly<Record<string, { alloc: string; free: string; size: number }>> = {
  overture: { alloc: "kernel/mm/heap/kmalloc", free: "kernel/mm/heap/kfree", size: 0 },
  linux: { alloc: "__kmalloc", free: "kfree", size: 0 },
};
const KINDS = ["live", "bytes", "count"] as const;
type Kind = typeof KINDS[number];
const isKind = (text: string): text is Kind => KINDS.some((kind) => kind === text);
/** Pointers whose free is remembered. */
const FREED_MAX = 100_000;
const ARGS = 4;

interface Allocation {
  readonly bytes: number;
  readonly stack: readonly string[];
}

function stack(host: PluginHost): readonly string[] {
  return stackNames(host.stack(), host.process());
}
const fold = (frames: readonly string[]): string => frames.join(";");

/** The bundled plugin `memprofile`. */
export const plugin: AnyPlugin = definePlugin({
  name: "memprofile",
  description: "an allocator's calls by stack: live bytes, allocated bytes or calls; double frees",
  options: {
    preset: { type: "string", help: `${Object.keys(PRESETS).join(" or ")}`, default: "overture" },
    alloc: {
      type: "string",
      help: "the function that allocates, instead of the preset's",
      default: "",
    },
    free: { type: "string", help: "the function that frees", default: "" },
    size: { type: "number", help: "which argument of alloc is the size, from 0", default: -1 },
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
    const alloc = options.alloc || preset.alloc;
    const free = options.free || preset.free;
    const size = options.size < 0 ? preset.size : options.size;
    if (!(Number.isInteger(size) && size < ARGS)) {
      throw new RangeError(`size is an argument from 0 to ${ARGS - 1}, not ${options.size}`);
    }
    for (const name of [alloc, free]) {
      if (!name.includes("*") && host.symbols.find(name) === undefined) {
        throw new RangeError(`the kernel has no function "${name}": give alloc= and free=`);
      }
    }
    const convention: CallingConvention = options.convention;
    const live = new Map<number, Allocation>();
    const freed = new Map<number, readonly string[]>();
    const all = new StackCounts();
    const totals = { calls: 0, bytes: 0, failed: 0, frees: 0, unknown: 0, twice: 0 };
    host.onReturn(alloc, ({ call, value }) => {
      const bytes = call.args(ARGS)[size] as number;
      if (value === 0) {
        totals.failed++;
        return;
      }
      const frames = stack(host);
      totals.calls++;
      totals.bytes += bytes;
      live.set(value, { bytes, stack: frames });
      freed.delete(value);
      if (kind === "bytes" && bytes > 0) all.add(frames, bytes);
      if (kind === "count") all.add(frames);
    }, { convention });
    host.onCall(free, ({ args }) => {
      const pointer = args(1)[0] as number;
      if (pointer === 0) return;
      totals.frees++;
      if (live.delete(pointer)) {
        if (freed.size >= FREED_MAX) {
          for (const oldest of freed.keys()) {
            freed.delete(oldest);
            break;
          }
        }
        freed.set(pointer, stack(host));
        return;
      }
      const before = freed.get(pointer);
      if (before === undefined) totals.unknown++;
      else {
        totals.twice++;
        host.out(
          `0x${pointer.toString(16)} is freed twice:\n  now by ${fold(stack(host))}\n  before by ${
            fold(before)
          }\n`,
        );
      }
    }, { convention });
    host.atExit(() => {
      let bytes = 0;
      for (const one of live.values()) {
        bytes += one.bytes;
        if (kind === "live" && one.bytes > 0) all.add(one.stack, one.bytes);
      }
      host.out(
        `${totals.calls} allocations of ${totals.bytes} bytes (${totals.failed} failed), ${totals.frees} frees ` +
          `(${totals.unknown} of what was allocated before, ${totals.twice} twice); ` +
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
          name: `${alloc}: ${name}`,
          periodNs: 1,
          countName: kind === "count" ? name : "bytes",
        });
        if (typeof file === "string") Deno.writeTextFileSync(options.out, file);
        else Deno.writeFileSync(options.out, file);
      }
    });
  },
});
