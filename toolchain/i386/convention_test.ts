/**
 * The calling convention against gcc: C code compiled with `-mregparm=3`, its assembler text put through our
 * assembler, called from and calling into TypeScript.
 *
 * @module
 */

import assert from "node:assert/strict";
import { buildProgram } from "../mod.ts";
import { haveCommands, run, withFolder } from "../testing/binutils.ts";
import { canRunNative, execute } from "../testing/native.ts";
import { sourceFiles } from "../testing/sources.ts";

type CType = "int" | "long long";

/** Every parameter list of up to four ints and long longs. */
function parameterLists(): CType[][] {
  const lists: CType[][] = [[]];
  for (let i = 0; i < lists.length && lists.length < 31; i++) {
    for (const type of ["int", "long long"] as const) lists.push([...lists[i] as CType[], type]);
  }
  return lists;
}

const LISTS = parameterLists();

/** Values that show exchanged words and lost signs. */
function valueOf(type: CType, index: number): string {
  return type === "int" ? `${-(index + 1) * 1001}` : `${index + 2}${"123456789012"}`;
}

function cSource(): string {
  const functions = LISTS.map((list, number) => {
    const parameters = list.map((type, index) => `${type} p${index}`).join(", ") || "void";
    const names = list.map((_, index) => `p${index}`);
    const sum = names.map((name, index) => `(long long) ${name} * ${2 * index + 3}`).join(" + ");
    return `long long back${number}(${parameters});\n` +
      `long long c${number}(${parameters}) { return ${sum || "5"}; }\n` +
      `long long through${number}(${parameters}) { return back${number}(${
        names.join(", ")
      }) + 1; }\n`;
  });
  return functions.join("");
}

function typeScriptSource(): { main: string; asm: string } {
  const declarations: string[] = [];
  const backs: string[] = [];
  const checks: string[] = [];
  const imports: string[] = [];
  LISTS.forEach((list, number) => {
    const types = list.map((type) => type === "int" ? "i32" : "i64");
    const parameters = types.map((type, index) => `p${index}: ${type}`).join(", ");
    const sum = list.map((_, index) => `<i64>p${index} * ${2 * index + 3}`).join(" + ") || "5";
    const args = list.map((type, index) => valueOf(type, index));
    const expected = list.map((type, index) => `<i64>${valueOf(type, index)} * ${2 * index + 3}`)
      .join(" + ") || "5";
    for (const name of [`c${number}`, `through${number}`]) {
      declarations.push(`export declare function ${name}(${parameters}): i64;`);
      imports.push(name);
    }
    backs.push(`export function back${number}(${parameters}): i64 { return ${sum}; }`);
    checks.push(`if (c${number}(${args.join(", ")}) != ${expected}) return ${number + 1};`);
    checks.push(
      `if (through${number}(${args.join(", ")}) != ${expected} + 1) return ${number + 101};`,
    );
  });
  const main = `import { ${imports.join(", ")} } from "./asm.ts";\n${backs.join("\n")}\n` +
    `export function main(_c: i32, _v: usize, _e: usize): i32 {\n${
      checks.join("\n")
    }\nreturn 42;\n}\n`;
  return { main, asm: declarations.join("\n") };
}

Deno.test({
  name: "gcc's -mregparm=3 code calls ours and ours calls it, with every mix of int and long long",
  ignore: !canRunNative || !haveCommands("gcc"),
  fn: async () => {
    const options = ["-fno-pic", "-fno-asynchronous-unwind-tables", "-fno-stack-protector"];
    const assembly = withFolder((folder) => {
      Deno.writeTextFileSync(`${folder}/c.c`, cSource());
      run(
        ...["gcc", "-m32", "-mregparm=3", "-O1", "-masm=intel", "-fcf-protection=none"] as const,
        ...[...options, "-S", "-o", `${folder}/c.s`, `${folder}/c.c`],
      );
      return Deno.readTextFileSync(`${folder}/c.s`);
    });
    const { main, asm } = typeScriptSource();
    const files = sourceFiles({ "main.ts": main, "asm.ts": asm, "c.s": assembly });
    const { elf } = await buildProgram({
      ...{ root: "", entry: "main.ts", target: "user", assembly: ["c.s"], files },
    });
    assert.equal(execute(elf).code, 42);
  },
});
