/**
 * The bare-metal probe on our processor and on QEMU: every line equal, or a known deviation of QEMU.
 *
 * Needs gcc (32-bit) and qemu-system-i386; ignored, with the reason in its name, where they are missing.
 * @module
 */
import assert from "node:assert/strict";
import { DEVIATIONS } from "./deviations.ts";
import { buildProbe, CACHE, hasTool, runProbe } from "./probe.ts";

async function runQemu(path: string): Promise<string> {
  const output = `${path}.qemu`;
  // deno-fmt-ignore
  const child = new Deno.Command("timeout", {
    args: ["60", "qemu-system-i386", "-accel", "tcg", "-cpu", "pentium2,-pae,-vme,-mmx,-pse36,-apic,-fxsr", "-m", "32",
      "-display", "none", "-monitor", "none", "-serial", "none", "-no-reboot", "-debugcon", `file:${output}`,
      "-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-kernel", path],
    stderr: "piped",
  });
  const { stderr } = await child.output();
  const text = await Deno.readTextFile(output);
  assert.ok(text.endsWith("end\n"), `QEMU stopped early: ${new TextDecoder().decode(stderr)}`);
  return text;
}

const missing = ["gcc", "qemu-system-i386"].filter((name) => !hasTool(name));

async function compare(): Promise<void> {
  await Deno.mkdir(CACHE, { recursive: true });
  const path = new URL(`system-probe-${Deno.pid}`, CACHE).pathname;
  try {
    const elf = await buildProbe(path);
    const qemu = (await runQemu(path)).split("\n");
    const printed = runProbe(elf);
    const ours = printed.split("\n");
    assert.equal(runProbe(elf, { translateAfter: 1 }), printed, "translated");
    assert.equal(ours.length, qemu.length, `our last line: ${ours.at(-2)}`);
    assert.ok(ours.length > 20_000);
    const used = new Map<string, number>();
    const unexplained: string[] = [];
    for (const [index, line] of ours.entries()) {
      const other = qemu[index] as string;
      if (line === other) continue;
      const rule = DEVIATIONS.find(({ explains }) => explains(line, other));
      if (rule === undefined) unexplained.push(`ours ${line}\nqemu ${other}`);
      else used.set(rule.reason, (used.get(rule.reason) ?? 0) + 1);
    }
    assert.deepEqual(unexplained.slice(0, 10), [], `${unexplained.length} lines differ`);
    // A rule that explains nothing any more has to go.
    assert.equal(used.size, DEVIATIONS.length, [...used].join("\n"));
  } finally {
    for (const file of [path, `${path}.qemu`]) await Deno.remove(file).catch(() => {});
  }
}

Deno.test({
  name: `system probe: faults, gates, segments and pages are as on QEMU${
    missing.length > 0 ? ` (not here: ${missing.join(", ")})` : ""
  }`,
  ignore: missing.length > 0,
  fn: compare,
});
