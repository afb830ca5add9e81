/**
 * Mistakes of a user's, each through the real program: one sentence on standard error that names the thing, a
 * non-zero exit where the command cannot go on, and no damage.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { directory, file, put, writeExt2 } from "../../toolchain/image/mod.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const LOAD = 0x100000;

/** A Multiboot kernel without ELF that writes "x" to port E9h and exits with status 1 (0 << 1 | 1). */
function kernel(): Uint8Array {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  [0x1badb002, 0x10000, -(0x1badb002 + 0x10000), LOAD, LOAD, 0, 0, LOAD + 32]
    .forEach((word, index) => view.setInt32(4 * index, word, true));
  // mov al, 'x'; out E9h, al; mov al, 0; out F4h, al; jmp $
  bytes.set([0xb0, 0x78, 0xe6, 0xe9, 0xb0, 0x00, 0xe6, 0xf4, 0xeb, 0xfe], 32);
  return bytes;
}

function image(kernelBytes: Uint8Array | undefined): Uint8Array {
  const root = directory();
  if (kernelBytes !== undefined) put(root, "/boot/kernel", file(kernelBytes));
  const bytes = new Uint8Array(2 << 20);
  writeExt2({ write: (offset, part) => bytes.set(part, offset) }, root, {
    sizeBytes: bytes.length,
  });
  return bytes;
}

/** An i386 file for another machine, as far as its header says. */
function foreignElf(): Uint8Array {
  const bytes = new Uint8Array(64);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes[16] = 2;
  bytes[18] = 183;
  return bytes;
}

/** The image with its root directory's first entry given a length of zero, which would loop for ever. */
function corrupt(): Uint8Array {
  const bytes = image(kernel());
  const view = new DataView(bytes.buffer);
  const table = view.getUint32(4096 + 8, true);
  const rootBlock = view.getUint32(table * 4096 + 256 + 40, true);
  view.setUint16(rootBlock * 4096 + 4, 0, true);
  return bytes;
}

interface Result {
  readonly status: number | null;
  readonly stderr: string;
}

function overture(folder: string, args: string[], permissions = ["-A"]): Result {
  const { status, stderr } = spawnSync(
    Deno.execPath(),
    ["run", "--no-check", ...permissions, join(ROOT, "mod.ts"), ...args],
    { cwd: folder, encoding: "utf8", timeout: 60_000, input: "" },
  );
  return { status, stderr };
}

