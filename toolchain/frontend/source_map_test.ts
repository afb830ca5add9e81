/**
 * Tests of the source map reader.
 *
 * @module
 */

import assert from "node:assert/strict";
import { SourceMap } from "./source_map.ts";

Deno.test("SourceMap.find() gives the last mapping at or before an offset", () => {
  // offset 16: file 0, line 3, column 5; offset 20: file 1, line 1, column 1; offset 22: line 17, column 1
  const map = new SourceMap(JSON.stringify({
    sources: ["a.ts", "~lib/rt.ts"],
    mappings: "gBAEI,ICFJ,EAgBA",
  }));
  assert.equal(map.find(15), undefined);
  assert.deepEqual(map.find(16), { file: "a.ts", line: 3, column: 5 });
  assert.deepEqual(map.find(19), { file: "a.ts", line: 3, column: 5 });
  assert.deepEqual(map.find(20), { file: "lib/rt.ts", line: 1, column: 1 });
  assert.deepEqual(map.find(1000), { file: "lib/rt.ts", line: 17, column: 1 });
});
