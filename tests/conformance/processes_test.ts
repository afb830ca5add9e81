/**
 * Processes that come and go leave no code behind: what is decoded and translated for the first is there for the others.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ownGuest } from "./lockstep_guests.ts";

const ROUNDS = 4;
const PROCESSES = 60;
const SLICE = 1_000_000;

Deno.test("processes started and ended by the hundred do not make code grow", async () => {
  const loop =
    `i=0; while [ $i -lt ${PROCESSES} ]; do ls / > /dev/null; i=$((i+1)); done; echo fini''shed`;
  const guest = await ownGuest([...Array<string>(ROUNDS).fill(loop), "poweroff"]);
  let text = "";
  const decoder = new TextDecoder();
  const { cpu, advance, user } = guest.make(100, (bytes) => text += decoder.decode(bytes));
  const sizes: { decoded: number; live: number; bytes: number; flushes: number }[] = [];
  while (sizes.length < ROUNDS) {
    user?.(text);
    assert.equal(advance(SLICE), undefined, text.slice(-500));
    if (text.split("finished").length - 1 <= sizes.length) continue;
    const { live, bytes } = cpu.translation ?? assert.fail("nothing is translated");
    const { decoded, flushes } = cpu.codeStatistics;
    sizes.push({ decoded, live, bytes, flushes });
  }
  const [, second, , last] = sizes;
  assert.ok(second !== undefined && last !== undefined);
  assert.ok(last.live > 200, "the programs are translated");
  assert.equal(last.flushes, second.flushes);
  for (const size of ["decoded", "live", "bytes"] as const) {
    assert.ok(last[size] < 1.05 * second[size], `${size}: ${JSON.stringify(sizes)}`);
  }
});
