import assert from "node:assert/strict";
import { FakeClock } from "../testing/fake_clock.ts";
import { screenEscapes, screenText } from "./text_screen.ts";
import { Vga } from "./vga.ts";

function card() {
  const time = new FakeClock();
  const vga = new Vga({ clock: time.clock });
  const indexed = (port: number) => (index: number, value?: number): number => {
    vga.write(port, 1, index);
    if (value !== undefined) vga.write(port + 1, 1, value);
    return vga.read(port + 1);
  };
  const text = (offset: number, value: string, attribute = 7): void => {
    [...value].forEach((c, i) => {
      vga.memory.write(0x18000 + offset + 2 * i, 1, c.charCodeAt(0));
      vga.memory.write(0x18000 + offset + 2 * i + 1, 1, attribute);
    });
  };
  return {
    vga,
    time,
    text,
    sequencer: indexed(0x14),
    graphics: indexed(0x1e),
    crtc: indexed(0x24),
  };
}

Deno.test("VGA starts in mode 3: 80 by 25, memory at B8000h", () => {
  const { vga, text } = card();
  text(0, "Hello");
  text(160, "world", 0x1e);
  const screen = vga.screen();
  assert.ok(screen);
  assert.deepEqual([screen.columns, screen.rows], [80, 25]);
  assert.equal(screenText(screen), "Hello\nworld");
  assert.equal(screen.attributes[80], 0x1e);
  assert.equal(vga.memory.read(0x18000 + 2, 1), 0x65);
  assert.equal(vga.memory.read(0x10000, 1), 0xff, "B0000h is not in the window");
  assert.equal(screen.palette[1], 0x0000aa);
  assert.equal(screen.palette[15], 0xffffff);
});

Deno.test("VGA scrolls by the start address and places the cursor", () => {
  const { vga, text, crtc } = card();
  text(160, "second");
  crtc(12, 0);
  crtc(13, 80);
  crtc(14, 0);
  crtc(15, 80 + 81);
  const screen = vga.screen();
  assert.ok(screen);
  assert.equal(screenText(screen), "second");
  assert.deepEqual(screen.cursor, { column: 1, row: 1 });
  crtc(10, 0x20);
  assert.equal(vga.screen()?.cursor, undefined);
});

Deno.test("VGA protects CRTC 0-7 but for the line compare bit", () => {
  const { crtc } = card();
  assert.equal(crtc(0x11) & 0x80, 0x80);
  assert.equal(crtc(0, 0x12), 0x5f);
  crtc(7, 0x00);
  assert.equal(crtc(7), 0x0f);
  crtc(0x11, 0x0e);
  assert.equal(crtc(0, 0x12), 0x12);
});

Deno.test("VGA answers at 3B4h in monochrome and 3D4h in colour", () => {
  const { vga } = card();
  assert.equal(vga.read(0x04), 0xff);
  vga.write(0x12, 1, 0x66);
  vga.write(0x04, 1, 0x0f);
  assert.equal(vga.read(0x04), 0x0f);
  assert.equal(vga.read(0x24), 0xff);
});

Deno.test("VGA's attribute register flips between index and data; status 1 resets it", () => {
  const { vga } = card();
  vga.read(0x2a);
  vga.write(0x10, 1, 0x01);
  vga.write(0x10, 1, 0x2a);
  assert.equal(vga.read(0x11), 0x2a);
  vga.write(0x10, 1, 0x20);
  vga.read(0x2a);
  vga.write(0x10, 1, 0x21);
  vga.write(0x10, 1, 0x05);
  vga.read(0x2a);
  vga.write(0x10, 1, 0x01);
  assert.equal(vga.read(0x11), 0x2a, "the palette is not for the CPU while bit 5 is set");
});

Deno.test("VGA's DAC counts through the components and on to the next colour", () => {
  const { vga } = card();
  vga.write(0x18, 1, 7);
  for (const value of [1, 2, 3, 4]) vga.write(0x19, 1, value);
  vga.write(0x17, 1, 7);
  assert.deepEqual([1, 2, 3, 4].map(() => vga.read(0x19)), [1, 2, 3, 4]);
  assert.equal(vga.read(0x17), 3);
});

Deno.test("VGA shows display and retrace in status 1", () => {
  const { vga, time } = card();
  let retrace = 0;
  let blank = 0;
  let shown = 0;
  for (let i = 0; i < 20000; i++) {
    time.pass(5000);
    const status = vga.read(0x2a);
    retrace += (status >> 3) & 1;
    blank += status & 1;
    shown += (status & 1) ^ 1;
  }
  assert.ok(retrace > 50 && blank > 1000 && shown > 10000, `${retrace} ${blank} ${shown}`);
});

Deno.test("VGA loads fonts into plane 2 and keeps text out of it", () => {
  const { vga, sequencer, graphics, text } = card();
  text(0, "A");
  sequencer(2, 4);
  sequencer(4, 6);
  graphics(4, 2);
  graphics(5, 0);
  graphics(6, 4);
  vga.memory.write(0x20, 1, 0x5a);
  assert.equal(vga.memory.read(0x20, 1), 0x5a);
  sequencer(2, 3);
  sequencer(4, 2);
  graphics(4, 0);
  graphics(5, 0x10);
  graphics(6, 0x0e);
  const screen = vga.screen();
  assert.ok(screen);
  assert.equal(screenText(screen), "A");
});

Deno.test("VGA's write modes combine with the latches", () => {
  const { vga, sequencer, graphics } = card();
  sequencer(2, 15);
  sequencer(4, 6);
  graphics(6, 5);
  graphics(5, 0);
  vga.memory.write(0, 1, 0xf0);
  vga.memory.read(0, 1);
  graphics(8, 0x0f);
  vga.memory.write(0, 1, 0xff);
  assert.equal(vga.memory.read(0, 1), 0xff, "bit mask");
  graphics(8, 0xff);
  graphics(3, 0x18);
  vga.memory.write(0, 1, 0x3c);
  assert.equal(vga.memory.read(0, 1), 0xc3, "XOR");
  graphics(3, 0);
  graphics(5, 2);
  vga.memory.write(1, 1, 0x05);
  graphics(4, 0);
  assert.equal(vga.memory.read(1, 1), 0xff);
  graphics(4, 1);
  assert.equal(vga.memory.read(1, 1), 0x00, "write mode 2: a plane a bit");
  graphics(5, 9);
  vga.memory.read(1, 1);
  vga.memory.write(2, 1, 0);
  graphics(2, 5);
  graphics(7, 15);
  assert.equal(vga.memory.read(2, 1), 0xff, "write mode 1 copies; read mode 1 compares");
  assert.equal(vga.screen(), undefined, "a graphics mode shows no text");
});

Deno.test("screenEscapes() paints every row and the cursor", () => {
  const { vga, text } = card();
  text(0, "\x01x", 0x4e);
  const screen = vga.screen();
  assert.ok(screen);
  const painted = screenEscapes(screen);
  assert.ok(painted.includes("\x1b[0;38;2;255;255;85;48;2;170;0;0m☺x"), painted.slice(0, 80));
  assert.equal(painted.split("\r\n").length, 25);
  assert.ok(painted.endsWith("\x1b[1;1H\x1b[?25h"));
});
