/**
 * The profile of a stretch of Linux is the same bytes whether it is interpreted or translated: samples fall
 * between instructions of regions, and each walks the guest's stack. (tests/boots/profile_test.ts has our kernel's.)
 *
 * @module
 */
import assert from "node:assert/strict";
import { NS_PER_INSTRUCTION, TRANSLATE_AFTER } from "../../devices/mod.ts";
import { PluginManager, SymbolTable } from "../../plugins/mod.ts";
import { Profiler } from "../../plugins/profiler/mod.ts";
import { linuxGuest } from "./lockstep_guests.ts";

/** The kernel is decompressed before; then it starts. */
const DECOMPRESSION = 2_420e6;
const INSTRUCTIONS = 150e6;
/** Samples fall anywhere in loops. */
const PERIOD = 9973;
/** Where its code may be (RANDOMIZE_BASE). Names for it are in a package of debug symbols alone: here each page is a function. */
const KERNEL = { start: 0xc0000000, end: 0xc8000000 };
const PAGE = 0x1000;
const PAGES = Array.from({ length: (KERNEL.end - KERNEL.start) / PAGE }, (_, i) => {
  const address = KERNEL.start + i * PAGE;
  return { name: `page_${address.toString(16)}`, address, size: PAGE };
});

function profile(translateAfter: number): { folded: string; frames: number; regions: number } {
  const guest = linuxGuest("686")?.make(translateAfter, () => {});
  assert.ok(guest !== undefined);
  const { cpu, advance } = guest;
  assert.equal(advance(DECOMPRESSION), undefined);
  const profiler = new Profiler({ period: PERIOD });
  const manager = new PluginManager({
    cpu,
    now: () => cpu.instructions * NS_PER_INSTRUCTION,
    instructionsPerSecond: 1e9 / NS_PER_INSTRUCTION,
    stop: () => {},
    hold: () => {},
    advanceTo: () => {},
    device: () => undefined,
    port: () => undefined,
    kernel: new SymbolTable("kernel", PAGES, [], [KERNEL]),
    program: () => undefined,
  }, { text: () => {}, failure: (message) => assert.fail(message) });
  manager.install({ definition: profiler.plugin, options: {} });
  assert.equal(advance(INSTRUCTIONS), undefined);
  manager.exit();
  const folded = profiler.stacks.toFolded();
  return {
    folded,
    frames: folded.split("\n").filter((line) => line.split(";").length > 3).length,
    regions: cpu.translation?.regions ?? 0,
  };
}

Deno.test({
  name: "a stretch of Linux has the same profile interpreted and translated",
  ignore: linuxGuest("686") === undefined,
  fn: () => {
    const interpreted = profile(0);
    assert.ok(interpreted.frames > 1000, interpreted.folded.slice(0, 1000));
    const { folded, regions } = profile(TRANSLATE_AFTER);
    assert.ok(regions > 200, `${regions} regions`);
    assert.equal(folded, interpreted.folded);
  },
});
