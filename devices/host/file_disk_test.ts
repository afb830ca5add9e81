import assert from "node:assert/strict";
import { SECTOR_BYTES, SnapshotDisk } from "../bus/block.ts";
import { FileDisk, ImageError } from "./file_disk.ts";

function withFile(bytes: Uint8Array, use: (path: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    const path = `${folder}/disk.img`;
    Deno.writeFileSync(path, bytes);
    use(path);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function sectors(count: number): Uint8Array {
  return Uint8Array.from({ length: count * SECTOR_BYTES }, (_, i) => (i >> 9) + i % 3);
}

Deno.test("FileDisk reads and writes sectors in place", () => {
  withFile(sectors(20), (path) => {
    {
      using disk = new FileDisk(path, { readOnly: false });
      assert.equal(disk.sectors, 20);
      const found = new Uint8Array(2 * SECTOR_BYTES);
      disk.read(7, found);
      assert.deepEqual(found, sectors(20).slice(7 * SECTOR_BYTES, 9 * SECTOR_BYTES));
      disk.write(19, new Uint8Array(SECTOR_BYTES).fill(0xee));
      disk.flush();
    }
    const bytes = Deno.readFileSync(path);
    assert.equal(bytes.length, 20 * SECTOR_BYTES);
    assert.deepEqual(bytes.subarray(0, 19 * SECTOR_BYTES), sectors(19));
    assert.ok(bytes.subarray(19 * SECTOR_BYTES).every((byte) => byte === 0xee));
  });
});

Deno.test("FileDisk keeps to its sectors", () => {
  withFile(sectors(4), (path) => {
    using disk = new FileDisk(path, { readOnly: false });
    const two = new Uint8Array(2 * SECTOR_BYTES);
    for (const sector of [3, 4, -1, 1e9]) {
      assert.throws(() => disk.read(sector, two), RangeError);
      assert.throws(() => disk.write(sector, two), RangeError);
    }
    assert.throws(() => disk.write(0, new Uint8Array(100)), RangeError);
    assert.equal(Deno.statSync(path).size, 4 * SECTOR_BYTES);
  });
});

Deno.test("FileDisk opened read-only refuses writes and leaves the file", () => {
  withFile(sectors(4), (path) => {
    using disk = new FileDisk(path, { readOnly: true });
    assert.ok(disk.readOnly);
    assert.throws(() => disk.write(0, new Uint8Array(SECTOR_BYTES)), RangeError);
    assert.deepEqual(Deno.readFileSync(path), sectors(4));
  });
});

Deno.test("SnapshotDisk keeps writes to itself", () => {
  withFile(sectors(4), (path) => {
    using disk = new FileDisk(path, { readOnly: true });
    const snapshot = new SnapshotDisk(disk);
    snapshot.write(1, new Uint8Array(SECTOR_BYTES).fill(0xaa));
    const all = new Uint8Array(4 * SECTOR_BYTES);
    snapshot.read(0, all);
    const expected = sectors(4);
    expected.fill(0xaa, SECTOR_BYTES, 2 * SECTOR_BYTES);
    assert.deepEqual(all, expected);
    assert.deepEqual(Deno.readFileSync(path), sectors(4));
    assert.throws(() => snapshot.write(4, new Uint8Array(SECTOR_BYTES)), RangeError);
  });
});

Deno.test("FileDisk says in one sentence why an image cannot be used", () => {
  const refuses = (path: string, message: RegExp): void => {
    assert.throws(() => new FileDisk(path, { readOnly: false }), (error: Error) => {
      assert.ok(error instanceof ImageError);
      assert.match(error.message, message);
      return !error.message.includes("\n");
    });
  };
  withFile(new Uint8Array(0), (path) => refuses(path, /is empty/));
  withFile(new Uint8Array(700), (path) => {
    refuses(path, /is cut off: its 700 bytes are not whole sectors/);
    refuses(path.slice(0, path.lastIndexOf("/")), /is a directory/);
    refuses(`${path}.none`, /There is no image/);
  });
});

Deno.test("FileDisk lets many read an image, but one write it alone", () => {
  withFile(sectors(4), (path) => {
    {
      using _first = new FileDisk(path, { readOnly: true });
      using _second = new FileDisk(path, { readOnly: true });
      assert.throws(() => new FileDisk(path, { readOnly: false }), /is in use by another machine/);
    }
    {
      using _writer = new FileDisk(path, { readOnly: false });
      assert.throws(() => new FileDisk(path, { readOnly: true }), ImageError);
    }
    using again = new FileDisk(path, { readOnly: false });
    assert.equal(again.sectors, 4);
  });
});
