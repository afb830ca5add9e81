/**
 * Debian's Linux kernels as guests: fetches the packages, makes initial RAM disks and root disks of them, and runs
 * the same files on our machine and on QEMU.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BlockBackend, type ExitReason, Machine } from "../../devices/mod.ts";
import { type InitramfsEntry, writeInitramfs } from "./initramfs.ts";

const CACHE = fileURLToPath(new URL("../../.cache/debian-linux", import.meta.url));

/** Names of kernel packages; the real ones carry a version. */
export type LinuxVariant = "686" | "686-pae";

/** A kernel package, unpacked. */
export interface LinuxPackage {
  /** The bzImage's path. */
  readonly kernel: string;
  /** Paths of all modules by name, with `-` for `_`. */
  readonly modules: ReadonlyMap<string, string>;
}

function output(command: string, ...args: string[]): string | undefined {
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8", timeout: 120_000 });
  return status === 0 ? stdout : undefined;
}

/** Downloads a package with apt-get and unpacks it into a folder of its own; undefined where that fails. */
function unpacked(name: string): string | undefined {
  const folder = join(CACHE, name.replace(/:.*/, ""));
  if (existsSync(join(folder, "done"))) return folder;
  mkdirSync(folder, { recursive: true });
  const run = (command: string, ...args: string[]): boolean =>
    spawnSync(command, args, { cwd: folder, stdio: "ignore", timeout: 300_000 }).status === 0;
  const download = (): boolean => run("apt-get", "download", name);
  // The first download fails where i386 is not yet a known architecture, or the index is old.
  const fetched = download() ||
    (run("dpkg", "--add-architecture", "i386") && run("apt-get", "update", "-qq") && download());
  const archive = fetched ? readdirSync(folder).find((file) => file.endsWith(".deb")) : undefined;
  if (archive === undefined || !run("dpkg-deb", "-x", archive, ".") || !run("touch", "done")) {
    console.error(`Skipped: apt-get could not fetch ${name}`);
    return undefined;
  }
  return folder;
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesUnder(path) : [path];
  });
}

/** The kernel that `linux-image-VARIANT` depends on; undefined (and a line on standard error) where it cannot be had. */
export function linuxPackage(variant: LinuxVariant): LinuxPackage | undefined {
  const kept = existsSync(CACHE)
    ? readdirSync(CACHE).find((name) =>
      /^linux-image-\d/.test(name) && name.endsWith(`-${variant}`) &&
      existsSync(join(CACHE, name, "done"))
    )
    : undefined;
  const depends = kept === undefined
    ? output("apt-cache", "depends", `linux-image-${variant}:i386`)
    : undefined;
  const name = kept ?? /Depends: (linux-image-[\w.-]+)/.exec(depends ?? "")?.[1];
  const folder = name === undefined ? undefined : unpacked(`${name}:i386`);
  if (folder === undefined) {
    if (name === undefined) {
      console.error(`Skipped: apt-cache does not know linux-image-${variant}`);
    }
    return undefined;
  }
  const kernel = readdirSync(join(folder, "boot")).find((file) => file.startsWith("vmlinuz"));
  const modules = new Map(
    filesUnder(join(folder, "lib/modules")).filter((path) => path.endsWith(".ko"))
      .map((path) => [basename(path, ".ko").replaceAll("_", "-"), path] as const),
  );
  return { kernel: join(folder, "boot", kernel as string), modules };
}

/** busybox, statically linked. */
export function busybox(): string | undefined {
  const folder = unpacked("busybox-static:i386");
  return folder === undefined ? undefined : join(folder, "bin/busybox");
}

/** The folder of an unpacked package's files. */
export function debianFiles(name: string): string | undefined {
  return unpacked(name);
}

