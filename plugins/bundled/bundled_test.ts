/** What each bundled plugin says of a small guest, by its options as on the command line. @module */
import assert from "node:assert/strict";
import { loadPlugin } from "../mod.ts";
import { AT, CELL, DEVICE, GUEST, prepare, ROUNDS } from "../test_guest.ts";
import { ENTRY, type KernelSymbol, rawKernel, runLoaded } from "../test_machine.ts";
import { instructionClass } from "./howvec.ts";
import { BUNDLED } from "./mod.ts";
import { syscallName } from "./syscall_names.ts";

/** Instructions of the guest, up to and with the one that ends it. */
const WHOLE = 9 + 4 * ROUNDS + 11 + 12 + 2 * 2 + 2;

interface Guest {
  readonly code?: readonly number[];
  readonly functions?: readonly KernelSymbol[];
}
/** The lines that a plugin prints, and the instructions that ran; interpreted and translated alike. */
async function run(
  argument: string,
  guest: Guest = {},
): Promise<{ lines: string[]; instructions: number }> {
  const loaded = await loadPlugin(argument, "/");
  const results = [0, 1].map((translateAfter) => {
    const { texts, failures, machine } = runLoaded(rawKernel(guest.code ?? GUEST), [loaded], {
      translateAfter,
      prepare,
      ...(guest.functions === undefined ? {} : { functions: guest.functions }),
    });
    assert.deepEqual(failures, []);
    const lines = texts.join("").trimEnd().split("\n");
    return { lines, instructions: machine.cpu.instructions };
  });
  assert.deepEqual(results[1], results[0]);
  return results[0] as { lines: string[]; instructions: number };
}
const hex = (value: number): string => `0x${value.toString(16)}`;

Deno.test("execlog has each instruction with its accesses and changed registers", async () => {
  const { lines, instructions } = await run("execlog,reg=ecx");
  // The last one faults.
  assert.equal(lines.length, instructions + 1);
  const stores = lines.filter((line) => line.startsWith(`0, ${hex(AT.STORE)},`));
  assert.equal(stores.length, ROUNDS);
  assert.match(stores[0] ?? "", /^0, 0x100047, 0x890d00002000, "mov .*ecx", store, 0x200000$/);
  const first = lines.find((line) => line.startsWith(`0, ${hex(AT.DEC)},`));
  assert.match(first ?? "", /"dec ecx", ecx -> 0x00000063$/);
  const device = lines.find((line) => line.startsWith(`0, ${hex(AT.DEVICE)},`));
  assert.match(device ?? "", new RegExp(`load, ${hex(DEVICE)}, .+`));
  assert.equal((await run("execlog,ifilter=iret*")).lines.length, 3);
  assert.equal((await run(`execlog,afilter=${hex(AT.JNZ)}`)).lines.length, ROUNDS);
  // What other instructions change in between is not its own: ECX is DEC's.
  const [alone] = (await run(`execlog,afilter=${hex(AT.STORE)},reg=ecx`)).lines.slice(1);
  assert.match(alone ?? "", /store, 0x200000$/);
  const own = (await run(`execlog,afilter=${hex(AT.DEC)},reg=ecx`)).lines;
  assert.deepEqual(
    [own[0]?.slice(-18), own[1]?.slice(-18)],
    ["ecx -> 0x00000063", "ecx -> 0x00000062"].map((text) => ` ${text}`),
  );
  await assert.rejects(run("execlog,reg=nothing"), /No register is like "nothing"/);
});

Deno.test("hotblocks counts blocks, inline and by calls", async () => {
  for (const how of ["", ",inline=off"]) {
    const { lines } = await run(`hotblocks,limit=2${how}`);
    assert.equal(lines.length, 3);
    assert.equal(lines[1], `${hex(AT.STORE).replace("0x", "0x00")}, 4, ${ROUNDS - 1}, main`);
    assert.match(lines[2] ?? "", /^0x\w{8}, \d+, 2,/);
  }
});

Deno.test("hotpages counts by page, of RAM or of devices", async () => {
  const { lines } = await run("hotpages,limit=1");
  assert.equal(lines[1], `0x00200000, ${ROUNDS}, ${ROUNDS + 2}`);
  assert.deepEqual((await run("hotpages,io=on")).lines.slice(1), [`${hex(DEVICE)}, 1, 0`]);
  const small = (await run("hotpages,pagesize=16,sortby=address")).lines;
  assert.ok(small.includes(`0x00${(CELL + 16).toString(16)}, 0, 2`), small.join("; "));
  await assert.rejects(run("hotpages,pagesize=3"), /power of two/);
  await assert.rejects(run("hotpages,sortby=x"), /sortby is/);
});

