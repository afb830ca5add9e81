/**
 * Processes, signals, threads and memory: a C program says the same natively and as process 1 of our
 * kernel: under QEMU with SYSENTER and FXSAVE and without, and on our machine. Skipped where QEMU or a compiler for i386
 * is missing.
 *
 * @module
 */
import assert from "node:assert/strict";
import { buildKernel, device, directory, file, put, writeExt2 } from "../../toolchain/image/mod.ts";
import { ConsoleSession, qemuConsole } from "./console_session.ts";
import { machineConsole } from "./machine_console.ts";

const root = new URL("../../", import.meta.url);
const SOURCE = new URL("processes.c", import.meta.url).pathname;
const DISK_BYTES = 8 << 20;
const LAST_LINE = "end of the list\n";

function run(command: string, args: string[]): { success: boolean; text: string } {
  try {
    const result = new Deno.Command(command, { args }).outputSync();
    return { success: result.success, text: new TextDecoder().decode(result.stdout) };
  } catch {
    return { success: false, text: "" };
  }
}

const sources = {
  read(path: string): string | undefined {
    try {
      return Deno.readTextFileSync(new URL(path, root));
    } catch {
      return undefined;
    }
  },
  list: (path: string) => [...Deno.readDirSync(new URL(path, root))].map(({ name }) => name).sort(),
};

function writeDisk(path: string, program: Uint8Array): void {
  const tree = directory();
  for (const name of ["dev", "proc"]) put(tree, `/${name}`, directory());
  put(tree, "/program", file(program, 0o755));
  put(tree, "/dev/console", device("character", { major: 5, minor: 1 }));
  const bytes = new Uint8Array(DISK_BYTES);
  writeExt2({ write: (offset, part) => bytes.set(part, offset) }, tree, { sizeBytes: DISK_BYTES });
  Deno.writeFileSync(path, bytes);
}

/** What the program prints as process 1; without a `cpu` of QEMU on our machine. */
async function boot(folder: string, cpu: string | undefined): Promise<string> {
  const options = {
    kernel: `${folder}/kernel`,
    disk: `${folder}/disk.img`,
    commandLine: "root=/dev/hda init=/program console=ttyS0",
  };
  const session = new ConsoleSession(
    cpu === undefined ? machineConsole(options) : qemuConsole({ ...options, cpu }),
  );
  try {
    await session.ended(60_000);
  } finally {
    await session.close();
  }
  const text = session.transcript.replaceAll("\r\n", "\n");
  assert.ok(text.includes(LAST_LINE), text.slice(-2000));
  return text.slice(text.indexOf("fork "), text.indexOf(LAST_LINE) + LAST_LINE.length);
}

const compiles = run("gcc", ["-m32", "-static", "-x", "c", "-E", "/dev/null"]).success &&
  run("qemu-system-i386", ["--version"]).success;

Deno.test({
  name: "processes, signals, threads and memory are those of Linux",
  ignore: !compiles,
  async fn(t) {
    const folder = await Deno.makeTempDir();
    const program = `${folder}/program`;
    assert.ok(run("gcc", ["-m32", "-static", "-O1", "-o", program, SOURCE]).success);
    const expected = run(program, []).text;
    assert.ok(expected.endsWith(LAST_LINE));
    Deno.writeFileSync(`${folder}/kernel`, await buildKernel(sources));
    for (const cpu of ["qemu32", "pentium,+cmov"]) {
      await t.step(cpu, async () => {
        writeDisk(`${folder}/disk.img`, Deno.readFileSync(program));
        assert.equal(await boot(folder, cpu), expected);
      });
    }
    await t.step("our machine", async () => {
      writeDisk(`${folder}/disk.img`, Deno.readFileSync(program));
      assert.equal(await boot(folder, undefined), expected);
    });
    await Deno.remove(folder, { recursive: true });
  },
});
