import assert from "node:assert/strict";
import { deviceFunction, PciConfiguration } from "./host_bridge.ts";
import {
  displayController,
  hostBridge,
  ideInterface,
  isaBridge,
  powerManagement,
  type Shadowing,
} from "./i440fx.ts";

function bus() {
  const moved: (number | undefined)[] = [];
  const power: (number | undefined)[] = [];
  let resets = 0;
  const ports = new PciConfiguration({ resetLine: () => resets++ });
  ports.insert(deviceFunction(0, 0), hostBridge());
  ports.insert(deviceFunction(1, 0), isaBridge());
  ports.insert(deviceFunction(1, 1), ideInterface((base) => moved.push(base)));
  ports.insert(deviceFunction(1, 3), powerManagement((base) => power.push(base)));
  const select = (device: number, fn: number, register: number): void =>
    ports.write(0, 4, 0x80000000 + (deviceFunction(device, fn) << 8) + (register & 0xfc));
  const read = (device: number, fn: number, register: number, size: 1 | 2 | 4 = 4): number => {
    select(device, fn, register);
    return ports.read(4 + (register & 3), size);
  };
  const write = (
    device: number,
    fn: number,
    register: number,
    size: 1 | 2 | 4,
    value: number,
  ): void => {
    select(device, fn, register);
    ports.write(4 + (register & 3), size, value);
  };
  return { ports, read, write, moved, power, resets: () => resets };
}

Deno.test("PCI configuration finds the board's functions and nothing else", () => {
  const { read } = bus();
  const found: string[] = [];
  for (let device = 0; device < 32; device++) {
    for (let fn = 0; fn < 8; fn++) {
      const id = read(device, fn, 0);
      if (id !== 0xffffffff) found.push(`${device}.${fn} ${id.toString(16)}`);
    }
  }
  assert.deepEqual(found, ["0.0 12378086", "1.0 70008086", "1.1 70108086", "1.3 71138086"]);
  assert.equal(read(1, 0, 0x0e, 1), 0x80, "several functions");
  assert.equal(read(1, 1, 0x08), 0x01018000);
  assert.equal(read(0, 0, 0x0a, 2), 0x0600);
});

Deno.test("PCI identity cannot be written; the address register takes 32 bits only", () => {
  const { ports, read, write } = bus();
  write(0, 0, 0, 4, 0);
  assert.equal(read(0, 0, 0), 0x12378086);
  ports.write(0, 4, 0xffffffff);
  assert.equal(ports.read(0, 4), 0x80fffffc);
  ports.write(0, 2, 0);
  assert.equal(ports.read(0, 4), 0x80fffffc);
  ports.write(0, 4, 0x00000000);
  assert.equal(ports.read(4, 4), 0xffffffff, "not enabled");
  ports.write(0, 4, 0x80010000);
  assert.equal(ports.read(4, 4), 0xffffffff, "bus 1");
});

Deno.test("a base address register tells its size and moves the range when I/O is on", () => {
  const { read, write, moved } = bus();
  write(1, 1, 0x20, 4, 0xffffffff);
  assert.equal(read(1, 1, 0x20), 0xfffffff1);
  write(1, 1, 0x20, 4, 0xc040);
  assert.deepEqual(moved, []);
  write(1, 1, 4, 2, 5);
  assert.deepEqual(moved, [0xc040]);
  write(1, 1, 4, 2, 4);
  assert.deepEqual(moved, [0xc040, undefined]);
  assert.equal(read(1, 1, 4, 2), 4);
});

Deno.test("PIIX4 decodes its power management where PMBASE says, when enabled", () => {
  const { write, power } = bus();
  write(1, 3, 0x40, 4, 0x601);
  assert.deepEqual(power, []);
  write(1, 3, 0x80, 1, 1);
  assert.deepEqual(power, [0x600]);
});

Deno.test("port CF9h resets on the rising edge of bit 2", () => {
  const { ports, resets } = bus();
  ports.write(1, 1, 0x02);
  assert.equal(resets(), 0);
  ports.write(1, 1, 0x06);
  ports.write(1, 1, 0x06);
  assert.equal(resets(), 1);
  assert.equal(ports.read(1, 1), 0x06);
});

Deno.test("PCI refuses two functions in one place", () => {
  const { ports } = bus();
  assert.throws(() => ports.insert(0, hostBridge()), RangeError);
});

Deno.test("the host bridge's PAM registers shadow the areas below 1 MiB, none after reset", () => {
  const told = new Map<number, Shadowing & { end: number }>();
  const bridge = hostBridge((start, end, how) => told.set(start, { end, ...how }));
  bridge.reset();
  assert.equal(told.size, 13);
  assert.ok([...told.values()].every(({ read, write }) => !read && !write));
  told.clear();
  bridge.writeConfig(0x59, 0x30);
  assert.deepEqual([...told], [[0xf0000, { end: 0x100000, read: true, write: true }]]);
  told.clear();
  bridge.writeConfig(0x5a, 0x21);
  bridge.writeConfig(0x5f, 0x10);
  assert.deepEqual([...told], [
    [0xc0000, { end: 0xc4000, read: true, write: false }],
    [0xc4000, { end: 0xc8000, read: false, write: true }],
    [0xec000, { end: 0xf0000, read: true, write: false }],
  ]);
});

Deno.test("memory and ROM base registers tell their sizes and move their ranges", () => {
  const frame: (number | undefined)[] = [];
  const rom: (number | undefined)[] = [];
  const card = displayController({
    frameBufferBytes: 1 << 24,
    frameBufferMoved: (base) => frame.push(base),
    rom: { bytes: 39_936, moved: (base) => rom.push(base) },
  });
  const write32 = (offset: number, value: number): void => {
    for (let i = 0; i < 4; i++) card.writeConfig(offset + i, (value >>> (8 * i)) & 0xff);
  };
  const read32 = (offset: number): number =>
    [3, 2, 1, 0].reduce((value, i) => value * 256 + card.readConfig(offset + i), 0);
  write32(0x10, 0xffffffff);
  assert.equal(read32(0x10), 0xff000008);
  write32(0x30, 0xfffffffe);
  assert.equal(read32(0x30), 0xffff0000);
  write32(0x10, 0xfd000000);
  write32(0x30, 0xfebf0001);
  assert.deepEqual([frame, rom], [[], []]);
  card.writeConfig(4, 2);
  assert.deepEqual([frame.at(-1), rom.at(-1)], [0xfd000000, 0xfebf0000]);
  write32(0x30, 0xfebf0000);
  assert.equal(rom.at(-1), undefined);
  assert.equal(read32(0x2c), 0x11001af4);
});
