/**
 * The hostile guest in every mode: a part of `deno task fuzz:hostile`.
 * @module
 */
import assert from "node:assert/strict";
import { Guest, image, MODES, runHostile } from "./hostile.ts";
import { Random } from "./random.ts";

const INSTRUCTIONS = 60_000;

for (const mode of MODES) {
  Deno.test(`random instructions in ${mode} mode stay inside the guest and repeat`, () => {
    const { cpl, paged, virtual, ...rest } = new Guest().enter(image(new Random(1), mode));
    assert.equal(rest.protected, mode !== "real");
    assert.equal(virtual, mode === "virtual");
    assert.equal(cpl, mode === "virtual" || mode.startsWith("user") ? 3 : 0);
    if (mode !== "virtual") assert.equal(paged, mode.endsWith("paged"));
    const run = { mode, seed: 20261123, instructions: INSTRUCTIONS };
    const { systems, reasons } = runHostile(run);
    const { translated } = runHostile({ ...run, seed: 20261124, translateAfter: 1 });
    // Code of 16 bits is left to the interpreter, but for what leads there.
    assert.ok(translated > 10, `${translated} regions`);
    // Most systems went on to their limit.
    assert.ok((reasons.get("limit") ?? 0) > systems / 2, [...reasons].join(" "));
  });
}

Deno.test("the hostile guest's canary sees a byte outside RAM", () => {
  const guest = new Guest();
  guest.check("nothing has run");
  guest.spoil();
  assert.throws(() => guest.check("spoiled"), /host memory has changed/);
});
