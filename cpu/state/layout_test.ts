/** The list of what lies where: no two words of the state are in the same place. */
import assert from "node:assert/strict";
import * as L from "./layout.ts";

/** Names of one place that has two, and constants that are no places. */
const ALIASES = new Set(["GPR"]);
const FIRST_BYTES: Readonly<Record<string, number>> = { TSC_BASE: 8 };

Deno.test("words of the state have places of their own", () => {
  // Constants up to 0x10 are numbers of segments and bits of flags.
  const owners = new Map<number, string>();
  const source = Deno.readTextFileSync(new URL("./layout.ts", import.meta.url));
  let count = 0;
  for (const [, name, digits] of source.matchAll(/^export const (\w+) = 0x([0-9a-f]+);/gm)) {
    const at = parseInt(digits as string, 16);
    if (name === undefined || ALIASES.has(name) || at < L.GPR || at >= L.SEGMENTS) continue;
    if (digits?.length !== 2) continue;
    count++;
    for (let byte = at; byte < at + (FIRST_BYTES[name] ?? 4); byte++) {
      assert.equal(owners.get(byte), undefined, `${name} lies in ${owners.get(byte)}`);
      owners.set(byte, name);
    }
  }
  assert.ok(count > 25);
});
