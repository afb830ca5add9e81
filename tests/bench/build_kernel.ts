/**
 * Builds the benchmark kernel (`kernel/`) with the host's `gcc -m32`, and those of its programs that need no machine
 * as a program of the host.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROGRAM_FILES = [
  "compute.c",
  "system.c",
  "strings.c",
  "patch.c",
  "x87.c",
  "sse.c",
  "calls.c",
];
const SOURCES = fileURLToPath(new URL("kernel", import.meta.url));
/** The same code on every machine: loops stay loops, nothing is vectorised behind the program's back. */
const COMMON = [
  ..."-m32 -march=i686 -O2 -std=gnu11 -Wall -Wextra -Werror".split(" "),
  ..."-fno-tree-loop-distribute-patterns -fno-tree-vectorize -ffp-contract=off".split(" "),
];
const KERNEL = [
  ..."-ffreestanding -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables".split(" "),
  "-mregparm=3",
];
const X87 = "-mno-sse -mno-mmx -mfpmath=387".split(" ");
const SSE = "-msse2 -mfpmath=sse -mstackrealign".split(" ");

function tool(name: string, args: readonly string[]): string {
  const { error, status, stdout, stderr } = spawnSync(name, args, {
    cwd: SOURCES,
    encoding: "utf8",
    timeout: 60_000,
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${name} ${args.join(" ")} failed:\n${stderr}`);
  return stdout;
}

function object(folder: string, prefix: string, source: string, flags: readonly string[]): string {
  const path = join(folder, `${prefix}-${source.replace(".", "-")}.o`);
  tool("gcc", [...flags, "-c", "-o", path, source]);
  return path;
}

/** The programs by name, in the kernel's order, and each one's group: from the tables in the sources. */
export function kernelPrograms(): Map<string, string> {
  return new Map(
    PROGRAM_FILES.flatMap((file) =>
      [...readFileSync(join(SOURCES, file), "utf8").matchAll(/^ {4}\{"([\w-]+)", "(\w+)", \d+,/gm)]
        .map((match) => [match[1] as string, match[2] as string] as const)
    ),
  );
}

/** Whether this host can build the kernel. */
export function canBuildKernel(): boolean {
  const { error, status } = spawnSync("gcc", ["-m32", "-E", "-"], { input: "", timeout: 10_000 });
  return error === undefined && status === 0;
}

/**
 * Builds the kernel.
 *
 * @param folder where objects and the kernel go
 * @returns the path of the ELF file
 * @throws {Error} when a tool fails; with what it said
 */
export function buildKernel(folder: string): string {
  const flags = [...COMMON, ...KERNEL];
  const objects = [
    object(folder, "kernel", "start.s", ["-m32"]),
    ...["main.c", "compute.c", "system.c", "strings.c", "patch.c", "x87.c", "calls.c"].map((
      source,
    ) => object(folder, "kernel", source, [...flags, ...X87])),
    object(folder, "kernel", "sse.c", [...flags, ...SSE]),
  ];
  const path = join(folder, "kernel");
  tool("ld", [
    ...["-m", "elf_i386", "-n", "-Ttext=0x100000", "--build-id=none", "--no-warn-rwx-segments"],
    ...["-o", path, ...objects],
  ]);
  return path;
}

/**
 * Checksums of the programs that run on the host too, by name.
 *
 * @param folder where objects and the program go
 * @param divide what the iterations are divided by, as on the kernel's command line
 */
export function nativeChecksums(folder: string, divide: number): Map<string, string> {
  const path = join(folder, "native");
  tool("gcc", [
    ...[...COMMON, "-o", path, "native.c"],
    object(folder, "native", "compute.c", [...COMMON, ...X87]),
    object(folder, "native", "x87.c", [...COMMON, ...X87]),
    object(folder, "native", "calls.c", [...COMMON, ...X87]),
    object(folder, "native", "sse.c", [...COMMON, ...SSE]),
  ]);
  return new Map(
    tool(path, [String(divide)]).trim().split("\n").map((line) =>
      line.split(" ") as [string, string]
    ),
  );
}
