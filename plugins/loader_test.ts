/** Loading plugins: every mistake gives one sentence that names the plugin and the mend. @module */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { definePlugin } from "./api/mod.ts";
import { loadPlugin, parsePluginArgument, PluginError, readOptions } from "./loader.ts";

const counting = definePlugin({
  name: "counting",
  description: "a plugin for this test",
  options: {
    limit: { type: "number", help: "how many" },
    verbose: { type: "boolean", help: "say more", default: false },
    file: { type: "string", help: "where to", default: "-" },
  },
  install() {},
});

Deno.test("parsePluginArgument() splits like QEMU's -plugin", () => {
  const { file, options } = parsePluginArgument("./a.ts,limit=3,verbose,file=a=b");
  assert.equal(file, "./a.ts");
  assert.deepEqual([...options], [["limit", "3"], ["verbose", "on"], ["file", "a=b"]]);
});

Deno.test("readOptions() converts, fills defaults and refuses what is wrong", () => {
  assert.deepEqual(readOptions(counting, new Map([["limit", "0x10"], ["verbose", "yes"]])), {
    limit: 16,
    verbose: true,
    file: "-",
  });
  const refuse = (options: [string, string][], pattern: RegExp): void => {
    assert.throws(() => readOptions(counting, new Map(options)), pattern);
  };
  refuse([], /needs the option "limit": how many/);
  refuse([["limit", "many"]], /"limit" of plugin "counting" is a number, not "many"/);
  refuse([["limit", "1"], ["verbose", "perhaps"]], /is on or off, not "perhaps"/);
  refuse([["limit", "1"], ["colour", "red"]], /no option "colour"; it has: limit, verbose, file/);
});

Deno.test("loadPlugin() loads a file, and says in one line what is wrong with one", async () => {
  const folder = mkdtempSync(join(tmpdir(), "plugin-"));
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  write(
    "good.ts",
    "export const plugin = { name: 'good', description: '', install(_h: unknown) {} };",
  );
  write("none.ts", "export const other = 1;");
  write("throws.ts", "throw new Error('broken here\\nand more');");
  write("syntax.ts", "export const = ;");
  try {
    const loaded = await loadPlugin("good.ts", folder);
    assert.equal(loaded.definition.name, "good");
    for (
      const [file, pattern] of [
        ["none.ts", /exports no "plugin"; write: export const plugin/],
        ["throws.ts", /^Cannot load plugin "throws.ts": broken here$/],
        ["syntax.ts", /^Cannot load plugin "syntax.ts": [^\n]+$/],
        ["missing.ts", /^Cannot load plugin "missing.ts": [^\n]+$/],
      ] as const
    ) {
      await assert.rejects(
        loadPlugin(file, folder),
        (error: unknown) => error instanceof PluginError && pattern.test(error.message),
        file,
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
