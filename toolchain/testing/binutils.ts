/**
 * GNU binutils, gcc and gdb as oracles in tests. Where they are missing, tests are skipped with a message.
 *
 * @module
 */

/** True when all commands exist on this host. */
export function haveCommands(...commands: readonly string[]): boolean {
  const missing = commands.filter((command) => !exists(command));
  if (missing.length > 0) console.warn(`Skipped, not installed: ${missing.join(", ")}`);
  return missing.length === 0;
}

function exists(command: string): boolean {
  try {
    return new Deno.Command(command, { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

/** Runs a command to its end and returns what it printed; throws when it fails. */
export function run(command: string, ...args: readonly string[]): string {
  const { success, stdout, stderr } = new Deno.Command(command, { args: [...args] }).outputSync();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${command} ${args.join(" ")}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

/** Calls back with a fresh folder, which is removed afterwards. */
export function withFolder<T>(use: (folder: string) => T): T {
  const folder = Deno.makeTempDirSync({ prefix: "toolchain-" });
  try {
    return use(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** The contents of a file's sections as `as` and `ld` make them, at the given addresses. */
export function assembleByGnu(
  source: string,
  addresses: Readonly<Record<string, number>>,
): Map<string, Uint8Array> {
  return withFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/a.s`, source);
    run("as", "--32", "-o", `${folder}/a.o`, `${folder}/a.s`);
    const starts = Object.entries(addresses).map(([name, address]) =>
      `--section-start=${name}=0x${address.toString(16)}`
    );
    run("ld", "-m", "elf_i386", "-e", "0", ...starts, "-o", `${folder}/a.elf`, `${folder}/a.o`);
    const contents = new Map<string, Uint8Array>();
    for (const name of Object.keys(addresses)) {
      const target = `${folder}/section.bin`;
      run("objcopy", "-O", "binary", "-j", name, `${folder}/a.elf`, target);
      contents.set(name, Deno.readFileSync(target));
    }
    return contents;
  });
}
