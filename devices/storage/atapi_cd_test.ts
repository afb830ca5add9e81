/** The ATAPI CD-ROM drive as a driver sees it: signature, packets by PIO and DMA, sense, media. @module */
import assert from "node:assert/strict";
import { MemoryDisk } from "../bus/block.ts";
import { Wire } from "../bus/wire.ts";
import { dmaMemory } from "../testing/chips.ts";
import { FakeClock } from "../testing/fake_clock.ts";
import { IdeChannel } from "./ide_channel.ts";

const SECTORS = 100;

function contents(): Uint8Array {
  return Uint8Array.from(
    { length: SECTORS * 2048 },
    (_, i) => (Math.floor(i / 2048) + i % 5) & 0xff,
  );
}

/** A secondary channel with a drive as its master. */
function drive(medium: Uint8Array | null = contents()) {
  const time = new FakeClock();
  const irq = new Wire();
  const memory = dmaMemory();
  const ide = new IdeChannel({
    clock: time.clock,
    irq,
    memory,
    disks: [],
    cdroms: [medium === null ? null : new MemoryDisk(medium)],
  });
  const write = (offset: number, value: number): void => ide.command.write(offset, 1, value);
  const read = (offset: number): number => ide.command.read(offset, 1);
  const wait = (): number => {
    for (let i = 0; i < 100_000 && !irq.level; i++) time.pass(1000);
    assert.ok(irq.level, "no interrupt");
    return read(7);
  };
  const ready = (): void => {
    for (let i = 0; i < 1000 && (ide.control.read(0, 1) & 0x80) !== 0; i++) time.pass(1000);
  };
  /** Gives a packet; the drive has not answered yet. */
  const packet = (bytes: number[], options: { limit?: number; dma?: boolean } = {}): void => {
    write(6, 0xa0);
    write(1, options.dma === true ? 1 : 0);
    write(4, (options.limit ?? 2048) & 0xff);
    write(5, (options.limit ?? 2048) >> 8);
    write(7, 0xa0);
    ready();
    assert.deepEqual(
      [read(7) & 0x88, read(2) & 3, irq.level],
      [0x08, 1, false],
      "asks for a packet",
    );
    for (let i = 0; i < 12; i += 2) {
      ide.command.write(0, 2, (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8));
    }
  };
  /** Runs a packet by PIO: the data, the sizes of their blocks, and the last status. */
  const run = (bytes: number[], limit?: number) => {
    packet(bytes, limit === undefined ? {} : { limit });
    const data: number[] = [];
    const blocks: number[] = [];
    for (;;) {
      const status = wait();
      if ((status & 8) === 0) {
        assert.equal(read(2) & 3, 3, "interrupt reason at the end");
        return { status, data: Uint8Array.from(data), blocks, error: read(1) };
      }
      assert.equal(read(2) & 3, 2, "interrupt reason with data");
      const length = read(4) | (read(5) << 8);
      blocks.push(length);
      for (let i = 0; i < length; i += 2) {
        const word = ide.command.read(0, 2);
        data.push(word & 0xff);
        if (i + 1 < length) data.push(word >> 8);
      }
    }
  };
  const sense = (): number[] => {
    const { data } = run([0x03, 0, 0, 0, 18]);
    return [data[2] as number, data[12] as number, data[13] as number];
  };
  return { ide, irq, memory, time, write, read, wait, ready, packet, run, sense };
}

/** The same, with the unit attention of power-on taken. */
function used(medium?: Uint8Array | null) {
  const it = drive(medium);
  it.run([0x00]);
  it.run([0x03, 0, 0, 0, 18]);
  return it;
}

Deno.test("ATAPI: the signature after reset, IDENTIFY DEVICE aborted, IDENTIFY PACKET DEVICE answered", () => {
  const { read, write, wait, ready, ide } = drive();
  assert.deepEqual([2, 3, 4, 5, 7].map(read), [1, 1, 0x14, 0xeb, 0]);
  write(6, 0xa0);
  write(4, 0);
  write(7, 0xec);
  assert.equal(wait() & 1, 1);
  assert.deepEqual([1, 4, 5].map(read), [4, 0x14, 0xeb]);
  write(7, 0xa1);
  assert.equal(wait() & 8, 8);
  const words = Array.from({ length: 256 }, () => ide.command.read(0, 2));
  assert.equal(words[0], 0x85c0);
  assert.equal(read(7) & 0x89, 0);
  // DEVICE RESET, also while busy.
  write(7, 0xa0);
  write(7, 0x08);
  ready();
  assert.deepEqual([2, 3, 4, 5, 7].map(read), [1, 1, 0x14, 0xeb, 0]);
  // A missing slave gives 0 for all registers (ATA/ATAPI-6 §9.16.2).
  write(6, 0xb0);
  assert.deepEqual([1, 2, 3, 4, 5, 7].map(read), [0, 0, 0, 0, 0, 0]);
});

Deno.test("ATAPI: unit attention comes once, and its sense is kept for REQUEST SENSE", () => {
  const { run, sense } = drive();
  assert.equal(run([0x12, 0, 0, 0, 36]).status & 1, 0, "INQUIRY works before");
  const first = run([0x00]);
  assert.deepEqual([first.status & 1, first.error >> 4], [1, 6]);
  assert.deepEqual(sense(), [6, 0x29, 0]);
  assert.deepEqual(sense(), [0, 0, 0]);
  assert.equal(run([0x00]).status & 1, 0);
});

