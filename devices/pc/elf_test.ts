/** The ELF reader against readelf, and on damage. Needs gcc with -m32. @module */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { ElfError, type ElfFile, readElf } from "./elf.ts";

const SOURCE = `.text
.globl _start
.type _start, @function
_start: nop
ret
.size _start, . - _start
.type helper, @function
helper: nop
.size helper, . - helper
.data
.globl table
.type table, @object
table: .long 1, 2, 3
.size table, . - table
.bss
.skip 100
`;

function withProgram<T>(use: (path: string, bytes: Uint8Array) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "elf-"));
  try {
    writeFileSync(join(folder, "a.s"), SOURCE);
    const path = join(folder, "a");
    const gcc = ["-m32", "-nostdlib", "-static", "-Wl,-Ttext=0x100000", "-o", path];
    const made = spawnSync("gcc", [...gcc, join(folder, "a.s")]);
    assert.equal(made.status, 0, String(made.stderr));
    return use(path, new Uint8Array(readFileSync(path)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const PROGRAM = withProgram((_path, bytes) => bytes);

/** The file with bytes changed. */
function patched(changes: Readonly<Record<number, number>>): Uint8Array {
  const bytes = PROGRAM.slice();
  for (const [at, value] of Object.entries(changes)) bytes[Number(at)] = value;
  return bytes;
}

Deno.test("readElf() finds entry, segments and symbols as readelf does", () => {
  withProgram((path, bytes) => {
    const elf: ElfFile = readElf(bytes, "a");
    assert.equal(elf.entry, 0x100000);
    const text = spawnSync("readelf", ["-Wls", path]).stdout.toString();
    const loads = [...text.matchAll(/LOAD +\S+ (\S+) (\S+) (\S+) (\S+)/g)]
      .map((m) => m.slice(1).map(Number));
    assert.deepEqual(
      elf.segments.map((s) => [s.virtual, s.physical, s.bytes.length, s.memoryBytes]),
      loads,
    );
    const find = (name: string) => elf.symbols.find((symbol) => symbol.name === name);
    assert.deepEqual(find("_start"), {
      name: "_start",
      address: 0x100000,
      size: 2,
      type: "function",
    });
    assert.deepEqual(find("helper"), {
      name: "helper",
      address: 0x100002,
      size: 1,
      type: "function",
    });
    assert.equal(find("table")?.type, "object");
    assert.equal(find("table")?.size, 12);
    assert.ok(elf.sections.some(({ name }) => name === ".text"));
  });
});

Deno.test("readElf() says in one sentence what is wrong with a file", () => {
  for (
    const [bytes, message] of [
      [new Uint8Array(0), /^"x" is not an ELF file$/],
      [new TextEncoder().encode("#!/bin/sh\n".repeat(10)), /^"x" is not an ELF file$/],
      [patched({ 4: 2, 18: 62 }), /^"x" is a program for x86-64; give one for i386/],
      [patched({ 18: 40 }), /^"x" is a program for ARM/],
      [patched({ 5: 2, 18: 0, 19: 8 }), /^"x" is a program for .*; give one for i386/],
      [patched({ 16: 1 }), /^"x" is not an executable ELF file/],
      [PROGRAM.subarray(0, 60), /^"x" is damaged or cut off/],
      [PROGRAM.subarray(0, PROGRAM.length - 10), /^"x" is damaged or cut off/],
    ] as const
  ) {
    assert.throws(() => readElf(bytes, "x"), (error: Error) => {
      assert.ok(error instanceof ElfError);
      assert.match(error.message, message);
      assert.ok(!error.message.includes("\n"));
      return true;
    });
  }
});

Deno.test("readElf() gives an ElfError, or a file, for any damage", () => {
  const damage = fc.array(fc.tuple(fc.nat(PROGRAM.length - 1), fc.nat(255)), {
    minLength: 1,
    maxLength: 20,
  });
  // Half of the damage goes into the headers, where it hurts.
  const headers = fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 4 });
  fc.assert(
    fc.property(damage, headers, fc.nat(PROGRAM.length), (body, head, cut) => {
      const bytes = PROGRAM.slice(0, cut < 200 ? cut : PROGRAM.length);
      for (const [at, value] of [...body, ...head]) if (at < bytes.length) bytes[at] = value;
      try {
        readElf(bytes, "x");
      } catch (error) {
        assert.ok(error instanceof ElfError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});
