import assert from "node:assert/strict";
import { FakeClock } from "../testing/fake_clock.ts";
import { Hpet } from "./hpet.ts";

const [CONFIG, STATUS, COUNTER] = [0x10, 0x20, 0xf0];
const timer = (index: number): number => 0x100 + 0x20 * index;

function hpet() {
  const time = new FakeClock();
  const events: string[] = [];
  const chip = new Hpet({
    clock: time.clock,
    setLine: (line, on) => events.push(`${line}${on ? "+" : "-"}`),
    legacy: (index, on) => events.push(`legacy${index}${on ? "+" : "-"}`),
    replace: (on) => events.push(on ? "replace" : "give back"),
  });
  const write = (offset: number, value: number): void => chip.write(offset, 4, value);
  const read = (offset: number): number => chip.read(offset, 4);
  const take = (): string[] => events.splice(0);
  /** How often a line went up. */
  const rises = (line: string): number => take().filter((event) => event === `${line}+`).length;
  return { time, chip, write, read, take, rises };
}

Deno.test("HPET tells what it is: 100 MHz, 64 bits, three timers, legacy replacement", () => {
  const { read, chip } = hpet();
  assert.equal(read(0), 0x8086a201);
  assert.equal(read(4), 10_000_000);
  assert.equal(read(timer(0)), 0x30);
  assert.equal(read(timer(2) + 4), 0x00f00800);
  assert.equal(read(timer(3)), 0);
  assert.equal(chip.read(2, 2), 0x8086);
});

Deno.test("HPET's main counter stands until it is enabled, and can be set while it stands", () => {
  const { time, read, write } = hpet();
  time.pass(1000);
  assert.equal(read(COUNTER), 0);
  write(COUNTER, 0xfffffff0);
  write(COUNTER + 4, 7);
  write(CONFIG, 1);
  time.pass(0x20 * 10);
  assert.equal(read(COUNTER), 0x10);
  assert.equal(read(COUNTER + 4), 8, "carry into the upper half");
  write(CONFIG, 0);
  time.pass(1000);
  assert.equal(read(COUNTER), 0x10);
});

Deno.test("HPET comparator matches once, by an edge at the line of its route", () => {
  const { time, write, rises, take } = hpet();
  write(timer(0), 4 | (20 << 9));
  write(timer(0) + 8, 1000);
  write(timer(0) + 12, 0);
  write(CONFIG, 1);
  take();
  time.pass(9990);
  assert.equal(rises("20"), 0);
  time.pass(10);
  assert.equal(rises("20"), 1);
  time.pass(1_000_000);
  assert.equal(rises("20"), 0);
});

Deno.test("HPET drives no line that the timer cannot have", () => {
  const { time, write, take } = hpet();
  write(timer(0), 4 | (11 << 9));
  write(timer(0) + 8, 10);
  write(timer(0) + 12, 0);
  write(CONFIG, 1);
  time.pass(1000);
  assert.deepEqual(take(), []);
});

Deno.test("HPET comparator of 32 bits matches again when the counter comes round", () => {
  const { time, write, rises, read } = hpet();
  write(timer(1), 0x104 | (21 << 9));
  write(timer(1) + 8, 100);
  assert.equal(read(timer(1) + 12), 0);
  write(CONFIG, 1);
  time.pass(1000);
  assert.equal(rises("21"), 1);
  time.pass(2 ** 32 * 10);
  assert.equal(rises("21"), 1);
});

Deno.test("HPET's periodic timer 0 takes IRQ 0 in legacy replacement mode", () => {
  const { time, write, rises, take, read } = hpet();
  // As Linux programs it: periodic with VAL_SET, first match, then the period.
  write(CONFIG, 3);
  assert.ok(take().includes("replace"));
  write(timer(0), 0x14c);
  write(timer(0) + 8, 5000);
  write(timer(0) + 8, 1000);
  time.pass(49_990);
  assert.equal(rises("legacy0"), 0);
  time.pass(10);
  assert.equal(rises("legacy0"), 1);
  time.pass(30_000);
  assert.equal(rises("legacy0"), 3);
  assert.equal(read(timer(0) + 8), 9000, "the next match");
  write(CONFIG, 1);
  assert.ok(take().includes("give back"));
});

Deno.test("HPET passes periods over that nobody could see, and a period of zero does not hang", () => {
  const { time, write, read } = hpet();
  write(timer(0), 0x14c);
  write(timer(0) + 8, 100);
  write(timer(0) + 8, 0);
  write(CONFIG, 1);
  time.pass(10_000);
  assert.equal(read(timer(0) + 8), 100);
});

Deno.test("HPET's level-triggered timer stays until its status bit is cleared", () => {
  const { time, write, read, take } = hpet();
  write(timer(2), 0x106 | (22 << 9));
  write(timer(2) + 8, 100);
  write(CONFIG, 1);
  take();
  time.pass(1000);
  assert.equal(read(STATUS), 4);
  assert.deepEqual(take(), ["22+"]);
  write(STATUS, 4);
  assert.equal(read(STATUS), 0);
  assert.equal(take().at(-1), "22-");
});

Deno.test("HPET goes on from a saved state: the same match at the same time", () => {
  const { time, chip, write } = hpet();
  write(CONFIG, 3);
  write(timer(0), 0x104);
  write(timer(0) + 8, 1000);
  time.pass(4000);
  const other = hpet();
  other.time.pass(4000);
  other.chip.restore(chip.save());
  other.take();
  assert.equal(other.read(COUNTER), 400);
  other.time.pass(5990);
  assert.equal(other.rises("legacy0"), 0);
  other.time.pass(10);
  assert.equal(other.rises("legacy0"), 1);
});
