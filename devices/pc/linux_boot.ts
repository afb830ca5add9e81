/**
 * The Linux/x86 boot protocol: puts a bzImage, its initial RAM disk and command line into memory and enters the
 * kernel at its 32-bit entry.
 *
 * The 32-bit entry, because no firmware ran: the 16-bit one asks the BIOS (INT 10h, 13h, 15h, 16h) for what
 * the loader knows anyway and puts into the boot parameters. A kernel that wants the BIOS is started by one
 * (`--bios`), by a boot loader on the disk.
 *
 * Sources: Documentation/x86/boot.rst (protocol 2.00 to 2.15: "The Real-Mode Kernel Header", "32-bit Boot
 * Protocol"), zero-page.rst; uapi/linux/screen_info.h for the screen.
 *
 * @module
 */
import { BootError, type BootTarget, LOW_MEMORY_END, memoryMap, usableEnd } from "./boot_target.ts";

/** Offsets in the setup header, which are the same in the file and in the boot parameters. */
const HEADER = {
  SETUP_SECTORS: 0x1f1,
  PARAGRAPHS: 0x1f4,
  VIDEO_MODE: 0x1fa,
  BOOT_FLAG: 0x1fe,
  /** The byte behind the jump at 200h: the header ends this far behind the magic number. */
  JUMP_DISTANCE: 0x201,
  MAGIC: 0x202,
  VERSION: 0x206,
  LOADER: 0x210,
  LOAD_FLAGS: 0x211,
  CODE32_START: 0x214,
  RAMDISK_IMAGE: 0x218,
  RAMDISK_SIZE: 0x21c,
  COMMAND_LINE: 0x228,
  INITRD_MAX: 0x22c,
  ALIGNMENT: 0x230,
  RELOCATABLE: 0x234,
  LONG_FLAGS: 0x236,
  COMMAND_LINE_SIZE: 0x238,
  PREFERRED_ADDRESS: 0x258,
  INIT_SIZE: 0x260,
  END: 0x26c,
} as const;

/** Offsets in the boot parameters ("zero page") outside of the header. */
const PARAMETERS = {
  SCREEN: 0x000,
  ACPI_RSDP: 0x070,
  EXTENDED_KIB: 0x1e0,
  MAP_ENTRIES: 0x1e8,
  MAP: 0x2d0,
  BYTES: 0x1000,
} as const;

const SECTOR_BYTES = 512;
const PAGE_BYTES = 4096;
const HEADER_START = 0x1f1;
const BOOT_MAGIC = 0xaa55;
const HEADER_MAGIC = 0x53726448; // "HdrS"
/** The first version with a command line pointer of 32 bits. */
const OLDEST_VERSION = 0x202;
const LOADED_HIGH = 0x01;
const KERNEL_IS_64_BIT = 0x01;
/** "No identifier assigned". */
const UNDEFINED_LOADER = 0xff;
const NORMAL_VIDEO_MODE = 0xffff;
/** Before 2.06 a command line has 255 characters; before 2.03 a RAM disk ends here. */
const OLD_COMMAND_LINE = 255;
const OLD_INITRD_MAX = 0x37ffffff;
const MIB = 1 << 20;