function withFolder(use: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "cli-"));
  try {
    use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** One line that says what is wrong; commander adds a hint in parentheses to its own. */
function assertSentence(result: Result, pattern: RegExp, status = 1): void {
  assert.equal(result.status, status, result.stderr);
  assert.match(result.stderr, pattern);
  const lines = result.stderr.trim().split("\n").filter((line) => !line.startsWith("("));
  assert.equal(lines.length, 1, result.stderr);
}

Deno.test("boot: images and kernels that cannot boot", () => {
  withFolder((folder) => {
    const write = (name: string, bytes: Uint8Array): void =>
      writeFileSync(join(folder, name), bytes);
    const good = image(kernel());
    write("good.img", good);
    write("cut.img", good.slice(0, 100_000));
    write("half.img", good.slice(0, 64 << 10));
    write("empty.img", new Uint8Array(0));
    write("nokernel.img", image(undefined));
    write("foreign.img", image(foreignElf()));
    write("text.img", image(new TextEncoder().encode("not a kernel")));
    write("corrupt.img", corrupt());
    write("odd", new Uint8Array(1000));
    write("rom", new Uint8Array(0x10000));
    mkdirSync(join(folder, "folder"));
    const cases: [string[], RegExp][] = [
      [["none.img"], /There is no image "none.img"; make one with: image build none.img/],
      [["folder"], /"folder" is a directory, not a disk image/],
      [["empty.img"], /"empty.img" is empty/],
      [["cut.img"], /"cut.img" is cut off/],
      [["half.img"], /"half.img" is cut off/],
      [["nokernel.img"], /"nokernel.img" has no \/boot\/kernel; .*--kernel/],
      [["foreign.img"], /is a program for AArch64; give one for i386/],
      [["text.img"], /is not an ELF file/],
      [["corrupt.img"], /"corrupt.img" has a damaged directory/],
      [["good.img", "--kernel", "none"], /Cannot read the kernel "none"/],
      [["good.img", "--initrd", "none"], /Cannot read the initial RAM disk "none"/],
      [["good.img", "--initrd", "text.img"], /is no Linux kernel .*initial RAM disk/],
      [["good.img", "--symbols", "text.img"], /"text.img" has no symbols/],
      [["good.img", "--cdrom", "none"], /"none"/],
      [["good.img", "--bios", "none"], /Cannot read the BIOS "none"/],
      [["good.img", "--bios", "good.img", "--kernel", "x"], /--kernel, .* do not go with it/],
      [["good.img", "--bios", "odd"], /"odd" is no BIOS: it has \d+ bytes/],
      [["good.img", "--option-rom", "odd"], /give one with --bios FILE/],
      [["good.img", "--bios", "rom", "--option-rom", "odd"], /"odd" is no option ROM/],
      [["good.img", "--ram", "1M"], /from 8M to 3072M of memory/],
      [["good.img", "--ram", "many"], /"many" is not a size/],
      [["good.img", "--clock", "sun"], /--clock is "virtual" or "wall", not "sun"/],
    ];
    for (const [args, pattern] of cases) {
      assertSentence(overture(folder, ["boot", ...args]), pattern);
    }
    assertSentence(
      overture(folder, ["boot", "good.img", "--colour"]),
      /unknown option '--colour'/,
      2,
    );
    assertSentence(overture(folder, ["start"]), /unknown command 'start'/, 2);
    assert.deepEqual(new Uint8Array(readFileSync(join(folder, "good.img"))), good, "no damage");
    // The same image boots: port E9h goes to standard error, the exit code is the guest's.
    const booted = overture(folder, ["boot", "good.img"]);
    assert.deepEqual([booted.status, booted.stderr], [1, "x"]);
  });
});

Deno.test("boot: an image that may not be written to is refused, and left alone with --snapshot", () => {
  withFolder((folder) => {
    writeFileSync(join(folder, "good.img"), image(kernel()));
    const result = overture(folder, ["boot", "good.img"], ["--allow-read"]);
    assertSentence(
      result,
      /Cannot write to the image "good.img": permission denied; use --snapshot/,
    );
    const snapshot = overture(folder, ["boot", "good.img", "--snapshot"], ["--allow-read"]);
    assert.deepEqual([snapshot.status, snapshot.stderr], [1, "x"]);
    // The README's least permissions.
    const least = overture(folder, ["boot", "good.img"], [
      "--allow-read",
      "--allow-write=good.img",
    ]);
    assert.deepEqual([least.status, least.stderr], [1, "x"]);
  });
});

Deno.test("plugins that fail: at load the command stops, later the machine goes on", () => {
  withFolder((folder) => {
    writeFileSync(join(folder, "good.img"), image(kernel()));
    const plugin = (name: string, install: string): void =>
      writeFileSync(
        join(folder, name),
        `export const plugin = { name: "${name}", description: "", install(host) { ${install} } };`,
      );
    writeFileSync(join(folder, "load.js"), "throw new Error('at load');");
    plugin("install.js", "throw new Error('at install');");
    plugin("callback.js", "host.onTranslate(() => { throw new Error('in callback'); });");
    plugin("exit.js", "host.atExit(() => { throw new Error('at exit'); });");
    const boot = (name: string): Result => overture(folder, ["boot", "good.img", "--plugin", name]);
    assertSentence(boot("none.js"), /Cannot load plugin "none.js"/);
    assertSentence(boot("load.js"), /Cannot load plugin "load.js": at load/);
    assertSentence(boot("install.js"), /Cannot install plugin "install.js": at install/);
    assertSentence(
      boot("exit.js,colour=red"),
      /Plugin "exit.js" has no option "colour"; it has none/,
    );
    const inCallback = boot("callback.js");
    assert.match(
      inCallback.stderr,
      /Plugin "callback.js" failed in its translation callback .*: in callback/,
    );
    assert.match(inCallback.stderr, /x/, "the machine went on");
    assert.match(
      boot("exit.js").stderr,
      /^xoverture: Plugin "exit.js" failed in its exit callback .*: at exit\n$/,
    );
  });
});

Deno.test("image build: bad additions, sizes and targets leave nothing behind", () => {
  withFolder((folder) => {
    writeFileSync(join(folder, "kernel"), kernel());
    writeFileSync(join(folder, "large"), new Uint8Array(3 << 20));
    const build = (...args: string[]): Result =>
      overture(folder, ["image", "build", ...args, "--empty", "--kernel", "kernel"]);
    assertSentence(build("a.img", "--add", "large"), /Cannot add "large": write HOST=GUEST/);
    assertSentence(build("a.img", "--add", "none=/x"), /Cannot add "none": there is no such file/);
    assertSentence(build("a.img", "--add", "large=/x/../y"), /".." is not a file name/);
    assertSentence(
      build("a.img", "--add", "large=/large", "--size", "2M"),
      /do not fit into 2 MiB; give a larger --size/,
    );
    assertSentence(build("a.img", "--size", "5K"), /give a size from 1 MiB to 2 TiB/);
    assertSentence(build("none/a.img"), /Cannot write "none\/a.img"/);
    assert.deepEqual(readdirSync(folder).sort(), ["kernel", "large"]);
    const made = build("a.img", "--add", "large=/large");
    assert.equal(made.status, 0, made.stderr);
    if (existsSync("/sbin/e2fsck")) {
      assert.equal(spawnSync("/sbin/e2fsck", ["-fn", join(folder, "a.img")]).status, 0);
    }
  });
});

Deno.test("image build: a full disk is told, and the target is not half written", () => {
  withFolder((folder) => {
    const small = join(folder, "small");
    mkdirSync(small);
    // Only root may make a file system that is full soon.
    if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", small]).status !== 0) return;
    try {
      writeFileSync(join(folder, "kernel"), kernel());
      writeFileSync(join(folder, "large"), new Uint8Array(3 << 20));
      const args = [
        "image",
        "build",
        "small/a.img",
        "--empty",
        "--kernel",
        "kernel",
        "--add",
        "large=/large",
      ];
      assertSentence(
        overture(folder, args),
        /Cannot write "small\/a.img": No space left on device/,
      );
      assert.deepEqual(readdirSync(small), []);
    } finally {
      spawnSync("umount", [small]);
    }
  });
});

Deno.test("profile: wrong numbers, unknown symbols and targets", () => {
  withFolder((folder) => {
    writeFileSync(join(folder, "good.img"), image(kernel()));
    const profile = (...args: string[]): Result =>
      overture(folder, ["profile", "good.img", ...args]);
    assertSentence(profile("--period", "0"), /--period is a whole number from 1 on, not "0"/);
    assertSentence(profile("--frequency", "often"), /--frequency is a whole number/);
    assertSentence(profile("--until", "nowhere"), /the kernel has no symbol "nowhere"/);
    assertSentence(profile("-o", "none/x.svg", "--period", "1"), /Cannot write "none\/x.svg"/);
  });
});
