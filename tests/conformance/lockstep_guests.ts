/**
 * Whole boots for lockstep runs: our kernel to bash, Debian's Linux kernels, SeaBIOS with GRUB, memtest86+.
 *
 * @module
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Machine, MemoryDisk, SnapshotDisk } from "../../devices/mod.ts";
import {
  buildKernel,
  defaultTree,
  device,
  directory,
  file,
  put,
  symlink,
  writeExt2,
} from "../../toolchain/image/mod.ts";
import { debianPrograms } from "../boots/debian.ts";
import { grub, grubConfiguration, writeGrubDisk } from "../boots/grub.ts";
import { busybox, linuxInitrd, linuxPackage, type LinuxVariant } from "../boots/linux.ts";
import { memtestImage } from "../boots/memtest.ts";
import { sources } from "../kernel/user_program.ts";
import { type LockstepGuest, prepared } from "./lockstep.ts";

const MIB = 1 << 20;
const ROMS = "/usr/share/seabios";
const NEWLINE = "\r";

/** Built once: what it takes to build them is more than what the boots take. */
let kernelFile: Promise<Uint8Array> | undefined;
function ownKernel(): Promise<Uint8Array> {
  return kernelFile ??= buildKernel(sources);
}
let ownTree: ReturnType<typeof defaultTree> | undefined;
function ownFiles(): ReturnType<typeof defaultTree> {
  return ownTree ??= defaultTree({ files: sources });
}

/** Types the commands, each when the prompt is there for it. */
function typist(
  machine: Machine,
  prompt: string,
  commands: readonly string[],
): (text: string) => void {
  let typed = 0;
  return (text) => {
    if (typed >= commands.length || text.split(prompt).length - 1 <= typed) return;
    if (!text.endsWith(prompt)) return;
    machine.sendSerial(new TextEncoder().encode(commands[typed++] + NEWLINE));
  };
}

function imageOf(tree: ReturnType<typeof directory>, sizeBytes: number): Uint8Array {
  const image = new Uint8Array(sizeBytes);
  writeExt2({ write: (offset, part) => image.set(part, offset) }, tree, { sizeBytes });
  return image;
}

/** Our kernel with Debian's bash as its first program, and a session; undefined where there is no bash. */
export async function bashGuest(): Promise<LockstepGuest | undefined> {
  const programs = debianPrograms();
  if (programs === undefined) return undefined;
  const kernel = await ownKernel();
  const tree = directory();
  for (const name of ["dev", "etc", "proc", "root", "tmp"]) put(tree, `/${name}`, directory());
  put(tree, "/bin/bash", file(readFileSync(programs.bash), 0o755));
  put(tree, "/bin/busybox", file(readFileSync(programs.busybox), 0o755));
  for (const name of ["cat", "ls", "poweroff", "sleep", "sort"]) {
    put(tree, `/bin/${name}`, symlink("busybox"));
  }
  put(tree, "/dev/console", device("character", { major: 5, minor: 1 }));
  const image = imageOf(tree, 16 * MIB);
  return {
    name: "our kernel with bash",
    make(translateAfter, serial) {
      const machine = new Machine({
        ramBytes: 64 * MIB,
        translateAfter,
        serial,
        disks: [new SnapshotDisk(new MemoryDisk(image))],
      });
      machine.loadKernel(kernel, "root=/dev/hda init=/bin/bash console=ttyS0");
      const user = typist(machine, "bash-5.2# ", [
        "echo $((6*7))",
        "for i in 3 1 2; do echo n$i; done | sort",
        "ls -l / /bin | cat",
        "f() { if [ $1 -lt 2 ]; then echo 1; else echo $(($1 * $(f $(($1 - 1))))); fi; }; f 5",
        "sleep 0.2 & wait; cat /proc/self/maps",
        "poweroff -f",
      ]);
      return prepared(machine, user);
    },
  };
}

const SESSION = [
  "for i in 1 2 3; do echo n$i; done | sort | tail -n 2",
  "cp /bin/ls /tmp/ls; ls -l /tmp/ls /bin; sync",
  "poweroff",
];

