/**
 * One kernel, two PCs: what a small Multiboot kernel in assembly prints while it uses timer, clock, PCI
 * and disk is the same here and on QEMU.
 *
 * Needs gcc with -m32 and qemu-system-i386.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type ExitReason, Machine, MemoryDisk } from "../../devices/mod.ts";

const SECTORS = 2048;
const EXIT_VALUE = 0x10;

async function build(folder: string): Promise<Uint8Array> {
  const source = new URL("devices_kernel.s", import.meta.url).pathname;
  const include = `-Wa,-I${new URL(".", import.meta.url).pathname}`;
  const out = `${folder}/kernel.elf`;
  const { success, stderr } = await new Deno.Command("gcc", {
    args: ["-m32", "-nostdlib", "-static", "-Wl,-n", "-Wl,-Ttext=0x100000", "-Wl,--build-id=none"]
      .concat(["-Wl,--no-warn-rwx-segments", include, "-o", out, source]),
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return Deno.readFileSync(out);
}

function diskImage(): Uint8Array {
  const image = new Uint8Array(SECTORS * 512);
  const text = (sector: number, value: string): void =>
    image.set(new TextEncoder().encode(value), sector * 512);
  text(5, "this is sector five\n");
  text(6, "this is sector six\n");
  return image;
}

function onOurs(kernel: Uint8Array): { text: string; reason: ExitReason | undefined } {
  const bytes: number[] = [];
  const machine = new Machine({
    disks: [new MemoryDisk(diskImage())],
    serial: (sent) => bytes.push(...sent),
  });
  machine.loadKernel(kernel, "one two three");
  const reason = machine.runSync(200_000_000);
  return { text: new TextDecoder().decode(Uint8Array.from(bytes)), reason };
}

async function onQemu(folder: string): Promise<{ text: string; code: number }> {
  const image = `${folder}/disk.img`;
  Deno.writeFileSync(image, diskImage());
  const { stdout, code } = await new Deno.Command("timeout", {
    args: ["30", "qemu-system-i386", "-kernel", `${folder}/kernel.elf`, "-append", "one two three"]
      // Time by instructions: a loaded host would make its timer late.
      .concat(["-icount", "shift=3,sleep=off", "-serial", "stdio", "-display", "none"])
      .concat(["-no-reboot", "-drive"])
      .concat([`file=${image},format=raw`, "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]),
    stdin: "null",
  }).output();
  return { text: new TextDecoder().decode(stdout), code };
}

Deno.test("a kernel that uses timer, clock, PCI and disk prints the same here and on QEMU", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const kernel = await build(folder);
    const ours = onOurs(kernel);
    assert.match(ours.text, /this is sector five\nthis is sector six\ndone\n$/);
    const status = (EXIT_VALUE << 1) | 1;
    assert.deepEqual(ours.reason, { type: "exit", status });
    const theirs = await onQemu(folder);
    assert.equal(ours.text, theirs.text);
    assert.equal(theirs.code, status);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("two runs of the same kernel take the same instructions and give the same bytes", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const kernel = await build(folder);
    const run = (): { count: number; now: number; text: string } => {
      let text = "";
      const machine = new Machine({
        disks: [new MemoryDisk(diskImage())],
        serial: (bytes) => text += String.fromCharCode(...bytes),
      });
      machine.loadKernel(kernel, "");
      machine.runSync(200_000_000);
      return { count: machine.cpu.instructions, now: machine.clock.now(), text };
    };
    const first = run();
    assert.ok(first.text.endsWith("done\n"));
    assert.deepEqual(run(), first);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
