// deno-lint-ignore-file overture/no-host-clock -- a command that says how long it took
/**
 * Builds one program from the command line:
 *
 *     deno run -A toolchain/build_main.ts --target kernel|user [--optimize 0..3] ENTRY.ts OUT.elf [ASM.s…]
 *
 * Paths are relative to the current folder, which is also the root of symbol names. The only file of
 * the tool chain that touches the host.
 *
 * @module
 */

import { buildProgram, CompileError } from "./mod.ts";

const files = {
  read(path: string): string | undefined {
    try {
      return Deno.readTextFileSync(path);
    } catch {
      return undefined;
    }
  },
  list(path: string): string[] {
    try {
      return [...Deno.readDirSync(path)].map((entry) => entry.name).sort();
    } catch {
      return [];
    }
  },
};

async function main(args: string[]): Promise<number> {
  let target: "kernel" | "user" = "user";
  let optimize: 0 | 1 | 2 | 3 = 1;
  const paths: string[] = [];
  while (args.length > 0) {
    const arg = args.shift() as string;
    if (arg === "--target") target = args.shift() === "kernel" ? "kernel" : "user";
    else if (arg === "--optimize") optimize = Number(args.shift()) as 0 | 1 | 2 | 3;
    else paths.push(arg);
  }
  const [entry, out, ...assembly] = paths;
  if (entry === undefined || out === undefined) {
    console.error("Usage: build_main.ts --target kernel|user ENTRY.ts OUT.elf [ASM.s…]");
    return 2;
  }
  const started = performance.now();
  try {
    const result = await buildProgram({ root: ".", entry, target, assembly, optimize, files });
    for (const warning of result.warnings) console.error(`warning: ${warning}`);
    Deno.writeFileSync(out, result.elf, { mode: 0o755 });
    const { functions, textBytes } = result.statistics;
    const elapsed = Math.round(performance.now() - started);
    console.error(`${out}: ${functions} functions, ${textBytes} bytes of text, ${elapsed} ms`);
    return 0;
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    console.error(error.message);
    return 1;
  }
}

main([...Deno.args]).then((code) => Deno.exit(code));
