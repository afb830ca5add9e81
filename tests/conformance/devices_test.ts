/**
 * What every chip must do, run on every chip: reset gives power-on values, a saved state comes back
 * whole, and nothing that a guest writes anywhere at any width makes a chip throw.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Device, Saved } from "../../devices/mod.ts";
import { type Chip, CHIPS } from "../../devices/testing/chips.ts";
import { FakeClock } from "../../devices/testing/fake_clock.ts";

interface Access {
  readonly block: number;
  readonly offset: number;
  readonly size: 1 | 2 | 4;
  readonly value: number;
  readonly write: boolean;
  readonly waitNs: number;
}

const access: fc.Arbitrary<Access> = fc.record({
  block: fc.nat(7),
  offset: fc.nat(0x1ffff),
  size: fc.constantFrom(1 as const, 2 as const, 4 as const),
  value: fc.oneof(fc.nat(0xff), fc.integer({ min: 0, max: 0xffffffff })),
  write: fc.boolean(),
  waitNs: fc.constantFrom(0, 0, 0, 1000, 100_000, 20_000_000),
});

function perform(chip: Chip, time: FakeClock, accesses: readonly Access[]): void {
  for (const { block, offset, size, value, write, waitNs } of accesses) {
    const { registers, length } = chip.blocks[block % chip.blocks.length];
    if (write) registers.write(offset % length, size, value);
    else {
      const read = registers.read(offset % length, size);
      assert.ok(Number.isInteger(read) && read >= 0 && read <= 0xffffffff, `read gives ${read}`);
    }
    time.pass(waitNs);
  }
}

function state(chip: Chip): Saved {
  const saved = chip.device.save();
  return chip.kept?.(saved) ?? saved;
}

for (const [name, make] of Object.entries(CHIPS)) {
  Deno.test(`${name}: any access gives a value and never throws`, () => {
    fc.assert(
      fc.property(fc.array(access, { maxLength: 200, size: "max" }), (accesses) => {
        const time = new FakeClock();
        perform(make(time.clock), time, accesses);
      }),
      { numRuns: 60 },
    );
  });

  Deno.test(`${name}: reset gives power-on values`, () => {
    fc.assert(
      fc.property(fc.array(access, { maxLength: 100, size: "max" }), (accesses) => {
        const time = new FakeClock();
        const chip = make(time.clock);
        chip.device.reset();
        const fresh = JSON.stringify(state(chip));
        perform(chip, time, accesses);
        chip.device.reset();
        assert.equal(JSON.stringify(state(chip)), fresh);
      }),
      { numRuns: 30 },
    );
  });

  Deno.test(`${name}: a saved state comes back whole`, () => {
    fc.assert(
      fc.property(
        fc.array(access, { maxLength: 100, size: "max" }),
        fc.array(access, { maxLength: 100, size: "max" }),
        (before, after) => {
          const time = new FakeClock();
          const chip = make(time.clock);
          perform(chip, time, before);
          // Through JSON, as a file would carry it.
          const saved = JSON.parse(JSON.stringify(chip.device.save())) as Saved;
          perform(chip, time, after.map((a) => ({ ...a, waitNs: 0 })));
          chip.device.restore(saved);
          assert.deepEqual(chip.device.save(), saved);
        },
      ),
      { numRuns: 30 },
    );
  });

  Deno.test(`${name}: another chip's state is refused`, () => {
    const device: Device = make(new FakeClock().clock).device;
    const saved = device.save();
    assert.throws(() => device.restore({ ...saved, device: "another" }), TypeError);
    assert.throws(() => device.restore({ ...saved, version: 99 }), TypeError);
    assert.throws(() => device.restore({ ...saved, fields: { wrong: 1 } }), TypeError);
    assert.throws(() => device.restore({ ...saved, fields: null }), TypeError);
  });
}
