import assert from "node:assert/strict";
import { type BlockBackend, MemoryDisk } from "../bus/block.ts";
import { Wire } from "../bus/wire.ts";
import { dmaMemory } from "../testing/chips.ts";
import { FakeClock } from "../testing/fake_clock.ts";
import { IdeChannel } from "./ide_channel.ts";

const SECTORS = 300;

/** Each byte tells its sector; the first its index there. */
function contents(): Uint8Array {
  return Uint8Array.from({ length: SECTORS * 512 }, (_, i) => (Math.floor(i / 512) + i % 7) & 0xff);
}

function channel(disks?: (BlockBackend | undefined)[]) {
  const time = new FakeClock();
  const irq = new Wire();
  const memory = dmaMemory();
  const bytes = contents();
  const ide = new IdeChannel({
    clock: time.clock,
    irq,
    memory,
    disks: disks ?? [new MemoryDisk(bytes)],
  });
  const write = (offset: number, value: number): void => ide.command.write(offset, 1, value);
  const read = (offset: number): number => ide.command.read(offset, 1);
  const lba28 = (command: number, sector: number, count: number, unit = 0): void => {
    write(6, 0xe0 | (unit << 4) | ((sector >> 24) & 15));
    write(2, count & 0xff);
    [3, 4, 5].forEach((offset, i) => write(offset, (sector >> (8 * i)) & 0xff));
    write(7, command);
  };
  const lba48 = (command: number, sector: number, count: number): void => {
    write(6, 0x40);
    const byte = (value: number, i: number): number => Math.floor(value / 2 ** (8 * i)) & 0xff;
    write(2, count >> 8);
    [3, 4, 5].forEach((offset, i) => write(offset, byte(sector, i + 3)));
    write(2, count & 0xff);
    [3, 4, 5].forEach((offset, i) => write(offset, byte(sector, i)));
    write(7, command);
  };
  /** Until the interrupt; the status that reading it gives. */
  const wait = (): number => {
    for (let i = 0; i < 100_000 && !irq.level; i++) time.pass(1000);
    assert.ok(irq.level, "no interrupt");
    return read(7);
  };
  const data = (count: number): Uint8Array => {
    const found = new Uint8Array(count);
    for (let i = 0; i < count; i += 2) {
      const word = ide.command.read(0, 2);
      found[i] = word & 0xff;
      found[i + 1] = word >> 8;
    }
    return found;
  };
  const send = (values: Uint8Array): void => {
    for (let i = 0; i < values.length; i += 2) {
      ide.command.write(0, 2, values[i] | (values[i + 1] << 8));
    }
  };
  return { time, irq, memory, bytes, ide, write, read, lba28, lba48, wait, data, send };
}

function sectors(first: number, count: number): Uint8Array {
  return contents().slice(first * 512, (first + count) * 512);
}

Deno.test("IDE shows the signature after reset, and only a disk that is there", () => {
  const { read, write } = channel();
  assert.deepEqual([1, 2, 3, 4, 5].map(read), [1, 1, 1, 0, 0]);
  assert.equal(read(7), 0x50);
  write(6, 0xb0);
  assert.equal(read(7), 0, "no slave");
  assert.equal(read(6), 0xb0);
  const empty = channel([]);
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 7].map(empty.read), [0, 0, 0, 0, 0, 0, 0, 0]);
});

Deno.test("IDENTIFY DEVICE tells size, LBA48, DMA, with a check sum, by one interrupt", () => {
  const { write, read, wait, data, irq } = channel();
  write(6, 0xa0);
  write(7, 0xec);
  assert.equal(read(7) & 0x80, 0x80);
  assert.equal(wait(), 0x58);
  const id = data(512);
  const word = (i: number): number => id[2 * i] | (id[2 * i + 1] << 8);
  assert.equal(word(60) | (word(61) << 16), SECTORS);
  assert.equal(word(100), SECTORS);
  assert.equal(word(49) & 0x300, 0x300);
  assert.equal(word(83) & 0xf400, 0x7400);
  assert.equal(id.reduce((a, b) => (a + b) & 0xff), 0);
  const model = Array.from(
    { length: 20 },
    (_, i) => String.fromCharCode(id[54 + 2 * i + 1], id[54 + 2 * i]),
  ).join("");
  assert.equal(model.trim(), "OVERTURE DISK");
  assert.equal(read(7), 0x50);
  assert.ok(!irq.level);
});

