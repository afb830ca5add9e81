/**
 * Builds user programs for tests that run them as native processes.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildProgram } from "../../toolchain/mod.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The project's sources for the tool chain. */
export const sources = {
  read(path: string): string | undefined {
    try {
      return readFileSync(join(ROOT, path), "utf8");
    } catch {
      return undefined;
    }
  },
  list(path: string): string[] {
    return readdirSync(join(ROOT, path)).sort();
  },
};

/** Compiles a program of kernel/user; returns its ELF file. */
export async function buildUserProgram(entry: string): Promise<Uint8Array> {
  const { elf } = await buildProgram({
    root: "",
    entry,
    target: "user",
    assembly: ["kernel/user/lib/start.s"],
    files: sources,
  });
  return elf;
}

/** xor ebx, ebx; xor eax, eax; inc eax; int 0x80: exit(0). */
const EXIT_ZERO = "31db31c040cd80";

let native: boolean | undefined;

/** Whether this machine runs i386 ELF programs. */
export function runsNatively(): boolean {
  native ??= tryNative();
  return native;
}

function tryNative(): boolean {
  const folder = mkdtempSync(join(tmpdir(), "native-"));
  try {
    const path = join(folder, "exit");
    writeFileSync(path, smallestElf(), { mode: 0o755 });
    return spawnSync(path).status === 0;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** ELF32 header, one program header and the code. */
function smallestElf(): Uint8Array {
  const bytes = new Uint8Array(84 + EXIT_ZERO.length / 2);
  const view = new DataView(bytes.buffer);
  const base = 0x08048000;
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 3, true);
  view.setUint32(20, 1, true);
  view.setUint32(24, base + 84, true);
  view.setUint32(28, 52, true);
  view.setUint16(40, 52, true);
  view.setUint16(42, 32, true);
  view.setUint16(44, 1, true);
  [1, 0, base, base, bytes.length, bytes.length, 5, 4096].forEach((value, index) =>
    view.setUint32(52 + 4 * index, value, true)
  );
  for (let index = 0; index < EXIT_ZERO.length / 2; index++) {
    bytes[84 + index] = parseInt(EXIT_ZERO.slice(2 * index, 2 * index + 2), 16);
  }
  return bytes;
}
