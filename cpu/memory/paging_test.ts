/** Paging, TLB, physical memory. Expected values: SDM vol. 3A §4. */
import assert from "node:assert/strict";
import * as L from "../state/layout.ts";
import { fault, PAGE_DIRECTORY, PAGE_TABLE, TestSystem } from "../system/test_system.ts";

const P = 1;
const RW = 2;
const US = 4;
const A = 0x20;
const D = 0x40;
const G = 0x100;

function read(system: TestSystem, linear: number) {
  return system.outcome(() => system.memory.slowRead(linear, 4));
}
function write(system: TestSystem, linear: number, value = 0x12345678) {
  return system.outcome(() => system.memory.slowWrite(linear, 4, value));
}
/** What the Wasm fast path would find for the current privilege. */
function entry(system: TestSystem, table: number, linear: number): number {
  return system.core.i32[(table >> 2) + (linear >>> 12)] as number;
}

Deno.test("a read sets A in directory and table, a write D in the table alone", () => {
  const system = new TestSystem();
  system.enablePaging();
  system.poke32(PAGE_DIRECTORY, PAGE_TABLE | P | RW | US);
  system.mapPage(0x20000, 0x30000 | P | RW | US);
  system.poke32(0x30004, 0xcafe);
  assert.equal(system.memory.slowRead(0x20004, 4), 0xcafe);
  assert.equal(system.peek32(PAGE_DIRECTORY) & 0xfff, P | RW | US | A);
  assert.equal(system.peek32(PAGE_TABLE + 0x80) & 0xfff, P | RW | US | A);
  assert.equal(entry(system, L.TLB_WRITE_SUPERVISOR, 0x20000), 0);
  assert.equal(write(system, 0x20004), undefined);
  assert.equal(system.peek32(PAGE_TABLE + 0x80) & 0xfff, P | RW | US | A | D);
  assert.equal(system.peek32(0x30004), 0x12345678);
  assert.equal(
    entry(system, L.TLB_WRITE_SUPERVISOR, 0x20000) + 0x20000,
    L.RAM_BASE + 0x30000 + L.TLB_DIRECT,
  );
});

Deno.test("error codes tell presence, write and user", () => {
  const system = new TestSystem();
  system.enablePaging();
  system.core.i32[L.CR0 >> 2] = 0x80010011 | 0;
  system.mapPage(0x20000, 0);
  system.mapPage(0x21000, 0x21000 | P);
  assert.deepEqual(read(system, 0x20000), fault(14, 0, 0x20000));
  assert.deepEqual(write(system, 0x20ff0), fault(14, 2, 0x20ff0));
  assert.deepEqual(write(system, 0x21000), fault(14, 3, 0x21000));
  assert.equal(read(system, 0x21000), undefined);
  system.segments(3);
  assert.deepEqual(read(system, 0x20000), fault(14, 4, 0x20000));
  assert.deepEqual(write(system, 0x20000), fault(14, 6, 0x20000));
  assert.deepEqual(read(system, 0x21000), fault(14, 5, 0x21000));
  assert.deepEqual(write(system, 0x21000), fault(14, 7, 0x21000));
  // Descriptor tables are read as supervisor, whatever the CPL.
  assert.equal(system.outcome(() => system.memory.readSystem(0x21000, 4)), undefined);
});

Deno.test("CR0.WP keeps the supervisor from writing read-only pages, in the TLB too", () => {
  const system = new TestSystem();
  system.enablePaging();
  system.mapPage(0x21000, 0x21000 | P | US);
  assert.equal(write(system, 0x21000), undefined);
  assert.notEqual(entry(system, L.TLB_WRITE_SUPERVISOR, 0x21000), 0);
  assert.equal(system.execute("movToControl", { reg: 0, rm: 0 }, [0x80010011]), undefined);
  assert.equal(entry(system, L.TLB_WRITE_SUPERVISOR, 0x21000), 0);
  assert.deepEqual(write(system, 0x21000), fault(14, 3, 0x21000));
});

