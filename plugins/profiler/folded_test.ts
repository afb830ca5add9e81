/** Folded stacks: what is written is read back by the rules of the field's readers. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseFolded, StackCounts } from "./folded.ts";

/** The expressions by which flamegraph.pl and speedscope read a line. */
const FLAMEGRAPH_PL = /^(.*)\s+?(\d+(?:\.\d*)?)$/;
const SPEEDSCOPE = /^(.*) (\d+)$/;

Deno.test("StackCounts.toFolded() is read alike by every reader's rule, whatever the names are", () => {
  const stacks = fc.array(fc.array(fc.string(), { minLength: 1, maxLength: 5 }), { minLength: 1 });
  fc.assert(fc.property(stacks, (input) => {
    const counts = new StackCounts();
    for (const stack of input) counts.add(stack);
    const text = counts.toFolded();
    const lines = text.trimEnd().split("\n");
    assert.equal(new Set(lines).size, lines.length);
    let total = 0;
    for (const line of lines) {
      const a = FLAMEGRAPH_PL.exec(line);
      const b = SPEEDSCOPE.exec(line);
      assert.ok(a !== null && b !== null, line);
      assert.equal(a[1], b[1]);
      // flamegraph.pl takes a second trailing number as a differential profile.
      assert.equal(FLAMEGRAPH_PL.exec(a[1]!), null, line);
      assert.ok(b[1]!.split(";").every((frame) => frame !== ""));
      total += Number(b[2]);
    }
    assert.equal(total, input.length);
    assert.equal(parseFolded(text).toFolded(), text);
  }));
});

Deno.test("StackCounts gives the same bytes in whatever order samples came", () => {
  const stacks = fc.array(fc.array(fc.constantFrom("a", "b", "c", "é"), { minLength: 1 }));
  fc.assert(fc.property(stacks, (input) => {
    const forward = new StackCounts();
    const backward = new StackCounts();
    for (const stack of input) forward.add(stack);
    for (const stack of input.toReversed()) backward.add(stack);
    assert.equal(forward.toFolded(), backward.toFolded());
  }));
});

Deno.test("parseFolded() names the line that is not a stack", () => {
  assert.throws(() => parseFolded("a;b 3\nnonsense\n"), /line 2/);
});
