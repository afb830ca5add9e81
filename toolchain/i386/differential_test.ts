/**
 * Differential test: generated modules in V8 and as native processes.
 *
 * `TOOLCHAIN_FUZZ=1000 deno test …` runs more modules, `TOOLCHAIN_SEED=n` starts elsewhere.
 *
 * @module
 */

import assert from "node:assert/strict";
import { generateModule } from "../testing/generator.ts";
import { type Call, callNative, callReference, canRunNative } from "../testing/native.ts";

const MODULES = Number(Deno.env.get("TOOLCHAIN_FUZZ") ?? 60);
const FIRST_SEED = Number(Deno.env.get("TOOLCHAIN_SEED") ?? 1);

/** The calls up to and including the first that traps in V8: effects after a trap differ by design. */
function untilTrap(wasm: Uint8Array<ArrayBuffer>, calls: readonly Call[]): Call[] {
  const outcomes = callReference(wasm, calls);
  const trap = outcomes.indexOf(undefined);
  const used = trap < 0 ? calls : calls.slice(0, trap + 1);
  return used.map((call, index) => ({ ...call, mayTrap: index === trap }));
}

function compare(seed: number, checked: boolean): number {
  const { wasm, calls } = generateModule(seed);
  const used = untilTrap(wasm, calls);
  const expected = callReference(wasm, used);
  const actual = callNative(wasm, used, checked);
  assert.deepEqual(actual, expected, `seed ${seed}`);
  return used.length;
}

for (const checked of [false, true]) {
  Deno.test({
    name: `generated modules compute what V8 computes${checked ? " with checks on" : ""}`,
    ignore: !canRunNative,
    fn: () => {
      let calls = 0;
      for (let seed = FIRST_SEED; seed < FIRST_SEED + MODULES; seed++) {
        calls += compare(seed, checked);
      }
      assert.ok(calls >= MODULES, `only ${calls} calls`);
    },
  });
}

Deno.test("a seed always generates the same module", () => {
  assert.deepEqual(generateModule(7).wasm, generateModule(7).wasm);
  assert.notDeepEqual(generateModule(7).wasm, generateModule(8).wasm);
});
