/**
 * The sampling profiler: at a fixed distance in retired instructions it takes the symbolised stack and
 * counts it. It stands on the plugin API alone; between samples it costs nothing; the same image and
 * options give the same counts.
 *
 * A stack's root is what the kernel was entered for: its own entry point (`kernel_main`,
 * `interrupt_handler`), or the process, under which come its user frames and then, in a system call or a
 * fault, the kernel's frames from `syscall_handler` down.
 *
 * @module
 */
import {
  type AnyPlugin,
  definePlugin,
  type GuestProcess,
  type PluginHost,
  type StackFrame,
} from "../api/mod.ts";
import { StackCounts } from "./folded.ts";

/** Options of {@linkcode Profiler}. */
export interface ProfilerOptions {
  /** Samples a second of virtual time; a prime keeps clear of the guest's own timers. Default 997. */
  readonly frequency?: number | undefined;
  /** Instructions between samples, instead of a frequency. */
  readonly period?: number | undefined;
  /** Sample from the first time this kernel symbol, or linear address (0x…), is executed; default: at once. */
  readonly from?: string | undefined;
  /** End the run when this kernel symbol or address is executed; `idle` when the guest waits for input. */
  readonly until?: string | undefined;
  /** End the run with the first sample so much virtual time (ns) after the start. */
  readonly durationNs?: number | undefined;
  /** Frames of a stack at most, the innermost kept; default 127. */
  readonly maxDepth?: number | undefined;
  /** Take these samples alone; default: all. */
  readonly only?: "kernel" | "user" | undefined;
  /** Take the samples of the process of this number alone. */
  readonly pid?: number | undefined;
  /** Take the samples of processes of this name alone. */
  readonly comm?: string | undefined;
}

/** What the samples were. */
export interface ProfileSummary {
  /** Samples taken. */
  readonly samples: number;
  /** Samples whose leaf has a symbol (or belongs to a program without symbols, which is named). */
  readonly symbolised: number;
  /** Samples whose stack reaches a known root. */
  readonly rooted: number;
  /** Samples taken in user mode. */
  readonly userSamples: number;
  /** Retired instructions when sampling began. */
  readonly firstInstruction: number;
  /** Retired instructions when it ended. */
  readonly lastInstruction: number;
}

/** Functions at which a kernel's stack begins: what the graph's roots are called. */
export const KERNEL_ROOTS: readonly string[] = [
  "kernel_main",
  "interrupt_handler",
  "syscall_handler",
  "sysenter_handler",
  "exception_handler",
  "page_fault_handler",
];

/** Roots that are entered on behalf of the running process: its user frames go above them. */
const PROCESS_ROOTS = [
  "syscall_handler",
  "sysenter_handler",
  "exception_handler",
  "page_fault_handler",
];

const DEFAULT_FREQUENCY = 997;
/** The guest waits for input when it idles this long, with at most this share of time busy. */
const IDLE_NS = 250e6;
const IDLE_BUSY_SHARE = 0.1;
const IDLE_JUDGE_NS = 10e6;

interface Sample {
  readonly frames: string[];
  readonly symbolised: boolean;
  readonly rooted: boolean;
  readonly user: boolean;
}

/** One profile of one run. */
export class Profiler {
  /** The plugin to install on the machine. */
  readonly plugin: AnyPlugin;
  /** The stacks that were counted. */
  readonly stacks: StackCounts = new StackCounts();
  readonly #options: ProfilerOptions;
  #host: PluginHost | undefined;
  #next: Disposable | undefined;
  #symbolised = 0;
  #rooted = 0;
  #user = 0;
  #first = 0;
  #last = 0;
  #startNs = 0;
  /** Samples of an idle stretch that may turn out to be the wait for input, which is not the boot's. */
  #pending: Sample[] = [];
  #idleSince: { timeNs: number; instructions: number } | undefined;

  /** A profiler that has not been installed yet; use it for one run. */
  constructor(options: ProfilerOptions = {}) {
    this.#options = options;
    this.plugin = definePlugin({
      name: "profiler",
      description: "samples stacks on virtual time",
      install: (host) => this.#install(host),
    });
  }

  /** What the samples were, so far. */
  get summary(): ProfileSummary {
    return {
      samples: this.stacks.total,
      symbolised: this.#symbolised,
      rooted: this.#rooted,
      userSamples: this.#user,
      firstInstruction: this.#first,
      lastInstruction: this.#last,
    };
  }

