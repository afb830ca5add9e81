import assert from "node:assert/strict";
import { MemoryBus, PortBus } from "./buses.ts";
import type { Registers, Width } from "./device.ts";

/** Registers that remember accesses and read their offset. */
function recorder(): { registers: Registers; log: string[] } {
  const log: string[] = [];
  return {
    log,
    registers: {
      read: (offset: number, size: Width) => {
        log.push(`r${offset}/${size}`);
        return 0x04030201 >>> (8 * offset);
      },
      write: (offset: number, size: Width, value: number) => {
        log.push(`w${offset}/${size}=${value.toString(16)}`);
      },
    },
  };
}

Deno.test("PortBus reads all ones where nothing answers, at each width", () => {
  const bus = new PortBus();
  assert.equal(bus.read(0x300, 1), 0xff);
  assert.equal(bus.read(0x300, 2), 0xffff);
  assert.equal(bus.read(0x300, 4), 0xffffffff);
  bus.write(0x300, 4, 1);
});

Deno.test("PortBus gives a wide access to an 8-bit chip in bytes, low first", () => {
  const bus = new PortBus();
  const { registers, log } = recorder();
  bus.insert({ name: "a", first: 0x300, count: 4, registers, widest: 1 });
  assert.equal(bus.read(0x300, 4), 0x04030201);
  bus.write(0x300, 2, 0xabcd);
  assert.deepEqual(log, ["r0/1", "r1/1", "r2/1", "r3/1", "w0/1=cd", "w1/1=ab"]);
});

Deno.test("PortBus gives an access whole to a chip that takes it, cut to its width", () => {
  const bus = new PortBus();
  const { registers, log } = recorder();
  bus.insert({ name: "a", first: 0x300, count: 1, registers, widest: 4 });
  bus.write(0x300, 4, 0x12345678);
  bus.write(0x300, 1, 0x12345678);
  assert.deepEqual(log, ["w0/4=12345678", "w0/1=78"]);
});

Deno.test("PortBus splits an access that is not aligned, and wraps at 64 Ki", () => {
  const bus = new PortBus();
  const { registers, log } = recorder();
  bus.insert({ name: "a", first: 0xffff, count: 1, registers, widest: 4 });
  assert.equal(bus.read(0xffff, 2), 0xff01);
  assert.deepEqual(log, ["r0/1"]);
});

Deno.test("PortBus refuses overlapping and impossible ranges with the names of both", () => {
  const bus = new PortBus();
  const { registers } = recorder();
  bus.insert({ name: "com1", first: 0x3f8, count: 8, registers, widest: 1 });
  assert.throws(
    () => bus.insert({ name: "b", first: 0x3ff, count: 1, registers, widest: 1 }),
    /Cannot map "b" at 0x3ff: ports 0x3f8-0x3ff belong to "com1"/,
  );
  assert.throws(
    () => bus.insert({ name: "b", first: 0xffff, count: 2, registers, widest: 1 }),
    RangeError,
  );
  assert.throws(
    () => bus.insert({ name: "b", first: 1, count: 0, registers, widest: 1 }),
    RangeError,
  );
});

Deno.test("PortBus.overlay() leaves taken ports alone and can be taken away", () => {
  const bus = new PortBus();
  const fixed = recorder();
  const moved = recorder();
  bus.insert({ name: "fixed", first: 0x302, count: 1, registers: fixed.registers, widest: 1 });
  const remove = bus.overlay({
    name: "moved",
    first: 0x300,
    count: 4,
    registers: moved.registers,
    widest: 1,
  });
  bus.write(0x302, 1, 7);
  bus.write(0x301, 1, 8);
  assert.deepEqual([fixed.log, moved.log], [["w0/1=7"], ["w1/1=8"]]);
  remove();
  assert.equal(bus.read(0x301, 1), 0xff);
  assert.equal(bus.at(0x302)?.name, "fixed");
});

Deno.test("MemoryBus routes by address, splits, and reads all ones elsewhere", () => {
  const bus = new MemoryBus();
  const { registers, log } = recorder();
  bus.insert({ name: "vga", first: 0xa0000, count: 0x20000, registers, widest: 1 });
  assert.equal(bus.read(0x90000, 4), 0xffffffff);
  bus.write(0xbfffe, 4, 0x44332211);
  assert.deepEqual(log, ["w131070/1=11", "w131071/1=22"]);
  assert.throws(
    () => bus.insert({ name: "rom", first: 0xbffff, count: 2, registers, widest: 1 }),
    /0xa0000-0xbffff belong to "vga"/,
  );
});
