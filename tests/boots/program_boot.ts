/**
 * Runs one program as process 1 of our kernel: under QEMU, or on our machine.
 *
 * @module
 */
import assert from "node:assert/strict";
import { buildKernel, device, directory, file, put, writeExt2 } from "../../toolchain/image/mod.ts";
import { ConsoleSession, qemuConsole } from "./console_session.ts";
import { machineConsole } from "./machine_console.ts";
import { sources } from "../kernel/user_program.ts";

const DISK_BYTES = 8 << 20;

/** Runs a command of the host; not a success where there is none of that name. */
export function runHost(
  command: string,
  args: string[],
  env: Readonly<Record<string, string>> = {},
): { success: boolean; text: string } {
  try {
    const result = new Deno.Command(command, { args, env }).outputSync();
    return { success: result.success, text: new TextDecoder().decode(result.stdout) };
  } catch {
    return { success: false, text: "" };
  }
}

/** True when gcc makes static programs for i386 and QEMU is there. */
export const hasTools: boolean =
  runHost("gcc", ["-m32", "-static", "-x", "c", "-E", "/dev/null"]).success &&
  runHost("qemu-system-i386", ["--version"]).success;

/** Builds the kernel into a folder, for {@link bootProgram}. */
export async function writeKernel(folder: string): Promise<void> {
  Deno.writeFileSync(`${folder}/kernel`, await buildKernel(sources));
}

function writeDisk(path: string, program: Uint8Array): void {
  const tree = directory();
  for (const name of ["dev", "proc"]) put(tree, `/${name}`, directory());
  put(tree, "/program", file(program, 0o755));
  put(tree, "/dev/console", device("character", { major: 5, minor: 1 }));
  const bytes = new Uint8Array(DISK_BYTES);
  writeExt2({ write: (offset, part) => bytes.set(part, offset) }, tree, { sizeBytes: DISK_BYTES });
  Deno.writeFileSync(path, bytes);
}

/**
 * What the program prints as process 1 from `first` on to the line `last`; without a `cpu` of QEMU on our machine, a Pentium 4
 * where `model` says so.
 */
export async function bootProgram(
  folder: string,
  program: string,
  options: { cpu?: string | undefined; model?: "p4"; first: string; last: string },
): Promise<string> {
  const { cpu, model, first, last } = options;
  writeDisk(`${folder}/disk.img`, Deno.readFileSync(program));
  const guest = {
    kernel: `${folder}/kernel`,
    disk: `${folder}/disk.img`,
    commandLine: "root=/dev/hda init=/program console=ttyS0",
  };
  const session = new ConsoleSession(
    cpu === undefined ? machineConsole({ ...guest, model }) : qemuConsole({ ...guest, cpu }),
  );
  try {
    await session.ended(60_000);
  } finally {
    await session.close();
  }
  const text = session.transcript.replaceAll("\r\n", "\n");
  assert.ok(text.includes(last), text.slice(-2000));
  return text.slice(text.indexOf(first), text.indexOf(last) + last.length);
}
