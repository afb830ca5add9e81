/** The clock chip's registers to seconds. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { compileUnit, type Unit } from "./wasm_unit.ts";

const compiled = compileUnit({ entry: `export * from "./kernel/drivers/clock/rtc.ts";` });
const bcd = (n: number) => Math.floor(n / 10) * 16 + n % 10;
const clock = (unit: Unit) => (fields: number[], statusB: number) =>
  Number(unit.call["rtcSeconds"]!(...fields, statusB));

Deno.test("rtcSeconds() agrees with the host's calendar, in BCD and binary", async () => {
  const seconds = clock(await compiled);
  fc.assert(fc.property(fc.integer({ min: 0, max: 4102444799 }), (at) => {
    const d = new Date(at * 1000);
    const year = d.getUTCFullYear();
    const fields = [
      d.getUTCSeconds(),
      d.getUTCMinutes(),
      d.getUTCHours(),
      d.getUTCDate(),
      d.getUTCMonth() + 1,
      year % 100,
      Math.floor(year / 100),
    ];
    assert.equal(seconds(fields, 6), at);
    assert.equal(seconds(fields.map(bcd), 2), at);
  }));
});

Deno.test("rtcSeconds() reads twelve-hour clocks and does without a century", async () => {
  const seconds = clock(await compiled);
  const at = Date.UTC(2026, 10, 23, 0, 30, 0) / 1000;
  assert.equal(seconds([0, 0x30, 0x12, 0x23, 0x11, 0x26, 0x20], 0), at);
  assert.equal(seconds([0, 0x30, 0x92, 0x23, 0x11, 0x26, 0], 0), at + 12 * 3600);
  assert.equal(seconds([0, 0x30, 0x81, 0x23, 0x11, 0x26, 0xff], 0), at + 13 * 3600);
});
