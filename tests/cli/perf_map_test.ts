/**
 * `boot --perf-map`: the host's profiles of a run name translated code by the guest's symbols.
 *
 * Needs gcc with -m32.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { buildKernel, canBuildKernel } from "../bench/build_kernel.ts";

const PROGRAM = fileURLToPath(new URL("../../mod.ts", import.meta.url));

/** Names of functions that a profile of a run has, and lines of V8's map of addresses for perf. */
async function profiled(
  folder: string,
  kernel: string,
  ...more: string[]
): Promise<{ names: Set<string>; map: string[] }> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--cpu-prof", `--cpu-prof-dir=${folder}/profiles`],
      `--v8-flags=--perf-basic-prof,--perf-basic-prof-path=${folder}`,
      ...[PROGRAM, "boot", "--kernel", kernel, "--append", "only=compute runs=1 divide=20"],
      ...["--ram", "64M", "--clock", "virtual", ...more],
    ],
    // V8 leaves a log there too.
    cwd: folder,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  // The kernel halts when it has done.
  assert.equal(code, 1, new TextDecoder().decode(stderr));
  const names = new Set<string>();
  const map: string[] = [];
  for (const { name } of Deno.readDirSync(`${folder}/profiles`)) {
    const text = Deno.readTextFileSync(`${folder}/profiles/${name}`);
    for (const { callFrame } of JSON.parse(text).nodes) names.add(callFrame.functionName);
  }
  for (const { name } of Deno.readDirSync(folder)) {
    if (!/^perf-\d+\.map$/.test(name)) continue;
    map.push(...Deno.readTextFileSync(`${folder}/${name}`).split("\n"));
  }
  return { names, map };
}

/** Functions and labels of an ELF file, by name. */
async function symbolsOf(kernel: string): Promise<Map<string, number>> {
  const { stdout } = await new Deno.Command("nm", { args: [kernel] }).output();
  const found = new TextDecoder().decode(stdout).matchAll(/^([0-9a-f]{8}) [tT] (\S+)$/gm);
  return new Map([...found].map(([, address, name]) => [name ?? "", parseInt(address ?? "", 16)]));
}

/** Checks names of regions; returns the symbols in them. */
function symbolsIn(names: Iterable<string>, symbols: ReadonlyMap<string, number>): Set<string> {
  const seen = new Set<string>();
  for (const name of names) {
    const match = /^(\S+?)(?:\+0x([0-9a-f]+))? \[([0-9a-f]+)\]$/.exec(name);
    if (match === null) continue;
    const [, symbol = "", offset = "0", eip = ""] = match;
    assert.equal(symbols.get(symbol), parseInt(eip, 16) - parseInt(offset, 16), name);
    seen.add(symbol);
  }
  return seen;
}

Deno.test({
  name:
    "boot --perf-map names translated code by the kernel's symbols in a profile and in perf's map",
  ignore: !canBuildKernel(),
  async fn() {
    const folder = Deno.makeTempDirSync();
    try {
      const kernel = buildKernel(folder);
      const symbols = await symbolsOf(kernel);
      const { names, map } = await profiled(folder, kernel, "--perf-map");
      const seen = symbolsIn(names, symbols);
      assert.ok(seen.size >= 5, [...seen].join());
      assert.ok(![...names].some((name) => /^g[0-9a-f]+$/.test(name)));
      // "address size JS:name-index-compiler"
      const mapped = map.map((line) => /^\S+ \S+ JS:[*^~]?(.*?)-\d+-\w+$/.exec(line)?.[1] ?? "");
      const all = symbolsIn(mapped, symbols);
      for (const symbol of seen) assert.ok(all.has(symbol), symbol);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "without --perf-map the names of translated code are its addresses",
  ignore: !canBuildKernel(),
  async fn() {
    const folder = Deno.makeTempDirSync();
    try {
      const { names } = await profiled(folder, buildKernel(folder));
      assert.ok([...names].filter((name) => /^g1[0-9a-f]{5}$/.test(name)).length >= 5);
      assert.ok(![...names].some((name) => / \[1[0-9a-f]{5}\]$/.test(name)));
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