Deno.test("an access across pages faults at the page that is missing, before any byte is written", () => {
  const system = new TestSystem();
  system.enablePaging();
  system.mapPage(0x21000, 0);
  assert.deepEqual(write(system, 0x20ffe), fault(14, 2, 0x21000));
  assert.equal(system.peek32(0x20ffc), 0);
  assert.deepEqual(read(system, 0x20ffd), fault(14, 0, 0x21000));
  system.mapPage(0x21000, 0x35000 | P | RW | US);
  assert.equal(write(system, 0x20ffe, 0x44332211), undefined);
  assert.equal(system.peek32(0x20ffc), 0x22110000);
  assert.equal(system.peek32(0x35000), 0x4433);
  assert.equal(system.memory.slowRead(0x20ffe, 4), 0x44332211);
});

Deno.test("the read of a read-modify-write faults as a write", () => {
  const system = new TestSystem();
  system.enablePaging();
  system.mapPage(0x21000, 0);
  const outcome = system.outcome(() => system.memory.slowReadForWrite(0x21008, 4));
  assert.deepEqual(outcome, fault(14, 2, 0x21008));
});

Deno.test("4 MiB pages need CR4.PSE; their reserved bits fault with RSVD", () => {
  const system = new TestSystem();
  system.enablePaging();
  const at = PAGE_DIRECTORY + 4;
  system.poke32(at, 0x80 | P | RW | US);
  // Without PSE the entry points at a page table at 0.
  assert.deepEqual(read(system, 0x400000), fault(14, 0, 0x400000));
  assert.equal(system.execute("movToControl", { reg: 4, rm: 0 }, [0x10]), undefined);
  system.poke32(0x7010, 0xbeef);
  assert.equal(system.memory.slowRead(0x407010, 4), 0xbeef);
  assert.equal(system.peek32(at) & A, A);
  system.poke32(at, 0x20000 | 0x80 | P | RW | US);
  system.memory.invalidate(0x400000);
  assert.deepEqual(read(system, 0x407010), fault(14, 9, 0x407010));
  // PSE-36: bits 16:13 are address bits 35:32, where this machine has nothing.
  system.poke32(at, 0x2000 | 0x80 | P | RW | US);
  system.memory.invalidate(0x400000);
  assert.equal(read(system, 0x407010), undefined);
  assert.equal((system.memory.probe(0x407010) & ~0xfff) >>> 0, 0xfefff000);
  system.core.extendedAddresses = false;
  system.memory.invalidate(0x400000);
  assert.deepEqual(read(system, 0x407010), fault(14, 9, 0x407010));
});

Deno.test("loading CR3 keeps what a walk would find again, INVLPG and CR4 forget", () => {
  const system = new TestSystem();
  system.enablePaging();
  system.mapPage(0x20000, 0x20000 | P | RW | G);
  system.mapPage(0x21000, 0x21000 | P | RW);
  const cached = (linear: number) => {
    const space = system.core.i32[L.TLB_SPACE >> 2] as number;
    return entry(system, space + L.TLB_READ_SUPERVISOR, linear) !== 0;
  };
  const both = () => [cached(0x20000), cached(0x21000)];
  const load = (cr3: number) => system.execute("movToControl", { reg: 3, rm: 0 }, [cr3]);
  read(system, 0x20000);
  read(system, 0x21000);
  assert.deepEqual(both(), [true, true]);
  // Another space with the same tables has nothing yet, and the first one has everything afterwards.
  assert.equal(load(PAGE_DIRECTORY | 8), undefined);
  assert.deepEqual(both(), [false, false]);
  read(system, 0x21000);
  assert.equal(load(PAGE_DIRECTORY), undefined);
  assert.deepEqual(both(), [true, true]);
  // A store to the table, by the processor or a device, is a change in both.
  system.memory.slowWrite(PAGE_TABLE + 4 * 0x20, 4, 0x20000 | P);
  assert.deepEqual(both(), [false, true]);
  system.memory.physical.write8(PAGE_TABLE + 4 * 0x21, P | RW);
  assert.deepEqual(both(), [false, false]);
  assert.equal(load(PAGE_DIRECTORY | 8), undefined);
  assert.deepEqual(both(), [false, false]);
  read(system, 0x20000);
  read(system, 0x21000);
  system.execute("invlpg", { isMemory: true, offset: 0x20123 });
  assert.deepEqual(both(), [false, true]);
  assert.equal(system.execute("movToControl", { reg: 4, rm: 0 }, [0x80]), undefined);
  assert.deepEqual(both(), [false, false]);
});

