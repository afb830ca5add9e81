/**
 * Our shell against Debian's dash, as native programs: the same text by `-c`, as a script and on standard input
 * gives the same output and status.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildUserProgram, runsNatively } from "./user_program.ts";

const ORACLE = "/bin/dash";

/** Cases are lines; one with a here-document runs on to its delimiter `E`. */
function readCases(): string[] {
  const lines = readFileSync(new URL("sh_cases.txt", import.meta.url), "utf8").split("\n");
  const cases: string[] = [];
  for (let index = 0; index < lines.length; index++) {
    let text = lines[index]!;
    if (text === "") continue;
    if (/<<-?'?E'?/.test(text)) {
      do text += `\n${lines[++index]}`; while (lines[index]!.trimStart() !== "E");
    }
    cases.push(text);
  }
  return cases;
}

Deno.test({
  name: "sh gives what dash gives for every case, by -c, as a script and on standard input",
  ignore: !existsSync(ORACLE) || !runsNatively(),
  async fn() {
    const folder = mkdtempSync(join(tmpdir(), "sh-"));
    try {
      const shell = join(folder, "sh");
      writeFileSync(shell, await buildUserProgram("kernel/user/bin/sh.ts"), { mode: 0o755 });
      const cases = readCases();
      assert.ok(cases.length > 60);
      for (const text of cases) {
        const run = (program: string, args: string[], input?: string): string => {
          const result = spawnSync(program, args, { cwd: folder, input, timeout: 10000 });
          return `${result.status}\n${result.stdout}`;
        };
        const expected = run(ORACLE, ["-c", text]);
        assert.equal(run(shell, ["-c", text]), expected, text);
        writeFileSync(join(folder, "script"), `${text}\n`);
        assert.equal(run(shell, ["script"]), expected, text);
        assert.equal(run(shell, [], `${text}\n`), expected, text);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
});