Deno.test("ATAPI: READ (10) and (12) by PIO, in blocks of the byte count", () => {
  const { run } = used();
  const all = contents();
  const ten = run([0x28, 0, 0, 0, 0, 7, 0, 0, 3], 0x1000);
  assert.deepEqual(ten.blocks, [4096, 2048]);
  assert.deepEqual(ten.data, all.subarray(7 * 2048, 10 * 2048));
  const twelve = run([0xa8, 0, 0, 0, 0, 90, 0, 0, 0, 10], 0xffff);
  assert.deepEqual(twelve.data, all.subarray(90 * 2048));
  const odd = run([0x28, 0, 0, 0, 0, 0, 0, 0, 1], 1001);
  assert.deepEqual(odd.blocks, [1000, 1000, 48]);
  assert.deepEqual(odd.data, all.subarray(0, 2048));
  const beyond = run([0x28, 0, 0, 0, 0, 99, 0, 0, 2]);
  assert.deepEqual([beyond.status & 1, beyond.error >> 4, beyond.data.length], [1, 5, 0]);
});

Deno.test("ATAPI: READ (10) by DMA", () => {
  const { ide, packet, wait, memory } = used();
  // Descriptors for 20 sectors in two parts, at 100h (SFF-8038i §1.2).
  const list = new Uint32Array([0x1000, 0x8000, 0x9000, 0x80000000 | (20 * 2048 - 0x8000)]);
  memory.write(0x100, new Uint8Array(list.buffer));
  ide.master.write(4, 4, 0x100);
  packet([0x28, 0, 0, 0, 0, 20, 0, 0, 20], { dma: true });
  ide.master.write(0, 1, 0x09);
  assert.equal(wait() & 9, 0);
  assert.deepEqual(
    memory.read(0x1000, 20 * 2048),
    contents().subarray(20 * 2048, 40 * 2048),
  );
  assert.equal(ide.master.read(2, 1) & 7, 4, "interrupt, no error, not active");
});

Deno.test("ATAPI: capacity, table of contents, configuration, events, capabilities", () => {
  const { run } = used();
  assert.deepEqual([...run([0x25]).data], [0, 0, 0, SECTORS - 1, 0, 0, 8, 0]);
  assert.deepEqual([...run([0x43, 0, 0, 0, 0, 0, 0, 0, 100]).data], [
    ...[0, 18, 1, 1],
    ...[0, 0x14, 1, 0, 0, 0, 0, 0],
    ...[0, 0x14, 0xaa, 0, 0, 0, 0, SECTORS],
  ]);
  // In minutes, seconds, frames the lead-in counts: sector 100 is 0:03:25.
  assert.deepEqual([...run([0x43, 2, 0, 0, 0, 0, 0xaa, 0, 100]).data].slice(-4), [0, 0, 3, 25]);
  const configuration = run([0x46, 0, 0, 0, 0, 0, 0, 0, 200]).data;
  assert.deepEqual([configuration[6], configuration[7]], [0, 8], "current profile CD-ROM");
  assert.equal(new DataView(configuration.buffer).getUint32(0), configuration.length - 4);
  assert.deepEqual([...run([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]).data], [0, 6, 4, 0x10, 0, 2, 0, 0]);
  const page = run([0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 100]).data;
  assert.deepEqual([page[8], page[9], page.length], [0x2a, 18, 28]);
  assert.equal(run([0x5a, 0, 0x05, 0, 0, 0, 0, 0, 100]).error >> 4, 5, "no such page");
  assert.equal(run([0x2a]).error >> 4, 5, "no writing");
});

Deno.test("ATAPI: tray and media", () => {
  const { run, sense, ide } = used();
  run([0x1e, 0, 0, 0, 1]);
  assert.equal(run([0x1b, 0, 0, 0, 2]).status & 1, 1, "locked");
  assert.deepEqual(sense(), [5, 0x53, 2]);
  run([0x1e, 0, 0, 0, 0]);
  assert.equal(run([0x1b, 0, 0, 0, 2]).status & 1, 0);
  assert.equal(run([0x00]).error >> 4, 2);
  assert.deepEqual(sense(), [2, 0x3a, 0]);
  assert.deepEqual([...run([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]).data].slice(4, 6), [3, 1]);
  ide.insert(0, new MemoryDisk(new Uint8Array(10 * 2048)));
  assert.equal(run([0x00]).error >> 4, 6);
  assert.deepEqual(sense(), [6, 0x28, 0]);
  assert.equal(run([0x25]).data[3], 9);
  const empty = used(null);
  assert.equal(empty.run([0x25]).error >> 4, 2);
});

Deno.test("ATAPI: a saved state goes on in the middle of a transfer", () => {
  const { ide, packet, wait } = used();
  packet([0x28, 0, 0, 0, 0, 5, 0, 0, 2], { limit: 2048 });
  wait();
  for (let i = 0; i < 100; i++) ide.command.read(0, 2);
  const saved = JSON.parse(JSON.stringify(ide.save()));
  const other = drive();
  other.ide.restore(saved);
  const found: number[] = [];
  for (let i = 0; i < 924; i++) found.push(other.ide.command.read(0, 2));
  other.wait();
  for (let i = 0; i < 1024; i++) found.push(other.ide.command.read(0, 2));
  const words = new Uint16Array(contents().slice(5 * 2048, 7 * 2048).buffer);
  assert.deepEqual(found, [...words.subarray(100)]);
});
