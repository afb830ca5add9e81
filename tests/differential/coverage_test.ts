/**
 * The table of coverage lists the encodings that there are, and none of their forms without a case.
 * @module
 */
import assert from "node:assert/strict";
import { formsOf, rowName, SECTIONS } from "./coverage.ts";

const text = await Deno.readTextFile(new URL("../../docs/coverage.md", import.meta.url));
const listed = text.split("\n").filter((line) => /^\| [0-9A-F]{2}/.test(line))
  .map((line) => line.slice(2, -2).split(" | ").map((cell) => cell.trim()));

Deno.test("docs/coverage.md has the rows of the instruction table (deno task coverage)", () => {
  const rows = SECTIONS.flatMap(([, list]) => list.map(rowName));
  assert.deepEqual(listed.map((cells) => cells.slice(0, 3).join(" | ")), rows);
});

Deno.test("every form of every encoding has passed a native case or run in the probe", () => {
  const rows = SECTIONS.flatMap(([, list]) => list);
  const uncovered: string[] = [];
  for (const [i, [, , , register = "", memory = "", completed, probe = ""]] of listed.entries()) {
    const row = rows[i];
    if (row === undefined) continue;
    const places = ["register", "memory"].filter((place) =>
      formsOf(row).some((form) => form.startsWith(place))
    );
    const executed = probe.split(" · ");
    for (const [at, place] of places.entries()) {
      const passed = (place === "register" ? register : memory).split(" / ");
      // An instruction that only ever faulted in a process has run in the probe.
      const native = passed.every((count) => Number(count) > 0) &&
        (Number(completed) > 0 || Number(executed[at]) > 0 || FAULTING.has(row[1]));
      if (!native && !(Number(executed[at]) > 0)) uncovered.push(`${rowName(row)}: ${place}`);
    }
  }
  assert.deepEqual(uncovered, []);
});

/** What never completes in any case: #UD, #DB, #GP. */
const FAULTING = new Set(["ud", "int1", "rdpmc"]);
