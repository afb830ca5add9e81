/** Scan codes to bytes. @module */
import assert from "node:assert/strict";
import { compileUnit, type Unit } from "./wasm_unit.ts";

const entry = `
import { Keyboard, keyboardByte } from "./kernel/drivers/input/keymap.ts";
const k = changetype<Keyboard>(memory.data(128, 8));
const out: usize = memory.data(16);
export function key(byte: u32): u32 { return keyboardByte(k, byte, out); }
export function buffer(): usize { return out; }
export function leds(): u32 { return k.leds; }
export function action(): u32 { return k.action; }
export function application(on: bool): void { k.applicationCursor = on; }
`;
const compiled = compileUnit({ entry });
const typist = (unit: Unit) => (...codes: number[]) =>
  codes.map((code) => {
    const n = unit.call["key"]!(code);
    return new TextDecoder().decode(unit.get(unit.call["buffer"]!(), n));
  }).join("");

Deno.test("keyboardByte() gives letters, shift and caps lock", async () => {
  const unit = await compiled;
  const type = typist(unit);
  assert.equal(type(0x23, 0xa3, 0x17, 0x97), "hi");
  assert.equal(type(0x2a, 0x23, 0x02, 0xaa, 0x23), "H!h");
  assert.equal(type(0x3a, 0xba, 0x1e, 0x02, 0x2a, 0x1e, 0xaa), "A1a");
  assert.equal(unit.call["leds"]!(), 4);
  assert.equal(type(0x3a, 0xba, 0x1e), "a");
  assert.equal(type(0x1c, 0x0e, 0x0f, 0x01), "\r\x7f\t\x1b");
});

Deno.test("keyboardByte() gives control and alt characters", async () => {
  const unit = await compiled;
  const type = typist(unit);
  assert.equal(type(0x1d, 0x2e, 0x20, 0x2c, 0x2b, 0x1a, 0x9d), "\x03\x04\x1a\x1c\x1b");
  assert.equal(type(0x1d, 0x03, 0x39, 0x9d), "\0\0");
  assert.equal(type(0xe0, 0x1d, 0x1e, 0xe0, 0x9d, 0x1e), "\x01a");
  assert.equal(type(0x38, 0x21, 0xb8), "\x1bf");
  type(0x1d, 0x38, 0xe0, 0x53);
  assert.equal(unit.call["action"]!(), 1);
  type(0x9d, 0xb8, 0xe0, 0xd3);
});

Deno.test("keyboardByte() gives the Linux console's sequences", async () => {
  const unit = await compiled;
  const type = typist(unit);
  assert.equal(type(0xe0, 0x48, 0xe0, 0xc8, 0xe0, 0x4b), "\x1b[A\x1b[D");
  unit.call["application"]!(1);
  assert.equal(type(0xe0, 0x50), "\x1bOB");
  unit.call["application"]!(0);
  assert.equal(
    type(0xe0, 0x47, 0xe0, 0x4f, 0xe0, 0x52, 0xe0, 0x53),
    "\x1b[1~\x1b[4~\x1b[2~\x1b[3~",
  );
  assert.equal(
    type(0x3b, 0x3f, 0x40, 0x44, 0x57, 0x58),
    "\x1b[[A\x1b[[E\x1b[17~\x1b[21~\x1b[23~\x1b[24~",
  );
  assert.equal(type(0x2a, 0x3b, 0x0f, 0xaa), "\x1b[25~\x1b[Z");
  assert.equal(type(0xe0, 0x2a, 0xe0, 0x49), "\x1b[5~"); // with the fake shift
});

Deno.test("keyboardByte() keypad follows Num Lock; Pause is one key", async () => {
  const unit = await compiled;
  const type = typist(unit);
  assert.equal(type(0x48, 0x4e), "\x1b[A+");
  assert.equal(type(0x45, 0xc5, 0x48, 0x53), "8.");
  assert.equal(type(0x45, 0xc5, 0xe0, 0x1c, 0xe0, 0x35), "\r/");
  assert.equal(type(0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5, 0x1e), "\x1b[0~a");
});
