/**
 * Random programs interpreted and translated, compared on the way and at the end:
 *
 *     deno task fuzz:translate [--seed N] [--count N] [--translate N]
 *
 * A failing one is made smaller by leaving out its parts, and told with the first instruction that differs.
 *
 * @module
 */
import { Cpu } from "../../cpu/mod.ts";
import { Random } from "../differential/random.ts";
import { describe, type Difference, Lockstep, type LockstepGuest } from "./lockstep.ts";
import { ProgramWriter } from "./random_program.ts";
import * as S from "./random_system.ts";

/** Instructions of one program. */
const LIMIT = 12_000;
/** Between two NMIs, which end loops without an end. */
const WATCHDOG = 1500;
/** Runs that making a program smaller may take. */
const MAX_TRIES = 250;
const IF = 0x200;

/** What happens from outside. */
interface Happening {
  readonly at: number;
  readonly kind: "interrupt" | "nmi" | "stop" | "dma" | "flush";
  readonly slot: number;
}

/** A program with its surroundings. */
export interface FuzzCase {
  readonly seed: number;
  readonly program: S.ProgramParts;
  readonly happenings: readonly Happening[];
  readonly translateAfter: number;
  /** Instructions between two comparisons. */
  readonly step: number;
}

/** The case of a seed. */
export function fuzzCase(seed: number, translateAfter?: number): FuzzCase {
  const random = new Random(seed);
  const plain = random.oneIn(4);
  const some = (n: number): boolean => !plain && !random.oneIn(n);
  const taste = {
    stores: some(2),
    pages: some(2),
    system: some(2),
    floats: random.oneIn(2),
    modes: some(2),
    debug: some(3) && random.oneIn(2),
  };
  const happenings: Happening[] = [];
  for (let when = WATCHDOG; when < LIMIT; when += WATCHDOG) {
    happenings.push({ at: when, kind: "nmi", slot: 0 });
  }
  if (!plain) {
    for (let i = random.below(60); i > 0; i--) {
      const kind = random.pick(
        [
          "interrupt",
          "interrupt",
          "interrupt",
          "interrupt",
          "nmi",
          "stop",
          "dma",
          "flush",
        ] as const,
      );
      happenings.push({ at: random.below(LIMIT), kind, slot: random.below(12) });
    }
  }
  happenings.sort((a, b) => a.at - b.at);
  const chosen = random.pick([1, 1, 2, 3, 5, 20]);
  const step = random.pick([300, 1000, 4000, LIMIT]);
  const program = new ProgramWriter(random, taste).write();
  return { seed, program, happenings, translateAfter: translateAfter ?? chosen, step };
}

/** The case as something to run in lockstep; parts of the code whose indices are in `without` are left out. */
export function fuzzGuest(
  { program, happenings }: FuzzCase,
  without: ReadonlySet<number> = new Set(),
): LockstepGuest {
  const code = program.code.map((part, i) => without.has(i) ? { ...part, code: [] } : part);
  const { bytes, labels } = S.systemImage({ ...program, code });
  return {
    name: "a random program",
    make(translateAfter, serial) {
      const encoder = new TextEncoder();
      const log = (text: string): void => {
        serial(encoder.encode(`${text}@${cpu.instructions}\n`));
      };
      const value = (from: number, size: number): number => {
        const mixed = Math.imul(from + Math.imul(cpu.instructions, 0x9e3779b1), 0x85ebca6b) >>> 0;
        return (mixed ^ (mixed >>> 15)) >>> (32 - 8 * size);
      };
      const cpu = new Cpu({
        ramBytes: S.RAM_BYTES,
        model: "p4",
        translateAfter,
        bus: {
          readPort: (port, size) => {
            log(`in ${port}`);
            return value(port, size);
          },
          writePort: (port, _size, written) => {
            log(`out ${port} ${written}`);
            if (port === 0x10) {
              cpu.hooks.at(cpu.instructions + (written & 0xff), () => cpu.setInterruptLine(true));
            }
          },
          // By the address alone: how far ahead code is fetched is the processor's own affair.
          readMemory: (physical, size) => Math.imul(physical, 0x9e3779b1) >>> (32 - 8 * size),
          writeMemory: (physical, size, written) => log(`write ${physical} ${size} ${written}`),
          acknowledgeInterrupt: () => {
            log("interrupt");
            cpu.setInterruptLine(false);
            return 0x20;
          },
        },
      });
      cpu.memory.write(0, bytes);
      cpu.enterFlatProtectedMode({ eip: S.BOOT, esp: S.STACK });
      for (const { at, kind, slot } of happenings) {
        cpu.hooks.at(at, () => {
          if (kind === "interrupt") cpu.setInterruptLine(true);
          else if (kind === "nmi") cpu.nmi();
          else if (kind === "stop") cpu.requestStop();
          else if (kind === "flush") cpu.hooks.flush();
          else {
            const where = (labels.get(`s${slot}`) ?? S.DATA) + 1;
            cpu.memory.write8(where, cpu.memory.read8(where) ^ 0x55);
          }
        });
      }
      return {
        cpu,
        advance: (instructions) => {
          const end = cpu.instructions + instructions;
          while (cpu.instructions < end) {
            const reason = cpu.run(end - cpu.instructions);
            if (reason === "shutdown") return reason;
            if (reason === "halted") {
              if ((cpu.registers.get("eflags") & IF) === 0) return reason;
              cpu.setInterruptLine(true);
            }
          }
          return undefined;
        },
      };
    },
  };
}

