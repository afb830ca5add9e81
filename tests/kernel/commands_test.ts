/**
 * Our commands against Debian's coreutils and grep, as native programs: the same arguments in equal
 * folders give the same output and status, and leave equal folders.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildUserProgram, runsNatively } from "./user_program.ts";

const ENVIRONMENT = { LC_ALL: "C", TZ: "UTC", PATH: "/usr/bin:/bin" };

function makeFiles(folder: string): void {
  mkdirSync(folder);
  writeFileSync(join(folder, "a"), "banana\napple\ncherry\napple\n10\n9\n-5\n");
  writeFileSync(join(folder, "b"), "hello world\nfoo bar  baz\n\nlast line no newline");
  writeFileSync(join(folder, "bin"), Uint8Array.from({ length: 768 }, (_, index) => index & 255));
}

/** Words of a case: blanks part, single quotes protect. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
}

/** Everything that a folder holds: paths, types, modes, link targets, contents. */
function describe(folder: string): string {
  const list = "find . -printf '%p %y %m %l\\n' | sort; find . -type f | sort | xargs cat";
  return spawnSync("sh", ["-c", list], { cwd: folder, encoding: "latin1" }).stdout;
}

Deno.test({
  name: "commands give what Debian's give",
  ignore: !existsSync("/usr/bin/grep") || !existsSync("/usr/bin/sort") || !runsNatively(),
  async fn() {
    const base = mkdtempSync(join(tmpdir(), "commands-"));
    try {
      const [ours, theirs] = [join(base, "ours"), join(base, "theirs")];
      makeFiles(ours);
      cpSync(ours, theirs, { recursive: true });
      const lines = readFileSync(new URL("command_cases.txt", import.meta.url), "utf8").trim()
        .split("\n");
      const built = new Set<string>();
      for (const line of lines) {
        const [name, ...args] = words(line);
        const oracle = `/usr/bin/${name}`;
        if (!existsSync(oracle)) continue; // hexdump is not everywhere
        const program = join(base, name!);
        if (!built.has(name!)) {
          writeFileSync(program, await buildUserProgram(`kernel/user/bin/${name}.ts`), {
            mode: 0o755,
          });
          built.add(name!);
        }
        const run = (command: string, cwd: string): string => {
          const { status, stdout } = spawnSync(command, args, {
            cwd,
            env: ENVIRONMENT,
            encoding: "latin1",
            timeout: 10000,
          });
          return `${status}\n${stdout.replaceAll(cwd, "")}`;
        };
        assert.equal(run(program, ours), run(oracle, theirs), line);
        assert.equal(describe(ours), describe(theirs), line);
      }
      assert.ok(built.size >= 24, `only ${built.size} commands were compared`);
    } finally {
      rmSync(base, { recursive: true });
    }
  },
});
