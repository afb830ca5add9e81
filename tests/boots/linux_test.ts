/**
 * Debian's Linux 6.1 on our machine, from an initial RAM disk and from an ext2 disk: a script prints what the same
 * files print on QEMU.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileDisk } from "../../devices/host/mod.ts";
import { linuxDisk } from "./linux_disk.ts";
import {
  busybox,
  CDROM_MODULES,
  DISK_MODULES,
  linuxInitrd,
  linuxPackage,
  type LinuxVariant,
  runOurs,
  runQemu,
  scriptOutput,
  withDependencies,
} from "./linux.ts";

/** What a boot and a script may take. */
const LIMIT = 16e9;
const QEMU_TIMEOUT_MS = 180_000;

/** Pipes, forks, signals, compressors, sums, and programs that calculate. */
const SCRIPT = String.raw`
uname -sm
seq 1 2000 | awk '{ s += $1 * $1 } END { print s }'
seq 1 20000 > /tmp/a
gzip -c /tmp/a > /tmp/a.gz; gunzip -c /tmp/a.gz | cmp - /tmp/a && echo same
bzip2 -c /tmp/a | bunzip2 -c | md5sum
sha256sum /tmp/a /bin/busybox; sha512sum /tmp/a; gzip -c /bin/busybox | sha1sum
sort -rn /tmp/a | head -3
find /bin -name 'g*' | sort
awk 'BEGIN { print int(-3.7), 1e300 * 1e10, 7 / 3; for (i = 0; i < 9; i++) printf "%.10f %g\n", 1 / (i + 1), i / 7 }'
i=0; while [ $i -lt 100 ]; do (exit $i); [ $? = $i ] || echo bad $i; i=$((i + 1)); done; echo forks $i
i=0; while [ $i -lt 30 ]; do /bin/true; echo $i; i=$((i + 1)); done | tac | tail -2
(sleep 1; echo slept) & wait; echo waited
trap 'echo caught' USR1; kill -USR1 $$
dd if=/dev/zero bs=4096 count=1000 2>/dev/null | sha256sum
tar cf - /bin/busybox 2>/dev/null | tar tf -
echo '2^200; 3^100 % 1000007' | bc; echo '2k 355 113/p' | dc
factor 1234567890; expr 12345 \* 6789; sh -c 'echo $(( (1 << 62) / 3 ))'
printf '%s\n' z y x | sort | xargs echo; echo hello | tr a-z A-Z | rev; seq 5 | paste - -
ls -la / | awk '{ print $1, $NF }' | grep -v tmp
`;

/** Files read past the cache. */
const SHORT_DISK_SCRIPT = String.raw`
mount | grep ' / '; cat /sys/class/ata_device/dev1.0/xfer_mode
seq 1 500000 > big; sync; echo 3 > /proc/sys/vm/drop_caches; md5sum big; rm big
mkdir /cd; mount -o ro,nojoliet /dev/sr0 /cd; ls -la /cd | awk '{ print $1, $5, $NF }'; md5sum /cd/*; umount /cd
cat /sys/class/ata_device/dev2.0/xfer_mode; cat /proc/sys/dev/cdrom/info | grep -E 'name|lock|DVD$'
`;

/** The same, files by the hundred, and a compiler. */
const DISK_SCRIPT = String.raw`
${SHORT_DISK_SCRIPT}
cat > /tmp/hello.c <<'E'
#include <stdio.h>
int main(int argc, char **argv) {
  double x = 2;
  for (int i = 0; i < 5; i++) x = x / 2 + 1 / x;
  printf("hello %.15f %d\n", x, argc);
  return 7;
}
E
tcc -o /hello /tmp/hello.c && /hello a b; echo status $?
tcc -run /tmp/hello.c
mkdir d; i=0; while [ $i -lt 200 ]; do echo $i > d/f$i; i=$((i + 1)); done
cat d/* | sort -n | md5sum; rm d/f1*; ls d | wc -l
find /usr/include -name '*.h' | sort | xargs cat | md5sum
tar cf t.tar /usr/include 2>/dev/null; gzip t.tar; gunzip -c t.tar.gz | tar tf - | wc -l
df / | tail -1 | awk '{ print $2 }'
`;