function run(
  fuzz: FuzzCase,
  without?: ReadonlySet<number>,
): { difference: Difference | undefined; regions: number; instructions: number } {
  const { translateAfter, step } = fuzz;
  const guest = fuzzGuest(fuzz, without);
  return new Lockstep({ guest, translateAfter, step }).run(LIMIT);
}

/** Runs a case; what differs, after making the program smaller, as text, or undefined. */
export function checkCase(
  fuzz: FuzzCase,
): { failure: string | undefined; regions: number; instructions: number } {
  const { difference, regions, instructions } = run(fuzz);
  if (difference === undefined) return { failure: undefined, regions, instructions };
  let last = difference;
  let without = new Set<number>();
  let tries = 0;
  const { length } = fuzz.program.code;
  // The main loop stays.
  for (let size = length >> 1; size >= 1; size >>= 1) {
    for (let from = 4; from < length && tries < MAX_TRIES; from += size) {
      const more = new Set(without);
      for (let i = from; i < Math.min(length, from + size); i++) more.add(i);
      if (more.size === without.size) continue;
      tries++;
      const smaller = tryRun(fuzz, more);
      if (smaller === undefined) continue;
      last = smaller;
      without = more;
    }
  }
  const left = length - without.size;
  const failure =
    `seed ${fuzz.seed}, translated after ${fuzz.translateAfter}, step ${fuzz.step}, ` +
    `${left} of ${length} parts, without ${JSON.stringify([...without])}\n${describe(last)}`;
  return { failure, regions, instructions };
}
/** A program in which parts are missing may be one that nothing can be made of. */
function tryRun(fuzz: FuzzCase, without: ReadonlySet<number>): Difference | undefined {
  try {
    return run(fuzz, without).difference;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function option(name: string): string | undefined {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? undefined : Deno.args[at + 1];
}

if (import.meta.main) {
  const first = Number(option("seed") ?? 1);
  const count = Number(option("count") ?? 1000);
  const threshold = option("translate");
  const start = performance.now();
  let [instructions, regions, failures] = [0, 0, 0];
  for (let seed = first; seed < first + count; seed++) {
    let result;
    try {
      const fuzz = fuzzCase(seed, threshold === undefined ? undefined : Number(threshold));
      result = checkCase(fuzz);
    } catch (error) {
      console.log(`seed ${seed}:`, error);
      failures++;
      continue;
    }
    instructions += result.instructions;
    regions += result.regions;
    if (result.failure !== undefined) {
      console.log(result.failure);
      failures++;
    }
  }
  console.log(
    `${count} programs from seed ${first}: ${instructions} instructions, ${regions} regions, ${failures} failures, ` +
      `${((performance.now() - start) / 1000).toFixed(1)} s`,
  );
  if (failures > 0) Deno.exit(1);
}
