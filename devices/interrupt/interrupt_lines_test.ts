import assert from "node:assert/strict";
import { Wire } from "../bus/wire.ts";
import { Machine } from "../pc/machine.ts";
import { InterruptLines, SharedLine, Switch } from "./interrupt_lines.ts";
import { IoApic } from "./io_apic.ts";
import { PicPair } from "./pic_pair.ts";

function lines() {
  const pic = new PicPair({ int: new Wire() });
  const vectors: number[] = [];
  const ioApic = new IoApic({
    deliver: ({ vector }) => vectors.push(vector) > 0,
    external: () => {},
    high: 0xf << 16,
  });
  for (let pin = 0; pin < 24; pin++) {
    ioApic.write(0, 4, 0x10 + 2 * pin);
    // Pins 16 to 19 active low and level-triggered, as PCI interrupts are.
    ioApic.write(0x10, 4, 0x40 + pin + (pin >= 16 && pin < 20 ? 0xa000 : 0));
  }
  const requested = (): number => {
    for (const chip of [pic.master, pic.slave]) chip.write(0, 1, 0x0a);
    return pic.master.read(0) | (pic.slave.read(0) << 8);
  };
  return { lines: new InterruptLines({ pic, ioApic }), vectors, requested };
}

Deno.test("ISA lines go to the 8259A and to the I/O APIC pin of their number, IRQ 0 to pin 2", () => {
  const { lines: board, vectors, requested } = lines();
  board.isa(4).set(true);
  board.isa(0).set(true);
  board.isa(12).set(true);
  assert.deepEqual(vectors, [0x44, 0x42, 0x4c]);
  assert.equal(requested() & ~4, 0x1011);
});

Deno.test("a line is asserted while one of its sources asserts it", () => {
  const changes: boolean[] = [];
  const line = new SharedLine((asserted) => changes.push(asserted));
  const [a, b] = [line.source(), line.source()];
  a.set(true);
  b.set(true);
  a.set(false);
  assert.ok(line.asserted);
  b.set(false);
  assert.deepEqual(changes, [true, false]);
});

Deno.test("PCI interrupts turn with the device number and follow the PIIX3's routes", () => {
  const { lines: board, vectors, requested } = lines();
  const card = board.pci(3, 0); // device 3, INTA#: PIRQC
  card.set(true);
  assert.deepEqual(vectors, [0x52]);
  assert.equal(requested(), 0, "not routed");
  board.route(2, 11);
  assert.equal(requested() & ~4, 0x800);
  board.route(2, 10);
  assert.equal(requested() & ~4, 0x400);
  board.route(2, 0x8a);
  assert.equal(requested() & ~4, 0);
  board.route(2, 13); // reserved
  assert.equal(requested() & ~4, 0);
  board.route(2, 5);
  board.route(1, 5);
  const other = board.pci(1, 1); // PIRQB
  other.set(true);
  card.set(false);
  assert.equal(requested(), 0x20, "shared");
  other.set(false);
  assert.equal(requested(), 0);
  assert.deepEqual(vectors.filter((vector) => vector >= 0x50), [0x52, 0x51]);
});

Deno.test("a PCI function's interrupt goes through the board's PIRQRC registers to the 8259A", () => {
  const { board } = new Machine({ ramBytes: 1 << 20 });
  const configure = (value: number): void => {
    board.ports.write(0xcf8, 4, 0x80000860); // device 1, function 0, register 60h
    board.ports.write(0xcfe, 1, value); // PIRQC
  };
  const requested = (): number => {
    board.ports.write(0xa0, 1, 0x0a);
    return board.ports.read(0xa0, 1);
  };
  const card = board.lines.pci(3, 0);
  card.set(true);
  assert.equal(requested() & 0x0c, 0x08, "IRQ 11, as the machine's start-up routes it");
  configure(0x0a);
  assert.equal(requested() & 0x0c, 0x04);
  card.set(false);
  assert.equal(requested() & 0x0c, 0);
});

Deno.test("a switch cuts its source off and lets it in again at its present level", () => {
  const output = new Wire();
  const source = new Switch(output);
  source.input.set(true);
  assert.ok(output.level);
  source.closed = false;
  assert.ok(!output.level);
  source.input.set(false);
  source.input.set(true);
  assert.ok(!output.level);
  source.closed = true;
  assert.ok(output.level);
});