/** Where the loader's pieces are in conventional memory, as QEMU and most boot loaders have them. */
const PLACE = {
  PARAMETERS: 0x10000,
  GDT: 0x11000,
  STACK_TOP: 0x20000,
  COMMAND_LINE: 0x20000,
} as const;
/** How what Linux 6.1 takes as a RAM disk begins (init/initramfs, init/do_mounts_rd, lib/decompress). */
const RAM_DISKS: readonly { readonly at: number; readonly magic: readonly number[] }[] = [
  { at: 0, magic: [0x30, 0x37, 0x30, 0x37, 0x30, 0x31] }, // cpio, newc
  { at: 0, magic: [0x30, 0x37, 0x30, 0x37, 0x30, 0x32] }, // cpio, newc with checksums
  { at: 0, magic: [0x1f, 0x8b] }, // gzip
  { at: 0, magic: [0x1f, 0x9e] }, // gzip, of old
  { at: 0, magic: [0x42, 0x5a] }, // bzip2
  { at: 0, magic: [0x5d, 0x00] }, // lzma
  { at: 0, magic: [0xfd, 0x37] }, // xz
  { at: 0, magic: [0x89, 0x4c] }, // lzo
  { at: 0, magic: [0x02, 0x21] }, // lz4
  { at: 0, magic: [0x28, 0xb5] }, // zstd
  { at: 0, magic: [0x45, 0x3d, 0xcd, 0x28] }, // cramfs
  { at: 0x200, magic: [0x45, 0x3d, 0xcd, 0x28] },
  { at: 0, magic: [0x68, 0x73, 0x71, 0x73] }, // squashfs
  { at: 0, magic: [0x2d, 0x72, 0x6f, 0x6d, 0x31, 0x66, 0x73, 0x2d] }, // romfs
  { at: 0x410, magic: [0x7f, 0x13] }, // minix
  { at: 0x410, magic: [0x8f, 0x13] },
  { at: 0x438, magic: [0x53, 0xef] }, // ext2, ext3, ext4
];
/** Selectors of the protocol: __BOOT_CS and __BOOT_DS. */
const BOOT_CODE = 0x10;
const BOOT_DATA = 0x18;
const FLAT_CODE = 0x00cf_9a00_0000_ffffn;
const FLAT_DATA = 0x00cf_9200_0000_ffffn;

/** A RAM disk, which Linux unpacks or mounts as its first file system. */
export interface InitialRamDisk {
  /** The archive or image. */
  readonly bytes: Uint8Array;
  /** What to call it in messages. */
  readonly name: string;
}

/** What comes with the kernel. */
export interface LinuxOptions {
  /** What to call the kernel in messages. */
  readonly name: string;
  /** Without the end's zero. */
  readonly commandLine: string;
  /** Its RAM disk, if it has one. */
  readonly initrd?: InitialRamDisk;
  /** Physical address of ACPI's root pointer, where the loader has put one. */
  readonly acpiRsdp?: number;
  /** The root pointer itself, of which Multiboot 2 takes a copy. */
  readonly acpiRoot?: Uint8Array;
}

interface Plan {
  readonly version: number;
  readonly view: DataView;
  readonly headerEnd: number;
  readonly code: Uint8Array;
  /** Where the protected-mode kernel is put. */
  readonly load: number;
  /** Memory that it needs from `start` on before it looks at the memory map. */
  readonly start: number;
  readonly end: number;
  readonly commandLineLimit: number;
  readonly initrdMax: number;
}

/** Whether the file has a Linux setup header, whatever else is wrong with it. */
export function isLinuxKernel(file: Uint8Array): boolean {
  if (file.length < HEADER.MAGIC + 4) return false;
  const view = viewOf(file);
  return view.getUint16(HEADER.BOOT_FLAG, true) === BOOT_MAGIC &&
    view.getUint32(HEADER.MAGIC, true) === HEADER_MAGIC;
}

/**
 * Loads a bzImage and sets the CPU at its 32-bit entry.
 *
 * @throws {BootError} when it is none for an i386, is damaged, or does not fit into memory with its RAM disk
 */
export function loadLinux(target: BootTarget, file: Uint8Array, options: LinuxOptions): void {
  const { name } = options;
  const ram = usableEnd(target.memory.size);
  const plan = readHeader(file, name, ram);
  const commandLine = new TextEncoder().encode(`${options.commandLine}\0`);
  if (commandLine.length - 1 > plan.commandLineLimit) {
    throw new BootError(
      `The command line has ${
        commandLine.length - 1
      } bytes, but "${name}" takes ${plan.commandLineLimit}; shorten --append`,
    );
  }
  const initrdAt = placeInitrd(plan, options, ram);

  target.memory.write(plan.load, plan.code);
  if (options.initrd !== undefined) target.memory.write(initrdAt, options.initrd.bytes);
  target.memory.write(PLACE.COMMAND_LINE, commandLine);
  target.memory.write(PLACE.GDT, descriptors());
  target.memory.write(
    PLACE.PARAMETERS,
    bootParameters(file, plan, options, initrdAt, target.memory.size),
  );
  target.enterFlatProtectedMode({
    eip: plan.load,
    esi: PLACE.PARAMETERS,
    esp: PLACE.STACK_TOP,
    gdt: { base: PLACE.GDT, limit: 8 * 4 - 1 },
    codeSelector: BOOT_CODE,
    dataSelector: BOOT_DATA,
  });
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / MIB);
}