Deno.test("READ SECTORS gives an interrupt a sector and ends on the last one", () => {
  const { lba28, wait, data, read, irq, time } = channel();
  lba28(0x20, 10, 3);
  for (let i = 0; i < 3; i++) {
    assert.equal(wait(), 0x58);
    assert.deepEqual(data(512), sectors(10 + i, 1));
  }
  time.pass(1_000_000);
  assert.ok(!irq.level, "no interrupt after the last data");
  assert.deepEqual([2, 3, 4, 5].map(read), [0, 12, 0, 0]);
});

Deno.test("READ MULTIPLE moves blocks; SET MULTIPLE MODE sets their size", () => {
  const { lba28, wait, data, write, read } = channel();
  write(2, 4);
  write(7, 0xc6);
  assert.equal(wait(), 0x50);
  lba28(0xc4, 20, 6);
  assert.equal(wait(), 0x58);
  assert.deepEqual(data(4 * 512), sectors(20, 4));
  assert.equal(wait(), 0x58);
  assert.deepEqual(data(2 * 512), sectors(24, 2));
  assert.equal(read(7), 0x50);
  write(2, 3);
  write(7, 0xc6);
  assert.equal(wait() & 1, 1);
  assert.equal(read(1), 4);
  write(2, 0);
  write(7, 0xc6);
  wait();
  lba28(0xc4, 0, 1);
  assert.equal(wait() & 1, 1, "off: aborted");
});

Deno.test("WRITE SECTORS asks for the first data without an interrupt, for the rest with", () => {
  const { lba28, wait, send, bytes, irq, time, ide } = channel();
  lba28(0x30, 7, 2);
  time.pass(10_000);
  assert.ok(!irq.level);
  assert.equal(ide.control.read(0, 1), 0x58);
  send(new Uint8Array(512).fill(1));
  assert.equal(wait(), 0x58);
  send(new Uint8Array(512).fill(2));
  assert.equal(wait(), 0x50);
  assert.deepEqual([bytes[7 * 512], bytes[8 * 512], bytes[9 * 512]], [1, 2, sectors(9, 1)[0]]);
});

Deno.test("blocks of the data register are all but the last access of a sector", () => {
  const { lba28, wait, ide, bytes, time } = channel();
  const { command } = ide;
  for (const size of [2, 4] as const) {
    lba28(0x20, 30, 2);
    for (let i = 0; i < 2; i++) {
      wait();
      const into = new Uint8Array(520);
      assert.equal(command.readBlock?.(0, size, 10, into, 4), 10);
      const rest = 512 / size - 11;
      assert.equal(command.readBlock?.(0, size, 256, into, 4 + 10 * size), rest);
      assert.equal(command.readBlock?.(0, size, 256, into, 0), 0);
      const last = command.read(0, size);
      for (let k = 0; k < size; k++) into[516 - size + k] = last >>> (8 * k);
      assert.deepEqual(into.slice(4, 516), sectors(30 + i, 1));
    }
    lba28(0x30, 40, 1);
    time.pass(10_000);
    const from = sectors(100 + size, 1);
    assert.equal(command.writeBlock?.(0, size, 1000, from, 0), 512 / size - 1);
    let last = 0;
    for (let k = 0; k < size; k++) last |= (from[512 - size + k] as number) << (8 * k);
    command.write(0, size, last >>> 0);
    wait();
    assert.deepEqual(bytes.slice(40 * 512, 41 * 512), from);
  }
  assert.equal(command.readBlock?.(1, 1, 5, new Uint8Array(5), 0), 0, "the error register");
  assert.equal(command.readBlock?.(0, 2, 5, new Uint8Array(10), 0), 0, "no data");
});

Deno.test("LBA48 commands and the HOB bit", () => {
  const { lba48, wait, data, read, ide } = channel();
  lba48(0x24, 0x101, 2);
  assert.equal(wait(), 0x58);
  assert.deepEqual(data(512), sectors(0x101, 1));
  wait();
  assert.deepEqual(data(512), sectors(0x102, 1));
  lba48(0x24, 0x0102_0304_0506, 1);
  assert.equal(wait() & 1, 1);
  assert.equal(read(1), 0x10, "IDNF");
  assert.deepEqual([3, 4, 5].map(read), [6, 5, 4]);
  ide.control.write(0, 1, 0x80);
  assert.deepEqual([3, 4, 5].map(read), [3, 2, 1]);
});

