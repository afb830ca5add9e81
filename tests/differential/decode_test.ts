/**
 * The decoder finds what iced-x86 finds: a part of `deno task fuzz:decode`.
 * @module
 */
import assert from "node:assert/strict";
import { compareDecoders, DEVIATIONS } from "./decode.ts";

Deno.test("decode() finds iced-x86's lengths, operands and sizes over both opcode maps and random bytes", () => {
  const { encodings, oracle, unexplained, used } = compareDecoders({
    seed: 20261123,
    count: 80_000,
    stride: 7,
  });
  assert.deepEqual(unexplained, []);
  assert.ok(encodings > 450_000, `${encodings} encodings`);
  assert.ok(oracle.compared > 250_000, `${oracle.compared} with all operands`);
  // A reason that explains nothing any more has to go.
  assert.deepEqual(DEVIATIONS.filter(({ reason }) => !used.has(reason)), []);
});
