/** The kernel's ext2 on images of mke2fs, judged by e2fsck and debugfs. @module */
import assert from "node:assert/strict";
import {
  checkImage,
  type FileSystem,
  makeImage,
  startFileSystem,
  type Stat,
  SYS,
} from "./file_system_unit.ts";

const bytes = (length: number, seed = 1): Uint8Array => {
  const data = new Uint8Array(length);
  let x = seed;
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1103515245) + 12345) >>> 0;
    data[i] = x >>> 16;
  }
  return data;
};

function finish(fs: FileSystem): void {
  fs.shutdown();
  const { status, output } = checkImage(fs.disk);
  assert.equal(status, 0, `${output}\n${fs.messages.join("\n")}`);
  assert.deepEqual(fs.messages.filter((line) => line.startsWith("ext2:")), []);
}

const stat = (fs: FileSystem, path: string): Stat => {
  const result = fs.stat(path);
  assert.ok(typeof result !== "number", `${path}: ${result}`);
  return result;
};

for (
  const [name, options] of [
    ["blocks of 1 KiB", ["-b", "1024"]],
    ["blocks of 2 KiB", ["-b", "2048"]],
    ["blocks of 4 KiB", ["-b", "4096"]],
    ["revision 0", ["-r", "0", "-b", "1024"]],
    ["inodes of 128 bytes, no file types", ["-I", "128", "-O", "none", "-b", "1024"]],
  ] as const
) {
  Deno.test(`ext2 with ${name}: files, directories, links and nodes survive e2fsck`, async () => {
    const fs = await startFileSystem(makeImage(8192, ...options));
    assert.equal(fs.mount(), 0);
    const large = bytes(1_500_000);
    assert.equal(fs.call(SYS.mkdir, "/dir", 0o755), 0);
    for (let at = 0; at < large.length; at += 300_000) {
      assert.equal(fs.write("/dir/large", large.subarray(at, at + 300_000), at), 300_000);
    }
    // A hole that reaches into triple indirection where blocks are small.
    assert.equal(fs.write("/hole", bytes(10, 7), 70_000_000), 10);
    assert.equal(fs.call(SYS.link, "/dir/large", "/second"), 0);
    assert.equal(fs.call(SYS.symlink, "dir/large", "/short"), 0);
    assert.equal(fs.call(SYS.symlink, "/" + "./".repeat(200) + "dir", "/long"), 0);
    assert.equal(fs.call(SYS.mknod, "/fifo", 0o010644, 0), 0);
    assert.equal(fs.call(SYS.mknod, "/null", 0o020666, 0x103), 0);
    for (let i = 0; i < 200; i++) {
      assert.equal(fs.write(`/dir/${"n".repeat(i % 90)}${i}`, bytes(i, i)), i);
    }
    assert.deepEqual(fs.read("/short"), large);
    assert.deepEqual(fs.read("/long/large"), large);
    assert.equal(stat(fs, "/second").links, 2);
    assert.equal(stat(fs, "/hole").size, 70_000_010);
    for (let i = 0; i < 200; i += 2) {
      assert.equal(fs.call(SYS.unlink, `/dir/${"n".repeat(i % 90)}${i}`), 0);
    }
    finish(fs);
    const again = await startFileSystem(fs.disk);
    assert.equal(again.mount(), 0);
    assert.deepEqual(again.read("/second"), large);
    assert.deepEqual(again.read("/dir/n1"), bytes(1, 1));
    const names = again.list("/dir");
    assert.ok(typeof names !== "number");
    assert.equal(names.length, 2 + 1 + 100);
    const sparse = again.read("/hole");
    assert.ok(typeof sparse !== "number");
    assert.deepEqual(sparse.subarray(70_000_000), bytes(10, 7));
    assert.ok(sparse.subarray(0, 70_000_000).every((byte) => byte === 0));
    finish(again);
  });
}
