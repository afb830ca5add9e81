/**
 * The bare-metal probe on our processor and on QEMU: every line equal, or a known deviation of QEMU.
 *
 * Needs gcc (32-bit) and qemu-system-i386; ignored, with the reason in its name, where they are missing.
 * @module
 */
import assert from "node:assert/strict";
import { Cpu } from "../../../cpu/mod.ts";
import { DEVIATIONS } from "./deviations.ts";

const HERE = new URL("./", import.meta.url);
const CACHE = new URL("../../../.cache/differential/", import.meta.url);
const SOURCES = [
  "start.S",
  "main.c",
  "segments.c",
  "gates.c",
  "tasks.c",
  "virtual.c",
  "virtual.S",
  "paging.c",
  "flags.c",
  "instructions.c",
  "real.c",
  "real.S",
];
// deno-fmt-ignore
const FLAGS = [
  "-m32", "-O1", "-ffreestanding", "-nostdlib", "-static", "-fno-pic", "-no-pie", "-fno-stack-protector",
  "-mgeneral-regs-only", "-fno-asynchronous-unwind-tables", "-Wall", "-Wextra", "-Werror",
  "-Wl,-Ttext-segment=0x100000", "-Wl,-z,noexecstack", "-Wl,--build-id=none",
];
const RAM = 32 << 20;
const INSTRUCTIONS_MAX = 1e9;

function tool(name: string): boolean {
  try {
    return new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

async function build(path: string): Promise<Uint8Array> {
  const files = SOURCES.map((name) => new URL(name, HERE).pathname);
  const { success, stderr } = await new Deno.Command("gcc", {
    args: [...FLAGS, "-o", path, ...files],
    stderr: "piped",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return await Deno.readFile(path);
}

async function runQemu(path: string): Promise<string> {
  const output = `${path}.qemu`;
  // deno-fmt-ignore
  const child = new Deno.Command("timeout", {
    args: ["60", "qemu-system-i386", "-accel", "tcg", "-cpu", "pentium2,-pae,-vme,-mmx,-pse36,-apic,-fxsr", "-m", "32",
      "-display", "none", "-monitor", "none", "-serial", "none", "-no-reboot", "-debugcon", `file:${output}`,
      "-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-kernel", path],
    stderr: "piped",
  });
  const { stderr } = await child.output();
  const text = await Deno.readTextFile(output);
  assert.ok(text.endsWith("end\n"), `QEMU stopped early: ${new TextDecoder().decode(stderr)}`);
  return text;
}

function runOurs(elf: Uint8Array): string {
  const bytes: number[] = [];
  let done = false;
  const cpu: Cpu = new Cpu({
    ramBytes: RAM,
    bus: {
      readPort: () => 0xff,
      writePort: (port, _size, value) => {
        if (port === 0xe9) bytes.push(value);
        else if (port === 0xf4) {
          done = true;
          cpu.requestStop();
        }
      },
      readMemory: () => 0xff,
      writeMemory: () => {},
      acknowledgeInterrupt: () => 0x20,
    },
  });
  // ELF32: program headers of type LOAD.
  const view = new DataView(elf.buffer, elf.byteOffset);
  for (let i = 0; i < view.getUint16(44, true); i++) {
    const at = view.getUint32(28, true) + 32 * i;
    if (view.getUint32(at, true) !== 1) continue;
    const offset = view.getUint32(at + 4, true);
    cpu.memory.write(
      view.getUint32(at + 12, true),
      elf.subarray(offset, offset + view.getUint32(at + 16, true)),
    );
  }
  cpu.enterFlatProtectedMode({ eip: view.getUint32(24, true), eax: 0x2badb002 });
  while (!done && cpu.instructions < INSTRUCTIONS_MAX) {
    const reason = cpu.run(10_000_000);
    if (reason !== "limit") break;
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}

const missing = ["gcc", "qemu-system-i386"].filter((name) => !tool(name));

async function compare(): Promise<void> {
  await Deno.mkdir(CACHE, { recursive: true });
  const path = new URL(`system-probe-${Deno.pid}`, CACHE).pathname;
  try {
    const elf = await build(path);
    const qemu = (await runQemu(path)).split("\n");
    const ours = runOurs(elf).split("\n");
    assert.equal(ours.length, qemu.length, `our last line: ${ours.at(-2)}`);
    assert.ok(ours.length > 20_000);
    const used = new Map<string, number>();
    const unexplained: string[] = [];
    for (const [index, line] of ours.entries()) {
      const other = qemu[index] as string;
      if (line === other) continue;
      const rule = DEVIATIONS.find(({ explains }) => explains(line, other));
      if (rule === undefined) unexplained.push(`ours ${line}\nqemu ${other}`);
      else used.set(rule.reason, (used.get(rule.reason) ?? 0) + 1);
    }
    assert.deepEqual(unexplained.slice(0, 10), [], `${unexplained.length} lines differ`);
    // A rule that explains nothing any more has to go.
    assert.equal(used.size, DEVIATIONS.length, [...used].join("\n"));
  } finally {
    for (const file of [path, `${path}.qemu`]) await Deno.remove(file).catch(() => {});
  }
}

Deno.test({
  name: `system probe: faults, gates, segments and pages are as on QEMU${
    missing.length > 0 ? ` (not here: ${missing.join(", ")})` : ""
  }`,
  ignore: missing.length > 0,
  fn: compare,
});
