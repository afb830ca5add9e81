/** Pipes, descriptors, locks, tmpfs and mounts through the system calls. @module */
import assert from "node:assert/strict";
import { pattern } from "./file_model.ts";
import {
  checkImage,
  ERRNO,
  type FileSystem,
  makeImage,
  O,
  startFileSystem,
} from "./file_system_unit.ts";
import { SYS } from "./file_system_unit.ts";

const EAGAIN = 11;
const EPIPE = 32;
const ESPIPE = 29;
const EMFILE = 24;

async function started(): Promise<FileSystem> {
  const fs = await startFileSystem(makeImage(4096));
  assert.equal(fs.mount(), 0);
  return fs;
}

function pipe(fs: FileSystem): [number, number] {
  const at = fs.unit.put(new Uint8Array(8));
  assert.equal(fs.call(SYS.pipe, at), 0);
  const view = new DataView(fs.unit.get(at, 8).buffer);
  return [view.getInt32(0, true), view.getInt32(4, true)];
}

Deno.test("a pipe keeps order, gives end of file without writers and EPIPE without readers", async () => {
  const fs = await started();
  const [reader, writer] = pipe(fs);
  const buffer = fs.unit.put(new Uint8Array(70_000));
  assert.equal(fs.call(SYS.write, writer, pattern(5000, 1), 5000), 5000);
  assert.equal(fs.call(SYS.read, reader, buffer, 3000), 3000);
  assert.equal(fs.call(SYS.write, writer, pattern(60_000, 2), 60_000), 60_000);
  assert.equal(fs.call(SYS.read, reader, buffer, 70_000), 62_000);
  assert.deepEqual(fs.unit.get(buffer, 2000), pattern(5000, 1).slice(3000));
  assert.deepEqual(fs.unit.get(buffer + 2000, 60_000), pattern(60_000, 2));
  assert.equal(fs.call(19, writer, 0, 0), -ESPIPE); // lseek
  const copy = fs.call(SYS.dup, writer);
  assert.equal(fs.call(SYS.close, writer), 0);
  assert.equal(fs.call(SYS.fcntl, reader, 4, O.NONBLOCK), 0);
  assert.equal(fs.call(SYS.read, reader, buffer, 1), -EAGAIN);
  assert.equal(fs.call(SYS.close, copy), 0);
  assert.equal(fs.call(SYS.read, reader, buffer, 1), 0);
  assert.equal(fs.call(SYS.close, reader), 0);
  const [secondReader, secondWriter] = pipe(fs);
  assert.equal(fs.call(SYS.close, secondReader), 0);
  assert.equal(fs.call(SYS.write, secondWriter, pattern(1, 1), 1), -EPIPE);
  assert.equal(fs.call(SYS.close, secondWriter), 0);
  assert.equal(fs.unit.call["openFiles"]!(), 0);
});

Deno.test("writes of PIPE_BUF bytes into a full pipe are all or nothing", async () => {
  const fs = await started();
  const [reader, writer] = pipe(fs);
  assert.equal(fs.call(SYS.fcntl, writer, 4, O.NONBLOCK), 0);
  let sum = 0;
  for (let n = 1; n > 0;) {
    n = fs.call(SYS.write, writer, pattern(3000, 1), 3000);
    if (n > 0) sum += n;
    else assert.equal(n, -EAGAIN);
  }
  assert.equal(sum, Math.floor(65536 / 3000) * 3000);
  // A larger write takes what room there is.
  assert.equal(fs.call(SYS.write, writer, pattern(10_000, 1), 10_000), 65536 - sum);
  fs.call(SYS.close, reader);
  fs.call(SYS.close, writer);
});

Deno.test("descriptors: lowest free number, dup2 over an open one, limits, flags", async () => {
  const fs = await started();
  assert.equal(fs.write("/f", pattern(10, 1)), 10);
  const open = (): number => fs.call(SYS.open, "/f", O.RDONLY, 0);
  assert.deepEqual([open(), open(), open()], [0, 1, 2]);
  assert.equal(fs.call(SYS.close, 1), 0);
  assert.equal(open(), 1);
  assert.equal(fs.call(SYS.dup2, 0, 40), 40);
  assert.equal(fs.call(SYS.dup2, 2, 40), 40);
  assert.equal(fs.call(SYS.dup2, 2, 2), 2);
  assert.equal(fs.call(SYS.dup2, 9, 3), -ERRNO.EBADF);
  assert.equal(fs.call(SYS.fcntl, 0, 0, 10), 10); // F_DUPFD
  assert.equal(fs.call(SYS.fcntl, 0, 1030, 10), 11); // F_DUPFD_CLOEXEC
  assert.equal(fs.call(SYS.fcntl, 11, 1, 0), 1);
  assert.equal(fs.call(SYS.fcntl, 10, 1, 0), 0);
  // Copies share the offset; separate opens do not.
  const buffer = fs.unit.put(new Uint8Array(10));
  assert.equal(fs.call(SYS.read, 0, buffer, 4), 4);
  assert.equal(fs.call(SYS.read, 10, buffer, 10), 6);
  assert.equal(fs.call(SYS.read, 1, buffer, 10), 10);
  let last = 0;
  while (last >= 0) last = fs.call(SYS.dup, 0);
  assert.equal(last, -EMFILE);
});

