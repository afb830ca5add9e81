/** The project's lint rules: each one fires on what it forbids and is silent on what it allows. @module */
import assert from "node:assert/strict";
import plugin from "./lint_plugin.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

function lint(path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, ROOT + path, source).map((diagnostic) => diagnostic.id);
}

Deno.test("import-direction: a part is reached through its mod.ts, and never against the table", () => {
  const rule = "overture/import-direction";
  assert.deepEqual(lint("cpu/cpu.ts", 'import { x } from "../devices/mod.ts";'), [rule]);
  assert.deepEqual(lint("devices/bus/a.ts", 'import { x } from "../../cpu/cpu.ts";'), [rule]);
  assert.deepEqual(lint("devices/bus/a.ts", 'import { x } from "../../cpu/mod.ts";'), []);
  assert.deepEqual(lint("kernel/main.ts", 'export { x } from "../toolchain/mod.ts";'), [rule]);
  assert.deepEqual(lint("examples/a.ts", 'import { x } from "../plugins/mod.ts";'), [rule]);
  assert.deepEqual(lint("examples/a.ts", 'import { x } from "@overture/overture";'), []);
  assert.deepEqual(lint("cpu/a_test.ts", 'import { x } from "../devices/mod.ts";'), []);
});

Deno.test("no-host-clock: parts that must repeat know no host time and no chance", () => {
  const rule = "overture/no-host-clock";
  assert.deepEqual(lint("cpu/a.ts", "const t = Date.now();"), [rule]);
  assert.deepEqual(lint("devices/timer/a.ts", "const t = new Date();"), [rule]);
  assert.deepEqual(lint("plugins/a.ts", "const t = Math.random();"), [rule]);
  assert.deepEqual(lint("devices/host/a.ts", "const t = performance.now();"), []);
});

Deno.test("no-default-export: exports have names", () => {
  assert.deepEqual(lint("cli/a.ts", "export default 1;"), ["overture/no-default-export"]);
  assert.deepEqual(lint("cli/a.ts", "export const a = 1;"), []);
});

Deno.test("no-endless-for: the dialect's compiler miscompiles what follows one", () => {
  assert.deepEqual(lint("kernel/a.ts", "for (;;) { break; }"), ["overture/no-endless-for"]);
  assert.deepEqual(lint("kernel/a.ts", "while (true) { break; }"), []);
  assert.deepEqual(lint("cpu/a.ts", "for (;;) { break; }"), []);
});