/** Our kernel with its own programs, started by init; somebody types commands to its shell. */
export async function ownGuest(commands: readonly string[] = SESSION): Promise<LockstepGuest> {
  const image = imageOf(await ownFiles(), 32 * MIB);
  const kernel = await ownKernel();
  return {
    name: "our kernel with its own programs",
    make(translateAfter, serial) {
      const machine = new Machine({
        ramBytes: 64 * MIB,
        translateAfter,
        serial,
        disks: [new SnapshotDisk(new MemoryDisk(image))],
      });
      machine.loadKernel(kernel, "root=/dev/hda console=ttyS0");
      const user = typist(machine, "/root # ", commands);
      return prepared(machine, user);
    },
  };
}

/** What Linux runs, so that more than its boot is compared. */
const SCRIPT = `uname -sm
for i in 1 2 3 4 5 6 7 8; do true | cat; done
seq 1 3000 | sort -rn | sha256sum
awk 'BEGIN { for (i = 0; i < 3000; i++) s += sqrt(i) * i; print s }'
find /sys/bus | sort | gzip | wc -c
`;

/** Debian's Linux with a script; undefined where it cannot be had. */
export function linuxGuest(variant: LinuxVariant): LockstepGuest | undefined {
  const image = linuxPackage(variant);
  const programs = busybox();
  if (image === undefined || programs === undefined) return undefined;
  const initrd = linuxInitrd({ busybox: programs, script: SCRIPT });
  const kernel = readFileSync(image.kernel);
  return {
    name: `Linux ${variant}`,
    make(translateAfter, serial) {
      const machine = new Machine({ ramBytes: 96 * MIB, translateAfter, serial });
      machine.loadKernel(kernel, "console=ttyS0 cryptomgr.notests panic=-1", {
        name: basename(image.kernel),
        initrd: { bytes: initrd, name: "initrd" },
      });
      return prepared(machine);
    },
  };
}

/** SeaBIOS, GRUB and our kernel to a power-off; undefined where something is missing. */
export async function biosGuest(): Promise<LockstepGuest | undefined> {
  const tools = grub();
  if (tools === undefined || !existsSync(`${ROMS}/bios-256k.bin`)) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "overture-lockstep-"));
  let disk: Uint8Array;
  try {
    const path = join(folder, "disk.img");
    writeGrubDisk(tools, {
      path,
      bytes: 40 * MIB,
      tree: await ownFiles(),
      files: { "/boot/kernel": await ownKernel() },
      configuration: grubConfiguration([
        "multiboot /boot/kernel root=/dev/hda1 init=/sbin/poweroff console=ttyS0",
      ]),
    });
    disk = readFileSync(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
  const bios = readFileSync(`${ROMS}/bios-256k.bin`);
  const vgaRom = readFileSync(`${ROMS}/vgabios-stdvga.bin`);
  return {
    name: "SeaBIOS and GRUB",
    make(translateAfter, serial) {
      return prepared(
        new Machine({
          ramBytes: 64 * MIB,
          bios,
          vgaRom,
          translateAfter,
          serial,
          disks: [new SnapshotDisk(new MemoryDisk(disk))],
        }),
      );
    },
  };
}

/** memtest86+; undefined where it cannot be had. */
export function memtestGuest(ramMiB: number): LockstepGuest | undefined {
  const path = memtestImage();
  if (path === undefined) return undefined;
  const image = readFileSync(path);
  return {
    name: "memtest86+",
    make(translateAfter, serial) {
      const machine = new Machine({ ramBytes: ramMiB * MIB, translateAfter, serial });
      machine.loadKernel(image, "", { name: "memtest86+" });
      return prepared(machine);
    },
  };
}

/** All of them by the names that `deno task lockstep` takes. */
export const GUESTS: Readonly<
  Record<string, () => Promise<LockstepGuest | undefined> | LockstepGuest | undefined>
> = {
  bash: bashGuest,
  own: () => ownGuest(),
  "686": () => linuxGuest("686"),
  "686-pae": () => linuxGuest("686-pae"),
  bios: biosGuest,
  memtest: () => memtestGuest(16),
};
