/**
 * The ACPI tables: as a system that follows the pointers finds them, as SeaBIOS's script places them, and as Intel's
 * compiler `iasl` reads them (Debian's package acpica-tools).
 *
 * @module
 */
import assert from "node:assert/strict";
import { dump } from "./acpi_dump.ts";
import { device, eisaId, integer, name, packageOf, path, scope, string } from "./aml.ts";
import { LoaderScript, runLoaderScript, ZONE } from "./loader_script.ts";
import { ACPI_FILE, createAcpi } from "./tables.ts";

const RAM = 64 << 20;

function text(bytes: Uint8Array, at: number, length: number): string {
  return new TextDecoder().decode(bytes.subarray(at, at + length));
}

function view(bytes: Uint8Array | undefined): DataView {
  assert.ok(bytes !== undefined);
  return new DataView(bytes.buffer);
}

Deno.test("AML encodes names, integers and lengths as the grammar says", () => {
  assert.deepEqual(path("\\_SB.PCI0.ISA"), [
    ...[0x5c, 0x2f, 3],
    ...new TextEncoder().encode("_SB_PCI0ISA_"),
  ]);
  assert.deepEqual(path("_SB.X"), [0x2e, ...new TextEncoder().encode("_SB_X___")]);
  assert.deepEqual([0, 1, 2, 0x100, 0x10000, 0xffffffff].map(integer), [
    [0],
    [1],
    [0x0a, 2],
    [0x0b, 0, 1],
    [0x0c, 0, 0, 1, 0],
    [0x0c, 0xff, 0xff, 0xff, 0xff],
  ]);
  assert.deepEqual(eisaId("PNP0A03"), [0x0c, 0x41, 0xd0, 0x0a, 0x03]);
  assert.deepEqual(name("A", packageOf(integer(1), integer(0))), [
    ...[8, 0x41, 0x5f, 0x5f, 0x5f],
    ...[0x12, 4, 2, 1, 0],
  ]);
  // Length fields of one, two and three bytes (ACPI 6.4 §20.2.4).
  assert.deepEqual(scope("A").slice(0, 2), [0x10, 5]);
  assert.deepEqual(device("A", name("B", string("x".repeat(100)))).slice(0, 4), [
    ...[0x5b, 0x82, 0x41, 0x07],
  ]);
  assert.deepEqual(scope("A", string("x".repeat(5000))).slice(0, 4), [0x10, 0x81, 0x39, 0x01]);
  assert.throws(() => path("toolong"), TypeError);
});

Deno.test("ACPI root pointer leads to all tables, each with its length and a sum of zero", () => {
  const { rsdp, tables } = dump({ ramBytes: RAM, apic: true });
  assert.equal(text(rsdp, 0, 8), "RSD PTR ");
  assert.equal(rsdp.reduce((sum, byte) => sum + byte, 0) & 0xff, 0);
  assert.deepEqual([...tables.keys()].sort(), ["APIC", "DSDT", "FACP", "FACS", "HPET", "RSDT"]);
  for (const [signature, bytes] of tables) {
    assert.equal(text(bytes, 0, 4), signature);
    if (signature === "FACS") continue; // has no checksum
    assert.equal(bytes.reduce((sum, byte) => sum + byte, 0) & 0xff, 0, signature);
    assert.equal(text(bytes, 10, 6), "OVRTRE");
  }
  assert.equal(view(tables.get("FACS")).byteLength, 64);
});

Deno.test("FADT names the PIIX4's ports, the SCI and the reset register", () => {
  const fadt = view(dump({ ramBytes: RAM, apic: true }).tables.get("FACP"));
  assert.equal(fadt.byteLength, 244);
  assert.equal(fadt.getUint8(8), 3, "revision");
  assert.equal(fadt.getUint16(46, true), 9);
  assert.equal(fadt.getUint32(48, true), 0xb2);
  assert.deepEqual([56, 64, 76].map((at) => fadt.getUint32(at, true)), [0x600, 0x604, 0x608]);
  assert.equal(fadt.getUint32(112, true) & (1 << 10), 1 << 10, "the reset register is there");
  assert.equal(fadt.getUint32(112, true) & (1 << 4), 0, "the power button is fixed hardware");
  assert.deepEqual([fadt.getUint8(116), fadt.getUint32(120, true), fadt.getUint8(128)], [
    ...[1, 0xcf9, 6],
  ]);
  assert.equal(fadt.getUint32(40, true), fadt.getUint32(140, true), "DSDT and X_DSDT");
});