Deno.test("CHS addresses translate with the current geometry", () => {
  const { write, wait, data, read } = channel();
  write(6, 0xa0 | 1); // head 1 of 16, 63 sectors a track
  [[2, 1], [3, 5], [4, 0], [5, 0]].forEach(([offset, value]) => write(offset, value));
  write(7, 0x20);
  assert.equal(wait(), 0x58);
  assert.deepEqual(data(512), sectors(63 + 4, 1));
  write(3, 0); // sectors count from 1
  write(7, 0x20);
  assert.equal(wait() & 1, 1);
  assert.equal(read(1), 0x10);
});

Deno.test("a transfer across the end stops at the first sector beyond it", () => {
  const { lba28, wait, data, read } = channel();
  lba28(0x20, SECTORS - 1, 2);
  wait();
  data(512);
  assert.equal(wait(), 0x51);
  assert.equal(read(1), 0x10);
  assert.equal(read(3) | (read(4) << 8), SECTORS);
});

Deno.test("unknown and packet commands are aborted", () => {
  for (const command of [0xa0, 0xa1, 0x08, 0x00, 0xb0, 0xf6]) {
    const { write, wait, read } = channel();
    write(7, command);
    assert.equal(wait(), 0x51);
    assert.equal(read(1), 0x04);
  }
});

Deno.test("SET FEATURES takes known modes, FLUSH CACHE flushes", () => {
  let flushed = 0;
  class Flushing extends MemoryDisk {
    override flush(): void {
      flushed++;
    }
  }
  const { write, wait } = channel([new Flushing(contents())]);
  const feature = (code: number, count = 0): number => {
    write(1, code);
    write(2, count);
    write(7, 0xef);
    return wait();
  };
  assert.equal(feature(0x03, 0x22), 0x50);
  assert.equal(feature(0x03, 0x99), 0x51);
  assert.equal(feature(0x02), 0x50);
  assert.equal(feature(0x77), 0x51);
  write(7, 0xe7);
  assert.equal(wait(), 0x50);
  assert.equal(flushed, 1);
});

Deno.test("a write to a read-only disk is aborted, a host error on a read is UNC", () => {
  class Broken extends MemoryDisk {
    override readonly readOnly: boolean = true;
    override read(): void {
      throw new Error("host");
    }
  }
  const { lba28, wait, read, send, time } = channel([new Broken(contents())]);
  lba28(0x30, 0, 1);
  time.pass(10_000);
  send(new Uint8Array(512));
  assert.equal(wait(), 0x51);
  assert.equal(read(1), 0x04);
  lba28(0x20, 0, 1);
  assert.equal(wait(), 0x51);
  assert.equal(read(1), 0x40);
});

Deno.test("SRST, EXECUTE DEVICE DIAGNOSTIC and nIEN", () => {
  const { ide, read, write, irq, time, lba28, wait } = channel();
  lba28(0x20, 1, 1);
  ide.control.write(0, 1, 0x04);
  assert.equal(read(7), 0x80);
  ide.control.write(0, 1, 0x00);
  assert.deepEqual([1, 2, 3, 4, 5, 7].map(read), [1, 1, 1, 0, 0, 0x50]);
  time.pass(10_000_000);
  assert.ok(!irq.level, "the command is forgotten");
  write(7, 0x90);
  assert.equal(wait(), 0x50);
  assert.equal(read(1), 1);
  ide.control.write(0, 1, 0x02);
  lba28(0x20, 1, 1);
  time.pass(10_000_000);
  assert.ok(!irq.level);
  ide.control.write(0, 1, 0x00);
  assert.ok(irq.level, "it stood behind the gate");
});

Deno.test("the slave is another disk", () => {
  const other = new Uint8Array(SECTORS * 512).fill(0x77);
  const { lba28, wait, data } = channel([new MemoryDisk(contents()), new MemoryDisk(other)]);
  lba28(0x20, 3, 1, 1);
  wait();
  assert.deepEqual(data(512), other.slice(0, 512));
  lba28(0x20, 3, 1, 0);
  wait();
  assert.deepEqual(data(512), sectors(3, 1));
});

