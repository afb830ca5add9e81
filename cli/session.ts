/**
 * A machine as the commands use it: disk and kernel found and loaded, plugins installed.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import {
  type Ext2Reader,
  findFileSystems,
  findKernel,
  type InitialRamDisk,
  INITRD_PATH,
  isBiosSize,
  isElf,
  isLinuxKernel,
  KERNEL_PATH,
  Machine,
  type MachineOptions,
  NS_PER_INSTRUCTION,
  SnapshotDisk,
} from "../devices/mod.ts";
import type { CpuModel } from "../cpu/mod.ts";
import { FileDisk, hostTime } from "../devices/host/mod.ts";
import {
  type AnyPlugin,
  loadPlugin,
  PluginManager,
  type PluginOutput,
  type SymbolTable,
} from "../plugins/mod.ts";
import { cachedDefaultImage } from "./project.ts";
import { say, UserError } from "./report.ts";
import { elfSymbols, givenSymbols, guestBinary } from "./symbol_file.ts";

/** What the commands' options say. */
export interface SessionOptions {
  /** The image; undefined: none when there is a kernel, else the default one, from the cache, left unchanged. */
  readonly image: string | undefined;
  readonly cache: string;
  readonly kernel: string | undefined;
  readonly initrd?: string | undefined;
  /** A file with the kernel's symbols; undefined: those of the kernel's ELF file. */
  readonly symbols?: string | undefined;
  /** The medium of a CD-ROM drive; undefined: no such drive. */
  readonly cdrom?: string | undefined;
  readonly append: string | undefined;
  /** A BIOS to start from instead of a kernel, and the ROMs of cards for it. */
  readonly bios?: string | undefined;
  /** The VGA's BIOS; undefined: the one that stands beside the BIOS, if there is one. */
  readonly vgaRom?: string | undefined;
  readonly optionRoms?: readonly string[] | undefined;
  readonly ramBytes: number;
  readonly cpu: CpuModel;
  /** False: no local APIC and no I/O APIC, whatever the processor has. */
  readonly apic: boolean;
  /** Entries of a block until it is translated; 0: never. */
  readonly translateAfter: number;
  /** Translated code counts what it does. */
  readonly statistics: boolean;
  /** Translated code has the names of the guest's symbols in the host's profiles. */
  readonly perfMap: boolean;
  readonly snapshot: boolean;
  readonly clock: "virtual" | "wall";
  /** Plugins as the command line names them. */
  readonly plugins: readonly string[];
  /** Plugins that the command brings itself. */
  readonly own?: readonly AnyPlugin[];
  readonly serial: (bytes: Uint8Array) => void;
}

const MEBIBYTE = 1 << 20;
const MIN_RAM_MIB = 8;
const MAX_RAM_MIB = 3072;

/** A loaded machine with its plugins. Dispose of it when it has ended. */
export class Session implements Disposable {
  readonly machine: Machine;
  readonly plugins: PluginManager;
  /** The ELF file with the kernel's symbols, for a debugger, and an absolute path to call it by. */
  readonly program: { readonly name: string; readonly bytes: Uint8Array } | undefined;
  readonly #files: readonly FileDisk[];

  private constructor(
    parts: Pick<Session, "machine" | "plugins" | "program">,
    files: readonly FileDisk[],
  ) {
    this.machine = parts.machine;
    this.plugins = parts.plugins;
    this.program = parts.program;
    this.#files = files;
  }

