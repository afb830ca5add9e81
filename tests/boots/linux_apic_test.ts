/**
 * Debian's Linux 6.1 with and without APICs: which interrupts and clock sources it uses, that the power button and the
 * power-off go through ACPI, and that it warns of nothing that it does not warn of on QEMU.
 *
 * Needs qemu-system-i386, and apt-get for the kernel.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ExitReason, Machine } from "../../devices/mod.ts";
import {
  busybox,
  linuxInitrd,
  linuxPackage,
  runQemu,
  scriptOutput,
  withDependencies,
} from "./linux.ts";

const LIMIT = 10e9;
const STEP = 2_000_000;
const QEMU_TIMEOUT_MS = 120_000;
/** The kernel's tests of its own cryptography are half of a boot. */
const APPEND = "console=ttyS0 panic=-1 cryptomgr.notests";
const PRESS = "=== press ===";

const SCRIPT = String.raw`
grep -E 'timer|i8042|ttyS0|rtc|acpi|LOC|ERR|MIS' /proc/interrupts
cd /sys/devices/system/clocksource/clocksource0
cat available_clocksource
for source in tsc hpet acpi_pm; do
  echo $source > current_clocksource
  a=$(date +%s); sleep 2; b=$(date +%s)
  echo "$(cat current_clocksource) $((b - a))"
done
ls /sys/bus/acpi/devices
`;

/** Messages of level "warning" and worse. */
const WARNINGS = String.raw`
echo "warnings:"
dmesg -r | grep '^<[0-4]>'
`;

const BUTTON = String.raw`
echo '${PRESS}'
until [ "$(awk '/ acpi$/ { print $2 }' /proc/interrupts)" -gt 0 ]; do sleep 0.1; done
echo pressed
grep NMI: /proc/interrupts
`;

const image = linuxPackage("686");
const tools = busybox();
const ignore = image === undefined || tools === undefined;

/** Runs on our machine; somebody presses the power button when the script asks. */
function run(
  script: string,
  options: { readonly apic: boolean },
): { readonly text: string; readonly reason: ExitReason | undefined; readonly sci: boolean } {
  assert.ok(image !== undefined && tools !== undefined);
  const initrd = linuxInitrd({
    busybox: tools,
    modules: withDependencies(image, ["button"]),
    script,
  });
  let text = "";
  const decoder = new TextDecoder();
  const machine = new Machine({
    ramBytes: 128 << 20,
    apic: options.apic,
    serial: (bytes) => text += decoder.decode(bytes, { stream: true }),
  });
  machine.loadKernel(readFileSync(image.kernel), APPEND, {
    initrd: { bytes: initrd, name: "initrd" },
  });
  let reason: ExitReason | undefined;
  let pressed = false;
  while (reason === undefined && machine.cpu.instructions < LIMIT) {
    reason = machine.runSync(STEP);
    if (!pressed && text.includes(PRESS)) {
      pressed = true;
      machine.nmiButton();
      machine.powerButton();
    }
  }
  // SCI_EN: the kernel has switched ACPI on.
  const sci = (machine.board.ports.read(0x604, 2) & 1) !== 0;
  return { text, reason, sci };
}

Deno.test({
  name: "Linux uses I/O APIC, local timer, HPET and ACPI, and warns of nothing new",
  ignore: ignore || spawnSync("qemu-system-i386", ["--version"]).error !== undefined,
  fn: () => {
    const ours = run(SCRIPT + WARNINGS + BUTTON, { apic: true });
    const text = scriptOutput(ours.text, "ours");
    assert.deepEqual(ours.reason, { type: "power-off" }, ours.text.slice(-1000));
    assert.ok(ours.sci);
    for (
      const line of [
        /^ *0: +\d+ +IO-APIC +2-edge +timer$/m,
        /^ *1: +\d+ +IO-APIC +1-edge +i8042$/m,
        /^ *4: +\d+ +IO-APIC +4-edge +ttyS0$/m,
        /^ *8: +\d+ +IO-APIC +8-edge +rtc0$/m,
        /^ *9: +0 +IO-APIC +9-fasteoi +acpi$/m,
        /^LOC: +[1-9]\d\d+ +Local timer interrupts$/m,
        /^ERR: +0$/m,
        /^MIS: +0$/m,
        /^tsc hpet acpi_pm *$/m,
        /^tsc [23]$/m,
        /^hpet [23]$/m,
        /^acpi_pm [23]$/m,
        /\bLNXPWRBN:00\b/,
        /\bPNP0103:00\b/,
        /\bPNP0C0F:04\b/,
        /^pressed$/m,
        /^NMI: +1 +Non-maskable interrupts$/m,
      ]
    ) assert.match(text, line);
    assert.match(ours.text, /ACPI: Using IOAPIC for interrupt routing/);
    assert.match(ours.text, /hpet0: at MMIO 0xfed00000, IRQs 2, 8, 0/);
    assert.match(ours.text, /ACPI: PCI: Interrupt link LNKC configured for IRQ 11/);

    const theirs = qemuWarnings();
    // Performance counters: QEMU's processor has none and says so, ours has some that do not count.
    const known = /^Failed to access perfctr msr/;
    const more = warnings(text).filter((line) => !theirs.includes(line) && !known.test(line));
    assert.deepEqual(more, []);
  },
});

/** Warnings without numbers, which differ from machine to machine. */
function warnings(text: string): string[] {
  const lines = text.slice(text.indexOf("warnings:")).split("\n");
  return lines.filter((line) => /^<[0-4]>/.test(line))
    .map((line) => line.replace(/^<\d>\[ *[\d.]+\] /, "").replace(/0x[\da-f]+|\d+/g, "#"));
}

function qemuWarnings(): string[] {
  assert.ok(image !== undefined && tools !== undefined);
  const folder = mkdtempSync(join(tmpdir(), "overture-apic-"));
  try {
    const initrd = linuxInitrd({ busybox: tools, script: WARNINGS });
    writeFileSync(join(folder, "initrd"), initrd);
    const theirs = runQemu({
      kernel: image.kernel,
      initrd,
      append: APPEND,
      initrdPath: join(folder, "initrd"),
      timeoutMs: QEMU_TIMEOUT_MS,
    });
    return warnings(scriptOutput(theirs?.text ?? "", "QEMU"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

Deno.test({
  name: "Linux without APICs uses the 8259A, and ACPI all the same",
  ignore,
  fn: () => {
    const { text, reason, sci } = run(SCRIPT + BUTTON, { apic: false });
    const said = scriptOutput(text, "ours");
    assert.deepEqual(reason, { type: "power-off" }, text.slice(-1000));
    assert.ok(sci);
    assert.match(said, /^ *0: +[1-9]\d\d+ +XT-PIC +timer$/m);
    assert.match(said, /^ *9: +0 +XT-PIC +acpi$/m);
    assert.match(said, /^LOC: +0 +Local timer interrupts$/m);
    assert.match(said, /^hpet [23]$/m);
    assert.match(said, /^pressed$/m);
    assert.match(said, /^NMI: +1 +Non-maskable interrupts$/m);
    assert.match(text, /ACPI: Using PIC for interrupt routing/);
  },
});
