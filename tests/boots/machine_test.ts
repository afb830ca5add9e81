/**
 * The machine's run loop: why runs end, input while the guest waits, the two clocks.
 *
 * Needs gcc with -m32.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type ExitReason, type HostTime, Machine, type MachineOptions } from "../../devices/mod.ts";
import { assembleKernel, interruptSetup } from "./assemble.ts";

function machine(code: string, options: MachineOptions = {}): { pc: Machine; text: () => string } {
  let text = "";
  const add = (bytes: Uint8Array): string => text += String.fromCharCode(...bytes);
  const pc = new Machine({ ramBytes: 8 << 20, serial: add, debug: add, ...options });
  pc.loadKernel(assembleKernel(code), "");
  return { pc, text: () => text };
}

/** A host whose time passes in pauses only. */
function fakeHost(): { time: HostTime; passed: () => number } {
  let now = 5000;
  return {
    passed: () => now - 5000,
    time: {
      nowMs: () => now,
      pause: async (ms) => {
        now += ms;
        await Promise.resolve();
      },
    },
  };
}

const ENDS: readonly (readonly [string, string, ExitReason])[] = [
  ["PM1 control", "mov dx, 0x604\n mov ax, 0x2000\n out dx, ax", { type: "power-off" }],
  ["the exit port", "mov al, 3\n out 0xf4, al", { type: "exit", status: 7 }],
  ["the keyboard controller", "mov al, 0xfe\n out 0x64, al", { type: "reset" }],
  ["port 92h", "mov al, 3\n out 0x92, al", { type: "reset" }],
  ["port CF9h", "mov dx, 0xcf9\n mov al, 6\n out dx, al", { type: "reset" }],
  ["a triple fault", "push 0\n push 0\n lidt [esp]\n ud2", { type: "shutdown" }],
  ["HLT with interrupts off", "cli\n hlt", { type: "halted" }],
];

for (const [name, code, reason] of ENDS) {
  Deno.test(`Machine.run() ends by ${name}`, async () => {
    const { pc, text } = machine(`mov al, 'x'\n out 0xe9, al\n ${code}\n1: jmp 1b`);
    assert.deepEqual(await pc.run(), reason);
    assert.equal(text(), "x");
    assert.deepEqual(pc.runSync(1000), reason, "and stays there");
  });
}

Deno.test("Machine.reboot() starts the kernel anew on chips that were reset", async () => {
  const { pc, text } = machine(`
  in al, 0x21
  add al, '0' - 0xb8     # the mask as the firmware leaves it
  out 0xe9, al
  mov al, 0xff
  out 0x21, al
  mov al, 0xfe
  out 0x64, al
  hlt`);
  assert.deepEqual(await pc.run(), { type: "reset" });
  pc.reboot();
  assert.deepEqual(await pc.run(), { type: "reset" });
  assert.equal(text(), "00");
});

Deno.test("Machine runs exactly the instructions asked for", async () => {
  const { pc } = machine("1: inc eax\n jmp 1b");
  assert.equal(pc.runSync(12_345), undefined);
  assert.equal(pc.cpu.instructions, 12_345);
  assert.deepEqual(await pc.run({ instructions: 1_000_001 }), { type: "limit" });
  assert.equal(pc.cpu.instructions, 12_345 + 1_000_001);
});

Deno.test("Machine.run() is stopped by its signal and by stop()", async () => {
  const { pc } = machine("1: jmp 1b", { host: fakeHost().time });
  const abort = new AbortController();
  queueMicrotask(() => abort.abort());
  assert.deepEqual(await pc.run({ signal: abort.signal }), { type: "stopped" });
  assert.deepEqual(await pc.run({ signal: AbortSignal.abort() }), { type: "stopped" });
  const running = pc.run();
  queueMicrotask(() => pc.stop());
  assert.deepEqual(await running, { type: "stopped" });
  assert.deepEqual(await pc.run({ instructions: 5 }), { type: "limit" }, "only that run");
});

