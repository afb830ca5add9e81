/** Finding and loading kernels: partitions against sfdisk, headers and messages. @module */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { directory, file, put, writeExt2 } from "../../toolchain/image/mod.ts";
import { MemoryDisk } from "../bus/block.ts";
import { findKernel, loadKernel } from "./boot.ts";
import { BootError } from "./boot_target.ts";
import { readPartitions } from "./partition.ts";

const HAVE_SFDISK = spawnSync("sfdisk", ["--version"]).error === undefined;

function fileSystem(kernel: Uint8Array | undefined, size: number): Uint8Array {
  const root = directory();
  if (kernel !== undefined) put(root, "/boot/kernel", file(kernel));
  const image = new Uint8Array(size);
  writeExt2({ write: (offset, bytes) => image.set(bytes, offset) }, root, { sizeBytes: size });
  return image;
}

/** A Multiboot 1 kernel with load addresses in its header: no ELF needed. */
function addressKernel(flags = 0x10003): Uint8Array {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  [0x1badb002, flags, -(0x1badb002 + flags), 0x100000, 0x100000, 0, 0x101000, 0x100020]
    .forEach((word, index) => view.setInt32(4 * index, word, true));
  return bytes;
}

class FakeTarget {
  readonly ram = new Uint8Array(4 << 20);
  entered: { eip: number; eax: number; ebx: number } | undefined;
  readonly memory = {
    size: this.ram.length,
    write: (physical: number, bytes: Uint8Array): void => this.ram.set(bytes, physical),
  };
  enterFlatProtectedMode(state: { eip: number; eax: number; ebx: number }): void {
    this.entered = state;
  }
}

Deno.test({
  name:
    "findKernel() finds it on a raw disk and in MBR, logical and GPT partitions as sfdisk makes them",
  ignore: !HAVE_SFDISK,
  fn() {
    const folder = mkdtempSync(join(tmpdir(), "disk-"));
    try {
      const kernel = addressKernel();
      const image = fileSystem(kernel, 4 << 20);
      const raw = findKernel(new MemoryDisk(image), "raw");
      assert.deepEqual(raw.bytes, kernel);
      assert.equal(raw.partition, 0);
      const scripts: [string, number, number][] = [
        ["label: dos\n2048,8192,83\n", 1, 2048],
        ["label: dos\n2048,4096,83\n8192,30000,5\n10240,8192,83\n", 5, 10240],
        ["label: gpt\n2048,4096\n8192,8192\n", 2, 8192],
      ];
      for (const [script, number, sector] of scripts) {
        const path = join(folder, "disk");
        writeFileSync(path, new Uint8Array(24 << 20));
        const made = spawnSync("sfdisk", ["-q", path], { input: script, encoding: "utf8" });
        assert.equal(made.status, 0, made.stderr);
        const bytes = new Uint8Array(readFileSync(path));
        bytes.set(image, sector * 512);
        const found = findKernel(new MemoryDisk(bytes), "disk");
        assert.deepEqual(found.bytes, kernel);
        assert.equal(found.partition, number, script);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
});

Deno.test("readPartitions() ends on a chain of extended records that loops", () => {
  const disk = new Uint8Array(64 * 512);
  const record = (sector: number, entries: [number, number, number][]): void => {
    const view = new DataView(disk.buffer, sector * 512, 512);
    view.setUint16(510, 0xaa55, true);
    entries.forEach(([type, first, count], index) => {
      view.setUint8(446 + 16 * index + 4, type);
      view.setUint32(446 + 16 * index + 8, first, true);
      view.setUint32(446 + 16 * index + 12, count, true);
    });
  };
  record(0, [[5, 8, 50]]);
  record(8, [[0x83, 1, 4], [5, 8, 10]]);
  record(16, [[0x83, 1, 4], [5, 0, 10]]);
  const found = readPartitions(
    (sector, count) => disk.subarray(sector * 512, (sector + count) * 512),
    64,
  );
  assert.deepEqual(found.map(({ number, firstSector }) => [number, firstSector]), [[5, 9], [
    6,
    17,
  ]]);
});

Deno.test("loadKernel() places a Multiboot 1 kernel and its information structure", () => {
  const target = new FakeTarget();
  loadKernel(target, addressKernel(), { name: "k", commandLine: "root=/dev/hda" });
  assert.deepEqual(target.entered, { eip: 0x100020, eax: 0x2badb002, ebx: 0x10000 });
  const info = new DataView(target.ram.buffer, 0x10000);
  assert.equal(info.getUint32(0, true) & 0x45, 0x45);
  assert.equal(info.getUint32(8, true), 3072); // KiB above 1 MiB
  const text = target.ram.subarray(info.getUint32(16, true));
  assert.equal(new TextDecoder().decode(text.subarray(0, text.indexOf(0))), "root=/dev/hda");
});

Deno.test("loadKernel() says in one sentence why a file does not boot", () => {
  const refuse = (bytes: Uint8Array, pattern: RegExp): void => {
    assert.throws(
      () => loadKernel(new FakeTarget(), bytes, { name: "k", commandLine: "" }),
      (error: unknown) =>
        error instanceof BootError && pattern.test(error.message) && !error.message.includes("\n"),
      String(pattern),
    );
  };
  refuse(new Uint8Array(100), /"k" is not an ELF file/);
  const elf = new Uint8Array(64);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  elf[18] = 62;
  refuse(elf, /program for x86-64; give one for i386/);
  elf[4] = 1;
  elf[18] = 3;
  elf[16] = 2;
  refuse(elf, /has no Multiboot header/);
  refuse(addressKernel(0x10803), /requires Multiboot features/);
  const large = addressKernel();
  new DataView(large.buffer).setUint32(24, 0x8000000, true);
  refuse(large, /does not fit into 4 MiB of memory.*--ram/);
});

Deno.test("findKernel() brings the RAM disk that stands beside a Linux kernel", () => {
  const linux = new Uint8Array(0x400);
  const view = new DataView(linux.buffer);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint32(0x202, 0x53726448, true);
  for (const [kernel, expected] of [[linux, 100], [addressKernel(), undefined]] as const) {
    const root = directory();
    put(root, "/boot/kernel", file(kernel));
    put(root, "/boot/initrd", file(new Uint8Array(100)));
    const image = new Uint8Array(2 << 20);
    writeExt2({ write: (at, bytes) => image.set(bytes, at) }, root, { sizeBytes: image.length });
    assert.equal(findKernel(new MemoryDisk(image), "disk.img").initrd?.length, expected);
  }
});

Deno.test("findKernel() says that there is no kernel or no file system", () => {
  assert.throws(
    () => findKernel(new MemoryDisk(fileSystem(undefined, 2 << 20)), "disk.img"),
    /"disk.img" has no \/boot\/kernel; .* --kernel/,
  );
  assert.throws(
    () => findKernel(new MemoryDisk(new Uint8Array(8192)), "disk.img"),
    /"disk.img" holds no ext2/,
  );
});
