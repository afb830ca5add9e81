/**
 * Random programs interpreted and translated, compared on the way and at the end:
 *
 *     deno task fuzz:translate [--seed N] [--count N] [--translate N] [--hooks N]
 *
 * A failing one is made smaller by leaving out its parts, and told with the first instruction that differs.
 *
 * @module
 */
import { type Counter, Cpu } from "../../cpu/mod.ts";
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
  /** How much plugins want to know: of one in so many instructions; 0: nothing. */
  readonly hookEvery: number;
}

/** The case of a seed. */
export function fuzzCase(seed: number, translateAfter?: number, hookEvery?: number): FuzzCase {
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
  const every = random.oneIn(4) ? random.pick([1, 3, 10]) : 0;
  return {
    seed,
    program,
    happenings,
    translateAfter: translateAfter ?? chosen,
    step,
    hookEvery: hookEvery ?? every,
  };
}

/** The case as something to run in lockstep; parts of the code whose indices are in `without` are left out. */
export function fuzzGuest(
  { program, happenings, hookEvery }: FuzzCase,
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
      const counted = hookEvery === 0 ? undefined : addHooks(cpu, hookEvery, log);
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
        ...(counted === undefined ? {} : { chips: () => counted.map(({ value }) => value) }),
        advance: (instructions) => {
          const end = cpu.instructions + instructions;
          while (cpu.instructions < end) {
            const reason = runOn(cpu, end - cpu.instructions, log);
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

class Mistake extends Error {}

/** Runs; a plugin's mistake is logged. */
function runOn(cpu: Cpu, limit: number, log: (text: string) => void): string {
  try {
    return cpu.run(limit);
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    log("mistake");
    return "limit";
  }
}

/**
 * A plugin that logs what it sees of one in `every` instructions, and that now and then changes what it sees, stops
 * the processor, throws, and comes and goes. Returns its counters.
 */
function addHooks(cpu: Cpu, every: number, log: (text: string) => void): readonly Counter[] {
  const { hooks, registers } = cpu;
  const counters = [hooks.counter(), hooks.counter()] as const;
  const mixed = (value: number): number => Math.imul(value ^ (value >>> 7), 0x9e3779b1) >>> 8;
  const state = (): string =>
    ["eip", "eax", "ecx", "esp", "esi", "eflags"].map((name) => registers.get(name).toString(16))
      .join(" ");
  let more: Disposable | undefined;
  let last = -1;
  const act = (choice: number): void => {
    // What is done before an instruction is done once: it may be why the hook is called again.
    if (cpu.instructions === last) return;
    last = cpu.instructions;
    if (choice % 61 === 0) registers.set("edx", choice);
    else if (choice % 67 === 1) cpu.memory.write32(S.DATA + (choice & 0xffc), choice);
    else if (choice % 71 === 2) cpu.requestStop();
    else if (choice % 73 === 3) registers.set("eflags", registers.get("eflags") ^ 0x8d5);
    else if (choice % 151 === 4) throw new Mistake();
    else if (choice % 101 === 5) {
      if (more === undefined) {
        // Of all code, or of some around here.
        const start = (registers.get("eip") & 0xffffff) - (choice & 0xff);
        const range = choice & 0x400 && start > 0 ? { start, end: start + 0x200 } : undefined;
        more = hooks.onTranslate((block) => block.onExecute(() => log(`more ${state()}`)), range);
      } else {
        more[Symbol.dispose]();
        more = undefined;
      }
    }
  };
  hooks.onTranslate((block) => {
    block.addInline(counters[0], block.instructions.length);
    for (const instruction of block.instructions) {
      const wish = mixed(instruction.address);
      if (wish % every !== 0) continue;
      if (wish & 0x100) {
        instruction.onExecute(() => {
          log(`execute ${state()}`);
          act(mixed(cpu.instructions));
        });
      }
      if (wish & 0x200) instruction.addInline(counters[1], wish & 0xff);
      if (wish & 0x400) {
        instruction.onMemory(({ address, physical, size, write, value }) => {
          log(`${write ? "write" : "read"} ${address} ${physical} ${size} ${value} ${state()}`);
          if (every > 1) act(mixed(cpu.instructions + address));
        });
      }
    }
  });
  return counters;
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
    `hooks ${fuzz.hookEvery}, ` +
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

function number(name: string): number | undefined {
  const value = option(name);
  return value === undefined ? undefined : Number(value);
}

if (import.meta.main) {
  const first = Number(option("seed") ?? 1);
  const count = Number(option("count") ?? 1000);
  const start = performance.now();
  let [instructions, regions, failures] = [0, 0, 0];
  for (let seed = first; seed < first + count; seed++) {
    let result;
    try {
      const fuzz = fuzzCase(seed, number("translate"), number("hooks"));
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
