import assert from "node:assert/strict";
import { BochsVbe } from "./bochs_vbe.ts";

function vbe() {
  const chip = new BochsVbe();
  const write = (index: number, value: number): void => {
    chip.write(0, 2, index);
    chip.write(1, 2, value);
  };
  const read = (index: number): number => {
    chip.write(0, 2, index);
    return chip.read(1, 2);
  };
  return { chip, write, read };
}

Deno.test("Bochs VBE takes the versions that it has, and tells its memory and limits", () => {
  const { write, read } = vbe();
  assert.equal(read(0), 0xb0c5);
  write(0, 0xb0c0);
  assert.equal(read(0), 0xb0c0);
  write(0, 0xb0c6);
  assert.equal(read(0), 0xb0c0);
  assert.equal(read(10), 256, "64 KiB each");
  write(4, 2);
  assert.deepEqual([read(1), read(2), read(3)], [2560, 1600, 32]);
});

Deno.test("Bochs VBE sets a mode, clears the frame buffer unless told, and keeps the mode while it is on", () => {
  const { chip, write, read } = vbe();
  assert.equal(chip.mode, undefined);
  chip.frameBuffer.write(16, 4, 0x12345678);
  write(1, 1024);
  write(2, 768);
  write(3, 32);
  write(4, 0xc1);
  assert.deepEqual(chip.mode, {
    width: 1024,
    height: 768,
    bits: 32,
    pitch: 1024,
    left: 0,
    top: 0,
  });
  assert.equal(chip.frameBuffer.read(16, 4), 0x12345678);
  assert.equal(chip.frameBuffer.read(17, 2), 0x3456);
  assert.deepEqual([read(6), read(7)], [1024, 4096]);
  write(1, 640);
  assert.equal(read(1), 1024);
  write(6, 2048);
  assert.deepEqual([read(6), read(7)], [2048, 2048]);
  write(4, 0);
  write(4, 0x41);
  assert.equal(chip.frameBuffer.read(16, 4), 0);
});

Deno.test("Bochs VBE comes back from a saved state with its pixels", () => {
  const { chip } = vbe();
  chip.frameBuffer.write(0xfffffc, 4, 0xdeadbeef);
  const other = new BochsVbe();
  other.restore(JSON.parse(JSON.stringify(chip.save())));
  assert.equal(other.frameBuffer.read(0xfffffc, 4), 0xdeadbeef);
});
