/**
 * memtest86+ on our machine: `deno task memtest [MiB]` runs one pass and says what it took. It is long: some
 * 100 thousand million instructions for 64 MiB. A test runs the beginning of it.
 *
 * memtest86+ is an image of the Linux boot protocol; it writes to the VGA's text memory, where this looks.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ExitReason, Machine, screenText } from "../../devices/mod.ts";
import { debianFiles } from "./linux.ts";

/** Instructions between two looks at the screen. */
const STEP = 50_000_000;
const MIB = 1 << 20;

/** What stands on memtest86+'s screen. */
export interface MemtestScreen {
  readonly text: string;
  /** Passes that are done. */
  readonly passes: number;
  readonly errors: number;
  /** The running test's number and name. */
  readonly test: string;
}

/** The image of Debian's package; undefined where it cannot be had. */
export function memtestImage(): string | undefined {
  const folder = debianFiles("memtest86+");
  return folder === undefined ? undefined : join(folder, "boot/memtest86+ia32.bin");
}

/** Reads the screen; undefined while memtest86+ does not show its figures. */
export function readScreen(machine: Machine): MemtestScreen | undefined {
  const screen = machine.display.screen();
  const text = screen === undefined ? "" : screenText(screen);
  const figures = /Pass: +(\d+) +Errors: +(\d+)/.exec(text);
  if (figures === null) return undefined;
  return {
    text,
    passes: Number(figures[1]),
    errors: Number(figures[2]),
    test: /Test (#\d+ +\[[^\]]*\])/.exec(text)?.[1] ?? "",
  };
}

/** Runs until so many passes are done, an error is found, or `limit` instructions are executed. */
export function runMemtest(
  options: {
    readonly image: string;
    readonly ramMiB: number;
    readonly passes: number;
    readonly limit: number;
    /** Entries of a block until it is translated; default never. */
    readonly translateAfter?: number;
    readonly progress?: (screen: MemtestScreen, instructions: number) => void;
  },
): {
  readonly screen: MemtestScreen | undefined;
  readonly reason: ExitReason;
  instructions: number;
} {
  const machine = new Machine({
    ramBytes: options.ramMiB * MIB,
    translateAfter: options.translateAfter ?? 0,
  });
  machine.loadKernel(readFileSync(options.image), "", { name: "memtest86+" });
  let screen: MemtestScreen | undefined;
  let reason: ExitReason | undefined;
  while (reason === undefined) {
    reason = machine.runSync(STEP);
    screen = readScreen(machine);
    if (screen !== undefined) {
      options.progress?.(screen, machine.cpu.instructions);
      if (screen.passes >= options.passes || screen.errors > 0) break;
    }
    if (machine.cpu.instructions >= options.limit) break;
  }
  return { screen, reason: reason ?? { type: "limit" }, instructions: machine.cpu.instructions };
}

if (import.meta.main) {
  const ramMiB = Number(Deno.args[0] ?? 64);
  const image = memtestImage();
  if (image === undefined) Deno.exit(1);
  const start = performance.now();
  const seconds = (): string => ((performance.now() - start) / 1000).toFixed(0);
  let last = "";
  const { screen, instructions } = runMemtest({
    image,
    ramMiB,
    passes: 1,
    limit: Infinity,
    translateAfter: 500,
    progress: ({ test }, count) => {
      if (test !== last) console.log(`${seconds()} s, ${(count / 1e9).toFixed(1)}e9: ${test}`);
      last = test;
    },
  });
  console.log(screen?.text.trimEnd());
  const good = screen?.passes === 1 && screen.errors === 0;
  console.log(
    `${good ? "One pass without errors" : "FAILED"}: ${ramMiB} MiB, ${
      (instructions / 1e9).toFixed(1)
    }e9 instructions, ${seconds()} s`,
  );
  Deno.exit(good ? 0 : 1);
}
