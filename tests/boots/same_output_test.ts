/**
 * Our kernel and its own programs on two PCs, ours and QEMU's: the serial console's output must be the
 * same, from the first line to power off, and the file systems that they leave must be sound and equal.
 *
 * Needs qemu-system-i386; e2fsck checks the disks where it is installed.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  findFileSystems,
  Machine,
  MemoryDisk,
  screenText,
  SnapshotDisk,
} from "../../devices/mod.ts";
import { defaultTree, writeExt2 } from "../../toolchain/image/mod.ts";
import { ConsoleSession, type GuestConsole, qemuConsole } from "./console_session.ts";
import { machineConsole } from "./machine_console.ts";
import { sources } from "../kernel/user_program.ts";

const PROMPT = "/root # ";
const DISK_BYTES = 32 << 20;
const COMMANDS = [
  "echo $((6*7))",
  "for i in 1 2 3; do echo n$i; done | sort | tail -n 2",
  "ls /bin /sbin",
  "mkdir /tmp/d /d; echo hello > /d/f; cat /d/f; ls -l /d | wc -l",
  "cp /bin/ls /d/ls; ls -l /d/ls | cut -c 1-10; rm /d/ls",
  "cat /etc/motd | grep kernel | wc -c",
  "mv /d/f /d/g; ls /d; head -n 1 /etc/passwd",
  "sleep 1; echo slept",
  "false || echo no; true && echo yes",
  "sync",
];

/** The default disk and its kernel as files. */
async function prepare(folder: string): Promise<void> {
  const image = new Uint8Array(DISK_BYTES);
  writeExt2(
    { write: (offset, bytes) => image.set(bytes, offset) },
    await defaultTree({ files: sources }),
    { sizeBytes: DISK_BYTES },
  );
  const [found] = findFileSystems(new MemoryDisk(image));
  const kernel = found?.fileSystem.readFile("/boot/kernel");
  assert.ok(kernel !== undefined);
  Deno.writeFileSync(`${folder}/kernel`, kernel);
  for (const name of ["ours", "qemu"]) Deno.writeFileSync(`${folder}/${name}.img`, image);
}

/** Types the commands and turns the guest off; everything it said. */
async function talk(guest: GuestConsole): Promise<string> {
  const session = new ConsoleSession(guest);
  try {
    await session.expect(PROMPT, 60_000);
    for (const command of COMMANDS) {
      await session.type(`${command}\r`);
      await session.expect(command);
      await session.expect(PROMPT);
    }
    await session.type("poweroff\r");
    await session.ended(60_000);
    return session.transcript;
  } finally {
    await session.close();
  }
}

/**
 * What differs between the two PCs, and nothing else: size of memory (QEMU keeps some for its firmware),
 * speed of the time stamp counter, PCI devices that only QEMU has, the name of the disk; and whether the
 * shell that init starts when poweroff has killed the last one still gets to its prompt.
 */
function comparable(text: string): string[] {
  return text.replaceAll("\r", "").split("\n").filter((line) => !line.startsWith("pci ")).map((
    line,
  ) =>
    line.replace(/^memory: .*/, "memory").replace(/TSC \d+ kHz/, "TSC").replace(
      /^(hd[a-d]): .*?, /,
      "$1: ",
    ).replace(`${PROMPT}Power down.`, "Power down.")
  );
}

function checkDisk(path: string): void {
  let result: Deno.CommandOutput;
  try {
    result = new Deno.Command("/sbin/e2fsck", { args: ["-fn", path] }).outputSync();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  assert.equal(result.code, 0, new TextDecoder().decode(result.stdout));
}

/** Runs until the screen shows the text. */
function expectOnScreen(machine: Machine, text: string): void {
  for (let i = 0; i < 200; i++) {
    machine.runSync(1_000_000);
    const screen = machine.display.screen();
    if (screen !== undefined && screenText(screen).includes(text)) return;
  }
  const screen = machine.display.screen();
  assert.fail(`No ${JSON.stringify(text)} on:\n${screen && screenText(screen)}`);
}

/** The same kernel with screen and keyboard as its console. */
function talkOnScreen(folder: string): void {
  const disk = new MemoryDisk(Deno.readFileSync(`${folder}/ours.img`));
  const machine = new Machine({ disks: [new SnapshotDisk(disk)] });
  machine.loadKernel(Deno.readFileSync(`${folder}/kernel`), "root=/dev/hda console=tty0");
  expectOnScreen(machine, PROMPT.trimEnd());
  machine.type('echo $((6*7)) "Hello, World!" | cat\n');
  expectOnScreen(machine, "\n42 Hello, World!\n");
}

function hasQemu(): boolean {
  try {
    return new Deno.Command("qemu-system-i386", { args: ["--version"] }).outputSync().success;
  } catch {
    return false;
  }
}

Deno.test({
  name:
    "the kernel says the same here and on QEMU, leaves sound disks, and talks on screen and keyboard",
  ignore: !hasQemu(),
  async fn() {
    const folder = Deno.makeTempDirSync();
    try {
      await prepare(folder);
      const options = (name: string) => ({
        kernel: `${folder}/kernel`,
        disk: `${folder}/${name}.img`,
        commandLine: "root=/dev/hda console=ttyS0",
      });
      const ours = await talk(machineConsole(options("ours")));
      assert.match(ours, /^hda: .*DMA/m);
      assert.match(ours, /\n42\r\n/);
      const theirs = await talk(qemuConsole(options("qemu")));
      assert.deepEqual(comparable(ours), comparable(theirs));
      for (const name of ["ours", "qemu"]) {
        checkDisk(`${folder}/${name}.img`);
        const disk = new MemoryDisk(Deno.readFileSync(`${folder}/${name}.img`));
        const [found] = findFileSystems(disk);
        const text = found?.fileSystem.readFile("/d/g");
        assert.equal(text && new TextDecoder().decode(text), "hello\n");
      }
      talkOnScreen(folder);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