/** The modules with all that they depend on, in the order in which they have to be loaded. */
export function withDependencies(image: LinuxPackage, names: readonly string[]): string[] {
  const order: string[] = [];
  const visit = (name: string): void => {
    const path = image.modules.get(name.replaceAll("_", "-"));
    if (path === undefined) throw new Error(`${image.kernel} has no module ${name}`);
    // "depends=a,b" in the section .modinfo.
    const text = readFileSync(path).toString("latin1");
    const depends = /\0depends=([^\0]*)\0/.exec(text)?.[1] ?? "";
    for (const needed of depends.split(",")) if (needed !== "") visit(needed);
    if (!order.includes(path)) order.push(path);
  };
  for (const name of names) visit(name);
  return order;
}

/** What it takes to use an IDE disk with an ext2 file system. */
export const DISK_MODULES: readonly string[] = [
  "ata_piix",
  "sd_mod",
  "crc32c_generic",
  "ext4",
];

/** What it takes to use a CD-ROM. */
export const CDROM_MODULES: readonly string[] = ["ata_piix", "sr_mod", "isofs"];

/** Marks around what {@link INIT}'s script prints. */
export const BEGIN = "=== begin ===";
export const END = "=== end ===";

/**
 * The first program: loads the modules, goes over to root= if there is one, and runs /script to its end or a shell.
 * The kernel's own messages stop before the script, whose output is compared.
 */
const INIT = `#!/bin/busybox sh
export PATH=/bin:/usr/bin
/bin/busybox mkdir -p /proc /sys /dev /tmp /root
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s /bin
root= end=poweroff
for word in $(cat /proc/cmdline); do
  case $word in
    root=*) root=\${word#root=} ;;
    end=*) end=\${word#end=} ;;
  esac
done
if [ -f /modules/order ]; then
  for module in $(cat /modules/order); do
    options=
    for word in $(cat /proc/cmdline); do
      case $word in \${module%.ko}.*) options="$options \${word#*.}" ;; esac
    done
    insmod /modules/$module $options || echo "cannot load $module"
  done
fi
if [ -n "$root" ]; then
  tries=0
  while [ ! -b "$root" ] && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
  mount -t ext4 "$root" /root || exec sh
  for folder in proc sys dev; do mount -o move /$folder /root/$folder; done
  exec switch_root /root /init
fi
if [ -f /script ]; then
  echo 1 > /proc/sys/kernel/printk
  echo "${BEGIN}"
  sh /script 2>&1
  echo "${END}"
  sync; sleep 1 # what the console has yet to send
  mount -o remount,ro / 2>/dev/null
  $end -f
fi
echo "$(uname -sr) on $(cat /proc/cpuinfo | grep 'model name')"
exec setsid cttyhack sh
`;

