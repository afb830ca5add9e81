/** The image writer against e2fsck and debugfs, over generated trees. @module */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { device, directory, type DirectoryNode, file, put, symlink, writeExt2 } from "./mod.ts";

const HAVE_E2FSCK = spawnSync("e2fsck", ["-V"]).error === undefined;

function build(root: DirectoryNode, sizeBytes?: number): { path: string; dispose(): void } {
  const folder = mkdtempSync(join(tmpdir(), "ext2-"));
  const path = join(folder, "disk.img");
  const handle = openSync(path, "w");
  writeExt2(
    { write: (offset, bytes) => void writeSync(handle, bytes, 0, bytes.length, offset) },
    root,
    {
      sizeBytes,
    },
  );
  closeSync(handle);
  return { path, dispose: () => rmSync(folder, { recursive: true }) };
}

function check(path: string): void {
  const run = spawnSync("e2fsck", ["-fn", path], { encoding: "utf8" });
  assert.equal(run.status, 0, run.stdout + run.stderr);
}

function debugfs(path: string, command: string): string {
  return spawnSync("debugfs", ["-R", command, path], { encoding: "utf8" }).stdout;
}

function pattern(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index * 31 + (index >> 12)) & 0xff);
}

Deno.test({
  name: "writeExt2() writes what debugfs reads and e2fsck accepts",
  ignore: !HAVE_E2FSCK,
  fn() {
    const root = directory();
    const big = pattern(4096 * 1040 + 77); // through the double indirect block
    put(root, "/bin/big", file(big, 0o755));
    put(root, "/etc/passwd", file("root:x:0:0::/root:/bin/sh\n"));
    put(root, "/short", symlink("etc/passwd"));
    put(root, "/long", symlink("/" + "x".repeat(100)));
    put(root, "/dev/console", device("character", { major: 5, minor: 1 }));
    put(root, "/empty", file(""));
    for (let index = 0; index < 300; index++) {
      put(root, `/many/${"n".repeat(100)}-${index}`, file(String(index)));
    }
    const image = build(root);
    try {
      check(image.path);
      assert.equal(debugfs(image.path, "cat /etc/passwd"), "root:x:0:0::/root:/bin/sh\n");
      assert.match(debugfs(image.path, "stat /dev/console"), /character special[^]*05:01/);
      assert.match(debugfs(image.path, "stat /short"), /Fast link dest: "etc\/passwd"/);
      const out = join(image.path + ".big");
      debugfs(image.path, `dump /bin/big ${out}`);
      assert.deepEqual(new Uint8Array(readFileSync(out)), big);
      assert.equal(debugfs(image.path, `cat /many/${"n".repeat(100)}-299`), "299");
    } finally {
      image.dispose();
    }
  },
});

Deno.test({
  name:
    "writeExt2() passes e2fsck at any size from one group to several, and repeats byte for byte",
  ignore: !HAVE_E2FSCK,
  fn() {
    const sizes = fc.constantFrom(
      1 << 20,
      5 << 20,
      127 << 20,
      128 << 20,
      (128 << 20) + 65536,
      300 << 20,
    );
    const tree = fc.dictionary(fc.stringMatching(/^[a-z]{1,12}$/), fc.nat({ max: 60000 }), {
      maxKeys: 8,
    });
    fc.assert(
      fc.property(sizes, tree, (size, files) => {
        const root = directory();
        for (const [name, length] of Object.entries(files)) {
          put(root, `/d/${name}`, file(pattern(length)));
        }
        const first = build(root, size);
        const second = build(root, size);
        try {
          check(first.path);
          assert.equal(spawnSync("cmp", [first.path, second.path]).status, 0);
        } finally {
          first.dispose();
          second.dispose();
        }
      }),
      { numRuns: 12, seed: 1 },
    );
  },
});

Deno.test("writeExt2() says that the files do not fit", () => {
  const root = directory();
  put(root, "/big", file(new Uint8Array(3 << 20)));
  assert.throws(
    () => writeExt2({ write: () => {} }, root, { sizeBytes: 2 << 20 }),
    /do not fit into 2 MiB; give a larger --size/,
  );
});

Deno.test("put() refuses relative paths, dots and files used as directories", () => {
  const root = directory();
  put(root, "/a", file("x"));
  for (const path of ["b", "/", "/x/../y", "/a/b"]) {
    assert.throws(() => put(root, path, file("")), RangeError, path);
  }
});
