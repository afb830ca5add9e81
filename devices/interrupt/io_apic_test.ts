import assert from "node:assert/strict";
import { type ApicMessage, DELIVERY } from "./apic_message.ts";
import { IoApic } from "./io_apic.ts";

function apic(high = 0) {
  const sent: ApicMessage[] = [];
  const state = { takes: true, external: false };
  const chip = new IoApic({
    deliver: (message) => {
      if (state.takes) sent.push(message);
      return state.takes;
    },
    external: (level) => state.external = level,
    high,
  });
  const write = (index: number, value: number): void => {
    chip.write(0, 4, index);
    chip.write(0x10, 4, value);
  };
  const read = (index: number): number => {
    chip.write(0, 4, index);
    return chip.read(0x10, 4);
  };
  const entry = (pin: number, low: number, destination = 0): void => {
    write(0x11 + 2 * pin, destination << 24);
    write(0x10 + 2 * pin, low);
  };
  const vectors = (): number[] => sent.splice(0).map(({ vector }) => vector);
  return { chip, sent, state, write, read, entry, vectors };
}

Deno.test("I/O APIC after reset: version 11h, 24 pins, all masked", () => {
  const { read, write } = apic();
  assert.equal(read(1), 0x00170011);
  for (let pin = 0; pin < 24; pin++) {
    assert.deepEqual([read(0x10 + 2 * pin), read(0x11 + 2 * pin)], [0x10000, 0]);
  }
  write(0, 0xffffffff);
  assert.deepEqual([read(0), read(2)], [0x0f000000, 0x0f000000]);
  write(1, 0);
  assert.equal(read(1), 0x00170011);
  assert.equal(read(0x40), 0, "behind the last entry");
});

Deno.test("I/O APIC sends an edge once, with the entry's mode and destination", () => {
  const { chip, entry, sent, read } = apic();
  entry(4, 0x931, 0x0f);
  chip.setPin(4, true);
  chip.setPin(4, true);
  assert.deepEqual(sent, [
    { destination: 0x0f, logical: true, mode: DELIVERY.LOWEST, vector: 0x31, level: false },
  ]);
  chip.setPin(4, false);
  chip.setPin(4, true);
  assert.equal(sent.length, 2);
  assert.equal(read(0x18), 0x931);
});

Deno.test("I/O APIC ignores edges at masked pins", () => {
  const { chip, entry, vectors } = apic();
  entry(4, 0x10031);
  chip.setPin(4, true);
  entry(4, 0x31);
  assert.deepEqual(vectors(), []);
});

Deno.test("I/O APIC sends a level once until its end, and again while it lasts", () => {
  const { chip, entry, vectors, read } = apic();
  entry(9, 0x8041);
  chip.setPin(9, true);
  assert.deepEqual(vectors(), [0x41]);
  assert.equal(read(0x22), 0xc041, "remote IRR");
  chip.setPin(9, false);
  chip.setPin(9, true);
  assert.deepEqual(vectors(), []);
  chip.endOfInterrupt(0x40);
  assert.deepEqual(vectors(), [], "another vector");
  chip.endOfInterrupt(0x41);
  assert.deepEqual(vectors(), [0x41]);
  chip.setPin(9, false);
  chip.endOfInterrupt(0x41);
  assert.deepEqual(vectors(), []);
  assert.equal(read(0x22), 0x8041);
});

Deno.test("I/O APIC sends a level that came while the pin was masked", () => {
  const { chip, entry, vectors } = apic();
  entry(9, 0x18041);
  chip.setPin(9, true);
  assert.deepEqual(vectors(), []);
  entry(9, 0x8041);
  assert.deepEqual(vectors(), [0x41]);
});

Deno.test("I/O APIC's polarity bit makes a pin active low", () => {
  const { chip, entry, vectors } = apic(1 << 16);
  entry(16, 0xa051);
  assert.deepEqual(vectors(), [], "pulled up");
  chip.setPin(16, false);
  assert.deepEqual(vectors(), [0x51]);
  entry(17, 0x2052);
  chip.setPin(17, true);
  assert.deepEqual(vectors(), []);
  chip.setPin(17, false);
  assert.deepEqual(vectors(), [0x52]);
});

Deno.test("I/O APIC clears remote IRR when an entry is made edge-triggered", () => {
  const { chip, entry, vectors, read } = apic();
  entry(9, 0x8041);
  chip.setPin(9, true);
  entry(9, 0x10041);
  entry(9, 0x8041);
  assert.deepEqual(vectors(), [0x41, 0x41]);
  assert.equal(read(0x22), 0xc041);
});

Deno.test("I/O APIC keeps what nobody takes as pending and sends it again", () => {
  const { chip, entry, vectors, state, read } = apic();
  state.takes = false;
  entry(4, 0x31);
  entry(9, 0x8041);
  chip.setPin(4, true);
  chip.setPin(9, true);
  assert.equal(read(0x18), 0x1031);
  assert.equal(read(0x22), 0x9041);
  state.takes = true;
  chip.retry();
  assert.deepEqual(vectors(), [0x31, 0x41]);
  assert.equal(read(0x18), 0x31);
  chip.retry();
  assert.deepEqual(vectors(), []);
});

Deno.test("I/O APIC passes a pin of mode ExtINT on as a level", () => {
  const { chip, entry, state, vectors } = apic();
  chip.setPin(0, true);
  entry(0, 0x10700);
  assert.ok(!state.external);
  entry(0, 0x700);
  assert.ok(state.external);
  chip.setPin(0, false);
  assert.ok(!state.external);
  chip.setPin(0, true);
  entry(0, 0x10000);
  assert.ok(!state.external);
  assert.deepEqual(vectors(), []);
});

Deno.test("I/O APIC comes back from a saved state with its levels and edges", () => {
  const { chip, entry, state } = apic();
  state.takes = false;
  entry(4, 0x31);
  chip.setPin(4, true);
  const other = apic();
  other.chip.restore(chip.save());
  other.chip.retry();
  assert.deepEqual(other.vectors(), [0x31]);
  assert.throws(() => other.chip.restore({ device: "82093AA", version: 1, fields: {} }), TypeError);
});