Deno.test("INVLPG forgets all of a large page", () => {
  const system = new TestSystem();
  system.enablePaging();
  system.execute("movToControl", { reg: 4, rm: 0 }, [0x10]);
  system.poke32(PAGE_DIRECTORY + 4, 0x80 | P | RW);
  read(system, 0x401000);
  read(system, 0x7ff000);
  system.memory.invalidate(0x500000);
  assert.equal(entry(system, L.TLB_READ_SUPERVISOR, 0x401000), 0);
  assert.equal(entry(system, L.TLB_READ_SUPERVISOR, 0x7ff000), 0);
});

Deno.test("supervisor pages are not in the user's TLB", () => {
  const system = new TestSystem();
  system.enablePaging();
  system.mapPage(0x20000, 0x20000 | P | RW | D);
  write(system, 0x20000);
  assert.equal(entry(system, L.TLB_READ_USER, 0x20000), 0);
  assert.equal(entry(system, L.TLB_WRITE_USER, 0x20000), 0);
  system.mapPage(0x21000, 0x21000 | P | US | D);
  write(system, 0x21000);
  assert.notEqual(entry(system, L.TLB_READ_USER, 0x21000), 0);
  assert.equal(entry(system, L.TLB_WRITE_USER, 0x21000), 0);
});

Deno.test("writes to pages with code are seen and reported, until the code is gone", () => {
  const system = new TestSystem();
  system.enablePaging();
  const kind = () => entry(system, L.TLB_WRITE_SUPERVISOR, 0x22000) & 0xfff;
  write(system, 0x22000);
  assert.equal(kind(), L.TLB_DIRECT);
  system.codePages.add(0x22);
  system.memory.protectCode(0x22000);
  assert.equal(kind(), L.TLB_SEEN);
  write(system, 0x22ffe);
  assert.deepEqual(system.codeWrites.map(({ physical }) => physical), [0x22ffe, 0x22fff]);
  assert.equal(kind(), L.TLB_SEEN);
  system.codePages.delete(0x22);
  write(system, 0x22ff8);
  assert.equal(kind(), L.TLB_DIRECT);
  assert.equal(system.codeWrites.length, 2);
});

Deno.test("at most two linear pages write to a page without a look, and all of them are seen again", () => {
  const system = new TestSystem();
  system.enablePaging();
  const linear = [0x20000, 0x21000, 0x22000, 0x23000];
  for (const at of linear) system.mapPage(at, 0x30000 | P | RW);
  const kinds = () => linear.map((at) => entry(system, L.TLB_WRITE_SUPERVISOR, at) & 0xfff);
  for (const at of linear) write(system, at);
  assert.deepEqual(kinds(), [0, 0, L.TLB_DIRECT, L.TLB_DIRECT]);
  system.codePages.add(0x30);
  system.memory.protectCode(0x30000);
  assert.deepEqual(kinds(), [0, 0, L.TLB_SEEN, L.TLB_SEEN]);
});