Deno.test("howvec counts classes; each instruction is in one", async () => {
  const { lines, instructions } = await run("howvec");
  const counts = new Map(
    lines.slice(1).map((line) => {
      const [name = "", count] = line.split(", ");
      return [name, Number(count)];
    }),
  );
  assert.equal(counts.get("branch"), ROUNDS);
  assert.equal([...counts.values()].reduce((a, b) => a + b, 0), instructions + 1);
  assert.equal(instructions, WHOLE);
  const each = (await run("howvec,count=branch")).lines;
  assert.ok(each.includes(`branch: jne, ${ROUNDS}`) || each.includes(`branch: jnz, ${ROUNDS}`));
  const classes: Readonly<Record<string, string>> = {
    ...{
      add: "arithmetic and logic",
      imul: "multiply and divide",
      shld: "shift and bit",
      jecxz: "branch",
    },
    ...{ call: "call and return", iretd: "system", lodsb: "string", pushad: "stack", fld: "x87" },
    ...{
      cmovne: "move",
      addps: "MMX and SSE",
      paddb: "MMX and SSE",
      movq: "MMX and SSE",
      nop: "nop",
    },
    ...{
      popfd: "stack",
      stosd: "string",
      movsx: "move",
      rdtsc: "system",
      ud2: "other",
      jmp: "jump",
    },
  };
  for (const [mnemonic, name] of Object.entries(classes)) {
    assert.equal(instructionClass(mnemonic), name, mnemonic);
  }
});

Deno.test("hwprofile counts accesses to devices and ports", async () => {
  const { lines } = await run("hwprofile,pattern=on,source=on");
  assert.ok(lines.some((line) => /^1, 0, .+, 0xfec00000, from main$/.test(line)), lines.join("; "));
  assert.ok(lines.some((line) => /^0, 1, .+, port e9h, from main$/.test(line)), lines.join("; "));
  assert.equal((await run("hwprofile,track=read")).lines.length, 2);
  assert.equal((await run("hwprofile,match=none*")).lines.length, 1);
});

Deno.test("stoptrigger ends the run where it is told to", async () => {
  const { lines, instructions } = await run("stoptrigger,icount=100");
  assert.deepEqual([lines, instructions], [["icount 100 reached, after 100 instructions"], 100]);
  const at = await run(`stoptrigger,addr=${hex(AT.DEVICE)}`);
  assert.deepEqual(at.lines, [
    `addr ${hex(AT.DEVICE)} reached, after ${at.instructions} instructions`,
  ]);
  assert.equal((await run("stoptrigger,addr=main")).instructions, 0);
  await assert.rejects(run("stoptrigger"), /give icount=N or addr=ADDRESS/);
  await assert.rejects(run("stoptrigger,addr=nowhere"), /not "nowhere"/);
});

Deno.test("traps counts by type and vector", async () => {
  const { lines } = await run("traps");
  assert.deepEqual(lines, [
    "count, type, vector",
    "3, iret",
    "2, software, 128",
    "1, exception, 6 #UD",
  ]);
});

Deno.test("strace prints calls as they return, or a table", async () => {
  const { lines } = await run("strace");
  assert.deepEqual(lines, ["write(1, 4096, 5, 6, 7, 8) = -4", "getpid(1, 4096, 5, 6, 7, 8) = -20"]);
  assert.equal((await run("strace,call=get*")).lines.length, 1);
  const table = (await run("strace,summary=on")).lines;
  assert.equal(table.length, 3);
  assert.ok(table.some((line) => /^1, 1, \d+, write$/.test(line)), table.join("; "));
  assert.deepEqual([syscallName(120), syscallName(295), syscallName(9999)], [
    "clone",
    "openat",
    "syscall_9999",
  ]);
});

Deno.test("a name that is neither bundled nor a file says what there is", async () => {
  await assert.rejects(
    run("hotblock"),
    /Cannot load plugin "hotblock": .*; give a file, or one of: execlog/,
  );
  assert.deepEqual([...BUNDLED.keys()], [...BUNDLED.keys()].toSorted());
});

/**
 * mov esp, 300000h; EBX = alloc(16); alloc(32); free(EBX); free(EBX); free(999h); free(0); out F4h, 0
 * alloc: 400000h and 64 more each time; free: ret. Arguments in EAX.
 */