/** Echoes what COM1 receives, by interrupts; a newline ends it. */
const ECHO = `
  ${interruptSetup(4)}
  mov dx, 0x3fb
  mov al, 3
  out dx, al
  mov dx, 0x3fc
  mov al, 0x0b
  out dx, al
  mov dx, 0x3f9
  mov al, 1
  out dx, al
  sti
1: hlt
  jmp 1b
handler:
  mov dx, 0x3f8
  in al, dx
  cmp al, 10
  je 2f
  out dx, al
  mov al, 0x20
  out 0x20, al
  iret
2: out 0xf4, al
  hlt`;

for (const clock of ["virtual", "wall"] as const) {
  Deno.test(`Machine waits for input on the ${clock} clock while the guest waits`, async () => {
    const real: HostTime = {
      nowMs: () => performance.now(),
      pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    };
    const { pc, text } = machine(ECHO, { clock, host: real });
    const running = pc.run();
    const send = (value: string): void => pc.sendSerial(new TextEncoder().encode(value));
    await real.pause(30);
    send("hel");
    await real.pause(30);
    assert.equal(text(), "hel");
    send("lo\n");
    assert.deepEqual(await running, { type: "exit", status: 21 });
    assert.equal(text(), "hello");
  });
}

Deno.test("Machine.hold() lets the machine stand until the promise settles, then it goes on as if nothing was", async () => {
  const code = "1: inc ecx\n cmp ecx, 3000000\n jb 1b\n mov al, 1\n out 0xf4, al";
  const { pc: alone } = machine(code);
  await alone.run();
  const { pc } = machine(code);
  const first = Promise.withResolvers<void>();
  const second = Promise.reject(new Error("also an end"));
  pc.cpu.hooks.at(1_000_000, () => {
    pc.hold(first.promise);
    pc.hold(second);
  });
  const run = pc.run();
  await new Promise((done) => setTimeout(done, 20));
  assert.equal(pc.cpu.instructions, 1_000_000);
  assert.deepEqual(pc.runSync(1000), { type: "stopped" }, "which cannot wait");
  assert.equal(pc.cpu.instructions, 1_000_000);
  first.resolve();
  assert.deepEqual(await run, { type: "exit", status: 3 });
  assert.equal(pc.cpu.instructions, alone.cpu.instructions);
});

Deno.test("Machine.runSync() says that a guest idles whom nothing will wake", () => {
  const { pc } = machine("mov al, 0xff\n out 0x21, al\n out 0xa1, al\n sti\n1: hlt\n jmp 1b");
  assert.deepEqual(pc.runSync(1_000_000), { type: "idle" });
});

/** Waits for 100 ticks of 10 ms each, then ends. */
const TICKS = `
  ${interruptSetup(0)}
  mov al, 0x34
  out 0x43, al
  mov al, ${11932 & 0xff}
  out 0x40, al
  mov al, ${11932 >> 8}
  out 0x40, al
  xor ecx, ecx
  sti
1: hlt
  cmp ecx, 100
  jb 1b
  mov al, 0
  out 0xf4, al
  hlt
handler:
  inc ecx
  mov al, 0x20
  out 0x20, al
  iret`;

Deno.test("Machine skips HLT on the virtual clock: a second passes without a second", async () => {
  const { pc } = machine(TICKS);
  assert.deepEqual(await pc.run(), { type: "exit", status: 1 });
  const ms = pc.clock.now() / 1e6;
  assert.ok(ms > 990 && ms < 1020, `${ms}`);
  assert.ok(pc.cpu.instructions < 2000);
});

Deno.test("Machine on the wall clock takes the host's time", async () => {
  const host = fakeHost();
  const { pc } = machine(TICKS, { clock: "wall", host: host.time });
  assert.deepEqual(await pc.run(), { type: "exit", status: 1 });
  assert.ok(host.passed() > 980 && host.passed() < 1050, `${host.passed()} ms`);
});

Deno.test("Machine on the wall clock does not run ahead of the host", async () => {
  const host = fakeHost();
  const { pc } = machine("1: jmp 1b", { clock: "wall", host: host.time });
  assert.deepEqual(await pc.run({ instructions: 20_000_000 }), { type: "limit" });
  assert.ok(host.passed() > 150, `${host.passed()} ms for 200 ms of guest time`);
});

Deno.test("Machine refuses the wall clock without the host's time", () => {
  assert.throws(() => new Machine({ clock: "wall" }), TypeError);
});

