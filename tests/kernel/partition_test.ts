/** Partition tables, made by sfdisk's rules. @module */
import assert from "node:assert/strict";
import { compileUnit } from "./wasm_unit.ts";

const entry = `
import { Partition, PARTITION_SIZE, scanPartitions, SCAN_BUFFER } from "./kernel/drivers/storage/partition.ts";
@external("host", "read") declare function hostRead(sector: u32, buffer: usize): bool;
function read(context: usize, sector: u64, buffer: usize): bool { return hostRead(<u32> sector, buffer); }
const buffer: usize = memory.data(1024);
const out: usize = memory.data(512, 8);
export function scan(total: u32): u32 { return scanPartitions(read, 0, total, buffer, out); }
export function size(): u32 { return offsetof<Partition>(); }
export function field(i: u32, f: u32): u32 {
  const p = changetype<Partition>(out + i * PARTITION_SIZE);
  return f == 0 ? p.number : f == 1 ? <u32> p.start : f == 2 ? <u32> p.sectors : p.type;
}
`;

/** Runs the scan over an image in memory. */
async function scan(image: Uint8Array, sectors = image.length / 512): Promise<number[][]> {
  let memory: () => Uint8Array = () => new Uint8Array();
  const unit = await compileUnit({
    entry,
    imports: {
      host: {
        read: (sector = 0, at = 0) => {
          if ((sector + 1) * 512 > image.length) return 0;
          memory().set(image.subarray(sector * 512, sector * 512 + 512), at);
          return 1;
        },
      },
    },
  });
  memory = unit.bytes;
  assert.ok(unit.call["size"]!() <= 24);
  const n = unit.call["scan"]!(sectors);
  return Array.from({ length: n }, (_, i) => [0, 1, 2, 3].map((f) => unit.call["field"]!(i, f)));
}

function mbrEntry(
  image: Uint8Array,
  sector: number,
  slot: number,
  type: number,
  start: number,
  count: number,
) {
  const view = new DataView(image.buffer);
  const at = sector * 512 + 446 + slot * 16;
  image[at + 4] = type;
  view.setUint32(at + 8, start, true);
  view.setUint32(at + 12, count, true);
  view.setUint16(sector * 512 + 510, 0xaa55, true);
}

Deno.test("scanPartitions() of a disk without a table finds none", async () => {
  assert.deepEqual(await scan(new Uint8Array(512 * 64)), []);
  const boot = new Uint8Array(512 * 64).fill(0x90);
  boot.set([0x55, 0xaa], 510);
  assert.deepEqual(await scan(boot), []);
});

Deno.test("scanPartitions() reads primary and logical partitions, and a circular chain ends", async () => {
  const image = new Uint8Array(512 * 1000);
  mbrEntry(image, 0, 0, 0x83, 10, 90);
  mbrEntry(image, 0, 1, 0x05, 100, 500);
  mbrEntry(image, 0, 2, 0x82, 700, 1000); // runs past the end: refused
  mbrEntry(image, 100, 0, 0x83, 2, 50);
  mbrEntry(image, 100, 1, 0x05, 60, 100);
  mbrEntry(image, 160, 0, 0x83, 2, 40);
  assert.deepEqual(await scan(image), [[1, 10, 90, 0x83], [5, 102, 50, 0x83], [6, 162, 40, 0x83]]);
  mbrEntry(image, 160, 1, 0x05, 60, 100); // points at itself
  const found = await scan(image);
  assert.ok(found.length <= 15);
});

/** A GPT made by sfdisk, as ground truth. */
async function sfdiskImage(): Promise<Uint8Array> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.truncate(path, 4 << 20);
    const child = new Deno.Command("/sbin/sfdisk", { args: ["-q", path], stdin: "piped" }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(
      "label: gpt\nstart=2048, size=1024, type=L\nstart=4096, size=2048, type=S\n",
    ));
    await writer.close();
    assert.equal((await child.status).code, 0);
    return await Deno.readFile(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("scanPartitions() reads a GPT, falls back to its backup, refuses a bad CRC", async () => {
  const image = await sfdiskImage();
  const want = [[1, 2048, 1024, 0xee], [2, 4096, 2048, 0xee]];
  assert.deepEqual(await scan(image), want);
  image[512 + 24] ^= 1;
  assert.deepEqual(await scan(image), want); // from the last sector
  image[image.length - 512 + 60] ^= 1;
  assert.deepEqual(await scan(image), [[1, 1, 8191, 0xee]]); // the protective entry itself
});
