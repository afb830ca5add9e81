/** @module */
import assert from "node:assert/strict";
import { CodeChanges } from "./code_changes.ts";

Deno.test("code that changes again and again waits longer and longer, and is forgotten when it does no more", () => {
  let now = 0;
  const changes = new CodeChanges(() => now);
  assert.equal(changes.wait(0x1000), 0);
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    now += 1_000_000;
    changes.changed(0x1000);
    waits.push(changes.wait(0x1000));
    assert.equal(changes.unstable(0x1000), i > 0);
  }
  assert.deepEqual(waits, [0, 1, 3, 7, 15, 15, 15]);
  assert.equal(changes.unstable(0x2000), false);
  now += 30_000_000;
  assert.equal(changes.unstable(0x1000), false);
  changes.changed(0x1000);
  assert.equal(changes.wait(0x1000), 0);
});
