/** Rules about the tree itself: sizes, links, unfinished work, tests that assert. @module */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MAX_LINES = 800;
const MAX_BYTES = 1 << 20;

/** The files that git tracks, relative to the root. */
function files(...endings: string[]): string[] {
  const { stdout } = spawnSync("git", ["ls-files"], { cwd: ROOT, encoding: "utf8" });
  const all = stdout.split("\n").filter((path) => path !== "" && existsSync(join(ROOT, path)));
  return endings.length === 0
    ? all
    : all.filter((path) => endings.some((ending) => path.endsWith(ending)));
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

Deno.test("tidy: there is a tree to look at", () => {
  assert.ok(files(".ts").length > 300);
});

Deno.test("tidy: no file is longer than a person reads", () => {
  const long = files(".ts").filter((path) => read(path).split("\n").length > MAX_LINES);
  assert.deepEqual(long, []);
});

Deno.test("tidy: no large blobs", () => {
  const large = files().filter((path) => statSync(join(ROOT, path)).size > MAX_BYTES);
  assert.deepEqual(large, []);
});

Deno.test("tidy: no unfinished work under its own name, no test that leaves the others out", () => {
  const found: string[] = [];
  for (const path of files(".ts", ".s")) {
    if (path.startsWith("tests/tidy/")) continue;
    read(path).split("\n").forEach((line, index) => {
      if (/\bFIXME\b|\bXXX\b|\bTODO\b(?!\()|\.only\(|only: true/.test(line)) {
        found.push(`${path}:${index + 1}`);
      }
    });
  }
  assert.deepEqual(found, []);
});

Deno.test("tidy: every test file asserts", () => {
  const silent = files("_test.ts").filter((path) => !/assert|expect\(/.test(read(path)));
  assert.deepEqual(silent, []);
});

Deno.test("tidy: links in documents lead somewhere", () => {
  const broken: string[] = [];
  for (const path of files(".md")) {
    for (const [, target] of read(path).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      if (!existsSync(join(ROOT, dirname(path), target!))) broken.push(`${path}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

Deno.test("tidy: files that documents name exist", () => {
  const missing: string[] = [];
  for (const path of files(".md")) {
    for (
      const [, name] of read(path).matchAll(
        /`((?:cli|cpu|devices|docs|examples|kernel|plugins|tests|toolchain)\/[\w./-]+\.(?:ts|s|md|json|txt))`/g,
      )
    ) {
      if (!existsSync(join(ROOT, name!))) missing.push(`${path}: ${name}`);
    }
  }
  assert.deepEqual(missing, []);
});

Deno.test("tidy: every folder's face says what it is", () => {
  const without = files("mod.ts").filter((path) => path.endsWith("/mod.ts") || path === "mod.ts")
    .filter((path) => !read(path).includes("@module"));
  assert.deepEqual(without, []);
});

Deno.test("tidy: a deviation that code marks is described in docs/quirks.md", () => {
  const quirks = read("docs/quirks.md");
  const missing: string[] = [];
  for (const path of files(".ts")) {
    if (path.startsWith("tests/tidy/")) continue;
    for (const [, name] of read(path).matchAll(/QUIRK\(([^)]+)\)/g)) {
      if (!quirks.includes(name!)) missing.push(`${path}: ${name}`);
    }
  }
  assert.deepEqual(missing, []);
});
