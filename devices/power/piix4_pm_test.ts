import assert from "node:assert/strict";
import { Wire } from "../bus/wire.ts";
import { FakeClock } from "../testing/fake_clock.ts";
import { Piix4Pm } from "./piix4_pm.ts";

function power() {
  const time = new FakeClock();
  const sci = new Wire();
  let off = 0;
  const chip = new Piix4Pm({
    clock: time.clock,
    sci,
    powerOff: () => off++,
    commands: { enable: 0xf1, disable: 0xf0 },
  });
  return { time, sci, chip, off: () => off };
}

Deno.test("PM1 control turns off with SLP_EN and sleep type 0 only", () => {
  const { chip, off } = power();
  chip.write(4, 2, 0x2400);
  assert.equal(off(), 0);
  chip.write(4, 2, 0x0001);
  assert.equal(chip.read(4, 2), 1);
  chip.write(4, 2, 0x2000);
  assert.equal(off(), 1);
});

Deno.test("PM1 control turns off by a byte write to its high half", () => {
  const { chip, off } = power();
  chip.write(5, 1, 0x20);
  assert.equal(off(), 1);
});

Deno.test("PM timer runs at 3.579545 MHz in 24 bits", () => {
  const { time, chip } = power();
  time.pass(1_000_000_000);
  assert.equal(chip.read(8, 4), 3_579_545);
  time.pass(4_000_000_000);
  assert.equal(chip.read(8, 4), (5 * 3_579_545) % 2 ** 24);
});

Deno.test("PM timer's carry is a status bit and an SCI, cleared by writing one", () => {
  const { time, chip, sci } = power();
  chip.write(4, 2, 1);
  chip.write(2, 2, 1);
  time.pass(2_000_000_000);
  assert.ok(!sci.level);
  time.pass(400_000_000);
  assert.ok(sci.level);
  assert.equal(chip.read(0, 2), 1);
  chip.write(0, 2, 1);
  assert.ok(!sci.level);
  assert.equal(chip.read(2, 2), 1);
});

Deno.test("PIIX4 port B2h switches SCI_EN by the tables' commands and keeps any value", () => {
  const { chip } = power();
  chip.apm.write(0, 1, 0xf1);
  assert.equal(chip.read(4, 2), 1);
  assert.equal(chip.apm.read(0, 1), 0xf1);
  chip.apm.write(0, 1, 0x55);
  chip.apm.write(1, 1, 0xaa);
  assert.equal(chip.read(4, 2), 1);
  assert.deepEqual([chip.apm.read(0, 1), chip.apm.read(1, 1)], [0x55, 0xaa]);
  chip.apm.write(0, 1, 0xf0);
  assert.equal(chip.read(4, 2), 0);
});

Deno.test("PIIX4's power button is a status bit, and an SCI when it is enabled, until it is cleared", () => {
  const { chip, sci } = power();
  chip.powerButton();
  assert.equal(chip.read(0, 2), 0x100);
  assert.ok(!sci.level);
  chip.write(4, 2, 1);
  chip.write(2, 2, 0x100);
  assert.ok(sci.level);
  chip.write(0, 2, 0x100);
  assert.ok(!sci.level);
  assert.equal(chip.read(0, 2), 0);
});
