/**
 * The debugger on whole machines: steps that interrupts come between, and the real gdb on our kernel, which it gets with
 * symbols and lines from the machine.
 *
 * Needs gcc with -m32, and gdb.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Client } from "../../plugins/gdb/test_client.ts";
import { assembleKernel, interruptSetup } from "./assemble.ts";

const PROGRAM = fileURLToPath(new URL("../../mod.ts", import.meta.url));
const TICKS = 0x200000;
const hex = (value: number): string => value.toString(16);

for (const translateAfter of [0, 1]) {
  Deno.test(`a step lets interrupts through, translated after ${translateAfter} entries`, async () => {
    const client = new Client(
      assembleKernel(`${interruptSetup(0)}
  mov al, 0x34            # PIT channel 0, mode 2, every 1000 of its ticks: 84,000 instructions
  out 0x43, al
  mov al, 0xe8
  out 0x40, al
  mov al, 3
  out 0x40, al
  mov ecx, 1000000
  xor ebx, ebx
  sti
again:
  inc ebx
  dec ecx
  jnz again
behind:
  hlt
after:
  mov al, 1
  out 0xf4, al
handler:
  inc dword ptr [${TICKS}]
  push eax
  mov al, 0x20
  out 0x20, al
  pop eax
  iret
`),
      {},
      translateAfter,
    );
    const { cpu } = client.machine;
    const ticks = (): number => cpu.memory.read32(TICKS);
    // Where the loop is: `inc ebx; dec ecx; jnz` are 43 49 75 FC.
    const code = cpu.memory.read(0x100000, 0x1000).toHex();
    const again = 0x100000 + code.indexOf("434975fc") / 2;
    assert.equal(await client.ask(`Z0,${hex(again)},1`), "OK");
    assert.equal((await client.stop("c")).eip, again);
    assert.equal(await client.ask(`z0,${hex(again)},1`), "OK");
    // As one range: it is left when the loop ends, not by the handler.
    const behind = again + 4;
    assert.deepEqual(await client.stop(`vCont;r${hex(again)},${hex(behind)}`), {
      eip: behind,
      reason: "T05",
    });
    assert.equal(cpu.registers.get("ebx"), 1_000_000);
    const passed = ticks();
    assert.ok(passed > 20, `${passed} ticks`);
    // HLT is over when the interrupt has been handled.
    assert.deepEqual(await client.stop("s"), { eip: behind + 1, reason: "T05" });
    assert.equal(await client.ask("c"), "W03;process:1");
    assert.equal(await client.ended, 3);
    await client.close();
  });
}

Deno.test("a step onto a fault ends at its handler's first instruction", async () => {
  const client = new Client(assembleKernel(`${interruptSetup(0)}
  mov eax, offset fault
  mov [idt + 8 * 6], ax
  mov word ptr [idt + 8 * 6 + 2], 0x08
  mov word ptr [idt + 8 * 6 + 4], 0x8e00
  shr eax, 16
  mov [idt + 8 * 6 + 6], ax
  ud2
handler:
  iret
fault:
  mov al, 2
  out 0xf4, al
`));
  const { cpu } = client.machine;
  const code = cpu.memory.read(0x100000, 0x1000).toHex();
  const place = 0x100000 + code.indexOf("0f0b") / 2;
  assert.equal(await client.ask(`Z0,${hex(place)},1`), "OK");
  assert.equal((await client.stop("c")).eip, place);
  const before = cpu.instructions;
  assert.deepEqual(await client.stop("s"), { eip: place + 3, reason: "T05" });
  assert.equal(cpu.instructions, before);
  await client.raw("$k#6b");
  assert.equal(await client.ended, -1);
});

const hasGdb = await new Deno.Command("gdb", { args: ["--version"], stdout: "null" }).output()
  .then(({ success }) => success, () => false);
if (!hasGdb) console.log("gdb is not installed: the tests with the real one are left out");

/** Runs gdb's commands on a boot of the default image; returns what it prints. */
async function gdb(...commands: string[]): Promise<string> {
  const folder = await Deno.makeTempDir();
  const socket = `${folder}/gdb`;
  const machine = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", PROGRAM, "boot", "--clock", "virtual"]
      .concat(["--gdb", `unix:${socket}`, "--wait"]),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  try {
    await ready(machine.stderr);
    const { stdout, stderr } = await new Deno.Command("gdb", {
      args: ["-nx", "-batch", "-ex", "set pagination off", "-ex", `target remote ${socket}`]
        .concat(commands.flatMap((command) => ["-ex", command]), ["-ex", "kill"]),
    }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.match(text, /\[Inferior 1 \(process 1\) killed\]/);
    assert.equal((await machine.status).code, 0);
    return text;
  } finally {
    try {
      machine.kill();
    } catch {
      // It has ended.
    }
    await Deno.remove(folder, { recursive: true });
  }
}
/** Waits until the machine says that gdb can come; what it says then is dropped. */
async function ready(stderr: ReadableStream<Uint8Array>): Promise<void> {
  const reader = stderr.getReader();
  let text = "";
  while (!text.includes("gdb can come")) {
    const { value, done } = await reader.read();
    assert.ok(!done, text);
    text += new TextDecoder().decode(value);
  }
  reader.releaseLock();
  void stderr.pipeTo(new WritableStream());
}

Deno.test({
  name:
    "gdb breaks in our kernel, walks its stack, watches, finishes and steps; the guest does not notice",
  ignore: !hasGdb,
  fn: async () => {
    // A write by a program; its number is in the frame that EAX points to.
    const condition = "syscall_handler if *(int*)($eax+48)==4";
    const through = await gdb(
      `break ${condition}`,
      "continue",
      "backtrace 2",
      "info threads",
      "next",
      "next",
      "monitor symbol syscall_handler",
      "monitor translate syscall_handler",
      "watch -location *(int*)($ebp+8)",
      "delete",
      "stepi 200",
      `break ${condition}`,
      "continue",
      "finish",
      "monitor when",
      "info breakpoints",
    );
    const direct = await gdb(
      `break ${condition}`,
      "continue",
      "continue",
      "finish",
      "monitor when",
    );
    assert.match(through, /Reading symbols from target:\/kernel/);
    assert.match(through, /_start \(\) at kernel\/arch\/i386\/entry\.s:\d+/);
    assert.match(
      through,
      /Breakpoint 1, syscall_handler \(\) at kernel\/arch\/i386\/traps\.ts:\d+/,
    );
    assert.match(through, /#0 +syscall_handler \(\).*\n#1 +0x[0-9a-f]+ in syscall_entry \(\)/);
    assert.match(through, /Thread 1\.1 \(CPU 0, ring 0, \w+ \(\d+\)\)/);
    assert.match(through, /^\d+\s+dispatch\(frame\);$/m);
    assert.match(through, /^c[0-9a-f]{7}: syscall_handler\+0x0 \(kernel\)$/m);
    assert.match(through, /^PDE at [0-9a-f]{8}: .*\nphysical 00[0-9a-f]{6}$/m);
    assert.match(through, /^syscall_entry \(\) at kernel\/arch\/i386\/entry\.s:\d+$/m);
    assert.match(through, /stop only if .* \(target evals\)/);
    const when = /\d+ instructions, .*$/m;
    assert.equal(when.exec(through)?.[0], when.exec(direct)?.[0]);
    assert.ok(when.test(direct), direct);
  },
});

Deno.test({
  name: "gdb's watchpoints on the kernel's data stop behind each change",
  ignore: !hasGdb,
  fn: async () => {
    const text = await gdb(
      "break syscall_handler",
      "continue",
      "delete",
      "watch -location *(int*)($esp-8)",
      "continue",
      "continue",
      "info watchpoints",
    );
    assert.equal(text.match(/Old value = /g)?.length, 2, text);
    assert.match(text, /hw watchpoint .*\n.*breakpoint already hit 2 times/, text);
  },
});
