/**
 * SeaBIOS, then GRUB, then a kernel: ours from an MBR disk by Multiboot, Debian's Linux from a disk and from a CD-ROM
 * (El Torito). The same images on QEMU do the same.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileDisk } from "../../devices/host/mod.ts";
import { type ExitReason, Machine } from "../../devices/mod.ts";
import { buildKernel, file, put, skeleton } from "../../toolchain/image/mod.ts";
import { buildUserProgram, sources } from "../kernel/user_program.ts";
import { grub, grubConfiguration, writeGrubDisk, writeGrubIso } from "./grub.ts";
import { busybox, linuxInitrd, linuxPackage, scriptOutput } from "./linux.ts";

const ROMS = "/usr/share/seabios";
const LIMIT = 8e9;
const STEP = 20_000_000;
const QEMU_TIMEOUT_MS = 120_000;
const SCRIPT =
  "cat /proc/cmdline; uname -sm; seq 1 1000 | sha256sum; ls /sys/firmware/acpi/tables/DSDT\n";

const tools = grub();
const image = linuxPackage("686");
const programs = busybox();
const haveQemu = spawnSync("qemu-system-i386", ["--version"]).error === undefined;
const ready = tools !== undefined && image !== undefined && programs !== undefined && haveQemu &&
  existsSync(`${ROMS}/bios-256k.bin`);

interface Ended {
  readonly text: string;
  readonly reason: ExitReason;
}

/** Runs our machine from its BIOS to its end. */
function runBios(medium: { readonly disk?: string; readonly cdrom?: string }): Ended {
  using disk = new FileDisk((medium.disk ?? medium.cdrom) as string, {
    readOnly: medium.disk === undefined,
  });
  let text = "";
  const decoder = new TextDecoder();
  const machine = new Machine({
    bios: readFileSync(`${ROMS}/bios-256k.bin`),
    vgaRom: readFileSync(`${ROMS}/vgabios-stdvga.bin`),
    serial: (bytes) => text += decoder.decode(bytes, { stream: true }),
    ...(medium.disk === undefined ? { cdrom: disk } : { disks: [disk] }),
  });
  let reason: ExitReason | undefined;
  while (reason === undefined && machine.cpu.instructions < LIMIT) reason = machine.runSync(STEP);
  return { text, reason: reason ?? { type: "limit" } };
}

/** What the same medium sends on QEMU until it turns itself off. */
function runQemuFrom(medium: { readonly disk?: string; readonly cdrom?: string }): string {
  const { stdout, status } = spawnSync("qemu-system-i386", [
    ...["-M", "pc", "-m", "128", "-nic", "none", "-display", "none", "-no-reboot"],
    ...["-serial", "stdio", "-monitor", "none"],
    ...(medium.disk === undefined
      ? ["-cdrom", medium.cdrom as string]
      : ["-drive", `file=${medium.disk},format=raw,if=ide,snapshot=on`]),
  ], { input: "", encoding: "utf8", timeout: QEMU_TIMEOUT_MS });
  assert.equal(status, 0, stdout);
  return stdout;
}

async function inFolder(use: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "overture-grub-"));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

Deno.test({
  name: "SeaBIOS and GRUB start our kernel from an MBR disk, as on QEMU",
  ignore: !ready,
  fn: () =>
    inFolder(async (folder) => {
      if (tools === undefined) return;
      const tree = skeleton();
      put(
        tree,
        "/sbin/poweroff",
        file(await buildUserProgram("kernel/user/sbin/poweroff.ts"), 0o755),
      );
      const disk = join(folder, "disk.img");
      writeGrubDisk(tools, {
        path: disk,
        bytes: 32 << 20,
        tree,
        files: { "/boot/kernel": await buildKernel(sources) },
        configuration: grubConfiguration([
          "multiboot /boot/kernel root=/dev/hda1 init=/sbin/poweroff console=ttyS0",
        ]),
      });
      const theirs = runQemuFrom({ disk });
      const ours = runBios({ disk });
      assert.equal(ours.reason.type, "power-off", ours.text.slice(-1000));
      for (const text of [ours.text, theirs]) assert.match(text, /root.*hda1/i);
    }),
});

for (const kind of ["disk", "cdrom"] as const) {
  Deno.test({
    name: `SeaBIOS and GRUB start Debian's Linux from a ${kind}, as on QEMU`,
    ignore: !ready,
    fn: () =>
      inFolder((folder) => {
        if (tools === undefined || image === undefined || programs === undefined) return;
        const path = join(folder, kind === "disk" ? "disk.img" : "cd.iso");
        const files = {
          "/boot/vmlinuz": readFileSync(image.kernel),
          "/boot/initrd.img": linuxInitrd({ busybox: programs, script: SCRIPT }),
        };
        const configuration = grubConfiguration([
          "linux /boot/vmlinuz console=ttyS0 cryptomgr.notests panic=-1",
          "initrd /boot/initrd.img",
        ]);
        if (kind === "disk") {
          writeGrubDisk(tools, { path, bytes: 48 << 20, files, configuration });
        } else assert.ok(writeGrubIso(tools, { path, files, configuration }), "xorriso");
        const ours = runBios({ [kind]: path });
        assert.equal(ours.reason.type, "power-off", ours.text.slice(-1000));
        const theirs = runQemuFrom({ [kind]: path });
        assert.equal(scriptOutput(ours.text, "ours"), scriptOutput(theirs, "QEMU"));
      }),
  });
}
