/**
 * The machines that are compared, each as a process of its own, and the measuring of such a process: CPU seconds of
 * all its threads, wall time and peak memory at each line that the guest sends on COM1 (Linux, proc(5)).
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { CpuModel } from "../../cpu/mod.ts";
import { TRANSLATE_AFTER } from "../../devices/mod.ts";

/** What a machine is given. */
export interface GuestOptions {
  /** Path of a Multiboot kernel or a Linux bzImage. */
  readonly kernel: string;
  /** Path of an initial RAM disk. */
  readonly initrd?: string;
  /** The kernel's command line. */
  readonly append: string;
  readonly ramMiB: number;
}

/** A machine to measure. */
export interface Emulator {
  readonly name: string;
  /** The process that runs a guest with COM1 on its standard output. */
  command(guest: GuestOptions): readonly string[];
}

/** What a process had used when a line came. */
export interface Mark {
  readonly line: string;
  readonly wallSeconds: number;
  /** Of all threads. */
  readonly cpuSeconds: number;
  /** Largest resident set so far. */
  readonly peakMiB: number;
}

const own = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Our machine, from this or another checkout. */
export function ours(
  options: {
    readonly name?: string;
    readonly checkout?: string;
    readonly translateAfter?: number;
    /** Default "p4", which has SSE2. */
    readonly cpu?: CpuModel;
  } = {},
): Emulator {
  return {
    name: options.name ?? "ours",
    command: (guest) => [
      Deno.execPath(),
      ...["run", "-A", "--no-check", own("guests/ours.ts")],
      JSON.stringify({
        ...guest,
        checkout: options.checkout ?? own("../.."),
        translateAfter: options.translateAfter ?? TRANSLATE_AFTER,
        cpu: options.cpu ?? "p4",
      }),
    ],
  };
}

/** QEMU's i386 machine with its translator; never with the host's virtualisation. */
export const QEMU: Emulator = {
  name: "qemu",
  command: (guest) => [
    "qemu-system-i386",
    ...["-accel", "tcg", "-M", "pc", "-m", String(guest.ramMiB)],
    ...["-nic", "none", "-display", "none", "-monitor", "none", "-no-reboot", "-serial", "stdio"],
    ...["-kernel", guest.kernel, "-append", guest.append],
    ...(guest.initrd === undefined ? [] : ["-initrd", guest.initrd]),
  ],
};

/** v86 under Deno; `bios` where the guest is Linux. */
export function v86(bios?: string): Emulator {
  return {
    name: "v86",
    command: (guest) => [
      Deno.execPath(),
      ...["run", "-A", "--no-check", own("guests/v86.ts")],
      JSON.stringify({ ...guest, ...(bios === undefined ? {} : { bios }) }),
    ],
  };
}

/** Nanoseconds that all threads of a process have run: the first number of each thread's schedstat. */
function cpuSeconds(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number.parseInt(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8"));
    } catch {
      // It ended between the two calls.
    }
  }
  return nanoseconds / 1e9;
}

function peakMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
}

/**
 * Runs a guest until `last` says so of a line, and kills the machine.
 *
 * @param options.secondsForLine how long the guest may be silent
 * @returns a mark for each line
 * @throws {Error} when the machine ends or is silent before that; with the last lines of its output
 */
export async function runGuest(
  emulator: Emulator,
  guest: GuestOptions,
  options: { readonly last: (line: string) => boolean; readonly secondsForLine: number },
): Promise<Mark[]> {
  const [program, ...args] = emulator.command(guest) as [string, ...string[]];
  const start = performance.now();
  const child = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const complaints = new Response(child.stderr).text();
  const marks: Mark[] = [];
  let text = "";
  let silent = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const watch = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      silent = true;
      child.kill("SIGKILL");
    }, options.secondsForLine * 1000);
  };
  watch();
  let done = false;
  try {
    for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (text + part).split(/\r*\n/);
      text = lines.pop() as string;
      for (const line of lines) {
        if (done) break;
        watch();
        marks.push({
          line,
          wallSeconds: (performance.now() - start) / 1000,
          cpuSeconds: cpuSeconds(child.pid),
          peakMiB: peakMiB(child.pid),
        });
        done = options.last(line);
        if (done) child.kill("SIGKILL");
      }
    }
  } finally {
    // Also where a machine was gone before its figures were read.
    clearTimeout(timer);
  }
  await child.status;
  if (!done) {
    const end = [...marks.slice(-8).map((mark) => mark.line), text].join("\n");
    const why = silent ? `said nothing for ${options.secondsForLine} s` : "ended";
    throw new Error(`${emulator.name} ${why} after:\n${end}\n${(await complaints).slice(-2000)}`);
  }
  return marks;
}