Deno.test("keys come in by interrupt as scan codes", () => {
  const { pc, text } = machine(`
  ${interruptSetup(1)}
  sti
1: hlt
  jmp 1b
handler:
  in al, 0x60
  out 0xe9, al
  mov al, 0x20
  out 0x20, al
  iret`);
  pc.type("aB");
  assert.deepEqual(pc.runSync(100_000), { type: "idle" });
  assert.deepEqual(
    Array.from(text(), (c) => c.charCodeAt(0)),
    [0x1e, 0x9e, 0x2a, 0x30, 0xb0, 0xaa],
  );
});

Deno.test("what the guest writes to B8000h is on the display", () => {
  const { pc } = machine("mov dword ptr [0xb8000], 0x07690748\n cli\n hlt");
  pc.runSync(1000);
  const screen = pc.display.screen();
  assert.equal(String.fromCharCode(...screen?.characters.subarray(0, 2) ?? []), "Hi");
});

Deno.test("Machine.saveChips() comes back by restoreChips()", () => {
  const { pc } = machine(TICKS);
  pc.runSync(500);
  const saved = JSON.parse(JSON.stringify(pc.saveChips()));
  pc.runSync(500);
  assert.notDeepEqual(JSON.parse(JSON.stringify(pc.saveChips())), saved);
  pc.restoreChips(saved);
  assert.deepEqual(JSON.parse(JSON.stringify(pc.saveChips())), saved);
  assert.throws(() => pc.restoreChips({ clock: saved.clock, board: {} }), TypeError);
});

/** Prints eax and the first words at ebx + `offsets`, as 4 raw bytes each, to the debug port. */
function showWords(offsets: readonly number[]): string {
  const put = `call put4`;
  return `
  ${put}
  ${offsets.map((at) => `mov eax, [ebx + ${at}]\n ${put}`).join("\n")}
  mov al, 0
  out 0xf4, al
  hlt
put4: mov ecx, 4
1: out 0xe9, al
  shr eax, 8
  loop 1b
  ret`;
}

function bootWith(header: string, code: string): number[] {
  let text = "";
  const pc = new Machine({
    ramBytes: 8 << 20,
    debug: (bytes) => text += String.fromCharCode(...bytes),
  });
  pc.loadKernel(assembleKernel(code, header), "the line");
  assert.deepEqual(pc.runSync(10_000), { type: "exit", status: 1 });
  const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
  return Array.from(new Uint32Array(bytes.buffer));
}

Deno.test("a Multiboot 1 kernel finds magic, memory sizes and command line", () => {
  const header = ".align 4\n.long 0x1badb002, 3, -(0x1badb002 + 3)";
  const [magic, flags, lower, upper] = bootWith(header, showWords([0, 4, 8]));
  assert.equal(magic, 0x2badb002);
  assert.equal(flags & 0x45, 0x45, "memory, command line, map");
  assert.deepEqual([lower, upper], [639, 7 * 1024 - 128]); // less the ACPI tables
});

Deno.test("a Multiboot 1 kernel is loaded by the addresses in its header", () => {
  // Bit 16: the header's addresses count, whatever the ELF headers say.
  const header = `.align 4
header: .long 0x1badb002, 0x10000, -(0x1badb002 + 0x10000)
.long header, 0x100000, 0, 0, _start`;
  assert.deepEqual(bootWith(header, showWords([])), [0x2badb002]);
});

Deno.test("a Multiboot 2 kernel finds magic and tags", () => {
  const header = `.align 8
header: .long 0xe85250d6, 0, header_end - header, -(0xe85250d6 + header_end - header)
.align 8
.word 1, 0
.long 16, 4, 6
.align 8
.word 0, 0
.long 8
header_end:`;
  const [magic, size, reserved, type, bytes, text] = bootWith(
    header,
    showWords([0, 4, 8, 12, 16]),
  );
  assert.equal(magic, 0x36d76289);
  assert.ok(size > 100 && size % 8 === 0);
  assert.equal(reserved, 0);
  assert.deepEqual([type, bytes], [1, 8 + "the line\0".length]);
  assert.equal(text, 0x20656874, "the_");
});
