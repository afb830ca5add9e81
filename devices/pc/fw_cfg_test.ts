import assert from "node:assert/strict";
import { dmaMemory } from "../testing/chips.ts";
import { FwCfg } from "./fw_cfg.ts";

function device() {
  const memory = dmaMemory();
  const chip = new FwCfg({ memory });
  chip.addFile("etc/one", new TextEncoder().encode("first"));
  chip.addFile("etc/two", Uint8Array.of(7, 8, 9));
  const read = (key: number, count: number): Uint8Array => {
    chip.write(0, 2, key);
    return Uint8Array.from({ length: count }, () => chip.read(1, 1));
  };
  /** A request at 100h; what its control word is afterwards. */
  const transfer = (control: number, length: number, address: number): number => {
    const view = new DataView(memory.bytes.buffer);
    view.setUint32(0x100, control);
    view.setUint32(0x104, length);
    view.setUint32(0x108, 0);
    view.setUint32(0x10c, address);
    chip.write(4, 4, 0);
    chip.write(8, 4, 0x00010000); // 100h, big-endian
    return view.getUint32(0x100);
  };
  return { memory, chip, read, transfer };
}

Deno.test("fw_cfg has a signature, its features, and zeros behind an item's end", () => {
  const { read, chip } = device();
  assert.deepEqual(read(0, 6), Uint8Array.of(0x51, 0x45, 0x4d, 0x55, 0, 0));
  assert.deepEqual(read(1, 4), Uint8Array.of(3, 0, 0, 0));
  assert.deepEqual(read(0x1234, 2), Uint8Array.of(0, 0));
  chip.setNumber(3, 3 * 2 ** 30, 8);
  assert.deepEqual(read(3, 8), Uint8Array.of(0, 0, 0, 0xc0, 0, 0, 0, 0));
});

Deno.test("fw_cfg lists its files with size, key and name", () => {
  const { read } = device();
  const directory = read(0x19, 4 + 2 * 64);
  const view = new DataView(directory.buffer);
  assert.equal(view.getUint32(0), 2);
  assert.deepEqual([view.getUint32(4), view.getUint16(8)], [5, 0x20]);
  assert.equal(new TextDecoder().decode(directory.subarray(12, 20)), "etc/one\0");
  assert.deepEqual([view.getUint32(68), view.getUint16(72)], [3, 0x21]);
  assert.deepEqual(read(0x21, 3), Uint8Array.of(7, 8, 9));
});

Deno.test("fw_cfg copies by DMA: select, skip, read, and an error for what cannot be", () => {
  const { memory, transfer, chip } = device();
  assert.equal(transfer(0x0020000a, 3, 0x200), 0); // select 20h, read
  assert.equal(new TextDecoder().decode(memory.bytes.subarray(0x200, 0x203)), "fir");
  assert.equal(transfer(0x04, 1, 0), 0); // skip
  memory.bytes.fill(0xaa, 0x200, 0x208);
  assert.equal(transfer(0x02, 4, 0x200), 0);
  assert.deepEqual(memory.bytes.slice(0x200, 0x205), Uint8Array.of(0x74, 0, 0, 0, 0xaa));
  assert.equal(transfer(0x10, 4, 0x200), 1, "no writing");
  assert.equal(transfer(0x02, 4, memory.size), 1, "beyond memory");
  assert.equal(chip.read(4, 4), 0x554d4551, "QEMU");
  assert.equal(chip.read(8, 4), 0x47464320, " CFG");
});

Deno.test("fw_cfg refuses files that a directory cannot have", () => {
  const { chip } = device();
  assert.throws(() => chip.addFile("etc/one", new Uint8Array(1)), RangeError);
  assert.throws(() => chip.addFile("x".repeat(56), new Uint8Array(1)), RangeError);
});
