/**
 * PAE paging: the walk against a model that reads the tables as the manual's figures have them, in 64-bit integers.
 * Expected values: SDM vol. 3A §4.4.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import * as L from "../state/layout.ts";
import { fault, type Outcome, TestSystem } from "../system/test_system.ts";

const CR3 = 0x7020;
const DIRECTORIES = [0x10000, 0x11000, 0x12000, 0x13000];
const TABLES = [0x14000, 0x15000, 0x16000, 0x17000];
const P = 1n;
const RW = 2n;
const US = 4n;
const A = 0x20n;
const D = 0x40n;
const PS = 0x80n;

function poke64(system: TestSystem, at: number, value: bigint): void {
  system.core.view.setBigUint64(L.RAM_BASE + at, value, true);
}
function peek64(system: TestSystem, at: number): bigint {
  return system.core.view.getBigUint64(L.RAM_BASE + at, true);
}
/** CR4.PAE with a table of pointers to the four directories, then paging. */
function enable(system: TestSystem): void {
  for (const [i, directory] of DIRECTORIES.entries()) {
    poke64(system, CR3 + 8 * i, BigInt(directory) | P);
  }
  assert.equal(system.execute("movToControl", { reg: 4, rm: 0 }, [0x20]), undefined);
  assert.equal(system.execute("movToControl", { reg: 3, rm: 0 }, [CR3]), undefined);
  assert.equal(system.execute("movToControl", { reg: 0, rm: 0 }, [0x80010011]), undefined);
}

interface Access {
  readonly linear: number;
  readonly write: boolean;
  readonly user: boolean;
}

/** Figure 4-5 to 4-7 and Table 4-8 to 4-11 in integers: an error code, or the physical address with its marks. */
function model(
  system: TestSystem,
  { linear, write, user }: Access,
): { error: number } | { physical: bigint; marks: [number, bigint][] } {
  const error = (bits: number): { error: number } => ({
    error: bits | (write ? 2 : 0) | (user ? 4 : 0),
  });
  const address = BigInt(linear);
  const marks: [number, bigint][] = [];
  const directoryAt = (DIRECTORIES[linear >>> 30] as number) +
    Number((address >> 21n) & 0x1ffn) * 8;
  const directory = peek64(system, directoryAt);
  const beyond = (entry: bigint): boolean => entry >> 36n !== 0n;
  if ((directory & P) === 0n) return error(0);
  if (beyond(directory) || (directory & PS && directory & 0x1fe000n)) return error(9);
  let rights = directory & (RW | US);
  let physical: bigint;
  if (directory & PS) {
    physical = (directory & 0xfffe00000n) | (address & 0x1fffffn);
    marks.push([directoryAt, directory | A | (write ? D : 0n)]);
  } else {
    marks.push([directoryAt, directory | A]);
    const tableAt = Number(directory & 0xffffff000n) + Number((address >> 12n) & 0x1ffn) * 8;
    const entry = peek64(system, tableAt);
    if ((entry & P) === 0n) return error(0);
    if (beyond(entry)) return error(9);
    rights &= entry;
    physical = (entry & 0xffffff000n) | (address & 0xfffn);
    marks.push([tableAt, entry | A | (write ? D : 0n)]);
  }
  const allowed = (!user || rights & US) && (!write || rights & RW);
  return allowed ? { physical, marks } : error(1);
}

