import assert from "node:assert/strict";
import { nsOfTick } from "../bus/clock.ts";
import { Wire } from "../bus/wire.ts";
import { FakeClock } from "../testing/fake_clock.ts";
import { I8254, PIT_HZ } from "./i8254.ts";

/** A timer whose input ticks the test counts. Tick 0 is now. */
function timer() {
  const time = new FakeClock();
  const edges: [tick: number, high: boolean][] = [];
  const out0 = new Wire((high) => edges.push([tick, high]));
  const pit = new I8254({ clock: time.clock, out0 });
  let tick = 0;
  const to = (target: number): void => {
    while (tick < target) {
      tick++;
      time.pass(Math.max(0, nsOfTick(tick, PIT_HZ) - time.clock.now()));
    }
  };
  const count = (counter: 0 | 1 | 2, value: number): void => {
    pit.write(counter, 1, value & 0xff);
    pit.write(counter, 1, value >> 8);
  };
  const read = (counter: number): number => pit.read(counter) | (pit.read(counter) << 8);
  return { pit, to, count, read, edges, out0 };
}

Deno.test("8254 mode 0 raises OUT N + 1 clocks after the write and counts on", () => {
  const { pit, to, count, read, edges, out0 } = timer();
  pit.write(3, 1, 0x30);
  assert.equal(out0.level, false);
  count(0, 5);
  to(5);
  assert.equal(out0.level, false);
  to(6);
  assert.equal(out0.level, true);
  assert.equal(read(0), 0);
  to(7);
  assert.equal(read(0), 0xffff);
  assert.deepEqual(edges.at(-1), [6, true]);
  pit.write(0, 1, 1); // the first byte of a new count pulls OUT low
  assert.equal(out0.level, false);
});

Deno.test("8254 mode 0 stops while the gate is low", () => {
  const { pit, to, count, read } = timer();
  pit.write(3, 1, 0xb0);
  pit.setGate(2, true);
  count(2, 100);
  to(11);
  assert.equal(read(2), 90);
  pit.setGate(2, false);
  to(30);
  assert.equal(read(2), 90);
  pit.setGate(2, true);
  to(40);
  assert.equal(read(2), 80);
});

Deno.test("8254 mode 1 gives a pulse of N clocks after a trigger, and again", () => {
  const { pit, to, count } = timer();
  pit.write(3, 1, 0xb2);
  count(2, 4);
  to(3);
  assert.equal(pit.output(2), true, "not triggered");
  pit.setGate(2, true);
  to(4);
  assert.equal(pit.output(2), false);
  to(7);
  assert.equal(pit.output(2), false);
  to(8);
  assert.equal(pit.output(2), true);
  pit.setGate(2, false);
  pit.setGate(2, true);
  to(9);
  assert.equal(pit.output(2), false);
});

Deno.test("8254 mode 2 is low for one clock in N", () => {
  const { pit, to, count, read, edges } = timer();
  pit.write(3, 1, 0x34);
  count(0, 4);
  edges.length = 0;
  to(1);
  assert.equal(read(0), 4);
  to(3);
  assert.equal(read(0), 2);
  to(13);
  assert.deepEqual(edges, [[4, false], [5, true], [8, false], [9, true], [12, false], [13, true]]);
});

Deno.test("8254 mode 2 takes a new count at the end of the period", () => {
  const { pit, to, count, edges } = timer();
  pit.write(3, 1, 0x34);
  count(0, 6);
  to(3);
  count(0, 3);
  edges.length = 0;
  to(13);
  assert.deepEqual(edges, [[6, false], [7, true], [9, false], [10, true], [12, false], [13, true]]);
});

Deno.test("8254 mode 3 halves even counts and gives odd ones the longer high half", () => {
  const even = timer();
  even.pit.write(3, 1, 0x36);
  even.count(0, 4);
  even.edges.length = 0;
  even.to(9);
  assert.deepEqual(even.edges, [[3, false], [5, true], [7, false], [9, true]]);
  const odd = timer();
  odd.pit.write(3, 1, 0x36);
  odd.count(0, 5);
  odd.edges.length = 0;
  odd.to(11);
  assert.deepEqual(odd.edges, [[4, false], [6, true], [9, false], [11, true]]);
});

Deno.test("8254 mode 3 counts down by two", () => {
  const { pit, to, count, read } = timer();
  pit.write(3, 1, 0x36);
  count(0, 100);
  to(11);
  assert.equal(read(0), 80);
  to(51);
  assert.equal(read(0), 100);
});

Deno.test("8254 mode 4 strobes once; mode 5 after each trigger", () => {
  const soft = timer();
  soft.pit.write(3, 1, 0x38);
  soft.count(0, 3);
  soft.edges.length = 0;
  soft.to(100);
  assert.deepEqual(soft.edges, [[4, false], [5, true]]);
  const hard = timer();
  hard.pit.write(3, 1, 0xba);
  hard.count(2, 3);
  hard.to(10);
  assert.equal(hard.pit.output(2), true);
  hard.pit.setGate(2, true);
  hard.to(14);
  assert.equal(hard.pit.output(2), false);
  hard.to(15);
  assert.equal(hard.pit.output(2), true);
});

Deno.test("8254 latches the count until it is read, and keeps the first latch", () => {
  const { pit, to, count, read } = timer();
  pit.write(3, 1, 0x34);
  count(0, 1000);
  to(101);
  pit.write(3, 1, 0x00);
  to(201);
  pit.write(3, 1, 0x00);
  assert.equal(read(0), 900);
  assert.equal(read(0), 800);
});

Deno.test("8254 read-back gives status, then count", () => {
  const { pit, to, count, read } = timer();
  pit.write(3, 1, 0x34);
  pit.write(3, 1, 0xe2);
  assert.equal(pit.read(0), 0xf4, "OUT high, null count, access 3, mode 2");
  count(0, 1000);
  to(101);
  pit.write(3, 1, 0xc2); // status and count of counter 0
  to(300);
  assert.equal(pit.read(0), 0xb4);
  assert.equal(read(0), 900);
});

Deno.test("8254 counts in BCD, with 0 for 10000", () => {
  const { pit, to, count, read } = timer();
  pit.write(3, 1, 0x35);
  count(0, 0);
  to(2);
  assert.equal(read(0), 0x9999);
  pit.write(3, 1, 0x35);
  count(0, 0x1000);
  to(4);
  assert.equal(read(0), 0x0999);
});

Deno.test("8254 reads and writes single bytes as the access bits say", () => {
  const { pit, to } = timer();
  pit.write(3, 1, 0x14);
  pit.write(0, 1, 50);
  to(11);
  assert.equal(pit.read(0), 40);
  assert.equal(pit.read(0), 40);
  pit.write(3, 1, 0x24);
  pit.write(0, 1, 2);
  to(13);
  assert.equal(pit.read(0), 1, "high byte of 511");
});

Deno.test("8254 keeps its rate over hours", () => {
  const time = new FakeClock();
  let rises = 0;
  const out0 = new Wire((high) => rises += high ? 1 : 0);
  const pit = new I8254({ clock: time.clock, out0 });
  pit.write(3, 1, 0x34);
  pit.write(0, 1, 0);
  pit.write(0, 1, 0);
  rises = 0;
  time.pass(3600e9);
  assert.equal(rises, Math.floor(PIT_HZ * 3600 / 65536));
});