/** boot.rst, "The Real-Mode Kernel Header". */
function readHeader(file: Uint8Array, name: string, ram: number): Plan {
  const view = viewOf(file);
  // The header of 2.15 ends here; an older one's setup code follows, of at least a sector.
  if (file.length < HEADER.END) throw new BootError(`"${name}" is cut off within its Linux header`);
  const version = view.getUint16(HEADER.VERSION, true);
  if (version < OLDEST_VERSION || (view.getUint8(HEADER.LOAD_FLAGS) & LOADED_HIGH) === 0) {
    throw new BootError(
      `"${name}" is a Linux kernel of before 2.4 or a zImage (boot protocol ${version >> 8}.${
        version & 0xff
      }); give a bzImage`,
    );
  }
  // A sector count of 0 means 4; the boot sector itself is not counted.
  const setupBytes = ((view.getUint8(HEADER.SETUP_SECTORS) || 4) + 1) * SECTOR_BYTES;
  const headerEnd = HEADER.MAGIC + view.getUint8(HEADER.JUMP_DISTANCE);
  const codeBytes = view.getUint32(HEADER.PARAGRAPHS, true) * 16;
  // The last paragraph need not be whole.
  if (
    file.length <= setupBytes || headerEnd > setupBytes || file.length + 15 < setupBytes + codeBytes
  ) {
    throw new BootError(
      `"${name}" is cut off: its Linux kernel would end at byte ${
        setupBytes + codeBytes
      } of ${file.length}`,
    );
  }
  const from = (first: number, offset: number, otherwise: number): number =>
    version >= first ? view.getUint32(offset, true) : otherwise;
  if (version >= 0x20c && (view.getUint16(HEADER.LONG_FLAGS, true) & KERNEL_IS_64_BIT) !== 0) {
    throw new BootError(
      `"${name}" is a Linux kernel for x86-64; give one for i386, like Debian's linux-image-686`,
    );
  }
  const code = file.subarray(setupBytes);
  const standard = view.getUint32(HEADER.CODE32_START, true);
  const relocatable = version >= 0x205 && view.getUint8(HEADER.RELOCATABLE) !== 0;
  const preferred = from(0x20a, HEADER.PREFERRED_ADDRESS, standard);
  const high = version >= 0x20a && view.getUint32(HEADER.PREFERRED_ADDRESS + 4, true) !== 0;
  const size = Math.max(code.length, from(0x20a, HEADER.INIT_SIZE, code.length));
  // Loaded where it wants to run, it need not move; where memory ends before, anywhere aligned above 1 MiB will do.
  const load = relocatable && !high && preferred + size <= ram ? preferred : standard;
  const start = relocatable
    ? alignUp(load, Math.max(1, from(0x205, HEADER.ALIGNMENT, 1)))
    : preferred;
  const end = Math.max(load + code.length, start + size);
  if (load < MIB || end > ram) {
    throw new BootError(
      `"${name}" does not fit into ${mebibytes(ram)} MiB of memory: it needs ${
        mebibytes(end)
      } MiB to start; give more with --ram`,
    );
  }
  return {
    version,
    view,
    headerEnd,
    code,
    load,
    start,
    end,
    commandLineLimit: Math.min(
      from(0x206, HEADER.COMMAND_LINE_SIZE, OLD_COMMAND_LINE) || OLD_COMMAND_LINE,
      LOW_MEMORY_END - PLACE.COMMAND_LINE - 1,
    ),
    initrdMax: from(0x203, HEADER.INITRD_MAX, OLD_INITRD_MAX),
  };
}

