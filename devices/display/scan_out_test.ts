import assert from "node:assert/strict";
import { FakeClock } from "../testing/fake_clock.ts";
import { Vga } from "./vga.ts";

/** Values of CRT controller registers 0–18h. */
// deno-fmt-ignore
const CRTC_13 = [
  0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0, 0x41, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96,
  0xb9, 0xa3, 0xff,
];

function card() {
  const vga = new Vga({ clock: new FakeClock().clock });
  const set = (port: number, index: number, value: number): void => {
    vga.write(port, 1, index);
    vga.write(port + 1, 1, value);
  };
  const attribute = (index: number, value: number): void => {
    vga.read(0x2a);
    vga.write(0x10, 1, index);
    vga.write(0x10, 1, value);
    vga.write(0x10, 1, 0x20);
  };
  const mode13 = (): void => {
    vga.write(0x12, 1, 0x63);
    [3, 1, 15, 0, 14].forEach((value, index) => set(0x14, index, value));
    set(0x24, 0x11, 0x0e);
    CRTC_13.forEach((value, index) => set(0x24, index, value));
    [0, 0, 0, 0, 0, 0x40, 5, 15, 255].forEach((value, index) => set(0x1e, index, value));
    attribute(0x10, 0x41);
    // Colour n is n levels of red.
    vga.write(0x18, 1, 0);
    for (let i = 0; i < 256; i++) for (const level of [i & 0x3f, 0, 0]) vga.write(0x19, 1, level);
  };
  /** Red of a pixel in DAC units. */
  const red = (x: number, y: number): number => {
    const { width, pixels } = vga.image();
    return (pixels[4 * (y * width + x)] as number) >> 2;
  };
  return { vga, set, attribute, mode13, red };
}

Deno.test("image() shows 256 chained colours, two dots and two lines a pixel", () => {
  const { vga, mode13, red } = card();
  mode13();
  for (let x = 0; x < 8; x++) vga.memory.write(320 + x, 1, x + 1);
  const { width, height } = vga.image();
  assert.deepEqual([width, height], [640, 400]);
  assert.deepEqual([0, 1, 2, 3, 14, 15, 16].map((x) => red(x, 2)), [1, 1, 2, 2, 8, 8, 0]);
  assert.deepEqual([1, 2, 3, 4].map((y) => red(0, y)), [0, 1, 1, 0]);
});

Deno.test("image() shows 256 colours in unchained planes, from the start address on", () => {
  const { vga, set, mode13, red } = card();
  mode13();
  set(0x14, 4, 6);
  set(0x24, 0x14, 0);
  set(0x24, 0x17, 0xe3);
  for (let plane = 0; plane < 4; plane++) {
    set(0x14, 2, 1 << plane);
    vga.memory.write(0x4000, 1, 10 + plane);
    vga.memory.write(0x4001, 1, 20 + plane);
  }
  assert.equal(red(0, 0), 0);
  set(0x24, 0x0c, 0x40);
  assert.deepEqual(
    [0, 2, 4, 6, 8, 10, 12, 14].map((x) => red(x, 0)),
    [10, 11, 12, 13, 20, 21, 22, 23],
  );
});

Deno.test("image() begins at address 0 again below the line compare, and pans what is above it", () => {
  const { vga, set, attribute, mode13, red } = card();
  mode13();
  set(0x14, 4, 6);
  set(0x24, 0x14, 0);
  set(0x24, 0x17, 0xe3);
  set(0x14, 2, 15);
  vga.memory.write(0, 1, 5);
  vga.memory.write(0x4000, 1, 7);
  set(0x24, 0x0c, 0x40);
  set(0x24, 0x07, 0x0f); // bit 8 of the line compare
  set(0x24, 0x09, 0x01); // bit 9
  set(0x24, 0x18, 99);
  assert.deepEqual([red(0, 0), red(0, 99), red(0, 100)], [7, 0, 5]);
  attribute(0x10, 0x61);
  attribute(0x13, 4);
  assert.deepEqual([red(3, 0), red(4, 0)], [7, 0]);
  assert.deepEqual([red(7, 100), red(8, 100)], [5, 0]);
});

Deno.test("image() is black while the sequencer blanks it or the palette is the processor's", () => {
  const { vga, set, mode13, red } = card();
  mode13();
  vga.memory.write(0, 1, 9);
  assert.equal(red(0, 0), 9);
  set(0x14, 1, 0x21);
  assert.equal(red(0, 0), 0);
  set(0x14, 1, 0x01);
  vga.read(0x2a);
  vga.write(0x10, 1, 0);
  assert.equal(red(0, 0), 0);
});

Deno.test("image() draws text with the font of plane 2, its cursor, and the ninth dot", () => {
  const { vga, set } = card();
  const put = (offset: number, value: number): void => vga.memory.write(0x18000 + offset, 1, value);
  [0xc4, 0x1f, 0x41, 0x1f].forEach((value, offset) => put(offset, value));
  set(0x14, 2, 4);
  set(0x14, 4, 6);
  set(0x1e, 5, 0);
  set(0x1e, 6, 4);
  vga.memory.write(0xc4 * 32 + 3, 1, 0xff);
  vga.memory.write(0x41 * 32 + 3, 1, 0x81);
  set(0x14, 2, 3);
  set(0x14, 4, 2);
  set(0x1e, 5, 0x10);
  set(0x1e, 6, 0x0e);
  set(0x24, 0x0a, 0x20);
  const row = (y: number): string => {
    const { width, height, pixels } = vga.image();
    assert.deepEqual([width, height], [720, 400]);
    const at = (x: number): string => (pixels[4 * (y * width + x)] as number) > 0x80 ? "#" : ".";
    return Array.from({ length: 18 }, (_, x) => at(x)).join("");
  };
  assert.equal(row(3), "##########......#.");
  assert.equal(row(4), "..................");
  set(0x24, 0x0a, 0x04);
  set(0x24, 0x0b, 0x04);
  set(0x24, 0x0f, 1);
  assert.equal(row(4), ".........#########");
});
