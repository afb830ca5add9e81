import assert from "node:assert/strict";
import { Wire } from "../bus/wire.ts";
import { FakeClock } from "../testing/fake_clock.ts";
import { Ns16550a } from "./ns16550a.ts";

/** A UART at 115200 8N1: a character takes 86.8 µs. */
function uart() {
  const time = new FakeClock();
  const irq = new Wire();
  const sent: number[] = [];
  const chip = new Ns16550a({ clock: time.clock, irq, sink: (bytes) => sent.push(...bytes) });
  const write = (offset: number, value: number): void => chip.write(offset, 1, value);
  const read = (offset: number): number => chip.read(offset);
  write(3, 0x83);
  write(0, 1);
  write(1, 0);
  write(3, 0x03);
  write(4, 0x0b);
  return { time, irq, sent, chip, read, write, type: (text: string) => chip.receive(bytes(text)) };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const CHARACTER = 86_806;

Deno.test("16550A sends at the line's speed and tells when it is empty", () => {
  const { time, sent, read, write } = uart();
  assert.equal(read(5), 0x60);
  write(0, 0x41);
  assert.equal(read(5), 0x20, "the holding register is free again, the shift register is not");
  write(0, 0x42);
  assert.equal(read(5), 0x00);
  time.pass(CHARACTER);
  assert.equal(read(5), 0x20);
  time.pass(CHARACTER);
  assert.equal(read(5), 0x60);
  assert.deepEqual(sent, [0x41, 0x42]);
});

Deno.test("16550A takes 16 characters into its FIFO and loses what comes on top", () => {
  const { time, sent, write, read } = uart();
  write(2, 0x01);
  for (let i = 0; i < 20; i++) write(0, i);
  assert.equal(read(5), 0x00);
  time.pass(17 * CHARACTER + 1000);
  assert.deepEqual(
    sent,
    Array.from({ length: 17 }, (_, i) => i),
    "one in the shift register, 16 behind",
  );
  assert.equal(read(5), 0x60);
});

Deno.test("16550A takes the time of its divisor and format", () => {
  const { time, read, write } = uart();
  write(3, 0x83);
  write(0, 12);
  write(3, 0x1f); // 8 bits, even parity, 2 stop bits at 9600: 12 bits
  write(0, 0x55);
  time.pass(1_249_000);
  assert.equal(read(5), 0x20);
  time.pass(1_100);
  assert.equal(read(5), 0x60);
});

Deno.test("16550A on a line that is never slower than 115200", () => {
  const time = new FakeClock();
  const chip = new Ns16550a({ clock: time.clock, irq: new Wire(), slowestBaud: 115_200 });
  for (const divisor of [12, 1]) {
    chip.write(3, 1, 0x83);
    chip.write(0, 1, divisor);
    chip.write(3, 1, 0x03);
    assert.equal(chip.read(3, 1), 0x03);
    chip.write(0, 1, 0x55);
    time.pass(CHARACTER - 100);
    assert.equal(chip.read(5, 1), 0x20);
    time.pass(200);
    assert.equal(chip.read(5, 1), 0x60);
  }
});

Deno.test("16550A interrupts when the transmitter is empty; reading IIR or writing clears it", () => {
  const { time, irq, read, write } = uart();
  write(1, 0x02);
  assert.ok(irq.level, "enabling while empty raises it");
  assert.equal(read(2), 0x02);
  assert.equal(read(2), 0x01);
  assert.ok(!irq.level);
  write(0, 1);
  assert.ok(irq.level, "the byte went on to the shift register");
  write(0, 2);
  assert.ok(!irq.level);
  time.pass(CHARACTER);
  assert.ok(irq.level);
});

Deno.test("16550A receives at the line's speed and waits while it is full", () => {
  const { time, irq, read, write, type } = uart();
  write(1, 0x01);
  type("ab");
  assert.ok(!irq.level);
  time.pass(CHARACTER);
  assert.ok(irq.level);
  assert.equal(read(2), 0x04);
  assert.equal(read(5) & 0x03, 0x01);
  time.pass(10 * CHARACTER);
  assert.equal(read(5) & 0x03, 0x01, "no overrun: the terminal waits");
  assert.equal(read(0), 0x61);
  assert.ok(!irq.level);
  time.pass(CHARACTER);
  assert.equal(read(0), 0x62);
  assert.equal(read(5) & 1, 0);
});

Deno.test("16550A interrupts at the trigger level, and after four characters' silence", () => {
  const { time, irq, read, write, type } = uart();
  write(2, 0x81); // trigger 8
  write(1, 0x01);
  type("1234567");
  time.pass(7 * CHARACTER + 1000);
  assert.ok(!irq.level);
  time.pass(4 * CHARACTER);
  assert.ok(irq.level);
  assert.equal(read(2), 0xcc, "character timeout");
  assert.equal(read(0), 0x31);
  assert.ok(!irq.level);
  type("ab");
  time.pass(2 * CHARACTER + 1000);
  assert.equal(read(2), 0xc4, "trigger level");
  for (const c of "234567ab") assert.equal(read(0), c.charCodeAt(0));
  assert.equal(read(2), 0xc1);
});

Deno.test("16550A puts its interrupts in order", () => {
  const { time, read, write } = uart();
  write(4, 0x1b); // loopback
  write(1, 0x0f);
  write(0, 0x11);
  time.pass(CHARACTER);
  write(0, 0x22);
  time.pass(CHARACTER); // overrun: two bytes, one register
  write(4, 0x1a); // DTR falls: DSR changes
  assert.equal(read(2), 0x06);
  assert.equal(read(5) & 0x03, 0x03);
  assert.equal(read(2), 0x04);
  assert.equal(read(0), 0x22);
  assert.equal(read(2), 0x02);
  assert.equal(read(2), 0x00);
  assert.equal(read(6) & 0x0f, 0x02);
  assert.equal(read(2), 0x01);
});

Deno.test("16550A loops outputs back to inputs, and not to the line", () => {
  const { time, sent, irq, read, write, type } = uart();
  write(4, 0x10);
  assert.equal(read(6) & 0xf0, 0x00);
  for (const [mcr, msr] of [[1, 0x20], [2, 0x10], [4, 0x40], [8, 0x80]]) {
    write(4, 0x10 | mcr);
    assert.equal(read(6) & 0xf0, msr);
  }
  type("x");
  write(1, 0x01);
  write(0, 0x5a);
  time.pass(2 * CHARACTER);
  assert.equal(read(0), 0x5a);
  assert.deepEqual(sent, []);
  assert.ok(!irq.level, "OUT2 is cut off");
  write(4, 0x0b);
  time.pass(2 * CHARACTER);
  assert.equal(read(0), 0x78, "the line's byte comes when the loop is opened");
});

Deno.test("16550A shows the terminal's lines without changes after a read", () => {
  const { read } = uart();
  read(6);
  assert.equal(read(6), 0xb0);
});

Deno.test("16550A keeps IRQ low without OUT2", () => {
  const { irq, write } = uart();
  write(4, 0x03);
  write(1, 0x02);
  assert.ok(!irq.level);
  write(4, 0x0b);
  assert.ok(irq.level);
});

Deno.test("16550A shows its kind: FIFO bits in IIR, scratch, masks", () => {
  const { read, write } = uart();
  assert.equal(read(2), 0x01);
  write(2, 0xc1);
  assert.equal(read(2), 0xc1);
  write(2, 0xc0);
  assert.equal(read(2), 0x01, "without the enable bit the others do not take");
  write(7, 0xa5);
  assert.equal(read(7), 0xa5);
  write(1, 0xff);
  assert.equal(read(1), 0x0f);
  write(4, 0xff);
  assert.equal(read(4), 0x1f);
  write(3, 0x80);
  assert.deepEqual([read(0), read(1)], [1, 0]);
});
