/**
 * Debian's unmodified bash and busybox on our kernel, on QEMU and on our machine: an interactive
 * session, typed, and the file system checked afterwards.
 *
 * @module
 */
import assert from "node:assert/strict";
import { buildKernel } from "../../toolchain/image/mod.ts";
import { device, directory, file, put, symlink, writeExt2 } from "../../toolchain/image/mod.ts";
import {
  ConsoleSession,
  type GuestConsole,
  qemuConsole,
  type QemuOptions,
} from "./console_session.ts";
import { type DebianPrograms, debianPrograms } from "./debian.ts";
import { machineConsole } from "./machine_console.ts";
import { sources } from "../kernel/user_program.ts";

const PROMPT = "bash-5.2# ";
const APPLETS = [
  "cat",
  "ls",
  "mkdir",
  "poweroff",
  "ps",
  "rm",
  "sleep",
  "stty",
  "sync",
  "tty",
  "yes",
];

function hasQemu(): boolean {
  try {
    return new Deno.Command("qemu-system-i386", { args: ["--version"] }).outputSync().success;
  } catch {
    return false;
  }
}

/** A disk of 32 MiB with the two programs. */
async function writeDisk(path: string, programs: DebianPrograms): Promise<void> {
  const tree = directory();
  for (const name of ["dev", "etc", "proc", "root", "tmp"]) put(tree, `/${name}`, directory());
  put(tree, "/bin/bash", file(await Deno.readFile(programs.bash), 0o755));
  put(tree, "/bin/busybox", file(await Deno.readFile(programs.busybox), 0o755));
  for (const name of APPLETS) put(tree, `/bin/${name}`, symlink("busybox"));
  put(tree, "/etc/passwd", file("root:x:0:0:root:/root:/bin/bash\n"));
  put(tree, "/dev/console", device("character", { major: 5, minor: 1 }));
  const image = await Deno.open(path, { write: true, create: true, truncate: true });
  try {
    const write = (offset: number, bytes: Uint8Array) => {
      image.seekSync(offset, Deno.SeekMode.Start);
      for (let done = 0; done < bytes.length;) done += image.writeSync(bytes.subarray(done));
    };
    await image.truncate(32 << 20);
    writeExt2({ write }, tree, { sizeBytes: 32 << 20 });
  } finally {
    image.close();
  }
}

/** Types a command; what comes until the next prompt. */
async function run(session: ConsoleSession, command: string): Promise<string> {
  await session.type(`${command}\r`);
  await session.expect("\n");
  const text = (await session.expect(PROMPT)).slice(0, -PROMPT.length);
  // readline switches bracketed paste on and off around each line.
  return text.replaceAll("\x1b[?2004l\r", "").replaceAll("\x1b[?2004h", "").replaceAll(
    "\r\n",
    "\n",
  );
}

/** The session of the acceptance list. */
async function talk(session: ConsoleSession): Promise<void> {
  await session.expect(PROMPT);
  assert.doesNotMatch(session.transcript, /no job control/);
  assert.equal(await run(session, "echo $((6*7))"), "42\n");
  assert.equal(await run(session, "for i in 1 2 3; do echo n$i; done | cat"), "n1\nn2\nn3\n");
  assert.match(await run(session, "ls -l /"), /drwxr-xr-x .* bin\n/);
  assert.match(await run(session, "cat /proc/self/maps"), /\/bin\/busybox\n/);
  assert.equal(await run(session, "tty"), "/dev/console\n");
  assert.match(await run(session, "stty -a"), /icrnl ixon/);
  // What is typed ahead is echoed before bash asks for it.
  assert.match(await run(session, "cat <<E\rhere $((2+3))\rE"), /\nhere 5\n$/);
  assert.match(await run(session, "sleep 1 &"), /^\[1\] \d+\n$/);
  assert.match(await run(session, "fg"), /^sleep 1\n/);
  await session.type("sleep 100\r");
  await session.expect("sleep 100\r\n");
  await new Promise((resolve) => setTimeout(resolve, 500));
  await session.type("\x03");
  await session.expect("^C");
  await session.expect(PROMPT);
  assert.equal(await run(session, "echo $?"), "130\n");
  await session.type("sleep 100\r");
  await session.expect("sleep 100\r\n");
  await new Promise((resolve) => setTimeout(resolve, 500));
  await session.type("\x1a");
  assert.match(await session.expect(PROMPT), /Stopped +sleep 100/);
  assert.match(await run(session, "jobs"), /\[1\]\+ +Stopped +sleep 100/);
  await run(session, "kill -KILL %1; wait");
  await session.type("yes | cat\r");
  await session.expect("y\r\ny\r\n");
  await session.type("\x03");
  await session.expect(PROMPT);
  await session.type("echo wrnog\x7f\x7f\x7f\x7frong\r"); // readline edits
  await session.expect("\nwrong\r\n");
  await session.expect(PROMPT);
  await run(session, "echo hi > /f; mkdir /d; rm -r /d; sync");
  assert.equal(await run(session, "cat /f"), "hi\n");
  await session.type("poweroff -f\r");
  await session.ended();
}

async function bootAndTalk(start: (options: QemuOptions) => GuestConsole): Promise<void> {
  const programs = debianPrograms();
  if (programs === undefined) return;
  const folder = await Deno.makeTempDir();
  const disk = `${folder}/disk.img`;
  await writeDisk(disk, programs);
  await Deno.writeFile(`${folder}/kernel`, await buildKernel(sources));
  const session = new ConsoleSession(start({
    kernel: `${folder}/kernel`,
    disk,
    commandLine: "root=/dev/hda init=/bin/bash console=ttyS0",
  }));
  try {
    await talk(session);
  } finally {
    await session.close();
  }
  const check = new Deno.Command("/sbin/e2fsck", { args: ["-fn", disk] }).outputSync();
  assert.equal(check.code, 0, new TextDecoder().decode(check.stdout));
  await Deno.remove(folder, { recursive: true });
}

Deno.test({
  name: "bash on QEMU: pipes, job control, here-documents, a clean file system",
  ignore: !hasQemu(),
  fn: () => bootAndTalk(qemuConsole),
});

Deno.test("bash on our machine: the same session", () => bootAndTalk(machineConsole));
