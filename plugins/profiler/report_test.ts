/** Shares, limits and differences of profiles. @module */
import assert from "node:assert/strict";
import { flameGraphSvg } from "./flame_graph.ts";
import { parseFolded } from "./folded.ts";
import {
  differenceFolded,
  functionShares,
  parseShareLimit,
  reportTable,
  shareBeyond,
  stackDifferences,
} from "./report.ts";

const BEFORE = parseFolded("main;copy 4\nmain;read;copy 4\nmain;read;read 2\n");

Deno.test("functionShares() counts a function once a stack, however often it is there", () => {
  assert.deepEqual(functionShares(BEFORE), [
    { name: "copy", self: 8, total: 8 },
    { name: "read", self: 2, total: 6 },
    { name: "main", self: 0, total: 10 },
  ]);
  assert.equal(
    reportTable(BEFORE, 2),
    "    self    total  samples  function\n" +
      "  80.00%   80.00%        8  copy\n  20.00%   60.00%        2  read\n",
  );
});

Deno.test("a limit is of a function's total or self, by name or pattern", () => {
  const beyond = (text: string): number | undefined => shareBeyond(BEFORE, parseShareLimit(text));
  assert.equal(beyond("read > 59.9%"), 60);
  assert.equal(beyond("read > 60%"), undefined);
  assert.equal(beyond("read >= 60 %"), 60);
  assert.equal(beyond("self(read) > 10%"), 20);
  assert.equal(beyond("total(r*d)>10%"), 60);
  assert.equal(beyond("self(main) < 1%"), 0);
  assert.equal(beyond("*o* <= 80%"), 80);
  assert.equal(beyond("*o* < 80%"), undefined);
  assert.equal(beyond("none > 0%"), undefined);
  for (const text of ["", "read", "read > 5", "read = 5%", "> 5%"]) {
    assert.throws(() => parseShareLimit(text), /is no limit: write one like/);
  }
});

Deno.test("differences have both counts of each stack, scaled where asked for", () => {
  const after = parseFolded("main;copy 8\nmain;write 12\n");
  assert.equal(
    differenceFolded(stackDifferences(BEFORE, after)),
    "main;copy 4 8\nmain;read;copy 4 0\nmain;read;read 2 0\nmain;write 0 12\n",
  );
  assert.equal(
    differenceFolded(stackDifferences(BEFORE, after, true)),
    "main;copy 8 8\nmain;read;copy 8 0\nmain;read;read 4 0\nmain;write 0 12\n",
  );
});

Deno.test("a graph of differences is red where it grew, blue where it shrank", () => {
  const after = parseFolded("main;copy 2\nmain;new 7\nmain;same 3\n");
  const before = parseFolded("main;copy 9\nmain;same 3\n");
  const differences = stackDifferences(before, after);
  const changes = new Map(differences.map((one) => [one.stack, one.after - one.before]));
  const svg = flameGraphSvg(after, { changes });
  const fill = (name: string): string | undefined =>
    new RegExp(`data-n="${name}".*?fill="([^"]+)"`).exec(svg)?.[1];
  assert.match(fill("new") ?? "", /^hsl\(4,/);
  assert.match(fill("copy") ?? "", /^hsl\(214,/);
  assert.equal(fill("same"), fill("main"));
  assert.match(svg, /<title>new \(7 samples, 58.33%; \+58.33%\)<\/title>/);
  assert.match(svg, /<title>copy \(2 samples, 16.67%; −58.33%\)<\/title>/);
});
