/**
 * The protocol on a small machine, packet by packet: what a client is answered, where the machine stands, and that the
 * guest does not notice.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ENTRY, rawKernel } from "../test_machine.ts";
import type { StubOptions } from "./mod.ts";
import { Client as KernelClient } from "./test_client.ts";

const CELL = 0x200000;

// deno-fmt-ignore
const COUNT_DOWN = [
  0xb9, 0xe8, 0x03, 0x00, 0x00,             // mov ecx, 1000
  0x89, 0x0d, 0x00, 0x00, 0x20, 0x00,       // again: mov [200000h], ecx
  0xa1, 0x00, 0x00, 0x20, 0x00,             // mov eax, [200000h]
  0x49,                                     // dec ecx
  0x75, 0xf2,                               // jnz again
  0xb0, 0x03, 0xe6, 0xf4,                   // mov al, 3; out F4h, al
];
const AGAIN = ENTRY + 5;
const LOADS = ENTRY + 11;
const DEC = ENTRY + 16;
const JNZ = ENTRY + 17;
const BEHIND = ENTRY + 19;

class Client extends KernelClient {
  constructor(code: readonly number[], options: StubOptions = {}, translateAfter = 2000) {
    super(rawKernel(code), options, translateAfter);
  }
}
const hex = (value: number): string => value.toString(16);

for (const translateAfter of [0, 1]) {
  const how = translateAfter === 0 ? "interpreted" : "translated";

  Deno.test(`breakpoints, steps and watchpoints stop where they should, ${how}`, async () => {
    const client = new Client(COUNT_DOWN, {}, translateAfter);
    const { cpu } = client.machine;
    assert.deepEqual(await client.stop("?"), { eip: ENTRY, reason: "T02" });
    assert.deepEqual(await client.stop("vCont;s:p1.1"), { eip: AGAIN, reason: "T05" });
    assert.equal(await client.ask(`Z0,${hex(DEC)},1`), "OK");
    assert.deepEqual(await client.stop("vCont;c:p1.-1"), { eip: DEC, reason: "T05swbreak:;" });
    assert.equal(cpu.instructions, 3);
    // Going on from a breakpoint goes on, round after round.
    assert.deepEqual(await client.stop("c"), { eip: DEC, reason: "T05swbreak:;" });
    assert.equal(cpu.instructions, 7);
    assert.equal(await client.ask(`z0,${hex(DEC)},1`), "OK");
    assert.equal(await client.ask(`Z1,${hex(JNZ)},1`), "OK");
    assert.deepEqual(await client.stop("c"), { eip: JNZ, reason: "T05hwbreak:;" });
    assert.equal(await client.ask(`z1,${hex(JNZ)},1`), "OK");
    // Until ECX is 500: reg 1, const16 500, equal, end.
    assert.equal(await client.ask(`Z0,${hex(AGAIN)},1;X8,2600012301f41327`), "OK");
    assert.deepEqual(await client.stop("c"), { eip: AGAIN, reason: "T05swbreak:;" });
    assert.equal(cpu.registers.get("ecx"), 500);
    assert.equal(cpu.instructions, 1 + 4 * 500);
    assert.equal(await client.ask(`z0,${hex(AGAIN)},1`), "OK");
    // Behind the write, behind the read.
    assert.equal(await client.ask(`Z2,${hex(CELL)},4`), "OK");
    assert.deepEqual(await client.stop("c"), {
      eip: LOADS,
      reason: `T05watch:${hex(CELL)};`,
    });
    assert.equal(await client.ask(`z2,${hex(CELL)},4`), "OK");
    assert.equal(await client.ask(`Z3,${hex(CELL + 3)},1`), "OK");
    assert.deepEqual(await client.stop("c"), { eip: DEC, reason: `T05rwatch:${hex(CELL + 3)};` });
    assert.equal(await client.ask(`z3,${hex(CELL + 3)},1`), "OK");
    // A range of the two instructions of the loop's end is left at its start.
    assert.deepEqual(await client.stop(`vCont;r${hex(DEC)},${hex(BEHIND)}:p1.1`), {
      eip: AGAIN,
      reason: "T05",
    });
    // The whole loop as a range: it is left when the loop ends.
    assert.deepEqual(await client.stop(`vCont;r${hex(AGAIN)},${hex(BEHIND)}:p1.1`), {
      eip: BEHIND,
      reason: "T05",
    });
    assert.equal(cpu.instructions, 1 + 4 * 1000);
    assert.equal(await client.ask("c"), "W07;process:1");
    assert.equal(await client.ended, 7);
    await client.close();
  });
}

Deno.test("registers and memory are read and written, in digits and binary", async () => {
  const client = new Client(COUNT_DOWN);
  const { cpu } = client.machine;
  const all = await client.ask("g");
  assert.equal(all.slice(8 * 8, 9 * 8), "20001000");
  assert.equal(await client.ask("P1=78563412"), "OK");
  assert.equal(cpu.registers.get("ecx"), 0x12345678);
  assert.equal(await client.ask("p1"), "78563412");
  assert.equal(await client.ask("pffff"), "E16");
  assert.equal(await client.ask("P1=12"), "E16");
  // The answer to `g` may have escapes or not: digits have none. EDX changes, CR0 is as it was.
  assert.equal(await client.ask(`G${all.slice(0, 16)}44332211${all.slice(24)}`), "OK");
  assert.equal(cpu.registers.get("edx"), 0x11223344);
  assert.equal(cpu.registers.get("ecx"), 0);
  assert.equal(await client.ask(`M${hex(CELL)},3:0a0b0c`), "OK");
  assert.equal(await client.ask(`m${hex(CELL)},4`), "0a0b0c00");
  assert.equal(await client.ask(`X${hex(CELL)},4:*}#$`), "OK");
  assert.equal(await client.ask(`m${hex(CELL)},4`), "2a7d2324");
  // As they are on the wire: *, }, # and $ with escapes.
  assert.equal(await client.ask(`x${hex(CELL)},5`), "b}\n}]}\x03}\x04\0");
  assert.equal(await client.ask(`M${hex(CELL)},3:0a`), "E16");
  // RAM ends at 8 MiB: what there is of a range, else an error.
  assert.equal(await client.ask("m7ffffe,8"), "0000");
  assert.equal(await client.ask("m800000,8"), "E0e");
  assert.equal(await client.ask("M7fffff,2:0102"), "E0e");
  assert.equal(await client.ask("Z0,zz,1"), "E16");
  assert.equal(await client.ask("Z2,fffffffe,4"), "E16");
  assert.equal(await client.ask("vMustReplyEmpty"), "");
  assert.equal(await client.ask("vCont;r1"), "E16");
  await client.close();
  assert.equal(await client.ended, 7);
});

Deno.test("what a client asks of the target", async () => {
  const bytes = new TextEncoder().encode("\x7fELF and so on");
  const client = new Client(COUNT_DOWN, { program: () => ({ name: "/kernel", bytes }) });
  const supported = await client.ask("qSupported:swbreak+");
  for (const word of ["QStartNoAckMode+", "binary-upload+", "ConditionalBreakpoints+"]) {
    assert.ok(supported.includes(word), word);
  }
  const first = await client.ask("qXfer:features:read:target.xml:0,40");
  assert.match(first, /^m<\?xml/);
  assert.equal(first.length, 1 + 0x40);
  const xml = (await client.ask("qXfer:features:read:target.xml:0,fffff")).slice(1);
  const names = [...xml.matchAll(/<reg name="(\w+)"[^>]* regnum="(\d+)"/g)].map((match) =>
    match[1]
  );
  assert.deepEqual(
    names.slice(0, 18),
    (
      "eax ecx edx ebx esp ebp esi edi eip eflags cs ss ds es fs gs st0 st1"
    ).split(" "),
  );
  assert.ok(names.includes("xmm7") && names.includes("cr3") && !names.includes("mm0"));
  assert.equal(await client.ask("qXfer:exec-file:read:1:0,fff"), "l/kernel");
  assert.equal(await client.ask("qfThreadInfo"), "mp1.1");
  assert.equal(await client.ask("qsThreadInfo"), "l");
  const file = new TextEncoder().encode("/kernel").toHex();
  assert.equal(await client.ask(`vFile:open:${file},0,0`), "F3");
  assert.equal(await client.ask("vFile:pread:3,3,1"), "F3;ELF");
  assert.equal(await client.ask("vFile:pread:3,10,100"), "F0;");
  assert.match(await client.ask("vFile:fstat:3"), /^F40;/);
  assert.equal(await client.ask("vFile:close:3"), "F0");
  assert.equal(await client.ask("vFile:pread:3,3,1"), "F-1,9");
  assert.equal(await client.ask("vFile:open:2f6574,0,0"), "F-1,2");
  await client.close();
  await client.ended;
});

Deno.test("monitor says what gdb has no words for", async () => {
  const client = new Client(COUNT_DOWN, {
    commands: [{ name: "echo", help: "WORDS: says them", run: (words) => `${words.join("-")}\n` }],
  });
  const monitor = async (text: string): Promise<string> => {
    const answer = await client.ask(`qRcmd,${new TextEncoder().encode(text).toHex()}`);
    return new TextDecoder().decode(Uint8Array.fromHex(answer));
  };
  assert.equal(await monitor("echo a b"), "a-b\n");
  assert.match(await monitor("help"), /^echo +WORDS: says them$/m);
  assert.match(await monitor("what"), /^There is no command "what"\.\n/);
  assert.equal(await monitor("when"), "0 instructions, 0.000 ms of virtual time\n");
  assert.match(await monitor("registers"), /eip=00100020/);
  assert.equal(await monitor("translate $eip"), "no paging\nphysical 00100020\n");
  assert.match(await monitor("translate nothing"), /^Give an address/);
  assert.equal(await monitor("linear-pc off"), "linear-pc is off\n");
  await client.close();
  await client.ended;
});

Deno.test("a damaged packet is asked for again, and no acknowledgements are sent once they are off", async () => {
  const client = new Client(COUNT_DOWN);
  await client.raw("$g#00");
  assert.equal(await client.receive(), "-");
  assert.equal(await client.ask("QStartNoAckMode"), "OK");
  assert.equal(await client.ask("qAttached"), "1");
  await client.close();
  await client.ended;
});

Deno.test("Ctrl-C stops what runs for ever; detaching lets it go on without breakpoints", async () => {
  // L: inc eax; jmp L
  const client = new Client([0x40, 0xeb, 0xfd]);
  assert.equal(await client.ask(`Z0,${hex(ENTRY)},1`), "OK");
  await client.stop("c");
  assert.equal(await client.ask(`z0,${hex(ENTRY)},1`), "OK");
  const stop = client.stop("c");
  await new Promise((done) => setTimeout(done, 50));
  await client.raw("\x03");
  const { eip, reason } = await stop;
  assert.equal(reason, "T02");
  assert.ok(eip === ENTRY || eip === ENTRY + 1);
  assert.equal(await client.ask(`Z0,${hex(ENTRY)},1`), "OK");
  const before = client.machine.cpu.instructions;
  assert.equal(await client.ask("D;1"), "OK");
  await client.close();
  await new Promise((done) => setTimeout(done, 50));
  assert.ok(client.machine.cpu.instructions > before + 10);
  client.machine.stop();
  await client.ended;
});