Deno.test("MADT has processor, I/O APIC, the timer at pin 2 and the level-triggered SCI", () => {
  const bytes = dump({ ramBytes: RAM, apic: true }).tables.get("APIC");
  assert.ok(bytes !== undefined);
  assert.equal(view(bytes).getUint32(36, true), 0xfee00000);
  const entries: string[] = [];
  for (let at = 44; at < bytes.length; at += bytes[at + 1]) {
    entries.push(bytes.slice(at, at + bytes[at + 1]).toHex());
  }
  assert.deepEqual(entries, [
    "0008000001000000",
    "010c01000000c0fe00000000",
    "020a0000020000000000",
    "020a0009090000000d00",
    "0406ff000001",
  ]);
});

Deno.test("without APICs there is no MADT", () => {
  const { tables } = dump({ ramBytes: RAM, apic: false });
  assert.deepEqual([...tables.keys()].sort(), ["DSDT", "FACP", "FACS", "HPET", "RSDT"]);
});

Deno.test("the loader script has SeaBIOS's form", () => {
  const { loader } = createAcpi({ ramBytes: RAM, apic: true });
  assert.equal(loader.length % 128, 0);
  const entry = (index: number): Uint8Array => loader.slice(128 * index, 128 * (index + 1));
  assert.equal(view(entry(0)).getUint32(0, true), 1);
  assert.equal(text(entry(0), 4, ACPI_FILE.tables.length + 1), `${ACPI_FILE.tables}\0`);
  assert.deepEqual([view(entry(0)).getUint32(60, true), entry(0)[64]], [64, ZONE.HIGH]);
  assert.deepEqual([view(entry(1)).getUint32(60, true), entry(1)[64]], [16, ZONE.F_SEGMENT]);
  const last = loader.length / 128 - 1;
  assert.equal(view(entry(last)).getUint32(0, true), 3);
  assert.equal(text(entry(last), 4, ACPI_FILE.rsdp.length), ACPI_FILE.rsdp);
  assert.deepEqual([60, 64, 68].map((at) => view(entry(last)).getUint32(at, true)), [8, 0, 20]);
});

Deno.test("the loader script's interpreter refuses what no script may say", () => {
  const script = new LoaderScript();
  script.addChecksum("nobody", 0, 0, 4);
  assert.throws(() => runLoaderScript(script.bytes(), {}, () => 0), TypeError);
  const other = new LoaderScript();
  other.allocate("nobody", 16, ZONE.HIGH);
  assert.throws(() => runLoaderScript(other.bytes(), {}, () => 0), TypeError);
  assert.throws(() => runLoaderScript(new Uint8Array(128), {}, () => 0), TypeError);
  assert.throws(() => other.allocate("x".repeat(56), 16, ZONE.HIGH), RangeError);
});

function iasl(folder: string, ...args: readonly string[]): { code: number; said: string } {
  const { code, stdout, stderr } = new Deno.Command("timeout", {
    args: ["30", "iasl", ...args],
    cwd: folder,
  }).outputSync();
  return { code, said: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

function hasIasl(): boolean {
  try {
    new Deno.Command("iasl", { args: ["-v"], stdout: "null", stderr: "null" }).outputSync();
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.error("Skipped: there is no iasl; install Debian's package acpica-tools");
    return false;
  }
}

Deno.test({
  name: "iasl reads every ACPI table and compiles what it read without an error",
  ignore: !hasIasl(),
  fn: () => {
    for (const apic of [true, false]) {
      const folder = Deno.makeTempDirSync();
      try {
        for (const [signature, bytes] of dump({ ramBytes: RAM, apic }).tables) {
          Deno.writeFileSync(`${folder}/${signature}.aml`, bytes);
          const read = iasl(folder, "-d", `${signature}.aml`);
          assert.equal(read.code, 0, read.said);
          assert.doesNotMatch(read.said, /error|warning|invalid|incorrect|unknown/i);
          const compiled = iasl(folder, "-oa", "-p", `${signature}-again`, `${signature}.dsl`);
          assert.equal(compiled.code, 0, compiled.said);
          assert.match(compiled.said, /Compilation successful\. 0 Errors/);
          // What it warns of is the declaration of the processor, deprecated since ACPI 6.
          const warnings = compiled.said.match(/^Warning.*$/gm) ?? [];
          assert.ok(warnings.every((line) => line.includes("3168")), compiled.said);
        }
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    }
  },
});

Deno.test({
  name: "iasl gives the same AML back, byte for byte",
  ignore: !hasIasl(),
  fn: () => {
    const folder = Deno.makeTempDirSync();
    try {
      const dsdt = dump({ ramBytes: RAM, apic: true }).tables.get("DSDT");
      assert.ok(dsdt !== undefined);
      Deno.writeFileSync(`${folder}/dsdt.aml`, dsdt);
      assert.equal(iasl(folder, "-d", "dsdt.aml").code, 0);
      assert.equal(iasl(folder, "-oa", "-p", "again", "dsdt.dsl").code, 0);
      // Behind the header, which has the compiler's name.
      assert.deepEqual(Deno.readFileSync(`${folder}/again.aml`).slice(36), dsdt.slice(36));
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
