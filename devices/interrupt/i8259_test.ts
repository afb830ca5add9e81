import assert from "node:assert/strict";
import { Wire } from "../bus/wire.ts";
import { PicPair } from "./pic_pair.ts";

/** A pair set up as a PC does: vectors 20h and 28h, ICW4 as given, nothing masked. */
function pair(icw4 = 0x01): { pic: PicPair; int: Wire; lines: Wire[] } {
  const int = new Wire();
  const pic = new PicPair({ int });
  for (const [chip, vector, cascade] of [[pic.master, 0x20, 4], [pic.slave, 0x28, 2]] as const) {
    chip.write(0, 1, 0x11);
    chip.write(1, 1, vector);
    chip.write(1, 1, cascade);
    chip.write(1, 1, chip === pic.slave ? icw4 & ~0x10 : icw4);
    chip.write(1, 1, 0);
  }
  return { pic, int, lines: Array.from({ length: 16 }, (_, irq) => pic.input(irq)) };
}

function isr(pic: PicPair): [number, number] {
  pic.master.write(0, 1, 0x0b);
  pic.slave.write(0, 1, 0x0b);
  return [pic.master.read(0), pic.slave.read(0)];
}

Deno.test("8259A pair gives vectors by priority, the slave's between 1 and 3", () => {
  const { pic, int, lines } = pair();
  for (const irq of [3, 14, 8, 1]) lines[irq].set(true);
  assert.ok(int.level);
  assert.equal(pic.acknowledge(), 0x21);
  pic.master.write(0, 1, 0x20);
  assert.equal(pic.acknowledge(), 0x28);
  assert.deepEqual(isr(pic), [0x04, 0x01]);
  pic.slave.write(0, 1, 0x20);
  pic.master.write(0, 1, 0x20);
  assert.equal(pic.acknowledge(), 0x2e);
  pic.slave.write(0, 1, 0x20);
  pic.master.write(0, 1, 0x20);
  assert.equal(pic.acknowledge(), 0x23);
  assert.ok(!int.level);
});

Deno.test("8259A keeps out lower levels while one is in service, and lets higher ones in", () => {
  const { pic, int, lines } = pair();
  lines[4].set(true);
  assert.equal(pic.acknowledge(), 0x24);
  lines[5].set(true);
  assert.ok(!int.level);
  lines[0].set(true);
  assert.ok(int.level);
  assert.equal(pic.acknowledge(), 0x20);
});

Deno.test("8259A takes an edge once; a level as long as it is high", () => {
  const { pic, int, lines } = pair();
  lines[5].set(true);
  pic.acknowledge();
  pic.master.write(0, 1, 0x20);
  assert.ok(!int.level, "edge-triggered: the high line is used up");
  pic.elcr.write(0, 1, 0xff);
  assert.equal(pic.elcr.read(0, 1), 0xf8, "IRQ 0-2 stay edge-triggered");
  assert.ok(int.level);
  pic.acknowledge();
  pic.master.write(0, 1, 0x20);
  assert.ok(int.level, "level-triggered: it requests again");
  lines[5].set(false);
  assert.ok(!int.level);
});

Deno.test("8259A answers with level 7 when the request is gone, without an in-service bit", () => {
  const { pic, int, lines } = pair();
  lines[3].set(true);
  lines[3].set(false);
  assert.ok(!int.level);
  assert.equal(pic.acknowledge(), 0x27);
  assert.deepEqual(isr(pic), [0, 0]);
  lines[10].set(true);
  pic.slave.write(1, 1, 0xff);
  lines[2].set(true); // the cascade line alone: the slave has nothing
  assert.equal(pic.acknowledge(), 0x2f);
  assert.deepEqual(isr(pic), [0x04, 0], "the master has the cascade in service");
});

