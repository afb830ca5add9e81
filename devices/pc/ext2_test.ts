/** The ext2 reader: reads what the image writer and mke2fs write, and ends on any damage. @module */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { directory, file, put, symlink, writeExt2 } from "../../toolchain/image/mod.ts";
import { Ext2Error, Ext2Reader } from "./ext2.ts";

const HAVE_MKE2FS = spawnSync("mke2fs", ["-V"]).error === undefined;

function readerOf(image: Uint8Array): Ext2Reader {
  return new Ext2Reader((offset, length) => {
    if (offset < 0 || offset + length > image.length) throw new RangeError("outside");
    return image.subarray(offset, offset + length);
  });
}

function pattern(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index * 7 + (index >> 10)) & 0xff);
}

function smallImage(): Uint8Array {
  const root = directory();
  put(root, "/boot/kernel", file(pattern(70000)));
  put(root, "/link", symlink("boot/../boot/kernel"));
  put(root, "/loop", symlink("/loop"));
  const image = new Uint8Array(2 << 20);
  writeExt2({ write: (offset, bytes) => image.set(bytes, offset) }, root, {
    sizeBytes: image.length,
  });
  return image;
}

Deno.test("Ext2Reader reads files and follows links, and bounds loops of links", () => {
  const reader = readerOf(smallImage());
  assert.deepEqual(reader.readFile("/boot/kernel"), pattern(70000));
  assert.deepEqual(reader.readFile("/link"), pattern(70000));
  assert.equal(reader.readFile("/boot/none"), undefined);
  assert.equal(reader.readFile("/boot/kernel/below"), undefined);
  assert.throws(() => reader.readFile("/loop"), /too many symbolic links/);
  assert.throws(() => reader.readFile("/boot"), /no regular file/);
  assert.ok(reader.readDirectory("/")!.includes("lost+found"));
});

Deno.test({
  name: "Ext2Reader reads what mke2fs writes at every block size",
  ignore: !HAVE_MKE2FS,
  fn() {
    const folder = mkdtempSync(join(tmpdir(), "ext2-"));
    try {
      const source = join(folder, "root");
      mkdirSync(join(source, "boot"), { recursive: true });
      writeFileSync(join(source, "boot", "kernel"), pattern(5_000_000));
      symlinkSync(`/boot/${"./".repeat(40)}kernel`, join(source, "slow-link"));
      for (const blockSize of ["1024", "2048", "4096"]) {
        const path = join(folder, `${blockSize}.img`);
        const made = spawnSync("mke2fs", [
          "-q",
          "-t",
          "ext2",
          "-b",
          blockSize,
          "-d",
          source,
          path,
          "16M",
        ]);
        assert.equal(made.status, 0, String(made.stderr));
        const reader = readerOf(readFileSync(path));
        assert.deepEqual(reader.readFile("/slow-link"), pattern(5_000_000), blockSize);
      }
      const path = join(folder, "ext4.img");
      spawnSync("mke2fs", ["-q", "-t", "ext4", "-d", source, path, "16M"]);
      assert.throws(() => readerOf(readFileSync(path)).readFile("/boot/kernel"), /mke2fs -t ext2/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
});

Deno.test("Ext2Reader gives an Ext2Error, or the file, for any damage", () => {
  const image = smallImage();
  // The parts that steer the reader: superblock, descriptors, inode tables, directories.
  const place = fc.oneof(
    fc.integer({ min: 1024, max: 1424 }),
    fc.integer({ min: 4096, max: 4160 }),
    fc.integer({ min: 16384, max: 16384 + 256 * 20 }),
    fc.nat(image.length - 5),
  );
  const damage = fc.array(fc.tuple(place, fc.nat(0xffffffff)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(damage, (changes) => {
      const damaged = image.slice();
      const view = new DataView(damaged.buffer);
      for (const [at, value] of changes) view.setUint32(at, value, true);
      try {
        const reader = readerOf(damaged);
        for (const path of ["/boot/kernel", "/link", "/loop"]) reader.readFile(path);
      } catch (error) {
        assert.ok(error instanceof Ext2Error, String(error));
      }
    }),
    { numRuns: 400, seed: 7 },
  );
});

Deno.test("Ext2Reader says that an image is cut off", () => {
  assert.throws(
    () => readerOf(smallImage().slice(0, 100_000)).readFile("/boot/kernel"),
    (error: unknown) => error instanceof Ext2Error && /cut off/.test(error.message),
  );
  assert.throws(() => readerOf(new Uint8Array(8192)), /holds no ext2 file system/);
});
