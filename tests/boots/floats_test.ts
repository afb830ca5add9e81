/**
 * Numeric programs in SSE2 say the same natively and as process 1 of our kernel, under QEMU and on our machine: in C
 * with processes and signal handlers that use the XMM registers at once, in Go and in Rust with threads. The one
 * in C also under Debian's Linux on our machine.
 * Skipped where QEMU or the compiler for i386 is missing.
 *
 * @module
 */
import assert from "node:assert/strict";
import { writeInitramfs } from "./initramfs.ts";
import { linuxPackage, runOurs } from "./linux.ts";
import { bootProgram, hasTools, runHost, writeKernel } from "./program_boot.ts";

const FIRST_LINE = "begin of the list\n";
const LAST_LINE = "end of the list\n";
/** QEMU sets the flags of MXCSR but raises no exception. */
const SIGNALS = "begin of signals\n";

interface Language {
  readonly name: string;
  readonly source: string;
  /** What compiles: command and arguments before `-o program source`, then those behind. */
  readonly compiler: string;
  readonly more?: string;
  readonly env?: Readonly<Record<string, string>>;
}
const LANGUAGES: readonly Language[] = [
  {
    name: "C",
    source: "floats.c",
    compiler: "gcc -m32 -static -O2 -msse2 -mfpmath=sse -ffp-contract=off",
    more: "-lm",
  },
  {
    name: "Go",
    source: "floats.go",
    compiler: "go build",
    env: { GOARCH: "386", CGO_ENABLED: "0", GO111MODULE: "off" },
  },
  {
    name: "Rust",
    source: "floats.rs",
    compiler: "rustc --target i686-unknown-linux-gnu -O -C target-cpu=pentium4 " +
      "-C target-feature=+crt-static -C linker=gcc -C link-arg=-m32 -C strip=symbols",
  },
];

function compile({ source, compiler, more, env }: Language, program: string): boolean {
  const [command, ...flags] = compiler.split(" ");
  const path = new URL(source, import.meta.url).pathname;
  const behind = more === undefined ? [] : [more];
  return runHost(command as string, [...flags, "-o", program, path, ...behind], env).success;
}

Deno.test({
  name: "programs in SSE2 compute what they compute natively, each with registers of its own",
  ignore: !hasTools,
  async fn(t) {
    const folder = await Deno.makeTempDir();
    await writeKernel(folder);
    for (const language of LANGUAGES) {
      const program = `${folder}/${language.name}`;
      if (!compile(language, program)) {
        assert.notEqual(language.name, "C");
        console.warn(`SKIPPED: no compiler of ${language.name} for i386`);
        continue;
      }
      const expected = runHost(program, []).text;
      assert.ok(expected.startsWith(FIRST_LINE) && expected.endsWith(LAST_LINE), expected);
      const last = expected.includes(SIGNALS) ? SIGNALS : LAST_LINE;
      await t.step(`${language.name} on QEMU`, async () => {
        const options = { cpu: "qemu32,+sse2", first: FIRST_LINE, last };
        const until = expected.indexOf(last) + last.length;
        assert.equal(await bootProgram(folder, program, options), expected.slice(0, until));
      });
      await t.step(`${language.name} on our machine`, async () => {
        const options = { model: "p4", first: FIRST_LINE, last: LAST_LINE } as const;
        assert.equal(await bootProgram(folder, program, options), expected);
      });
    }
    await Deno.remove(folder, { recursive: true });
  },
});

/** What Linux's boot and the program may take. */
const LIMIT = 12e9;

Deno.test({
  name: "Debian's Linux gives SSE2 programs their registers and exceptions on our machine",
  ignore: !hasTools,
  fn() {
    const image = linuxPackage("686");
    // It has said why.
    if (image === undefined) return;
    const program = Deno.makeTempFileSync();
    assert.ok(compile(LANGUAGES[0] as Language, program));
    const initrd = writeInitramfs([
      { path: "dev", kind: "folder" },
      { path: "dev/console", kind: "character", major: 5, minor: 1 },
      { path: "init", kind: "file", bytes: Deno.readFileSync(program), mode: 0o755 },
    ]);
    const run = { kernel: image.kernel, initrd, append: "console=ttyS0 quiet", limit: LIMIT };
    const { text, reason } = runOurs({ ...run, model: "p4" });
    assert.deepEqual(reason, { type: "power-off" });
    const said = text.replaceAll("\r\n", "\n");
    const begin = said.indexOf(FIRST_LINE);
    const end = said.indexOf(LAST_LINE) + LAST_LINE.length;
    assert.equal(said.slice(begin, end), runHost(program, []).text);
    Deno.removeSync(program);
  },
});
