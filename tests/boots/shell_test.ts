/**
 * Our shell at a terminal, on our kernel and machine: job control and Ctrl-C, which its tests as a native program
 * cannot show.
 *
 * @module
 */
import assert from "node:assert/strict";
import { buildKernel, file, put, skeleton, writeExt2 } from "../../toolchain/image/mod.ts";
import { buildUserProgram, sources } from "../kernel/user_program.ts";
import { ConsoleSession } from "./console_session.ts";
import { machineConsole } from "./machine_console.ts";

const PROMPT = "/root # ";
const PROGRAMS = ["sbin/init", "sbin/poweroff", "bin/sh", "bin/sleep", "bin/cat"];

async function makeDisk(folder: string): Promise<void> {
  const tree = skeleton();
  for (const program of PROGRAMS) {
    put(tree, `/${program}`, file(await buildUserProgram(`kernel/user/${program}.ts`), 0o755));
  }
  const bytes = new Uint8Array(16 << 20);
  writeExt2({ write: (offset, part) => bytes.set(part, offset) }, tree, {
    sizeBytes: bytes.length,
  });
  await Deno.writeFile(`${folder}/disk.img`, bytes);
  await Deno.writeFile(`${folder}/kernel`, await buildKernel(sources));
}

Deno.test("sh at a terminal: Ctrl-C ends loops and jobs, Ctrl-Z stops them, fg and bg go on", async () => {
  const folder = await Deno.makeTempDir();
  await makeDisk(folder);
  const session = new ConsoleSession(machineConsole({
    kernel: `${folder}/kernel`,
    disk: `${folder}/disk.img`,
    commandLine: "root=/dev/hda",
  }));
  const run = async (command: string): Promise<string> => {
    await session.type(`${command}\r`);
    await session.expect("\n");
    return (await session.expect(PROMPT)).slice(0, -PROMPT.length).replaceAll("\r\n", "\n");
  };
  /** Types a key when the command is surely running. */
  const key = async (command: string, code: string, expected: string | RegExp): Promise<string> => {
    await session.type(`${command}\r`);
    await session.expect("\n");
    await new Promise((resolve) => setTimeout(resolve, 300));
    await session.type(code);
    return await session.expect(expected);
  };
  try {
    await session.expect(PROMPT);
    await key("while true; do :; done", "\x03", PROMPT);
    assert.equal(await run("echo $?"), "130\n");
    await key("for i in 1 2 3; do sleep 100; done", "\x03", PROMPT);
    await key("echo half a li", "", PROMPT);
    await session.type("echo given up\x03");
    await session.expect(PROMPT);
    assert.equal(await run("echo still"), "still\n");
    assert.match(await key("sleep 2", "\x1a", PROMPT), /\[1\]\+ Stopped +sleep 2/);
    assert.match(await run("jobs"), /\[1\]\+ Stopped +sleep 2/);
    assert.match(await run("bg"), /sleep 2 &/);
    assert.match(await run("wait; jobs"), /^(\[1\]. Done +sleep 2\n)?$/);
    assert.match(await run("cat &"), /^\[1\] \d+\n/);
    await session.type("fg\r");
    await session.expect("cat\r\n");
    await session.type("typed\r");
    await session.expect("typed\r\ntyped\r\n");
    await session.type("\x04");
    await session.expect(PROMPT);
    await session.type("poweroff\r");
    await session.ended();
  } finally {
    await session.close();
    await Deno.remove(folder, { recursive: true });
  }
});
