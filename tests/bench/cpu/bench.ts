/**
 * Speed of the interpreter on CPU-bound programs: million guest instructions a second. Integers first, then
 * floating point in SSE and SSE2.
 *
 *     deno run -A tests/bench/cpu/bench.ts [rounds factor]
 *
 * The programs are compiled with the host's `gcc -m32`; each result is compared with the native run.
 * @module
 */
import assert from "node:assert/strict";
import { Cpu } from "../../../cpu/mod.ts";

/** The programs, by the file that they are compiled from, with rounds that take a while. */
export const SUITES = [
  {
    source: "program.c",
    flags: "-O1",
    guestFlags: "-mno-sse -mno-mmx",
    programs: [["sort", 20], ["crc", 40], ["search", 40], ["fib", 100], ["array", 60]],
  },
  {
    source: "float_program.c",
    flags: "-O2 -msse2 -mfpmath=sse -ffp-contract=off",
    guestFlags: "-mstackrealign",
    programs: [["scalar", 1000], ["packed", 3000], ["pairs", 3000], ["grid", 1500], [
      "exact",
      3000,
    ]],
  },
] as const;
/** A file of programs. */
export type Suite = typeof SUITES[number];
const LOAD = 0x100000;

/** Runs a program of the host and returns what it printed. */
export async function tool(name: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(name, { args }).output();
  if (!success) throw new Error(`${name} failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** Compiles the programs: a flat image for the guest and a native program. */
export async function compile(
  folder: string,
  suite: Suite,
): Promise<{ image: Uint8Array; native: string }> {
  const source = new URL(suite.source, import.meta.url).pathname;
  const native = `${folder}/native`;
  const flags = ["-m32", ...suite.flags.split(" ")];
  await tool("gcc", ...flags, "-DNATIVE", "-o", native, source);
  flags.push(..."-fno-pic -fno-stack-protector -ffreestanding -c".split(" "));
  flags.push(...suite.guestFlags.split(" "));
  await tool("gcc", ...flags, "-o", `${folder}/guest.o`, source);
  const link = `-m elf_i386 -Ttext=0x${LOAD.toString(16)} -e _start --oformat binary`.split(" ");
  await tool("ld", ...link, "-o", `${folder}/guest.bin`, `${folder}/guest.o`);
  return { image: await Deno.readFile(`${folder}/guest.bin`), native };
}

/** Offset of `_start` in the image: its bytes are push ecx; push ebx; call, or mov from cr4. */
function entry(image: Uint8Array): number {
  return image.findIndex((byte, i) =>
    byte === 0x51 && image[i + 1] === 0x53 && (image[i + 2] === 0xe8 || image[i + 2] === 0x0f)
  );
}

/** A processor for an image; `translateAfter` as for {@link Cpu}. */
export function makeCpu(image: Uint8Array, translateAfter = 0): Cpu {
  const cpu = new Cpu({
    ramBytes: 16 << 20,
    model: "p4",
    translateAfter,
    bus: {
      readPort: () => 0xff,
      writePort: () => {},
      readMemory: () => 0xff,
      writeMemory: () => {},
      acknowledgeInterrupt: () => 0x20,
    },
  });
  cpu.memory.write(LOAD, image);
  return cpu;
}
/** Makes a processor begin a program of its image. */
export function begin(cpu: Cpu, image: Uint8Array, program: number, rounds: number): void {
  cpu.enterFlatProtectedMode({ eip: LOAD + entry(image), esp: 0x90000, ebx: program });
  cpu.registers.set("ecx", rounds);
}

async function bench(suite: Suite, factor: number, folder: string): Promise<void> {
  const { image, native } = await compile(folder, suite);
  let instructions = 0;
  let milliseconds = 0;
  for (const [index, [name, rounds]] of suite.programs.entries()) {
    const start = performance.now();
    const cpu = makeCpu(image);
    const made = performance.now() - start;
    begin(cpu, image, index, Math.ceil(rounds * factor));
    const began = performance.now();
    assert.equal(cpu.run(1e11), "halted");
    const time = performance.now() - began;
    instructions += cpu.instructions;
    milliseconds += time;
    const expected = await tool(native, String(index), String(Math.ceil(rounds * factor)));
    assert.equal(cpu.registers.get("eax"), Number(expected), name);
    console.log(
      `${name.padEnd(8)} ${(cpu.instructions / 1e6).toFixed(1).padStart(7)} M instructions ` +
        `${(cpu.instructions / time / 1e3).toFixed(0).padStart(5)} MIPS   (made in ${
          made.toFixed(0)
        } ms)`,
    );
  }
  console.log(`all      ${(instructions / milliseconds / 1e3).toFixed(0)} MIPS`);
}

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir();
  for (const suite of SUITES) await bench(suite, Number(Deno.args[0] ?? 1), folder);
  await Deno.remove(folder, { recursive: true });
}

if (import.meta.main) await main();
