import assert from "node:assert/strict";
import { Cpu } from "../mod.ts";

const PAGE = 4096;

function makeCpu(romBytes = 0): { cpu: Cpu; busReads: number[]; busWrites: number[] } {
  const busReads: number[] = [];
  const busWrites: number[] = [];
  const cpu = new Cpu({
    ramBytes: 2 << 20,
    romBytes,
    bus: {
      readPort: () => 0xff,
      writePort: () => {},
      readMemory: (physical) => {
        busReads.push(physical);
        return 0xff;
      },
      writeMemory: (physical) => void busWrites.push(physical),
      acknowledgeInterrupt: () => 0x20,
    },
  });
  return { cpu, busReads, busWrites };
}

/** 64 KiB with `code` at the reset vector's offset. */
function rom(code: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(0x10000).fill(0x90);
  bytes.set(code, 0xfff0);
  return bytes;
}

Deno.test("a ROM runs from the reset vector and its alias, and is not written", () => {
  const { cpu, busReads, busWrites } = makeCpu(0x10000);
  // mov al, 7; mov [FFF1h], al (in the alias at F0000h); jmp F000:FFF0's instruction again through RAM's alias.
  const bytes = rom([0xb0, 0x07, 0xf4]);
  cpu.memory.installRom(0xffff0000, bytes);
  cpu.memory.installRom(0xf0000, bytes);
  cpu.run(10);
  assert.equal(cpu.registers.get("eax"), 7);
  assert.equal(cpu.memory.read8(0xffff1), 7);
  cpu.memory.write8(0xffff1, 9);
  assert.equal(cpu.memory.read8(0xffff1), 7);
  assert.deepEqual(busWrites, [0xffff1]);
  assert.deepEqual(busReads, []);
});

Deno.test("shadowing: reads from ROM with writes to RAM, then reads from RAM, as decoded code sees it", () => {
  const { cpu } = makeCpu(0x10000);
  const bytes = rom([0xb0, 0x07, 0xf4]);
  cpu.memory.installRom(0xf0000, bytes);
  cpu.memory.route(0xf0000, 0x100000, { read: "rom", write: "ram" });
  const run = (): number => {
    cpu.reset();
    cpu.registers.set("cs", 0xf000);
    cpu.run(10);
    return cpu.registers.get("eax") as number;
  };
  assert.equal(run(), 7);
  cpu.memory.write(0xffff0, new Uint8Array([0xb0, 0x09, 0xf4]));
  assert.equal(run(), 7);
  cpu.memory.route(0xf0000, 0x100000, { read: "ram", write: "bus" });
  assert.equal(run(), 9);
  assert.deepEqual([...cpu.memory.read(0xffff0, 3)], [0xb0, 0x09, 0xf4]);
  cpu.memory.route(0xf0000, 0x100000, { read: "rom", write: "bus" });
  assert.equal(run(), 7);
});

Deno.test("A20 shut: addresses wrap at 1 MiB for data and code, with and without entries in the TLB", () => {
  const { cpu } = makeCpu();
  cpu.memory.write8(0x500, 1);
  cpu.memory.write8(0x100500, 2);
  // mov al, [FFFF:0510]; hlt
  const load = (): number => {
    cpu.reset();
    cpu.registers.set("cs", 0);
    cpu.registers.set("ds", 0xffff);
    cpu.registers.set("eip", 0x7c00);
    cpu.memory.write(0x7c00, new Uint8Array([0xa0, 0x10, 0x05, 0xf4]));
    cpu.run(10);
    return (cpu.registers.get("eax") as number) & 0xff;
  };
  assert.equal(load(), 2);
  cpu.setA20(false);
  assert.equal(load(), 1);
  assert.equal(cpu.translate(0x100500), 0x500);
  cpu.setA20(true);
  assert.equal(load(), 2);
});

Deno.test("routes and ROMs that do not fit are refused", () => {
  const { cpu } = makeCpu(PAGE);
  assert.throws(() => cpu.memory.installRom(0xfffff800, new Uint8Array(16)), RangeError);
  assert.throws(() => cpu.memory.installRom(0xfffe0000, new Uint8Array(0x20000)), /romBytes/);
  assert.throws(
    () => cpu.memory.route(1, PAGE, { read: "ram", write: "ram" }),
    /not whole pages below 4 GiB/,
  );
  // No RAM there: the bus answers.
  cpu.memory.route(0x10000000, 0x10001000, { read: "ram", write: "ram" });
  assert.equal(cpu.memory.read8(0x10000000), 0xff);
});