  #install(host: PluginHost): void {
    this.#host = host;
    const { from, until } = this.#options;
    const addresses = [from, until === "idle" ? undefined : until].map((name) =>
      name === undefined ? undefined : addressOf(host, name)
    );
    if (addresses.some((address) => address !== undefined)) {
      host.onTranslate((block) => {
        for (const instruction of block.instructions) {
          if (instruction.address === addresses[0]) instruction.onExecute(() => this.#start());
          if (instruction.address === addresses[1]) instruction.onExecute(() => this.#end());
        }
      });
    }
    if (until === "idle") {
      host.onVcpuIdle(() => this.#idle());
      host.onVcpuResume(() => this.#idle());
    }
    if (from === undefined) host.onVcpuInit(() => this.#start());
    host.atExit(() => {
      this.#last = Math.max(this.#last, this.#idleSince?.instructions ?? host.instructions);
      this.#keepPending();
    });
  }

  #start(): void {
    if (this.#next !== undefined) return;
    this.#first = this.#host!.instructions;
    this.#startNs = this.#host!.timeNs;
    this.#arm();
  }

  /** Instructions between two samples. */
  get period(): number {
    const { period, frequency } = this.#options;
    return period ??
      Math.round(this.#host!.info.instructionsPerSecond / (frequency ?? DEFAULT_FREQUENCY));
  }
  /** Virtual time between two samples of a guest that does not idle, in ns. */
  get periodNs(): number {
    return Math.round((this.period * 1e9) / this.#host!.info.instructionsPerSecond);
  }

  #arm(): void {
    const host = this.#host!;
    this.#next = host.at(host.instructions + this.period, () => {
      this.#sample();
      const { durationNs } = this.#options;
      if (durationNs !== undefined && host.timeNs - this.#startNs >= durationNs) this.#end();
      else this.#arm();
    });
  }

  #end(): void {
    if (this.#next === undefined) return;
    this.#next[Symbol.dispose]();
    this.#last = this.#host!.instructions;
    this.#host!.stop();
  }

  #idle(): void {
    const host = this.#host!;
    const now = { timeNs: host.timeNs, instructions: host.instructions };
    const since = this.#idleSince;
    if (since === undefined || this.#next === undefined) {
      this.#idleSince = now;
      return;
    }
    const elapsed = now.timeNs - since.timeNs;
    const busy = ((now.instructions - since.instructions) * 1e9) / host.info.instructionsPerSecond;
    if (elapsed >= IDLE_JUDGE_NS && busy > elapsed * IDLE_BUSY_SHARE) {
      this.#keepPending();
      this.#idleSince = now;
    } else if (elapsed >= IDLE_NS) {
      this.#pending = [];
      this.#next[Symbol.dispose]();
      this.#last = since.instructions;
      host.stop();
    }
  }

  #keepPending(): void {
    for (const sample of this.#pending.splice(0)) this.#count(sample);
  }

  #sample(): void {
    const host = this.#host!;
    const { maxDepth, only, pid, comm } = this.#options;
    const process = host.process();
    if (pid !== undefined && process?.pid !== pid) return;
    if (comm !== undefined && process?.name !== comm) return;
    const sample = describe(host.stack(maxDepth), process);
    if (only !== undefined && sample.user !== (only === "user")) return;
    if (this.#idleSince === undefined) this.#count(sample);
    else this.#pending.push(sample);
  }

  #count(sample: Sample): void {
    this.stacks.add(sample.frames);
    if (sample.symbolised) this.#symbolised++;
    if (sample.rooted) this.#rooted++;
    if (sample.user) this.#user++;
  }
}

/** Names the frames of a stack, root first. */
export function describe(frames: readonly StackFrame[], process: GuestProcess | undefined): Sample {
  const kernel: string[] = [];
  let index = 0;
  let root: string | undefined;
  for (; index < frames.length && !frames[index]!.user && root === undefined; index++) {
    const name = frames[index]!.symbol?.name;
    kernel.push(name ?? "[unknown]");
    if (name !== undefined && KERNEL_ROOTS.includes(name)) root = name;
  }
  const user = frames.slice(index).filter((frame) => frame.user)
    .map((frame) => frame.symbol?.name ?? moduleName(process));
  const leaf = frames[0]!;
  const entered = root !== undefined && PROCESS_ROOTS.includes(root);
  const inProcess = leaf.user || (process !== undefined && (root === undefined || entered));
  const named = [...kernel, ...(inProcess ? user : [])].reverse();
  if (inProcess) named.unshift(process?.name || "[process]");
  return {
    frames: named,
    symbolised: leaf.symbol !== undefined || (leaf.user && process !== undefined),
    rooted: root !== undefined || (inProcess && process !== undefined),
    user: leaf.user,
  };
}

/** The frames' names from the root, as a sample has them: `kernel_main;…`, `bash;main;syscall_handler;…`. */
export function stackNames(
  frames: readonly StackFrame[],
  process: GuestProcess | undefined,
): readonly string[] {
  return frames.length === 0 ? ["[unknown]"] : describe(frames, process).frames;
}

/** The name of a program's code that has no symbols: `[bash]`. */
function moduleName(process: GuestProcess | undefined): string {
  const file = process?.program.split("/").at(-1);
  return file ? `[${file}]` : "[unknown]";
}

function addressOf(host: PluginHost, name: string): number {
  if (/^0x[0-9a-f]{1,8}$/i.test(name)) return Number(name);
  const address = host.symbols.find(name);
  if (address === undefined) {
    throw new RangeError(`the kernel has no symbol "${name}"; nm lists what it has`);
  }
  return address;
}
