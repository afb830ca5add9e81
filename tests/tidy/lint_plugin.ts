/**
 * The project's own lint rules: which folder may import which (the table of ARCHITECTURE.md), and no
 * host clocks or random numbers where runs must repeat.
 *
 * @module
 */

/** What a folder may import, by path prefix; the longest matching prefix of a file decides. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "cpu": ["cpu"],
  "devices": ["devices", "cpu/mod.ts"],
  "kernel": ["kernel"],
  "plugins": ["plugins", "cpu/mod.ts", "devices/mod.ts", "kernel/abi"],
  "toolchain": ["toolchain"],
  "cli": [
    "cli",
    "cpu/mod.ts",
    "devices/mod.ts",
    "devices/host/mod.ts",
    "plugins/mod.ts",
    "plugins/gdb/mod.ts",
    "plugins/profiler/mod.ts",
    "toolchain/mod.ts",
    "toolchain/image/mod.ts",
  ],
  "mod.ts": ["cli", "cpu/mod.ts", "devices/mod.ts", "plugins/mod.ts", "toolchain/mod.ts"],
  "examples": [],
};

/** Folders whose results must not depend on the host, less what is named to be the host's side. */
const REPEATABLE = ["cpu/", "devices/", "kernel/", "plugins/", "toolchain/"];
const HOST_SIDE = ["devices/host/"];

const ROOT = new URL("../..", import.meta.url).pathname;

function relative(path: string): string | undefined {
  return path.startsWith(ROOT) ? path.slice(ROOT.length) : undefined;
}

function isTest(path: string): boolean {
  return path.endsWith("_test.ts") || path.includes("/testing/") || path.startsWith("tests/");
}

function rulesFor(path: string): readonly string[] | undefined {
  const prefix = Object.keys(MAY_IMPORT)
    .filter((key) => path === key || path.startsWith(`${key}/`))
    .sort((a, b) => b.length - a.length)[0];
  return prefix === undefined ? undefined : MAY_IMPORT[prefix];
}

function allowed(target: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) =>
    prefix.endsWith(".ts") ? target === prefix : target.startsWith(`${prefix}/`)
  );
}

const plugin: Deno.lint.Plugin = {
  name: "overture",
  rules: {
    "import-direction": {
      create(context) {
        const from = relative(context.filename);
        const prefixes = from === undefined || isTest(from) ? undefined : rulesFor(from);
        if (from === undefined || prefixes === undefined) return {};
        const check = (node: Deno.lint.Node, source: { value: unknown } | null): void => {
          if (source === null || typeof source.value !== "string") return;
          if (!source.value.startsWith(".")) return;
          const target = relative(new URL(source.value, `file://${context.filename}`).pathname);
          if (target !== undefined && !allowed(target, prefixes)) {
            context.report({
              node,
              message: `${from} must not import ${target}`,
              hint: "Go through the other part's mod.ts; ARCHITECTURE.md has the directions",
            });
          }
        };
        return {
          ImportDeclaration: (node) => check(node, node.source),
          ExportNamedDeclaration: (node) => check(node, node.source),
          ExportAllDeclaration: (node) => check(node, node.source),
        };
      },
    },
    "no-host-clock": {
      create(context) {
        const from = relative(context.filename);
        if (from === undefined || isTest(from) || HOST_SIDE.some((side) => from.startsWith(side))) {
          return {};
        }
        if (!REPEATABLE.some((folder) => from.startsWith(folder))) return {};
        const report = (node: Deno.lint.Node, name: string): void =>
          context.report({
            node,
            message: `${name} makes runs differ`,
            hint: "Time comes from the machine's clock; the host's is in devices/host",
          });
        return {
          MemberExpression(node) {
            if (node.object.type !== "Identifier" || node.property.type !== "Identifier") return;
            const name = `${node.object.name}.${node.property.name}`;
            if (["Math.random", "Date.now", "performance.now"].includes(name)) report(node, name);
          },
          NewExpression(node) {
            if (node.callee.type === "Identifier" && node.callee.name === "Date") {
              report(node, "Date");
            }
          },
        };
      },
    },
    "no-endless-for": {
      create(context) {
        const from = relative(context.filename);
        if (from === undefined || !from.startsWith("kernel/")) return {};
        return {
          ForStatement(node) {
            if (node.test !== null) return;
            context.report({
              node,
              message:
                "AssemblyScript 0.28 drops what follows a `for` without condition that is left by `break`",
              hint: "Write while (true)",
            });
          },
        };
      },
    },
    "no-default-export": {
      create(context) {
        const from = relative(context.filename);
        if (from === undefined || from === "tests/tidy/lint_plugin.ts") return {};
        return {
          ExportDefaultDeclaration(node) {
            context.report({
              node,
              message: "A default export has no name that a search finds",
              hint: "Export it by name",
            });
          },
        };
      },
    },
  },
};
// Deno loads a lint plugin by its default export.
export default plugin;
