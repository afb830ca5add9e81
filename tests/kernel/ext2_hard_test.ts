/** ext2 in trouble: full disks, damaged images, failing sectors, little memory; and the rules of POSIX. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { pattern } from "./file_model.ts";
import {
  checkImage,
  debugfs,
  ERRNO,
  type FileSystem,
  makeImage,
  O,
  startFileSystem,
  SYS,
} from "./file_system_unit.ts";

function finish(fs: FileSystem): void {
  fs.shutdown();
  const { status, output } = checkImage(fs.disk);
  assert.equal(status, 0, `${output}\n${fs.messages.join("\n")}`);
}

const freeBlocks = (disk: Uint8Array): number =>
  new DataView(disk.buffer, disk.byteOffset).getUint32(1024 + 12, true);

Deno.test("a full disk gives ENOSPC, keeps what fitted and leaks nothing", async () => {
  const image = makeImage(1024, "-b", "1024", "-N", "64");
  const fs = await startFileSystem(image.slice());
  assert.equal(fs.mount(), 0);
  assert.equal(fs.call(SYS.mkdir, "/d", 0o755), 0);
  fs.call(SYS.sync);
  const before = freeBlocks(fs.disk);
  const chunk = pattern(50_000, 3);
  let size = 0;
  while (true) {
    const n = fs.write("/d/big", chunk, size);
    if (n < 0) {
      assert.equal(n, -ERRNO.ENOSPC);
      break;
    }
    size += n;
  }
  assert.ok(size > 600_000);
  assert.equal(fs.call(SYS.mkdir, "/e", 0o755), -ERRNO.ENOSPC);
  assert.equal(fs.call(SYS.symlink, "x".repeat(200), "/d/s"), -ERRNO.ENOSPC);
  const stat = fs.stat("/d/big");
  assert.ok(typeof stat !== "number" && stat.size === size);
  fs.call(SYS.sync);
  assert.equal(checkImage(fs.disk).status, 0);
  assert.equal(fs.call(SYS.unlink, "/d/big"), 0);
  fs.call(SYS.sync);
  assert.equal(freeBlocks(fs.disk), before);
  // And all inodes.
  let made = 0;
  while (fs.write(`/d/f${made}`, new Uint8Array()) === 0) made++;
  assert.equal(fs.write("/d/last", new Uint8Array()), -ERRNO.ENOSPC);
  assert.ok(made > 40);
  finish(fs);
});

Deno.test("the reserve is for root, and permissions hold for others", async () => {
  const fs = await startFileSystem(makeImage(1024, "-b", "1024", "-m", "20"));
  assert.equal(fs.mount(), 0);
  assert.equal(fs.call(SYS.mkdir, "/tmp", 0o777), 0);
  assert.equal(fs.call(SYS.chmod, "/tmp", 0o1777), 0);
  assert.equal(fs.write("/secret", pattern(10, 1)), 10);
  assert.equal(fs.call(SYS.chmod, "/secret", 0o600), 0);
  assert.equal(fs.write("/tmp/roots", pattern(10, 1)), 10);
  fs.unit.call["setUser"]!(1000);
  assert.equal(fs.read("/secret"), -ERRNO.EACCES);
  assert.equal(fs.write("/new", pattern(1, 1)), -ERRNO.EACCES);
  assert.equal(fs.call(SYS.unlink, "/tmp/roots"), -ERRNO.EPERM);
  assert.equal(fs.call(SYS.rename, "/tmp/roots", "/tmp/mine"), -ERRNO.EPERM);
  assert.equal(fs.call(SYS.chmod, "/secret", 0o777), -ERRNO.EPERM);
  assert.equal(fs.call(SYS.chown32, "/secret", 1000, 1000), -ERRNO.EPERM);
  let size = 0;
  for (let n = 1; n > 0; size += Math.max(n, 0)) n = fs.write("/tmp/big", pattern(20_000, 5), size);
  fs.unit.call["setUser"]!(0);
  assert.equal(fs.write("/more", pattern(20_000, 5)), 20_000);
  finish(fs);
});

Deno.test("paths: links in circles, dots, slashes, long names, what is no directory", async () => {
  const fs = await startFileSystem(makeImage(2048));
  assert.equal(fs.mount(), 0);
  assert.equal(fs.call(SYS.mkdir, "/a", 0o755), 0);
  assert.equal(fs.call(SYS.mkdir, "/a/b", 0o755), 0);
  assert.equal(fs.call(SYS.symlink, "y", "/x"), 0);
  assert.equal(fs.call(SYS.symlink, "x", "/y"), 0);
  assert.equal(fs.write("/a/f", pattern(5, 1)), 5);
  assert.equal(fs.read("/x"), -ERRNO.ELOOP);
  assert.equal(fs.read("/a/f/g"), -ERRNO.ENOTDIR);
  assert.equal(fs.read("/a/f/"), -ERRNO.ENOTDIR);
  assert.equal(fs.read("/a/./b/../../../a//f").toString(), pattern(5, 1).toString());
  assert.equal(fs.read("/" + "n".repeat(256)), -ERRNO.ENAMETOOLONG);
  assert.equal(fs.read("/" + "a/../".repeat(1000)), -ERRNO.ENAMETOOLONG);
  assert.equal(fs.read(""), -ERRNO.ENOENT);
  assert.equal(fs.call(SYS.open, "/a/f", O.CREAT | O.EXCL, 0), -ERRNO.EEXIST);
  assert.equal(fs.call(SYS.open, "/x", O.NOFOLLOW, 0), -ERRNO.ELOOP);
  assert.equal(fs.call(SYS.open, "/a", O.RDWR, 0), -ERRNO.EISDIR);
  assert.equal(fs.call(SYS.open, "/new/", O.CREAT | O.WRONLY, 0), -ERRNO.EISDIR);
  assert.equal(fs.call(SYS.mkdir, "/new/", 0o755), 0);
  assert.equal(fs.call(SYS.rmdir, "/a/."), -ERRNO.EINVAL);
  assert.equal(fs.call(SYS.rmdir, "/a"), -ERRNO.ENOTEMPTY);
  assert.equal(fs.call(SYS.unlink, "/a"), -ERRNO.EISDIR);
  assert.equal(fs.call(SYS.rename, "/a", "/a/b/c"), -ERRNO.EINVAL);
  assert.equal(fs.call(SYS.renameat2, -100, "/a/f", -100, "/new", 1), -ERRNO.EEXIST);
  // RENAME_EXCHANGE of a file and a directory.
  assert.equal(fs.call(SYS.renameat2, -100, "/a/f", -100, "/new", 2), 0);
  assert.deepEqual(fs.read("/new"), pattern(5, 1));
  assert.deepEqual(fs.list("/a/f"), [".", ".."]);
  assert.equal(fs.call(SYS.close, 77), -ERRNO.EBADF);
  finish(fs);
});

Deno.test("a file without a name lives until it is closed, and a removed directory takes nothing", async () => {
  const fs = await startFileSystem(makeImage(2048));
  assert.equal(fs.mount(), 0);
  fs.call(SYS.sync);
  const before = freeBlocks(fs.disk);
  const fd = fs.call(SYS.open, "/gone", O.RDWR | O.CREAT, 0o600);
  assert.equal(fs.call(SYS.write, fd, pattern(100_000, 9), 100_000), 100_000);
  assert.equal(fs.call(SYS.unlink, "/gone"), 0);
  const back = fs.unit.put(new Uint8Array(100));
  assert.equal(fs.call(SYS.pread64, fd, back, 100, 50_000, 0), 100);
  assert.deepEqual(fs.unit.get(back, 100), pattern(100_000, 9).slice(50_000, 50_100));
  assert.equal(fs.call(SYS.close, fd), 0);
  assert.equal(fs.call(SYS.mkdir, "/d", 0o755), 0);
  const directory = fs.call(SYS.open, "/d", O.DIRECTORY, 0);
  assert.equal(fs.call(SYS.rmdir, "/d"), 0);
  assert.equal(fs.call(SYS.openat, directory, "f", O.CREAT | O.WRONLY, 0o644), -ERRNO.ENOENT);
  assert.equal(fs.call(SYS.close, directory), 0);
  fs.call(SYS.sync);
  assert.equal(freeBlocks(fs.disk), before);
  finish(fs);
});

Deno.test("with little memory pages are given back and contents stay right", async () => {
  // 3 MiB of memory, 6 MiB of files.
  const fs = await startFileSystem(makeImage(16384), 768);
  assert.equal(fs.mount(), 0);
  for (let i = 0; i < 6; i++) assert.equal(fs.write(`/f${i}`, pattern(1_000_000, i)), 1_000_000);
  for (let i = 0; i < 6; i++) assert.deepEqual(fs.read(`/f${i}`), pattern(1_000_000, i));
  assert.ok(fs.unit.call["cached"]!() < 768);
  finish(fs);
});

Deno.test("a sector that cannot be read gives EIO for that file only", async () => {
  const fs = await startFileSystem(makeImage(4096, "-b", "1024"));
  assert.equal(fs.mount(), 0);
  assert.equal(fs.write("/good", pattern(50_000, 1)), 50_000);
  assert.equal(fs.write("/bad", pattern(50_000, 2)), 50_000);
  fs.shutdown();
  const { output } = debugfs(fs.disk, ["blocks /bad"]);
  const again = await startFileSystem(fs.disk);
  assert.equal(again.mount(1), 0);
  again.bad.add(Number(output.trim().split(/\s+/)[30]) * 2);
  assert.equal(again.read("/bad"), -ERRNO.EIO);
  assert.deepEqual(again.read("/good"), pattern(50_000, 1));
});

Deno.test("features: unknown incompatible ones are refused, others make the mount read-only", async () => {
  const image = makeImage(2048);
  const refused = debugfs(image.slice(), ["feature extent"]).disk;
  const fs = await startFileSystem(refused);
  assert.equal(fs.mount(), -ERRNO.EINVAL);
  assert.match(fs.messages.join("\n"), /^ext2: hda: unknown incompatible features 40$/m);
  const readOnly = debugfs(image.slice(), ["feature huge_file"]).disk;
  const other = await startFileSystem(readOnly);
  assert.equal(other.mount(), 0);
  assert.equal(other.write("/f", pattern(1, 1)), -ERRNO.EROFS);
  assert.equal((await startFileSystem(new Uint8Array(2 << 20))).mount(), -ERRNO.EINVAL);
});

Deno.test("the volume is marked clean by sync and dirty by the next change", async () => {
  const fs = await startFileSystem(makeImage(2048));
  const state = (): number => fs.disk[1024 + 58]! & 1;
  assert.equal(state(), 1);
  assert.equal(fs.mount(), 0);
  assert.equal(state(), 0);
  fs.call(SYS.sync);
  assert.equal(state(), 1);
  assert.equal(fs.call(SYS.mkdir, "/d", 0o755), 0);
  assert.equal(state(), 0);
  finish(fs);
  assert.equal(state(), 1);
});

Deno.test("directories that lead in circles or are damaged give EIO and a message, not a loop", async () => {
  const fs = await startFileSystem(makeImage(2048, "-b", "1024"));
  assert.equal(fs.mount(), 0);
  assert.equal(fs.call(SYS.mkdir, "/d", 0o755), 0);
  assert.equal(fs.call(SYS.mkdir, "/d/e", 0o755), 0);
  fs.shutdown();
  // /d/e becomes a name of the root.
  const circle = debugfs(fs.disk, ["unlink /d/e", "link / /d/e"]).disk;
  const looped = await startFileSystem(circle);
  assert.equal(looped.mount(1), 0);
  assert.equal(looped.list("/d/e"), -ERRNO.EIO);
  assert.match(looped.messages.join("\n"), /ext2: hda: directory \d+ contains inode 2/);
  // A record of length 0.
  const block = Number(debugfs(fs.disk, ["blocks /d"]).output.trim());
  const damaged = fs.disk.slice();
  damaged.fill(0, block * 1024 + 4, block * 1024 + 6);
  const broken = await startFileSystem(damaged);
  assert.equal(broken.mount(), 0);
  assert.equal(broken.list("/d"), -ERRNO.EIO);
  assert.equal(broken.call(SYS.mkdir, "/d/new", 0o755), -ERRNO.EIO);
  assert.equal(broken.call(SYS.rmdir, "/d"), -ERRNO.EIO);
  assert.match(broken.messages.join("\n"), /ext2: hda: directory \d+ is damaged at 0/);
});

Deno.test("whatever bytes of the metadata are wrong, every call ends", async () => {
  const made = await startFileSystem(makeImage(2048, "-b", "1024", "-N", "128"));
  assert.equal(made.mount(), 0);
  assert.equal(made.call(SYS.mkdir, "/d", 0o755), 0);
  for (let i = 0; i < 20; i++) assert.equal(made.write(`/d/f${i}`, pattern(i * 3000, i)), i * 3000);
  assert.equal(made.call(SYS.symlink, "x".repeat(100), "/d/l"), 0);
  made.shutdown();
  // Superblock, descriptors, bitmaps, inode table, first directories.
  const damage = fc.array(fc.tuple(fc.integer({ min: 1024, max: 40 * 1024 }), fc.nat(255)), {
    minLength: 1,
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(damage, async (changes) => {
      const disk = made.disk.slice();
      for (const [at, value] of changes) disk[at] = value;
      const fs = await startFileSystem(disk, 2048);
      if (fs.mount() < 0) return;
      const names = fs.list("/d");
      for (const name of typeof names === "number" ? [] : names) fs.read(`/d/${name}`);
      fs.readlink("/d/l");
      fs.write("/new", pattern(30_000, 1));
      fs.call(SYS.mkdir, "/d/sub", 0o755);
      fs.call(SYS.rename, "/d/f3", "/moved");
      for (let i = 0; i < 20; i += 3) fs.call(SYS.unlink, `/d/f${i}`);
      fs.call(SYS.truncate64, "/d/f19", 100, 0);
      fs.call(SYS.sync);
    }),
    { numRuns: 150, interruptAfterTimeLimit: 40_000 },
  );
});