/** The program behind switch_root: what is mounted already stays. */
const DISK_INIT = INIT.replace(/\/bin\/busybox mkdir[\s\S]*?--install -s \/bin\n/, "").replace(
  /if \[ -f \/modules[\s\S]*?\nfi\nif \[ -n[\s\S]*?\nfi\n/,
  "",
);

/** An initial RAM disk with busybox, modules, and a script to run. */
export function linuxInitrd(
  options: {
    readonly busybox: string;
    readonly modules?: readonly string[];
    readonly script?: string;
  },
): Uint8Array {
  const modules = options.modules ?? [];
  const entries: InitramfsEntry[] = [
    ...["bin", "dev", "modules", "proc", "root", "sys", "tmp"].map((path) => (
      { path, kind: "folder" } as const
    )),
    { path: "dev/console", kind: "character", major: 5, minor: 1 },
    { path: "bin/busybox", kind: "file", bytes: readFileSync(options.busybox), mode: 0o755 },
    { path: "init", kind: "file", bytes: INIT, mode: 0o755 },
  ];
  if (modules.length > 0) {
    const names = modules.map((path) => basename(path));
    entries.push({ path: "modules/order", kind: "file", bytes: `${names.join("\n")}\n` });
    for (const path of modules) {
      entries.push({ path: `modules/${basename(path)}`, kind: "file", bytes: readFileSync(path) });
    }
  }
  if (options.script !== undefined) {
    entries.push({ path: "script", kind: "file", bytes: options.script });
  }
  return writeInitramfs(entries);
}

/** The first program for a root disk; it runs the disk's /script. */
export const ROOT_INIT: string = DISK_INIT;

/** What both machines are given. */
export interface LinuxRun {
  readonly kernel: string;
  readonly initrd: Uint8Array;
  readonly append: string;
  readonly ramMiB?: number;
}

/** What our machine did. */
export interface OurRun {
  readonly text: string;
  readonly reason: ExitReason;
  /** Instructions and seconds until the script began. */
  readonly begun: { readonly instructions: number; readonly seconds: number };
  readonly instructions: number;
  readonly seconds: number;
}

const STEP = 10_000_000;

/** Runs on our machine until it turns itself off, resets, or has executed `limit` instructions. */
export function runOurs(
  run: LinuxRun & {
    readonly disk?: BlockBackend;
    readonly cdrom?: BlockBackend;
    readonly limit: number;
    readonly echo?: boolean;
    readonly model?: "p4";
    /** Entries of a block until it is translated; default never. */
    readonly translateAfter?: number;
  },
): OurRun {
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;
  let text = "";
  const decoder = new TextDecoder();
  let begun = { instructions: 0, seconds: 0 };
  const machine = new Machine({
    ramBytes: (run.ramMiB ?? 128) << 20,
    translateAfter: run.translateAfter ?? 0,
    disks: run.disk === undefined ? [] : [run.disk],
    ...(run.cdrom === undefined ? {} : { cdrom: run.cdrom }),
    ...(run.model === undefined ? {} : { cpu: run.model }),
    serial: (bytes) => {
      text += decoder.decode(bytes, { stream: true });
      if (run.echo === true) Deno.stderr.writeSync(bytes);
      if (begun.instructions === 0 && text.endsWith(BEGIN)) {
        begun = { instructions: machine.cpu.instructions, seconds: seconds() };
      }
    },
  });
  machine.loadKernel(readFileSync(run.kernel), run.append, {
    name: basename(run.kernel),
    initrd: { bytes: run.initrd, name: "initrd" },
  });
  let reason: ExitReason | undefined;
  while (reason === undefined) {
    const left = run.limit - machine.cpu.instructions;
    reason = left <= 0 ? { type: "limit" } : machine.runSync(Math.min(STEP, left));
  }
  return { text, reason, begun, instructions: machine.cpu.instructions, seconds: seconds() };
}

/** Runs on QEMU until it turns itself off; what it sent, and seconds. Undefined where there is no QEMU. */
export function runQemu(
  run: LinuxRun & {
    readonly initrdPath: string;
    readonly diskPath?: string;
    readonly cdromPath?: string;
    readonly timeoutMs: number;
  },
): { readonly text: string; readonly seconds: number; readonly status: number | null } | undefined {
  const start = performance.now();
  const { error, stdout, status } = spawnSync("qemu-system-i386", [
    ...["-M", "pc", "-m", String(run.ramMiB ?? 128), "-nic", "none", "-display", "none"],
    ...["-no-reboot", "-serial", "stdio", "-monitor", "none"],
    ...["-kernel", run.kernel, "-initrd", run.initrdPath, "-append", run.append],
    ...(run.diskPath === undefined
      ? []
      : ["-drive", `file=${run.diskPath},format=raw,if=ide,index=0`]),
    ...(run.cdromPath === undefined ? [] : ["-cdrom", run.cdromPath]),
  ], { input: "", encoding: "utf8", timeout: run.timeoutMs, maxBuffer: 1 << 26 });
  if (error !== undefined && (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
  return { text: stdout, seconds: (performance.now() - start) / 1000, status };
}

/** What the script printed; throws with the end of the text when it did not run to its end. */
export function scriptOutput(text: string, name: string): string {
  const plain = text.replaceAll("\r\n", "\n");
  const begin = plain.indexOf(`${BEGIN}\n`);
  const end = plain.indexOf(`${END}\n`, begin);
  if (begin < 0 || end < 0) {
    throw new Error(`${name}: the script did not run to its end:\n${plain.slice(-3000)}`);
  }
  return plain.slice(begin + BEGIN.length + 1, end);
}
