/**
 * The Linux/x86 boot protocol: what stands where in memory at the 32-bit entry, and the messages. That a kernel is
 * content with it is shown by tests/boots/linux_test.ts.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { MemoryDisk } from "../bus/block.ts";
import { loadKernel } from "./boot.ts";
import { BootError, type BootTarget, type EntryState, usableEnd } from "./boot_target.ts";
import { Machine } from "./machine.ts";

const MIB = 1 << 20;
const SETUP_SECTORS = 3;
const CODE_BYTES = 5000;

/** A bzImage of the given protocol; `put` changes its header. */
function bzImage(version = 0x20f, put: (view: DataView) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array((SETUP_SECTORS + 1) * 512 + CODE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0x1f1, SETUP_SECTORS);
  view.setUint32(0x1f4, Math.ceil(CODE_BYTES / 16), true);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint8(0x200, 0xeb);
  view.setUint8(0x201, 0x6a);
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, version, true);
  view.setUint8(0x211, 1);
  view.setUint32(0x214, MIB, true);
  view.setUint32(0x22c, 0x7fffffff, true);
  view.setUint32(0x230, 16 * MIB, true);
  view.setUint8(0x234, 1);
  view.setUint32(0x238, 2047, true);
  view.setUint32(0x258, 16 * MIB, true);
  view.setUint32(0x260, 8 * MIB, true);
  put(view);
  bytes.fill(0x90, (SETUP_SECTORS + 1) * 512);
  return bytes;
}

class FakeTarget implements BootTarget {
  readonly ram: Uint8Array;
  entered: EntryState | undefined;
  readonly memory: BootTarget["memory"];
  constructor(size = 64 * MIB) {
    this.ram = new Uint8Array(size);
    this.memory = { size, write: (physical, bytes) => this.ram.set(bytes, physical) };
  }
  enterFlatProtectedMode(state: EntryState): void {
    this.entered = state;
  }
  get parameters(): DataView {
    return new DataView(this.ram.buffer, this.entered?.esi);
  }
}

const initrd = {
  name: "initrd",
  bytes: new Uint8Array([...new TextEncoder().encode("070701"), ...new Uint8Array(9000)]),
};

Deno.test("a bzImage is put where it wants to run, with its parameters, command line and RAM disk", () => {
  const target = new FakeTarget();
  loadKernel(target, bzImage(), { name: "k", commandLine: "console=ttyS0", initrd });
  const { entered, ram, parameters } = target;
  assert.deepEqual(entered, {
    eip: 16 * MIB,
    esi: 0x10000,
    esp: 0x20000,
    gdt: { base: 0x11000, limit: 31 },
    codeSelector: 0x10,
    dataSelector: 0x18,
  });
  // boot.rst: __BOOT_CS execute and read, __BOOT_DS read and write, both 4 GiB flat.
  const gdt = new DataView(ram.buffer, 0x11000);
  assert.equal(gdt.getBigUint64(0x10, true), 0x00cf9a000000ffffn);
  assert.equal(gdt.getBigUint64(0x18, true), 0x00cf92000000ffffn);
  assert.ok(ram.subarray(16 * MIB, 16 * MIB + CODE_BYTES).every((byte) => byte === 0x90));
  assert.equal(parameters.getUint32(0x202, true), 0x53726448);
  assert.equal(parameters.getUint8(0x1ef), 0, "sentinel");
  assert.equal(parameters.getUint8(0x210), 0xff, "loader");
  assert.equal(parameters.getUint8(0x0f), 1, "VGA");
  const text = ram.subarray(parameters.getUint32(0x228, true));
  assert.equal(new TextDecoder().decode(text.subarray(0, text.indexOf(0))), "console=ttyS0");
  const at = parameters.getUint32(0x218, true);
  assert.equal(at % 4096, 0);
  // Below the ACPI tables, and no more than a page below.
  const top = usableEnd(ram.length);
  assert.ok(at + initrd.bytes.length <= top && at + initrd.bytes.length > top - 4096);
  assert.equal(parameters.getUint32(0x21c, true), initrd.bytes.length);
  assert.deepEqual(ram.subarray(at, at + initrd.bytes.length), initrd.bytes);
  // RAM of the map: all but the adapters' and ROMs' places.
  let usable = 0;
  for (let entry = 0; entry < parameters.getUint8(0x1e8); entry++) {
    const range = 0x2d0 + 20 * entry;
    if (parameters.getUint32(range + 16, true) !== 1) continue;
    usable += Number(parameters.getBigUint64(range + 8, true));
  }
  assert.equal(usable, top - MIB + 0x9fc00);
});

