/**
 * Disks and CD-ROM images that Debian's GRUB boots from a BIOS.
 *
 * The disk is what grub-bios-setup makes: boot.img in the master boot record, core.img in the sectors behind it,
 * where diskboot.img finds the rest by the list that grub-mkimage leaves for that place.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { directory, file, put, writeExt2 } from "../../toolchain/image/mod.ts";
import { debianFiles } from "./linux.ts";

const SECTOR = 512;
const FIRST_SECTOR = 2048;
/** In boot.img: the jump over the check of the drive number that floppies need (grub/i386/pc/boot.h). */
const DRIVE_CHECK = 0x66;
const DISK_IDENTITY = 0x1b8;
const PARTITION_TABLE = 0x1be;
const SIGNATURE = 0x1fe;
const LINUX_PARTITION = 0x83;
const MODULES = ["normal", "multiboot", "multiboot2", "linux", "serial", "terminal", "echo"];

/** GRUB's tools and modules, unpacked. */
export interface Grub {
  readonly mkimage: string;
  readonly folder: string;
}

/** Fetches GRUB; undefined where it cannot be had or does not run here. */
export function grub(): Grub | undefined {
  const common = debianFiles("grub-common");
  const modules = debianFiles("grub-pc-bin");
  if (common === undefined || modules === undefined) return undefined;
  const mkimage = join(common, "usr/bin/grub-mkimage");
  if (spawnSync(mkimage, ["--version"]).status !== 0) return undefined;
  return { mkimage, folder: join(modules, "usr/lib/grub/i386-pc") };
}

/** A configuration that boots one entry at once and talks on the serial port. */
export function grubConfiguration(commands: readonly string[]): string {
  return [
    "serial --unit=0 --speed=115200",
    "terminal_output console serial",
    "set timeout=0",
    "menuentry test {",
    ...commands.map((command) => `  ${command}`),
    "}",
    "",
  ].join("\n");
}

function makeImage(tools: Grub, format: string, prefix: string, modules: string[]): Uint8Array {
  const out = join(Deno.makeTempDirSync(), "core.img");
  try {
    const options = ["-d", tools.folder, "-O", format, "-p", prefix, "-o", out];
    const { status, stderr } = spawnSync(tools.mkimage, [...options, ...MODULES, ...modules], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`grub-mkimage: ${stderr}`);
    return readFileSync(out);
  } finally {
    Deno.removeSync(dirname(out), { recursive: true });
  }
}

/** Writes a disk with one ext2 partition that GRUB boots; `files` by path. */
export function writeGrubDisk(
  tools: Grub,
  options: {
    readonly path: string;
    readonly bytes: number;
    readonly files: Readonly<Record<string, Uint8Array | string>>;
    readonly configuration: string;
    /** What else is on the file system. */
    readonly tree?: ReturnType<typeof directory>;
  },
): void {
  const core = makeImage(tools, "i386-pc", "(hd0,msdos1)/boot/grub", [
    "biosdisk",
    "part_msdos",
    "ext2",
  ]);
  if (core.length > (FIRST_SECTOR - 1) * SECTOR) throw new Error("GRUB's core image is too long");
  const sectors = Math.floor(options.bytes / SECTOR) - FIRST_SECTOR;
  const boot = Uint8Array.from(readFileSync(join(tools.folder, "boot.img")));
  boot.fill(0x90, DRIVE_CHECK, DRIVE_CHECK + 2);
  // The code for floppies, where a disk has its identity and its partitions.
  boot.fill(0, DISK_IDENTITY, SIGNATURE);
  const view = new DataView(boot.buffer);
  view.setUint8(PARTITION_TABLE, 0x80);
  view.setUint8(PARTITION_TABLE + 4, LINUX_PARTITION);
  view.setUint32(PARTITION_TABLE + 8, FIRST_SECTOR, true);
  view.setUint32(PARTITION_TABLE + 12, sectors, true);
  view.setUint16(SIGNATURE, 0xaa55, true);
  const tree = options.tree ?? directory();
  for (const [path, contents] of Object.entries(options.files)) put(tree, path, file(contents));
  put(tree, "/boot/grub/grub.cfg", file(options.configuration));
  const image = Deno.openSync(options.path, { write: true, create: true, truncate: true });
  try {
    image.truncateSync(options.bytes);
    const write = (offset: number, bytes: Uint8Array): void => {
      image.seekSync(offset, Deno.SeekMode.Start);
      for (let done = 0; done < bytes.length;) done += image.writeSync(bytes.subarray(done));
    };
    write(0, boot);
    write(SECTOR, core);
    const base = FIRST_SECTOR * SECTOR;
    writeExt2({ write: (offset, bytes) => write(base + offset, bytes) }, tree, {
      sizeBytes: sectors * SECTOR,
    });
  } finally {
    image.close();
  }
}

/** Writes an ISO image that GRUB boots by El Torito, without emulation; false without xorriso. */
export function writeGrubIso(
  tools: Grub,
  options: {
    readonly path: string;
    readonly files: Readonly<Record<string, Uint8Array | string>>;
    readonly configuration: string;
  },
): boolean {
  const root = Deno.makeTempDirSync();
  try {
    const all = {
      ...options.files,
      "/boot/grub/grub.cfg": options.configuration,
      "/boot/eltorito.img": makeImage(tools, "i386-pc-eltorito", "/boot/grub", [
        "biosdisk",
        "iso9660",
      ]),
    };
    for (const [path, contents] of Object.entries(all)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), contents);
    }
    return spawnSync("xorriso", [
      ...["-as", "mkisofs", "-R", "-quiet", "-b", "boot/eltorito.img", "-no-emul-boot"],
      ...["-boot-load-size", "4", "-boot-info-table", "-o", options.path, root],
    ]).status === 0;
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}