/** boot.rst, "Loading The Rest of The Kernel": as high as allowed, so that the kernel does not overwrite it. */
function placeInitrd(plan: Plan, options: LinuxOptions, ram: number): number {
  const { initrd, name } = options;
  if (initrd === undefined) return 0;
  if (!RAM_DISKS.some(({ at, magic }) => magic.every((byte, i) => initrd.bytes[at + i] === byte))) {
    throw new BootError(
      `"${initrd.name}" is no initial RAM disk: Linux takes a cpio archive (of the form "newc"), compressed or not, ` +
        `or the image of a file system`,
    );
  }
  const limit = Math.min(ram, plan.initrdMax + 1, memoryLimit(options.commandLine));
  const at = Math.floor((limit - initrd.bytes.length) / PAGE_BYTES) * PAGE_BYTES;
  if (at < plan.end) {
    throw new BootError(
      `The initial RAM disk "${initrd.name}" of ${
        mebibytes(initrd.bytes.length)
      } MiB does not fit behind "${name}" into ${
        mebibytes(limit)
      } MiB of memory; give more with --ram`,
    );
  }
  return at;
}

/** boot.rst, "Special Command Line Options": the loader heeds `mem=`, or the RAM disk ends up above of it. */
function memoryLimit(commandLine: string): number {
  const match = /(?:^|\s)mem=(0x[0-9a-f]+|\d+)([kmg]?)/i.exec(commandLine);
  if (match === null) return Infinity;
  const unit = { "": 1, k: 1 << 10, m: 1 << 20, g: 1 << 30 }[(match[2] as string).toLowerCase()];
  return Number(match[1]) * (unit as number);
}

/** boot.rst, "32-bit Boot Protocol": flat code at 10h, flat data at 18h. */
function descriptors(): Uint8Array {
  const bytes = new Uint8Array(8 * 4);
  viewOf(bytes).setBigUint64(BOOT_CODE, FLAT_CODE, true);
  viewOf(bytes).setBigUint64(BOOT_DATA, FLAT_DATA, true);
  return bytes;
}

/** zero-page.rst. */
function bootParameters(
  file: Uint8Array,
  plan: Plan,
  options: LinuxOptions,
  initrdAt: number,
  ram: number,
): Uint8Array {
  const bytes = new Uint8Array(PARAMETERS.BYTES);
  const view = viewOf(bytes);
  bytes.set(file.subarray(HEADER_START, plan.headerEnd), HEADER_START);
  view.setUint16(HEADER.VIDEO_MODE, NORMAL_VIDEO_MODE, true);
  view.setUint8(HEADER.LOADER, UNDEFINED_LOADER);
  view.setUint32(HEADER.CODE32_START, plan.load, true);
  view.setUint32(HEADER.RAMDISK_IMAGE, initrdAt, true);
  view.setUint32(HEADER.RAMDISK_SIZE, options.initrd?.bytes.length ?? 0, true);
  view.setUint32(HEADER.COMMAND_LINE, PLACE.COMMAND_LINE, true);
  view.setUint32(PARAMETERS.ACPI_RSDP, options.acpiRsdp ?? 0, true);
  const extendedKib = (usableEnd(ram) - MIB) / 1024;
  view.setUint32(PARAMETERS.EXTENDED_KIB, extendedKib, true);
  const map = memoryMap(ram);
  view.setUint8(PARAMETERS.MAP_ENTRIES, map.length);
  map.forEach(({ start, length, type }, index) => {
    const at = PARAMETERS.MAP + 20 * index;
    view.setBigUint64(at, BigInt(start), true);
    view.setBigUint64(at + 8, BigInt(length), true);
    view.setUint32(at + 16, type, true);
  });
  describeScreen(view, extendedKib);
  return bytes;
}

/** struct screen_info of the text mode that the VGA is in after the firmware: 80 × 25, mode 3. */
function describeScreen(view: DataView, extendedKib: number): void {
  const at = PARAMETERS.SCREEN;
  view.setUint16(at + 0x02, Math.min(extendedKib, 0xfc00), true);
  view.setUint8(at + 0x06, 3); // video mode
  view.setUint8(at + 0x07, 80);
  view.setUint16(at + 0x0a, 3, true); // INT 10h AH=12h BL=10h: colour, 256 KiB
  view.setUint8(at + 0x0e, 25);
  view.setUint8(at + 0x0f, 1); // a VGA
  view.setUint16(at + 0x10, 16, true); // lines of a character
}