Deno.test("record locks: a process never meets its own, and wrong types and ranges are refused", async () => {
  const fs = await started();
  assert.equal(fs.write("/f", pattern(10, 1)), 10);
  const fd = fs.call(SYS.open, "/f", O.RDWR, 0);
  const lock = new Uint8Array(16);
  const view = new DataView(lock.buffer);
  const set = (type: number, start: number, length: number, command: number): number => {
    view.setUint16(0, type, true);
    view.setUint16(2, 0, true);
    view.setInt32(4, start, true);
    view.setInt32(8, length, true);
    return fs.call(SYS.fcntl, fd, command, lock);
  };
  assert.equal(set(1, 0, 100, 6), 0);
  assert.equal(set(2, 40, 10, 6), 0);
  assert.equal(set(7, 0, 1, 6), -ERRNO.EINVAL);
  assert.equal(set(1, -5, 1, 6), -ERRNO.EINVAL);
  // The same process never meets its own locks.
  assert.equal(set(1, 0, 100, 5), 0);
  assert.equal(fs.call(SYS.close, fd), 0);
});

Deno.test("tmpfs: the tree, sizes and unmount; the name comes back behind it", async () => {
  const fs = await started();
  const tmpfs = fs.unit.put("tmpfs");
  assert.equal(fs.call(SYS.mkdir, "/mnt", 0o755), 0);
  assert.equal(fs.write("/mnt/below", pattern(3, 1)), 3);
  const free = fs.unit.call["freePages"]!();
  assert.equal(fs.call(SYS.mount, "none", "/mnt", tmpfs, 0, 0), 0);
  assert.equal(fs.read("/mnt/below"), -ERRNO.ENOENT);
  assert.equal(fs.write("/mnt/f", pattern(200_000, 4)), 200_000);
  assert.deepEqual(fs.read("/mnt/f"), pattern(200_000, 4));
  assert.equal(fs.call(SYS.truncate64, "/mnt/f", 5000, 0), 0);
  assert.equal(fs.call(SYS.truncate64, "/mnt/f", 9000, 0), 0);
  const grown = new Uint8Array(9000);
  grown.set(pattern(200_000, 4).subarray(0, 5000));
  assert.deepEqual(fs.read("/mnt/f"), grown);
  assert.equal(fs.call(SYS.mkdir, "/mnt/d", 0o755), 0);
  assert.equal(fs.call(SYS.symlink, "../f", "/mnt/d/l"), 0);
  assert.deepEqual(fs.read("/mnt/d/l"), grown);
  assert.equal(fs.call(SYS.rename, "/mnt/d/l", "/below"), -18); // EXDEV
  assert.equal(fs.call(SYS.rename, "/mnt/f", "/mnt/d/g"), 0);
  assert.equal(fs.call(SYS.rmdir, "/mnt/d"), -ERRNO.ENOTEMPTY);
  assert.equal(fs.call(SYS.rmdir, "/mnt"), -ERRNO.EBUSY);
  const fd = fs.call(SYS.open, "/mnt/d/g", O.RDONLY, 0);
  assert.equal(fs.call(SYS.umount2, "/mnt", 0), -ERRNO.EBUSY);
  assert.equal(fs.call(SYS.close, fd), 0);
  assert.equal(fs.call(SYS.chdir, "/mnt/d"), 0);
  assert.equal(fs.call(SYS.umount2, "/mnt", 0), -ERRNO.EBUSY);
  assert.equal(fs.call(SYS.chdir, ".."), 0);
  const buffer = fs.unit.put(new Uint8Array(100));
  assert.equal(fs.call(SYS.getcwd, buffer, 100), 5);
  assert.equal(fs.unit.text(buffer), "/mnt");
  assert.equal(fs.call(SYS.chdir, "/mnt/../mnt/.."), 0);
  assert.equal(fs.call(SYS.umount2, "/mnt", 0), 0);
  assert.deepEqual(fs.read("/mnt/below"), pattern(3, 1));
  assert.ok(Math.abs(fs.unit.call["freePages"]!() - free) < 10);
  fs.shutdown();
  assert.equal(checkImage(fs.disk).status, 0);
});

Deno.test("mount refuses unknown kinds, what is no device and what is no directory", async () => {
  const fs = await started();
  assert.equal(fs.call(SYS.mkdir, "/mnt", 0o755), 0);
  assert.equal(fs.write("/f", pattern(1, 1)), 1);
  const kind = (name: string): number => fs.unit.put(name);
  assert.equal(fs.call(SYS.mount, "none", "/mnt", kind("nofs"), 0, 0), -19);
  assert.equal(fs.call(SYS.mount, "/f", "/mnt", kind("ext2"), 0, 0), -15);
  assert.equal(fs.call(SYS.mount, "none", "/f", kind("tmpfs"), 0, 0), -ERRNO.ENOTDIR);
  assert.equal(fs.call(SYS.umount2, "/mnt", 0), -ERRNO.EINVAL);
  assert.equal(fs.call(SYS.umount2, "/", 0), -ERRNO.EINVAL);
});