  /**
   * Opens the image, loads the kernel and installs the plugins.
   *
   * @throws {UserError | BootError | ImageError | PluginError} with one sentence for the user
   */
  static async open(options: SessionOptions): Promise<Session> {
    const ramMiB = options.ramBytes / MEBIBYTE;
    if (!Number.isInteger(ramMiB) || ramMiB < MIN_RAM_MIB || ramMiB > MAX_RAM_MIB) {
      throw new UserError(
        `The machine has from ${MIN_RAM_MIB}M to ${MAX_RAM_MIB}M of memory, in whole MiB`,
      );
    }
    const loaded = await Promise.all(options.plugins.map((text) => loadPlugin(text, Deno.cwd())));
    const path = options.image ??
      (options.kernel === undefined && options.bios === undefined
        ? await cachedDefaultImage(options.cache)
        : undefined);
    const snapshot = options.snapshot || options.image === undefined;
    const files: FileDisk[] = [];
    const open = (name: string | undefined, readOnly: boolean): FileDisk | undefined => {
      if (name === undefined) return undefined;
      const file = new FileDisk(name, { readOnly });
      files.push(file);
      return file;
    };
    try {
      const disk = open(path, snapshot);
      const cdrom = open(options.cdrom, true);
      const firmware = readFirmware(options);
      const kernel = firmware === undefined ? findBootKernel(options, disk, path ?? "") : undefined;
      const initrd = options.initrd === undefined
        ? kernel?.initrd
        : { bytes: readGiven(options.initrd, "initial RAM disk"), name: options.initrd };
      const given = options.symbols === undefined
        ? undefined
        : { bytes: readGiven(options.symbols, "symbols"), name: options.symbols };
      const symbols = given !== undefined
        ? givenSymbols(given.bytes, given.name)
        : kernel === undefined
        ? undefined
        : elfSymbols(kernel.bytes, "kernel");
      const machine = new Machine({
        ramBytes: options.ramBytes,
        cpu: options.cpu,
        ...(options.apic ? {} : { apic: false }),
        translateAfter: options.translateAfter,
        ...(options.statistics ? { now: () => performance.now() } : {}),
        ...(options.perfMap ? { nameCode: (linear) => symbolName(symbols, linear) } : {}),
        ...firmware,
        disks: disk === undefined ? [] : [snapshot ? new SnapshotDisk(disk) : disk],
        ...(cdrom === undefined ? {} : { cdrom }),
        serial: options.serial,
        debug: (bytes) => say(new TextDecoder().decode(bytes)),
        clock: options.clock,
        host: hostTime,
        // On the host's time the guest's calendar is the host's too; a virtual run repeats.
        ...(options.clock === "wall" ? { seedTimeMs: Date.now() } : {}),
      });
      if (kernel !== undefined) {
        machine.loadKernel(kernel.bytes, kernel.commandLine, {
          name: kernel.name,
          ...(initrd === undefined ? {} : { initrd }),
        });
      }
      const plugins = new PluginManager({
        cpu: machine.cpu,
        now: () => machine.clock.now(),
        instructionsPerSecond: 1e9 / NS_PER_INSTRUCTION,
        stop: () => machine.stop(),
        hold: (until) => machine.hold(until),
        device: (physical) => machine.board.addresses.at(physical)?.name,
        port: (number) => machine.board.ports.at(number)?.name,
        advanceTo: (ns) => {
          machine.clock.skipTo(ns);
          machine.cpu.requestStop();
        },
        kernel: symbols,
        binary: kernel === undefined ? undefined : guestBinary(kernel.bytes, kernel.name),
        program: programSymbols(kernel?.fileSystem),
      }, PLUGIN_OUTPUT);
      for (const definition of options.own ?? []) plugins.install({ definition, options: {} });
      for (const plugin of loaded) plugins.install(plugin);
      const program = [given, kernel].find((file) => file !== undefined && isElf(file.bytes));
      return new Session({
        machine,
        plugins,
        program: program === undefined
          ? undefined
          : { name: `/${basename(program.name)}`, bytes: program.bytes },
      }, files);
    } catch (error) {
      for (const file of files) file[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    for (const file of this.#files) file[Symbol.dispose]();
  }
}

/** `symbol+0x12`, or undefined. */
function symbolName(symbols: SymbolTable | undefined, linear: number): string | undefined {
  const found = symbols?.at(linear);
  if (found === undefined) return undefined;
  return found.offset === 0 ? found.name : `${found.name}+0x${found.offset.toString(16)}`;
}

const PLUGIN_OUTPUT: PluginOutput = {
  text: (_plugin, text) => say(text),
  failure: (message) => say(`overture: ${message}\n`),
};

interface BootKernel {
  readonly bytes: Uint8Array;
  readonly name: string;
  readonly commandLine: string;
  readonly initrd?: InitialRamDisk;
  readonly fileSystem: Ext2Reader | undefined;
}

/** Reads a file that the user has named. */
function readGiven(path: string, what: string): Uint8Array {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    throw new UserError(`Cannot read the ${what} "${path}": ${(error as Error).message}`);
  }
}

/** What a machine with a BIOS is given; undefined when it is to start from a kernel. */
function readFirmware(
  options: SessionOptions,
): Pick<MachineOptions, "bios" | "biosOnSerial" | "vgaRom" | "optionRoms"> | undefined {
  const { bios, kernel, initrd, append } = options;
  if (bios === undefined) {
    if (options.vgaRom === undefined && (options.optionRoms ?? []).length === 0) return undefined;
    throw new UserError("Only a BIOS uses ROMs of cards; give one with --bios FILE");
  }
  if (kernel !== undefined || initrd !== undefined || append !== undefined) {
    throw new UserError(
      "--bios boots what is on the disk: --kernel, --initrd and --append do not go with it",
    );
  }
  const image = readGiven(bios, "BIOS");
  if (!isBiosSize(image.length)) {
    throw new UserError(
      `"${bios}" is no BIOS: it has ${image.length} bytes, and a ROM has 64 KiB to 16 MiB in whole pages of 4 KiB`,
    );
  }
  const beside = join(dirname(bios), VGA_ROM);
  const vgaRom = options.vgaRom ?? (exists(beside) ? beside : undefined);
  return {
    bios: image,
    ...(vgaRom === undefined ? {} : { vgaRom: readRom(vgaRom, "VGA ROM") }),
    biosOnSerial: true,
    optionRoms: (options.optionRoms ?? []).map((path) => readRom(path, "option ROM")),
  };
}

/** SeaBIOS's for the display that the machine has. */
const VGA_ROM = "vgabios-stdvga.bin";

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** A card's ROM begins with 55h AAh and its length in units of 512 bytes. */
function readRom(path: string, what: string): Uint8Array {
  const bytes = readGiven(path, what);
  if (bytes[0] !== 0x55 || bytes[1] !== 0xaa) {
    throw new UserError(`"${path}" is no ${what}: it does not begin with the bytes 55 AA`);
  }
  return bytes;
}

/** The user's root= stands alone; else the root is where the kernel was found, by the kernel's name for it. */
function withRoot(append: string, kernel: Uint8Array, partition: number | undefined): string {
  if (partition === undefined || /(^|\s)root=/.test(append)) return append;
  // Linux calls disks of the ATA kind SCSI disks since 2.6.20; ours has the old names.
  const disk = isLinuxKernel(kernel) ? "/dev/sda" : "/dev/hda";
  return `root=${disk}${partition === 0 ? "" : partition} ${append}`.trimEnd();
}

function findBootKernel(
  options: SessionOptions,
  disk: FileDisk | undefined,
  path: string,
): BootKernel {
  const append = options.append ?? "";
  if (options.kernel === undefined && disk !== undefined) {
    const { bytes, initrd, partition, fileSystem } = findKernel(disk, path);
    return {
      bytes,
      ...(initrd === undefined
        ? {}
        : { initrd: { bytes: initrd, name: `${path}:${INITRD_PATH}` } }),
      name: `${path}:${KERNEL_PATH}`,
      commandLine: withRoot(append, bytes, partition),
      fileSystem,
    };
  }
  const name = options.kernel ?? "";
  const bytes = readGiven(name, "kernel");
  // A disk without a file system of ours is the kernel's business, not the loader's.
  let place: { partition: number; fileSystem: Ext2Reader } | undefined;
  try {
    place = disk === undefined ? undefined : findFileSystems(disk)[0];
  } catch {
    place = undefined;
  }
  const partition = disk === undefined ? undefined : place?.partition ?? 0;
  return {
    bytes,
    name,
    commandLine: withRoot(append, bytes, partition),
    fileSystem: place?.fileSystem,
  };
}

/** Symbols of programs on the disk, as they were when the machine started; read once each. */
function programSymbols(
  fileSystem: Ext2Reader | undefined,
): (path: string) => SymbolTable | undefined {
  const known = new Map<string, SymbolTable | undefined>();
  return (path) => {
    if (!known.has(path)) {
      let table: SymbolTable | undefined;
      try {
        const bytes = fileSystem?.readFile(path);
        table = bytes === undefined ? undefined : elfSymbols(bytes, path);
      } catch {
        table = undefined; // a damaged file has no symbols
      }
      known.set(path, table);
    }
    return known.get(path);
  };
}
