import assert from "node:assert/strict";
import fc from "fast-check";
import { FakeClock } from "../testing/fake_clock.ts";
import { Clock, nsOfTick, ticksIn } from "./clock.ts";

Deno.test("Clock counts 10 ns an instruction and what was skipped", () => {
  let instructions = 5;
  const clock = new Clock(() => instructions);
  assert.equal(clock.now(), 50);
  clock.skipTo(1000);
  assert.equal(clock.now(), 1000);
  instructions = 6;
  assert.equal(clock.now(), 1010);
  clock.skipTo(500);
  assert.equal(clock.now(), 1010, "time never goes back");
});

Deno.test("Clock fires timers by time, then in the order of arming", () => {
  const time = new FakeClock();
  const order: string[] = [];
  const make = (name: string) => time.clock.timer(() => order.push(name));
  const [a, b, c, d] = ["a", "b", "c", "d"].map(make);
  c.arm(300);
  a.arm(100);
  b.arm(100);
  d.arm(50);
  d.cancel();
  time.pass(250);
  assert.deepEqual(order, ["a", "b"]);
  a.arm(300); // behind c, which was armed before
  time.pass(100);
  assert.deepEqual(order, ["a", "b", "c", "a"]);
  assert.equal(time.clock.nextDeadlineNs, Infinity);
});

Deno.test("Clock tells of a timer that is due before all others", () => {
  const time = new FakeClock();
  let earlier = 0;
  time.clock.onEarlier(() => earlier++);
  time.clock.timer(() => {}).arm(100);
  time.clock.timer(() => {}).arm(200);
  time.clock.timer(() => {}).arm(100);
  assert.equal(earlier, 1);
  time.clock.timer(() => {}).arm(99);
  assert.equal(earlier, 2);
});

Deno.test("a timer that arms itself in its callback keeps its period exactly", () => {
  const time = new FakeClock();
  const at: (number | undefined)[] = [];
  const timer = time.clock.timer(() => {
    at.push(timer.deadlineNs);
    timer.arm((timer.deadlineNs ?? 0) + 15);
  });
  timer.arm(15);
  time.pass(60);
  assert.deepEqual(at, [15, 30, 45, 60]);
});

Deno.test("nsOfTick() is the first ns of its tick", () => {
  fc.assert(
    fc.property(
      fc.nat(100_000_000_000),
      fc.constantFrom(1_193_182, 3_579_545, 32_768, 31_469),
      (tick, hz) => {
        const ns = nsOfTick(tick, hz);
        assert.equal(ticksIn(ns, hz), tick);
        if (ns > 0) assert.equal(ticksIn(ns - 1, hz), tick - 1);
      },
    ),
  );
});
