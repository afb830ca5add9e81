/**
 * Tests of the source rewriting.
 *
 * @module
 */

import assert from "node:assert/strict";
import { CompileError } from "../errors.ts";
import { rewriteSource } from "./rewrite.ts";

function rewritten(source: string): string {
  return rewriteSource("a.ts", source).text;
}

Deno.test("rewriteSource() makes c literals static NUL-terminated UTF-8", () => {
  assert.equal(rewritten("f(c`hi\\n`)"), "f(memory.data<u8>([104,105,10,0]))");
  assert.equal(rewritten("c`é`"), "memory.data<u8>([195,169,0])");
  assert.equal(rewritten("c``"), "memory.data<u8>([0])");
});

Deno.test("rewriteSource() knows TypeScript's escapes", () => {
  assert.equal(
    rewritten("c`\\t\\x41\\u0042\\u{43}\\\\\\`\\0\\\n`"),
    "memory.data<u8>([9,65,66,67,92,96,0,0])\n",
  );
});

Deno.test("rewriteSource() keeps line numbers when a literal spans lines", () => {
  const text = rewritten("a(c`x\ny`);\nb();");
  assert.equal(text, "a(memory.data<u8>([120,10,121,0])\n);\nb();");
});

Deno.test("rewriteSource() turns comments into decorators of the same length", () => {
  assert.equal(rewritten("/*@inline*/ function f()"), "@inline     function f()");
  assert.equal(rewritten('/*@external("m", "n")*/ x'), '@external("m", "n")     x');
});

Deno.test("rewriteSource() leaves strings, comments and other templates alone", () => {
  const source = [
    "\"c`a`\"; '/*@inline*/'; // c`b` /*@lazy*/",
    "/* /*@lazy is c`c` */ abc`d` `c\\`e`; x.c`f`",
    "/** @inline */ y",
  ].join("\n");
  assert.equal(rewritten(source), source);
});

Deno.test("rewriteSource() maps columns behind a literal back", () => {
  const source = "f(c`hi`, g(1), c`x`, h)";
  const { text, column } = rewriteSource("a.ts", source);
  for (const name of ["f(", "g(", "h)"]) {
    assert.equal(column(1, text.indexOf(name) + 1), source.indexOf(name) + 1, name);
  }
  // A place inside the replacement is the literal's start.
  assert.equal(column(1, text.indexOf("memory") + 8), source.indexOf("c`hi") + 1);
  assert.equal(column(2, 5), 5);
});

Deno.test("rewriteSource() refuses substitutions, with their place", () => {
  assert.throws(
    () => rewritten("x;\n  c`a${1}`"),
    (error) => error instanceof CompileError && error.message.startsWith("a.ts:2:4: "),
  );
});