Deno.test("PAE: a walk finds the page, the fault and the marks that the manual's figures say", () => {
  const entry = (targets: readonly number[]): fc.Arbitrary<bigint> =>
    fc.tuple(
      fc.constantFrom(...targets.map(BigInt)),
      fc.integer({ min: 0, max: 0x7f }),
      fc.constantFrom(0n, 0n, 0n, 0n, 1n << 35n, 1n << 36n, 1n << 52n, 1n << 63n),
      fc.constantFrom(P, P, P, P, P, P | RW | US, P | RW | US, 0n),
    ).map(([target, low, high, most]) => target | BigInt(low) & ~1n | high | most);
  const accesses = fc.array(
    fc.record({
      top: fc.nat(3),
      directory: fc.nat(1),
      table: fc.nat(1),
      offset: fc.nat(0xfff).map((n) => n & ~3),
      write: fc.boolean(),
      user: fc.boolean(),
    }),
    { minLength: 1, maxLength: 8 },
  );
  const directories = fc.array(
    fc.oneof(
      // Tables below 4 GiB: what the bus answers above is its own.
      { weight: 3, arbitrary: entry(TABLES).map((one) => one & ~(1n << 35n)) },
      entry([0x80, 0x80, 0x2080, 0x200080]),
    ),
    { minLength: 8, maxLength: 8 },
  );
  const tables = fc.array(entry([0x20000, 0x21000, 0x22000]), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(directories, tables, accesses, (directoryEntries, tableEntries, list) => {
      const system = new TestSystem();
      for (const [i, value] of directoryEntries.entries()) {
        poke64(system, (DIRECTORIES[i >> 1] as number) + 8 * (i & 1), value);
      }
      for (const [i, value] of tableEntries.entries()) {
        poke64(system, (TABLES[i >> 1] as number) + 8 * (i & 1), value);
      }
      enable(system);
      for (const { top, directory, table, offset, write, user } of list) {
        const linear = ((top << 30) | (directory << 21) | (table << 12) | offset) >>> 0;
        system.segments(user ? 3 : 0);
        const expected = model(system, { linear, write, user });
        let value = 0;
        const got: Outcome | undefined = system.outcome(() => {
          if (write) system.memory.slowWrite(linear | 0, 4, 0x55);
          else value = system.memory.slowRead(linear | 0, 4);
        });
        if ("error" in expected) {
          assert.deepEqual(got, fault(14, expected.error, linear | 0));
          continue;
        }
        assert.equal(got, undefined);
        const { physical, marks } = expected;
        // A page that a table is in may change it: then the next access finds that out.
        const written = write && marks.some(([at]) => BigInt(at) >> 2n === physical >> 2n);
        if (!written) { for (const [at, mark] of marks) assert.equal(peek64(system, at), mark); }
        if (physical < 0x100000n - 0x60000n && !write) {
          assert.equal(value, system.peek32(Number(physical)) | 0);
        }
        const seen = system.memory.probe(linear | 0) >>> 0;
        if (physical < 1n << 32n) assert.equal(BigInt(seen), physical);
        else assert.equal(seen & ~0xfff, 0xfefff000 | 0);
        // Marks and tables that the write changed must be seen afresh.
        system.memory.flush();
      }
    }),
    { numRuns: 300, seed: 4 },
  );
});

Deno.test("PAE: the pointers are read when CR3 is loaded, and their reserved bits are #GP", () => {
  const system = new TestSystem();
  poke64(system, DIRECTORIES[0] as number, PS | P | RW | US);
  enable(system);
  assert.equal(system.memory.slowRead(0x1000, 4), system.peek32(0x1000) | 0);
  // A change in memory is not seen before the next load.
  poke64(system, CR3, 0n);
  system.memory.flush();
  assert.equal(system.outcome(() => system.memory.slowRead(0x1000, 4)), undefined);
  assert.equal(system.execute("movToControl", { reg: 3, rm: 0 }, [CR3]), undefined);
  assert.deepEqual(
    system.outcome(() => system.memory.slowRead(0x1000, 4)),
    fault(14, 0, 0x1000),
  );
  for (const bits of [2n, 4n, 0x20n, 0x100n, 1n << 36n, 1n << 63n]) {
    poke64(system, CR3 + 24, P | bits);
    const before = system.core.i32[L.CR3 >> 2];
    assert.deepEqual(system.execute("movToControl", { reg: 3, rm: 0 }, [CR3]), fault(13, 0));
    assert.equal(system.core.i32[L.CR3 >> 2], before);
    // Not present: nothing is reserved.
    poke64(system, CR3 + 24, bits);
    assert.equal(system.execute("movToControl", { reg: 3, rm: 0 }, [CR3]), undefined);
  }
});

Deno.test("PAE: INVLPG forgets a page of 2 MiB from any address in it", () => {
  const system = new TestSystem();
  const at = DIRECTORIES[3] as number;
  poke64(system, at, PS | P | RW);
  enable(system);
  const linear = 0xc0000000 | 0;
  const other = (linear + 0x1000) | 0;
  system.memory.slowRead(linear, 4);
  poke64(system, at, 0n);
  assert.equal(system.outcome(() => system.memory.slowRead(linear, 4)), undefined);
  system.memory.invalidate(other);
  assert.deepEqual(
    system.outcome(() => system.memory.slowRead(linear, 4)),
    fault(14, 0, linear),
  );
});