Deno.test("video memory and addresses beyond RAM go to the bus, with their size", () => {
  const system = new TestSystem();
  write(system, 0xb8000, 0x0741);
  system.memory.slowWrite(0xfee00010, 2, 0xabcd);
  assert.deepEqual(system.busWrites, [
    { address: 0xb8000, size: 4, value: 0x741 },
    { address: 0xfee00010, size: 2, value: 0xabcd },
  ]);
  assert.equal(entry(system, L.TLB_WRITE_SUPERVISOR, 0xb8000), 0);
  assert.equal(system.memory.slowRead(0xa0012, 4), 0x12);
  system.memory.physical.route(0xf0000, 0x100000, { read: "bus", write: "bus" });
  assert.equal(system.memory.slowRead(0xf0034, 1), 0x34);
  system.memory.physical.route(0xf0000, 0x100000, { read: "ram", write: "ram" });
  assert.equal(system.memory.slowRead(0xf0034, 1), 0);
});

Deno.test("PhysicalMemory reads and writes across RAM and bus and rejects what is beyond 4 GiB", () => {
  const system = new TestSystem();
  const { physical } = system.memory;
  physical.write(0x9fffe, new Uint8Array([1, 2, 3, 4]));
  assert.deepEqual(system.busWrites, [
    { address: 0xa0000, size: 1, value: 3 },
    { address: 0xa0001, size: 1, value: 4 },
  ]);
  assert.deepEqual([...physical.read(0x9fffe, 4)], [1, 2, 0, 1]);
  physical.write32(0x1ffe, 0x04030201);
  assert.equal(physical.read32(0x1ffe), 0x04030201);
  assert.equal(physical.read16(0x1fff), 0x0302);
  assert.throws(() => physical.read(0xffffffff, 2), RangeError);
  assert.throws(() => physical.route(0x100, 0x1000, { read: "bus", write: "bus" }), RangeError);
});

Deno.test("probe() translates without setting A and without a fault", () => {
  const system = new TestSystem();
  system.enablePaging();
  system.mapPage(0x20000, 0x30000 | P);
  system.mapPage(0x21000, 0);
  assert.equal(system.memory.probe(0x20123), 0x30123);
  assert.equal(system.memory.probe(0x21000), -1);
  assert.equal(system.memory.probe(0x80000000 | 0), -1);
  assert.equal(system.peek32(PAGE_TABLE + 0x80) & A, 0);
});

Deno.test("a misaligned user access is #AC when AM and AC are set", () => {
  const system = new TestSystem();
  system.core.i32[L.CR0 >> 2] = 0x40011;
  system.core.eflags = 0x40002;
  assert.equal(read(system, 0x8001), undefined);
  system.segments(3);
  assert.equal(system.core.i32[L.TLB_READ >> 2], L.TLB_TRACE);
  // What is not 0 might be a hit: programs would reach the machine's own memory.
  const table = system.core.i32.subarray(L.TLB_TRACE >> 2, (L.TLB_TRACE + L.TLB_BYTES) >> 2);
  assert.ok(table.every((entry) => entry === 0));
  assert.deepEqual(read(system, 0x8001), fault(17, 0));
  assert.deepEqual(write(system, 0x8002), fault(17, 0));
  assert.equal(read(system, 0x8004), undefined);
  assert.equal(system.outcome(() => system.memory.slowRead(0x8001, 1)), undefined);
  system.core.eflags = 2;
  system.core.updateMode();
  assert.equal(read(system, 0x8001), undefined);
});

Deno.test("INVLPG forgets one page, and code is where a walk finds it", () => {
  const system = new TestSystem();
  system.enablePaging();
  assert.equal(system.memory.translateCode(0x20010), 0x20010);
  assert.equal(system.memory.translateCode(0x21010), 0x21010);
  const word = system.core.i32[L.MODE_WORD >> 2];
  system.memory.invalidate(0x20000);
  assert.equal(entry(system, L.TLB_READ_SUPERVISOR, 0x20000), 0);
  assert.notEqual(entry(system, L.TLB_READ_SUPERVISOR, 0x21000), 0);
  assert.equal(system.core.i32[L.MODE_WORD >> 2], word, "other code is where it was");
});