/** Writes a descriptor table at 100h and the bus master's registers. */
function prepare(
  { ide, memory }: ReturnType<typeof channel>,
  entries: readonly (readonly [address: number, count: number])[],
): void {
  const view = new DataView(memory.bytes.buffer);
  entries.forEach(([address, count], i) => {
    view.setUint32(0x100 + 8 * i, address, true);
    view.setUint32(
      0x104 + 8 * i,
      (count & 0xffff) | (i === entries.length - 1 ? 0x80000000 : 0),
      true,
    );
  });
  ide.master.write(4, 4, 0x100);
  ide.master.write(2, 1, 0x66);
}

Deno.test("READ DMA scatters by the table and interrupts once", () => {
  const c = channel();
  prepare(c, [[0x1000, 512], [0x3000, 1024]]);
  c.ide.master.write(0, 1, 8);
  c.lba28(0xc8, 40, 3);
  c.time.pass(1_000_000);
  assert.ok(!c.irq.level, "it waits for the bus master");
  c.ide.master.write(0, 1, 9);
  assert.equal(c.ide.master.read(2, 1) & 7, 1);
  assert.equal(c.wait(), 0x50);
  assert.equal(c.ide.master.read(2, 1), 0x64, "interrupt, no longer active");
  assert.deepEqual(c.memory.read(0x1000, 512), sectors(40, 1));
  assert.deepEqual(c.memory.read(0x3000, 1024), sectors(41, 2));
  c.ide.master.write(2, 1, 0x64);
  assert.equal(c.ide.master.read(2, 1), 0x60);
});

Deno.test("WRITE DMA gathers by the table", () => {
  const c = channel();
  prepare(c, [[0x1000, 256], [0x2000, 256]]);
  c.memory.bytes.fill(1, 0x1000, 0x1100);
  c.memory.bytes.fill(2, 0x2000, 0x2100);
  c.ide.master.write(0, 1, 1);
  c.lba28(0xca, 50, 1);
  assert.equal(c.wait(), 0x50);
  assert.deepEqual([c.bytes[50 * 512], c.bytes[50 * 512 + 256]], [1, 2]);
});

Deno.test("a table longer than the transfer leaves the bus master active", () => {
  const c = channel();
  prepare(c, [[0x1000, 2048]]);
  c.ide.master.write(0, 1, 9);
  c.lba28(0xc8, 0, 1);
  c.wait();
  assert.equal(c.ide.master.read(2, 1) & 7, 5);
});

Deno.test("a table shorter than the transfer hangs the drive until a reset, without an interrupt", () => {
  const c = channel();
  prepare(c, [[0x1000, 512]]);
  c.ide.master.write(0, 1, 9);
  c.lba28(0xc8, 0, 2);
  c.time.pass(100_000_000);
  assert.ok(!c.irq.level);
  assert.equal(c.ide.master.read(2, 1) & 7, 0);
  assert.equal(c.ide.control.read(0, 1) & 0x08, 0x08);
  c.ide.control.write(0, 1, 4);
  c.ide.control.write(0, 1, 0);
  assert.equal(c.read(7), 0x50);
});

Deno.test("DMA to where no memory is sets the error bit", () => {
  const c = channel();
  prepare(c, [[0xfffff000, 512]]);
  c.ide.master.write(0, 1, 9);
  c.lba28(0xc8, 0, 1);
  c.time.pass(10_000_000);
  assert.equal(c.ide.master.read(2, 1) & 3, 2);
});

Deno.test("a DMA transfer takes time by its sectors", () => {
  const took = (count: number): number => {
    const c = channel();
    prepare(c, [[0x1000, count * 512]]);
    c.ide.master.write(0, 1, 9);
    c.lba28(0xc8, 0, count);
    const start = c.time.clock.now();
    c.wait();
    return c.time.clock.now() - start;
  };
  const [one, many] = [took(1), took(100)];
  assert.ok(one > 20_000 && one < 500_000, `${one}`);
  assert.ok(many > one + 500_000 && many < 20_000_000, `${many}`);
});

Deno.test("a restored interrupt is not another one for the bus master's status", () => {
  const { ide, irq, time, read, write } = channel();
  write(6, 0xe0);
  write(7, 0xec);
  for (let i = 0; i < 100_000 && !irq.level; i++) time.pass(1000);
  assert.ok(irq.level);
  ide.master.write(2, 1, 0x04);
  const saved = ide.save();
  assert.equal(ide.master.read(2, 1) & 0x04, 0);
  read(7);
  assert.ok(!irq.level);
  ide.restore(saved);
  assert.ok(irq.level);
  assert.equal(ide.master.read(2, 1) & 0x04, 0);
});