const ALLOC_AT = 0x3e;
const FREE_AT = 0x50;
// deno-fmt-ignore
const ALLOCATING: Guest = {
  code: [
    0xbc, 0x00, 0x00, 0x30, 0x00, 0xb8, 0x10, 0x00, 0x00, 0x00, 0xe8, 0x2f, 0x00, 0x00, 0x00, 0x89,
    0xc3, 0xb8, 0x20, 0x00, 0x00, 0x00, 0xe8, 0x23, 0x00, 0x00, 0x00, 0x89, 0xd8, 0xe8, 0x2e, 0x00,
    0x00, 0x00, 0x89, 0xd8, 0xe8, 0x27, 0x00, 0x00, 0x00, 0xb8, 0x99, 0x09, 0x00, 0x00, 0xe8, 0x1d,
    0x00, 0x00, 0x00, 0x31, 0xc0, 0xe8, 0x16, 0x00, 0x00, 0x00, 0x31, 0xc0, 0xe6, 0xf4, 0xb8, 0x40,
    0x00, 0x00, 0x00, 0x0f, 0xc1, 0x05, 0x00, 0x00, 0x20, 0x00, 0x05, 0x00, 0x00, 0x40, 0x00, 0xc3,
    0xc3,
  ],
  functions: [
    { name: "main", address: ENTRY, size: ALLOC_AT },
    { name: "alloc", address: ENTRY + ALLOC_AT, size: FREE_AT - ALLOC_AT },
    { name: "free", address: ENTRY + FREE_AT, size: 1 },
  ],
};

Deno.test("memprofile has allocations by stack, and what is freed twice", async () => {
  const names = "memprofile,alloc=alloc,free=free";
  const { lines } = await run(names, ALLOCATING);
  assert.deepEqual(lines, [
    "0x400000 is freed twice:",
    "  now by main;free",
    "  before by main;free",
    "2 allocations of 48 bytes (0 failed), 3 frees (1 of what nobody saw allocated, 0 unseen, 1 twice); live: 1 of 32 bytes",
    "32 main",
  ]);
  assert.equal((await run(`${names},kind=bytes`, ALLOCATING)).lines.at(-1), "48 main");
  assert.equal((await run(`${names},kind=count`, ALLOCATING)).lines.at(-1), "2 main");
  const out = Deno.makeTempFileSync({ suffix: ".folded" });
  await run(`${names},out=${out}`, ALLOCATING);
  assert.equal(Deno.readTextFileSync(out), "main 32\n");
  Deno.removeSync(out);
  await assert.rejects(
    run("memprofile", ALLOCATING),
    /has no function "kernel\/mm\/heap\/kmalloc"/,
  );
  // Of a function without a size nothing but its pointers is known.
  const pointers = (await run("memprofile,alloc=alloc:-,free=free", ALLOCATING)).lines;
  assert.match(pointers.join(), /2 allocations of 0 bytes .* 1 twice/);
  await assert.rejects(
    run("memprofile,alloc=alloc:9,free=free", ALLOCATING),
    /is no function: write NAME/,
  );
  await assert.rejects(
    run("memprofile,alloc=alloc+none,free=free", ALLOCATING),
    /no function "none": give alloc=/,
  );
  await assert.rejects(run(`${names},kind=x`, ALLOCATING), /kind is live, bytes, count/);
});

/**
 * mov esp, 300000h; bulk(210000h); free_bulk(2, 210000h); free_bulk(1, 210000h); out F4h, 0. bulk: two pointers to
 * [EAX], and 2; free_bulk: ret.
 */
// deno-fmt-ignore
const BULK: Guest = {
  code: [
    0xbc, 0x00, 0x00, 0x30, 0x00, 0xb8, 0x00, 0x00, 0x21, 0x00, 0xe8, 0x1d, 0x00, 0x00, 0x00, 0xb8,
    0x02, 0x00, 0x00, 0x00, 0xba, 0x00, 0x00, 0x21, 0x00, 0xe8, 0x21, 0x00, 0x00, 0x00, 0xb8, 0x01,
    0x00, 0x00, 0x00, 0xe8, 0x17, 0x00, 0x00, 0x00, 0x31, 0xc0, 0xe6, 0xf4, 0xc7, 0x00, 0x00, 0x00,
    0x50, 0x00, 0xc7, 0x40, 0x04, 0x40, 0x00, 0x50, 0x00, 0xb8, 0x02, 0x00, 0x00, 0x00, 0xc3, 0xc3,
  ],
  functions: [
    { name: "main", address: ENTRY, size: 0x2c },
    { name: "bulk", address: ENTRY + 0x2c, size: 0x13 },
    { name: "free_bulk", address: ENTRY + 0x3f, size: 1 },
  ],
};

Deno.test("memprofile follows arrays of pointers", async () => {
  const { lines } = await run("memprofile,alloc=bulk:*0,free=free_bulk:*1,kind=count", BULK);
  assert.deepEqual(lines, [
    "0x500000 is freed twice:",
    "  now by main;free_bulk",
    "  before by main;free_bulk",
    "2 allocations of 0 bytes (0 failed), 3 frees (0 of what nobody saw allocated, 0 unseen, 1 twice); live: 0 of 0 bytes",
    "2 main",
  ]);
});
