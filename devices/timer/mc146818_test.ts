import assert from "node:assert/strict";
import { Wire } from "../bus/wire.ts";
import { FakeClock } from "../testing/fake_clock.ts";
import { Mc146818 } from "./mc146818.ts";

const SECOND = 1_000_000_000;

function clockChip(text = "2024-02-28T23:59:58Z") {
  const time = new FakeClock();
  const irq = new Wire();
  const rtc = new Mc146818({ clock: time.clock, irq, timeMs: Date.parse(text) });
  const read = (index: number): number => {
    rtc.write(0, 1, index);
    return rtc.read(1);
  };
  const write = (index: number, value: number): void => {
    rtc.write(0, 1, index);
    rtc.write(1, 1, value);
  };
  const hex = (...indexes: number[]): string =>
    indexes.map((i) => read(i).toString(16).padStart(2, "0")).join(" ");
  return { time, irq, rtc, read, write, hex };
}

/** century, year, month, day, weekday, hour, minute, second */
const ALL = [0x32, 9, 8, 7, 6, 4, 2, 0];

Deno.test("MC146818 tells the time in BCD and carries through a leap day", () => {
  const { time, hex } = clockChip();
  assert.equal(hex(...ALL), "20 24 02 28 04 23 59 58");
  time.pass(2 * SECOND);
  assert.equal(hex(...ALL), "20 24 02 29 05 00 00 00");
  time.pass(86400 * SECOND);
  assert.equal(hex(...ALL), "20 24 03 01 06 00 00 00");
});

Deno.test("MC146818 carries the century", () => {
  const { time, hex } = clockChip("1999-12-31T23:59:59Z");
  time.pass(SECOND);
  assert.equal(hex(...ALL), "20 00 01 01 07 00 00 00");
});

Deno.test("MC146818 counts in binary and in 12 hours when told", () => {
  const { time, read, write } = clockChip("2024-05-05T11:59:59Z");
  write(11, 0x04);
  for (const [index, value] of [[0, 59], [2, 59], [4, 11], [7, 31], [8, 5], [9, 24]]) {
    write(index, value);
  }
  time.pass(SECOND);
  assert.deepEqual([4, 2, 0].map(read), [0x8c, 0, 0], "12 PM");
  time.pass(3600 * SECOND);
  assert.deepEqual([4, 2, 0].map(read), [0x81, 0, 0]);
  time.pass(11 * 3600 * SECOND);
  assert.deepEqual([8, 7, 4].map(read), [6, 1, 12], "12 AM of the next month");
});

Deno.test("MC146818 shows an update in progress 2.2 ms before each second", () => {
  const { time, read } = clockChip();
  assert.equal(read(10) & 0x80, 0);
  time.pass(SECOND - 2_300_000);
  assert.equal(read(10) & 0x80, 0);
  time.pass(200_000);
  assert.equal(read(10) & 0x80, 0x80);
  assert.equal(read(0), 0x58);
  time.pass(2_100_000);
  assert.equal(read(10) & 0x80, 0);
  assert.equal(read(0), 0x59);
});

Deno.test("MC146818 holds still while SET is 1 and takes a new time", () => {
  const { time, read, write, hex } = clockChip();
  write(11, 0x82 | 0x10);
  assert.equal(read(11), 0x82, "SET clears UIE");
  time.pass(10 * SECOND);
  assert.equal(read(0), 0x58);
  write(0, 0x30);
  write(11, 0x02);
  time.pass(SECOND);
  assert.equal(hex(2, 0), "59 31");
});

Deno.test("MC146818 interrupts with each update and clears on reading register C", () => {
  const { time, irq, read, write } = clockChip();
  write(11, 0x12);
  read(12);
  time.pass(SECOND);
  assert.ok(irq.level);
  assert.equal(read(12) & 0xb0, 0x90);
  assert.ok(!irq.level);
  assert.equal(read(12), 0);
  time.pass(SECOND);
  assert.ok(irq.level);
});

Deno.test("MC146818 sets flags without interrupts, too", () => {
  const { time, irq, read } = clockChip();
  read(12);
  time.pass(SECOND);
  assert.ok(!irq.level);
  assert.equal(read(12), 0x50, "UF and PF, no IRQF");
});

Deno.test("MC146818 gives the periodic rate that register A selects", () => {
  for (const [rate, hz] of [[6, 1024], [15, 2], [3, 8192], [1, 256], [2, 128]] as const) {
    const { time, irq, read, write } = clockChip();
    let count = 0;
    write(10, 0x20 | rate);
    write(11, 0x42);
    read(12);
    // Fine steps: whoever answers late misses none.
    for (let i = 0; i < 16384; i++) {
      time.pass(SECOND / 16384);
      if (irq.level) {
        count++;
        assert.equal(read(12) & 0xc0, 0xc0);
      }
    }
    assert.ok(Math.abs(count - hz) <= 1, `rate ${rate}: ${count} of ${hz}`);
  }
});

Deno.test("MC146818 alarms at the time, with wildcards", () => {
  const { time, irq, read, write } = clockChip("2024-01-01T10:00:00Z");
  write(1, 0x05);
  write(3, 0xff);
  write(5, 0xc0);
  write(11, 0x22);
  read(12);
  time.pass(4 * SECOND);
  assert.ok(!irq.level);
  time.pass(SECOND);
  assert.ok(irq.level);
  assert.equal(read(12) & 0xa0, 0xa0);
  time.pass(59 * SECOND);
  assert.ok(!irq.level);
  time.pass(SECOND);
  assert.ok(irq.level, "every minute");
});

Deno.test("MC146818 keeps 128 bytes less its own, and D says that the battery is good", () => {
  const { read, write } = clockChip();
  for (let i = 14; i < 128; i++) write(i, i ^ 0x5a);
  for (let i = 14; i < 128; i++) assert.equal(read(i), i ^ 0x5a);
  write(13, 0);
  write(12, 0xff);
  assert.equal(read(13), 0x80);
  write(0x80 | 14, 1); // bit 7 of the index is the NMI mask
  assert.equal(read(14), 1);
});

Deno.test("MC146818 updates half a second after its divider is let go", () => {
  const { time, read, write } = clockChip();
  write(10, 0x76);
  time.pass(10 * SECOND);
  assert.equal(read(0), 0x58);
  write(10, 0x26);
  time.pass(SECOND / 2);
  assert.equal(read(0), 0x59);
});

Deno.test("MC146818's index port has the board's NMI mask in bit 7, and the index beside it", () => {
  const { rtc, read } = clockChip();
  assert.ok(!rtc.nmiMasked);
  assert.equal(read(0x80 | 9), read(9));
  rtc.write(0, 1, 0x80);
  assert.ok(rtc.nmiMasked);
  rtc.write(0, 1, 0x00);
  assert.ok(!rtc.nmiMasked);
});
