/**
 * The boot loader, on the host's side: finds the kernel on a disk's ext2 file system and loads it into the
 * machine's memory by the protocol that it is made for: Multiboot 1, Multiboot 2 or Linux's.
 *
 * @module
 */
import type { BlockBackend } from "../bus/block.ts";
import { BootError, type BootTarget } from "./boot_target.ts";
import { isLinuxKernel, type LinuxOptions, loadLinux } from "./linux_boot.ts";
import { loadMultiboot } from "./multiboot.ts";
import { Ext2Error, Ext2Reader } from "./ext2.ts";
import { readPartitions } from "./partition.ts";

/** A kernel that was found on a disk. */
export interface FoundKernel {
  /** The ELF file or bzImage. */
  readonly bytes: Uint8Array;
  /** The initial RAM disk that stands beside a Linux kernel, at {@link INITRD_PATH}. */
  readonly initrd: Uint8Array | undefined;
  /** The partition's number, or 0 for a file system on the whole disk. */
  readonly partition: number;
  /** Where it was found. */
  readonly fileSystem: Ext2Reader;
}

/** Where a kernel stands on a disk. */
export const KERNEL_PATH = "/boot/kernel";
/** Where a Linux kernel's initial RAM disk stands on a disk, if it needs one. */
export const INITRD_PATH = "/boot/initrd";

const SECTOR_BYTES = 512;

/** Reads byte ranges of a disk's part; throws a RangeError outside of it. */
function rangeReader(disk: BlockBackend, first: number, sectors: number) {
  return (offset: number, length: number): Uint8Array => {
    const from = Math.floor(offset / SECTOR_BYTES);
    const to = Math.ceil((offset + length) / SECTOR_BYTES);
    if (offset < 0 || length < 0 || to > sectors) throw new RangeError("outside of the disk");
    const bytes = new Uint8Array((to - from) * SECTOR_BYTES);
    if (to > from) disk.read(first + from, bytes);
    return bytes.subarray(offset - from * SECTOR_BYTES, offset - from * SECTOR_BYTES + length);
  };
}

/**
 * Finds the ext2 file systems of a disk: on the whole of it, or in its partitions.
 *
 * @throws {Ext2Error} of the first place tried, when there is none
 */
export function findFileSystems(
  disk: BlockBackend,
): { partition: number; fileSystem: Ext2Reader }[] {
  const places = [
    { number: 0, firstSector: 0, sectors: disk.sectors },
    ...readPartitions((sector, count) => {
      const bytes = new Uint8Array(count * SECTOR_BYTES);
      disk.read(sector, bytes);
      return bytes;
    }, disk.sectors),
  ];
  const found: { partition: number; fileSystem: Ext2Reader }[] = [];
  let problem: Ext2Error | undefined;
  for (const { number, firstSector, sectors } of places) {
    try {
      const fileSystem = new Ext2Reader(rangeReader(disk, firstSector, sectors));
      if (fileSystem.sizeBytes > sectors * SECTOR_BYTES) {
        throw new Ext2Error(
          `is cut off: it has ${
            sectors * SECTOR_BYTES
          } of the ${fileSystem.sizeBytes} bytes of its ext2 file system`,
        );
      }
      found.push({ partition: number, fileSystem });
    } catch (error) {
      if (!(error instanceof Ext2Error)) throw error;
      // What is wrong with a partition says more than that the whole disk is no file system.
      if (problem === undefined || !error.message.includes("no ext2")) problem = error;
    }
  }
  if (found.length === 0) throw problem!;
  return found;
}

/**
 * Finds `/boot/kernel` on a disk: a Multiboot kernel, or a Linux kernel with `/boot/initrd`.
 *
 * @param name what to call the disk in messages
 * @throws {BootError} when there is no file system, no kernel, or the file system is damaged
 */
export function findKernel(disk: BlockBackend, name: string): FoundKernel {
  try {
    for (const { partition, fileSystem } of findFileSystems(disk)) {
      const bytes = fileSystem.readFile(KERNEL_PATH);
      if (bytes === undefined) continue;
      const initrd = isLinuxKernel(bytes) ? fileSystem.readFile(INITRD_PATH) : undefined;
      return { bytes, initrd, partition, fileSystem };
    }
  } catch (error) {
    if (error instanceof Ext2Error) throw new BootError(`"${name}" ${error.message}`);
    throw error;
  }
  throw new BootError(
    `"${name}" has no ${KERNEL_PATH}; put a kernel there, or give one with --kernel FILE`,
  );
}

/**
 * Loads a kernel and sets the CPU at its entry.
 *
 * @throws {BootError} when it is none for this machine, or does not fit into memory
 */
export function loadKernel(target: BootTarget, kernel: Uint8Array, options: LinuxOptions): void {
  if (isLinuxKernel(kernel)) {
    loadLinux(target, kernel, options);
    return;
  }
  if (options.initrd !== undefined) {
    throw new BootError(
      `"${options.name}" is no Linux kernel (bzImage), and only those take an initial RAM disk`,
    );
  }
  loadMultiboot(target, kernel, options);
}
