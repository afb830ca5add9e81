/** The console's control functions. @module */
import assert from "node:assert/strict";
import { compileUnit, type Unit } from "./wasm_unit.ts";

const entry = `
import { Screen, screenInit, screenBytes, screenWorkBytes } from "./kernel/drivers/display/screen.ts";
import { ansiWrite } from "./kernel/drivers/display/ansi.ts";
const s = changetype<Screen>(memory.data(512, 8));
export function start(columns: u32, rows: u32): void {
  screenInit(s, columns, rows, __alloc(screenBytes(columns, rows)), __alloc(screenBytes(columns, rows)),
    __alloc(screenWorkBytes(columns)));
}
export function size(): u32 { return offsetof<Screen>(); }
export function write(data: usize, length: u32): void { ansiWrite(s, data, length); }
export function cell(x: u32, y: u32): u32 { return load<u16>(s.cells + (y * s.columns + x) * 2); }
export function x(): u32 { return s.x; }
export function y(): u32 { return s.y; }
export function attribute(): u32 { return s.attribute; }
export function reply(): usize { return s.reply; }
export function replyLength(): u32 { return s.replyLength; }
export function cursorVisible(): bool { return s.cursorVisible; }
`;

/** A screen of 20 × 6 with helpers. */
async function screen() {
  const unit: Unit = await compileUnit({ entry });
  assert.ok(unit.call["size"]!() <= 512);
  unit.call["start"]!(20, 6);
  return {
    unit,
    write(text: string | Uint8Array) {
      const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
      unit.call["write"]!(unit.put(bytes), bytes.length);
    },
    row: (y: number) =>
      Array.from({ length: 20 }, (_, x) => String.fromCharCode(unit.call["cell"]!(x, y) & 255))
        .join("").trimEnd(),
    glyph: (x: number, y: number) => unit.call["cell"]!(x, y) & 255,
    colour: (x: number, y: number) => unit.call["cell"]!(x, y) >> 8,
    at: () => [unit.call["x"]!(), unit.call["y"]!()],
  };
}

Deno.test("ansi text, wrap and scroll", async () => {
  const s = await screen();
  s.write("abc\r\ndef\tg");
  assert.deepEqual([s.row(0), s.row(1), s.at()], ["abc", "def     g", [9, 1]]);
  s.write("\x1b[H\x1b[2J" + "x".repeat(20));
  assert.deepEqual(s.at(), [19, 0]); // the wrap is pending
  s.write("y");
  assert.deepEqual([s.row(1), s.at()], ["y", [1, 1]]);
  s.write("\x1bc1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7");
  assert.deepEqual([s.row(0), s.row(5)], ["2", "7"]);
  s.write("\x1bc\x1b[?7l" + "a".repeat(20) + "bc");
  assert.deepEqual([s.row(0), s.row(1)], ["a".repeat(19) + "c", ""]);
});

Deno.test("ansi cursor moves clamp and sequences split anywhere", async () => {
  const s = await screen();
  s.write("\x1b[99;99H");
  assert.deepEqual(s.at(), [19, 5]);
  s.write("\x1b[17A\x1b[9999999D\x1b[3C"); // neofetch
  assert.deepEqual(s.at(), [3, 0]);
  for (const c of "\x1b[3;5H") s.write(c);
  assert.deepEqual(s.at(), [4, 2]);
  s.write("\x1b[5d\x1b[2G\x1b[B\x1b[2C");
  assert.deepEqual(s.at(), [3, 5]);
  s.write("\x1b[2;3H\x1b7\x1b[HX\x1b8Y");
  assert.deepEqual([s.row(0), s.row(1)], ["X", "  Y"]);
});