function hasQemu(): boolean {
  return spawnSync("qemu-system-i386", ["--version"]).error === undefined;
}

/** An ISO 9660 image of two files; undefined without xorriso. */
function isoImage(folder: string): string | undefined {
  const files = join(folder, "cd");
  mkdirSync(files);
  writeFileSync(
    join(files, "numbers.txt"),
    Array.from({ length: 300_000 }, (_, i) => i).join("\n"),
  );
  writeFileSync(join(files, "small.txt"), "small\n");
  const path = join(folder, "cd.iso");
  const made = spawnSync("xorriso", ["-as", "mkisofs", "-R", "-quiet", "-o", path, files]);
  return made.status === 0 ? path : undefined;
}

/** A folder for the time of a test. */
async function inFolder(use: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "overture-linux-"));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function bootsFromInitrd(variant: LinuxVariant): void {
  const image = linuxPackage(variant);
  const tools = busybox();
  Deno.test({
    name:
      `linux-image-${variant} runs a script from its RAM disk as on QEMU, and turns the machine off`,
    ignore: image === undefined || tools === undefined || !hasQemu(),
    fn: () =>
      inFolder((folder) => {
        if (image === undefined || tools === undefined) return;
        const initrd = linuxInitrd({ busybox: tools, script: SCRIPT });
        const initrdPath = join(folder, "initrd");
        writeFileSync(initrdPath, initrd);
        const run = { kernel: image.kernel, initrd, append: "console=ttyS0 panic=-1" };
        const ours = runOurs({ ...run, limit: LIMIT });
        const text = scriptOutput(ours.text, "ours");
        assert.equal(ours.reason.type, "power-off", ours.text.slice(-1000));
        const theirs = runQemu({ ...run, initrdPath, timeoutMs: QEMU_TIMEOUT_MS });
        assert.equal(text, scriptOutput(theirs?.text ?? "", "QEMU"));
      }),
  });
}

bootsFromInitrd("686");
bootsFromInitrd("686-pae");

for (const mode of ["DMA", "PIO"] as const) {
  const image = linuxPackage("686");
  const tools = busybox();
  Deno.test({
    name: `Linux on an ext2 disk, and with a CD-ROM, by ${mode}: as on QEMU`,
    ignore: image === undefined || tools === undefined || !hasQemu(),
    fn: () =>
      inFolder((folder) => {
        if (image === undefined || tools === undefined) return;
        const path = join(folder, "disk.img");
        const qemuPath = join(folder, "qemu.img");
        const script = mode === "PIO" ? SHORT_DISK_SCRIPT : DISK_SCRIPT;
        const iso = isoImage(folder);
        if (iso === undefined || !linuxDisk({ path, busybox: tools, script })) return;
        copyFileSync(path, qemuPath);
        const initrd = linuxInitrd({
          busybox: tools,
          modules: withDependencies(image, [...DISK_MODULES, ...CDROM_MODULES]),
        });
        const initrdPath = join(folder, "initrd");
        writeFileSync(initrdPath, initrd);
        const append = "console=ttyS0 panic=-1 end=reboot root=/dev/sda" +
          (mode === "PIO" ? " libata.dma=0" : "");
        const run = { kernel: image.kernel, initrd, append };
        using disk = new FileDisk(path, { readOnly: false });
        using cdrom = new FileDisk(iso, { readOnly: true });
        const ours = runOurs({ ...run, disk, cdrom, limit: LIMIT });
        const text = scriptOutput(ours.text, "ours");
        assert.equal(ours.reason.type, "reset", ours.text.slice(-1000));
        assert.match(text, mode === "PIO" ? /^XFER_PIO_\d$/m : /^XFER_\w*DMA_\d$/m);
        if (mode === "DMA") assert.match(text, /^hello 1\.414213562373095 3\nstatus 7$/m);
        const theirs = runQemu({
          ...run,
          initrdPath,
          diskPath: qemuPath,
          cdromPath: iso,
          timeoutMs: QEMU_TIMEOUT_MS,
        });
        assert.equal(text, scriptOutput(theirs?.text ?? "", "QEMU"));
        const check = spawnSync("e2fsck", ["-fn", path], { encoding: "utf8" });
        if (check.error === undefined) assert.equal(check.status, 0, check.stdout);
      }),
  });
}