Deno.test("a kernel that cannot move, and a RAM disk that may not stand at the top", () => {
  const fixed = bzImage(0x20a, (view) => {
    view.setUint8(0x234, 0);
    view.setUint32(0x258, MIB, true);
    view.setUint32(0x22c, 40 * MIB - 1, true);
  });
  const target = new FakeTarget();
  loadKernel(target, fixed, { name: "k", commandLine: "", initrd });
  assert.equal(target.entered?.eip, MIB);
  assert.equal(target.parameters.getUint32(0x218, true), 40 * MIB - 12288);
  const limited = new FakeTarget();
  loadKernel(limited, bzImage(), { name: "k", commandLine: "quiet mem=32M", initrd });
  assert.equal(limited.parameters.getUint32(0x218, true), 32 * MIB - 12288);
});

Deno.test("a bzImage or RAM disk that does not do gives one sentence", () => {
  const refuse = (
    kernel: Uint8Array,
    pattern: RegExp,
    options: { ram?: number; commandLine?: string; disk?: Uint8Array } = {},
  ): void => {
    assert.throws(
      () =>
        loadKernel(new FakeTarget(options.ram), kernel, {
          name: "k",
          commandLine: options.commandLine ?? "",
          ...(options.disk === undefined ? {} : { initrd: { name: "disk", bytes: options.disk } }),
        }),
      (error: unknown) =>
        error instanceof BootError && pattern.test(error.message) && !error.message.includes("\n"),
      String(pattern),
    );
  };
  refuse(bzImage(0x201), /before 2.4 .*give a bzImage/);
  refuse(bzImage(0x20f, (view) => view.setUint8(0x211, 0)), /zImage/);
  refuse(bzImage().subarray(0, 4096), /"k" is cut off/);
  refuse(bzImage().subarray(0, 0x206), /"k" is cut off/);
  refuse(bzImage(0x20f, (view) => view.setUint16(0x236, 1, true)), /for x86-64; give one for i386/);
  refuse(bzImage(), /needs 24 MiB to start; give more with --ram/, { ram: 23 * MIB });
  refuse(bzImage(), /The command line has 3000 bytes.*takes 2047/, {
    commandLine: "x".repeat(3000),
  });
  refuse(bzImage(), /"disk" is no initial RAM disk/, { disk: new Uint8Array(5000) });
  refuse(bzImage(), /"disk" is no initial RAM disk/, { disk: new Uint8Array(0) });
  const large = new Uint8Array(50 * MIB);
  large.set([0x1f, 0x8b]);
  refuse(bzImage(), /"disk" of 50 MiB does not fit.*--ram/, { disk: large });
  refuse(new Uint8Array(100), /only those take an initial RAM disk/, { disk: initrd.bytes });
});

Deno.test("whatever a setup header says, the kernel loads or a BootError tells why", () => {
  const good = bzImage();
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.integer({ min: 0x1f1, max: 0x26b }), byte: fc.nat(255) }), {
        maxLength: 12,
      }),
      fc.oneof(fc.integer({ min: 0x200, max: 0x280 }), fc.nat(good.length)),
      (changes, length) => {
        const kernel = good.slice(0, length);
        for (const { at, byte } of changes) if (at < length) kernel[at] = byte;
        try {
          loadKernel(new FakeTarget(32 * MIB), kernel, { name: "k", commandLine: "x", initrd });
        } catch (error) {
          assert.ok(error instanceof BootError, String(error));
        }
      },
    ),
    { numRuns: 400, seed: 1 },
  );
});

Deno.test("Machine.reboot() enters a bzImage again, with firmware's state around it", async () => {
  const kernel = bzImage(0x20f, (view) => {
    view.setUint32(0x258, MIB, true);
    view.setUint32(0x230, 4096, true);
  });
  kernel.set(
    [
      ...[0xff, 0x05, 0x00, 0x05, 0x00, 0x00], // inc dword [500h]
      ...[0x81, 0xbe, 0x02, 0x02, 0x00, 0x00, 0x48, 0x64, 0x72, 0x53], // cmp dword [esi + 202h], "HdrS"
      ...[0x75, 0x04], // jne: halt
      ...[0xb0, 0xfe, 0xe6, 0x64], // reset by the keyboard controller
      0xf4,
    ],
    (SETUP_SECTORS + 1) * 512,
  );
  const machine = new Machine({ ramBytes: 16 * MIB, disks: [new MemoryDisk(new Uint8Array(512))] });
  machine.loadKernel(kernel, "");
  for (let boots = 1; boots <= 3; boots++) {
    assert.deepEqual(await machine.run({ instructions: 100 }), { type: "reset" });
    const memory = new DataView(machine.cpu.memory.read(0, 0x600).buffer);
    assert.equal(memory.getUint32(0x500, true), boots);
    assert.equal(memory.getUint16(0x40e, true) * 16, memory.getUint16(0x413, true) * 1024);
    assert.equal(memory.getUint8(0x475), 1, "disks");
    machine.cpu.memory.write(0x10000, new Uint8Array(0x20000).fill(0xcc));
    machine.reboot();
  }
});