Deno.test("8259A masks requests but remembers them", () => {
  const { pic, int, lines } = pair();
  pic.master.write(1, 1, 0x10);
  lines[4].set(true);
  assert.ok(!int.level);
  pic.master.write(0, 1, 0x0a);
  assert.equal(pic.master.read(0), 0x10, "IRR");
  assert.equal(pic.master.read(1), 0x10, "IMR");
  pic.master.write(1, 1, 0);
  assert.ok(int.level);
});

Deno.test("8259A rotates on non-specific and specific EOI and by set priority", () => {
  const { pic, lines } = pair();
  lines[4].set(true);
  pic.acknowledge();
  pic.master.write(0, 1, 0xa0); // rotate: level 4 is now the lowest
  lines[4].set(false);
  for (const irq of [4, 5, 3]) lines[irq].set(true);
  assert.equal(pic.acknowledge(), 0x25);
  pic.master.write(0, 1, 0xe5); // specific EOI of 5, rotate: 6 is the highest
  assert.equal(pic.acknowledge(), 0x23);
  pic.master.write(0, 1, 0x63); // specific EOI of 3
  pic.master.write(0, 1, 0xc7); // set priority: 7 the lowest, 0 the highest
  lines[0].set(true);
  assert.equal(pic.acknowledge(), 0x20);
});

Deno.test("8259A ends interrupts itself in automatic EOI mode, rotating when told", () => {
  const { pic, lines } = pair(0x03);
  lines[4].set(true);
  assert.equal(pic.acknowledge(), 0x24);
  assert.deepEqual(isr(pic), [0, 0]);
  pic.master.write(0, 1, 0x80); // rotate in automatic EOI mode
  lines[3].set(true);
  assert.equal(pic.acknowledge(), 0x23);
  for (const irq of [3, 4]) lines[irq].set(false);
  for (const irq of [3, 4]) lines[irq].set(true);
  assert.equal(pic.acknowledge(), 0x24, "3 has become the lowest");
});

Deno.test("8259A lets all unmasked levels in with special mask mode", () => {
  const { pic, int, lines } = pair();
  lines[1].set(true);
  pic.acknowledge();
  lines[5].set(true);
  assert.ok(!int.level);
  pic.master.write(1, 1, 0x02);
  pic.master.write(0, 1, 0x68);
  assert.ok(int.level);
  assert.equal(pic.acknowledge(), 0x25);
  pic.master.write(0, 1, 0x20);
  assert.deepEqual(isr(pic), [0x02, 0], "a masked level is not ended by a non-specific EOI");
});

Deno.test("8259A polls: the read acknowledges", () => {
  const { pic, int, lines } = pair();
  lines[6].set(true);
  pic.master.write(0, 1, 0x0c);
  assert.equal(pic.master.read(0), 0x86);
  assert.ok(!int.level);
  assert.deepEqual(isr(pic), [0x40, 0]);
  pic.master.write(0, 1, 0x20);
  pic.master.write(0, 1, 0x0c);
  assert.equal(pic.master.read(0), 0x00);
});

Deno.test("8259A in special fully nested mode takes a higher request of a slave in service", () => {
  const plain = pair();
  plain.lines[12].set(true);
  plain.pic.acknowledge();
  plain.lines[9].set(true);
  assert.ok(!plain.int.level);
  const nested = pair(0x11);
  nested.lines[12].set(true);
  nested.pic.acknowledge();
  nested.lines[9].set(true);
  assert.ok(nested.int.level);
  assert.equal(nested.pic.acknowledge(), 0x29);
});

Deno.test("8259A forgets edges at ICW1 and wants a new one", () => {
  const { pic, int, lines } = pair();
  lines[4].set(true);
  pic.master.write(0, 1, 0x11);
  pic.master.write(1, 1, 0x40);
  pic.master.write(1, 1, 4);
  pic.master.write(1, 1, 1);
  assert.equal(pic.master.read(1), 0, "the mask is cleared");
  assert.ok(!int.level);
  lines[4].set(false);
  lines[4].set(true);
  assert.equal(pic.acknowledge(), 0x44);
});