Deno.test("ansi erase, insert and delete", async () => {
  const s = await screen();
  s.write("0123456789\x1b[1;4H\x1b[2P");
  assert.equal(s.row(0), "01256789");
  s.write("\x1b[2@");
  assert.equal(s.row(0), "012  56789");
  s.write("\x1b[2X\x1b[1;8H\x1b[K");
  assert.equal(s.row(0), "012  56");
  s.write("\x1b[1;2H\x1b[1K");
  assert.equal(s.row(0), "  2  56");
  s.write("\x1b[H\x1b[2Ja\r\nb\r\nc\r\nd\x1b[2;1H\x1b[L");
  assert.deepEqual([0, 1, 2, 3, 4].map(s.row), ["a", "", "b", "c", "d"]);
  s.write("\x1b[2M");
  assert.deepEqual([0, 1, 2, 3].map(s.row), ["a", "c", "d", ""]);
  s.write("\x1b[H\x1b[4hZ\x1b[4l");
  assert.equal(s.row(0), "Za");
});

Deno.test("ansi scrolling region and origin mode", async () => {
  const s = await screen();
  s.write("a\r\nb\r\nc\r\nd\r\ne\r\nf\x1b[2;4r\x1b[4;1H\n");
  assert.deepEqual([0, 1, 2, 3, 4, 5].map(s.row), ["a", "c", "d", "", "e", "f"]);
  s.write("\x1b[2;1H\x1bM");
  assert.deepEqual([0, 1, 2, 3, 4].map(s.row), ["a", "", "c", "d", "e"]);
  s.write("\x1b[?6h\x1b[1;1H");
  assert.deepEqual(s.at(), [0, 1]);
  s.write("\x1b[99;1H");
  assert.deepEqual(s.at(), [0, 3]);
});

Deno.test("ansi rendition", async () => {
  const s = await screen();
  const shown = (codes: string) => {
    s.write(`\x1b[0;${codes}m`);
    return s.unit.call["attribute"]!();
  };
  assert.equal(shown("0"), 0x07);
  assert.equal(shown("31"), 0x04);
  assert.equal(shown("1;34"), 0x09);
  assert.equal(shown("7"), 0x70);
  assert.equal(shown("32;44"), 0x12);
  assert.equal(shown("38;5;196"), 0x0c);
  assert.equal(shown("38;5;2;48;5;4"), 0x12);
  assert.equal(shown("38;2;10;10;10"), 0x08);
  assert.equal(shown("31;39;41;49;10"), 0x07);
  assert.equal(shown("5"), 0x87);
  s.write("\x1b[0;44m\x1b[2J");
  assert.equal(s.colour(5, 5), 0x17);
});

Deno.test("ansi answers reports and ignores strings", async () => {
  const s = await screen();
  s.write("\x1b[2;3H\x1b[6n\x1b[5n\x1b[c\x1b[>c\x1b[>q");
  const reply = s.unit.get(s.unit.call["reply"]!(), s.unit.call["replyLength"]!());
  assert.equal(new TextDecoder().decode(reply), "\x1b[2;3R\x1b[0n\x1b[?6c");
  s.write(
    "\x1b[H\x1b]0;title\x07a\x1bP+q544e\x1b\\b\x1b]P0ffffffc\x1b[?1000;1006hd\x1b[?25l\x1b[?1ce",
  );
  assert.equal(s.row(0), "abcde");
  assert.equal(s.unit.call["cursorVisible"]!(), 0);
});

Deno.test("ansi UTF-8 to CP437 and line drawing", async () => {
  const s = await screen();
  s.write("é│日x\u0301y");
  assert.deepEqual([0, 1, 2, 3, 4, 5].map((x) => s.glyph(x, 0)), [
    0x82,
    0xb3,
    0x3f,
    0x20,
    0x78,
    0x79,
  ]);
  s.write("\x1b[2;1H\x1b(0lqk\x1b(B\x0eq\x0fq");
  assert.deepEqual([0, 1, 2, 3, 4].map((x) => s.glyph(x, 1)), [0xda, 0xc4, 0xbf, 0xc4, 0x71]);
  s.write(Uint8Array.of(0x1b, 0x5b, 0x48, 0xff, 0xc3, 0x41, 0xe2, 0x82));
  s.write("z");
  assert.equal(s.row(0).slice(0, 5), "??A?z");
});

Deno.test("ansi alternate screen keeps the main one", async () => {
  const s = await screen();
  s.write("main\x1b[?1049hother");
  assert.equal(s.row(0).includes("main"), false);
  s.write("\x1b[?1049l");
  assert.deepEqual([s.row(0), s.at()], ["main", [4, 0]]);
});
