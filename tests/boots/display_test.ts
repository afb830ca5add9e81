/**
 * The picture of every kind of display mode, set and drawn by SeaBIOS's VGA BIOS, against QEMU's screen dump.
 *
 * Needs Debian's package seabios, gcc with -m32 and qemu-system-i386.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type DisplayImage, Machine, MemoryDisk } from "../../devices/mod.ts";

const FOLDER = "/usr/share/seabios";
const LIMIT = 400_000_000;
const MODE_OFFSET = 2;
/**
 * Levels by which a colour may differ: six bits of a DAC become eight in more than one way (the monitor's are analog),
 * and so do five.
 */
const TOLERANCE = 7;

/** Mode number and what it is. */
const MODES: readonly (readonly [mode: number, name: string])[] = [
  [0x03, "80 by 25 characters"],
  [0x04, "CGA, 4 colours"],
  [0x06, "CGA, 2 colours"],
  [0x0d, "EGA, 320 by 200 in planes"],
  [0x12, "VGA, 640 by 480 in planes"],
  [0x13, "VGA, 256 colours chained"],
  [0x101, "640 by 480, 8 bits"],
  [0x110, "640 by 480, 15 bits"],
  [0x114, "800 by 600, 16 bits"],
  [0x112, "640 by 480, 24 bits"],
  [0x144, "1024 by 768, 32 bits"],
];

function missing(): string | undefined {
  if (!existsSync(`${FOLDER}/vgabios-stdvga.bin`)) return "Debian's package seabios";
  for (const program of ["qemu-system-i386", "gcc"]) {
    if (spawnSync(program, ["--version"]).status !== 0) return program;
  }
  return undefined;
}

const lacks = missing();
if (lacks !== undefined) console.error(`Skipped: ${lacks} is missing`);

function assemble(folder: string): Uint8Array {
  const source = fileURLToPath(new URL("display_sector.s", import.meta.url));
  const { status, stderr } = spawnSync("gcc", [
    ...["-m32", "-nostdlib", "-static", "-Wl,-Ttext=0x7c00,--oformat=binary,--build-id=none"],
    ...["-Wl,--no-warn-rwx-segments", "-o", join(folder, "sector"), source],
  ], { encoding: "utf8", timeout: 30_000 });
  assert.equal(status, 0, stderr);
  return readFileSync(join(folder, "sector")).subarray(0, 512);
}

function diskFor(sector: Uint8Array, mode: number): Uint8Array {
  const disk = new Uint8Array(1 << 20);
  disk.set(sector);
  new DataView(disk.buffer).setUint16(MODE_OFFSET, mode, true);
  return disk;
}

function ours(disk: Uint8Array): DisplayImage {
  let said = "";
  const machine = new Machine({
    ramBytes: 16 << 20,
    bios: readFileSync(`${FOLDER}/bios-256k.bin`),
    vgaRom: readFileSync(`${FOLDER}/vgabios-stdvga.bin`),
    disks: [new MemoryDisk(disk)],
    debug: (bytes) => said += String.fromCharCode(...bytes),
  });
  assert.deepEqual(machine.runSync(LIMIT), { type: "exit", status: 1 }, said.slice(-400));
  return machine.display.image();
}

/** A binary PPM's size and pixels. */
function readPpm(bytes: Uint8Array): { width: number; height: number; rgb: Uint8Array } {
  const head = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(String.fromCharCode(...bytes.subarray(0, 40)));
  assert.ok(head);
  return {
    width: Number(head[1]),
    height: Number(head[2]),
    rgb: bytes.subarray(head[0].length),
  };
}

/** Runs the disk on QEMU until it says that it is done, and dumps the screen. */
async function dumped(folder: string, disk: Uint8Array): Promise<ReturnType<typeof readPpm>> {
  const [image, log, dump] = ["disk.img", "log", "dump.ppm"].map((name) => join(folder, name));
  writeFileSync(image as string, disk);
  writeFileSync(log as string, "");
  const qemu = spawn("timeout", [
    ...["60", "qemu-system-i386", "-M", "pc", "-m", "16", "-nic", "none", "-display", "none"],
    ...["-drive", `file=${image},format=raw,if=ide`, "-debugcon", `file:${log}`],
    ...["-serial", "none", "-monitor", "stdio"],
  ], { stdio: ["pipe", "ignore", "inherit"] });
  const ended = new Promise<void>((resolve) => qemu.on("close", () => resolve()));
  for (let i = 0; i < 300 && !readFileSync(log as string, "latin1").includes("done"); i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  qemu.stdin.write(`screendump ${dump}\nquit\n`);
  await ended;
  qemu.stdin.destroy();
  return readPpm(readFileSync(dump as string));
}

/** Says where two pictures differ first. */
function difference(
  a: DisplayImage,
  b: { readonly width: number; readonly height: number; readonly rgb: Uint8Array },
): string | undefined {
  if (a.width !== b.width || a.height !== b.height) {
    return `${a.width}x${a.height}, QEMU's ${b.width}x${b.height}`;
  }
  for (let i = 0; i < a.width * a.height; i++) {
    for (let c = 0; c < 3; c++) {
      const [mine, other] = [a.pixels[4 * i + c] as number, b.rgb[3 * i + c] as number];
      if (Math.abs(mine - other) > TOLERANCE) {
        return `at ${i % a.width},${Math.floor(i / a.width)} colour ${c}: ${mine}, QEMU's ${other}`;
      }
    }
  }
  return undefined;
}

Deno.test({
  name: "the picture of each kind of mode is QEMU's",
  ignore: lacks !== undefined,
  fn: async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "overture-display-"));
    try {
      const sector = assemble(folder);
      for (const [mode, name] of MODES) {
        await t.step(`mode ${mode.toString(16)}h: ${name}`, async () => {
          const disk = diskFor(sector, mode);
          const image = ours(disk);
          const colours = new Set(new Uint32Array(image.pixels.buffer));
          assert.ok(colours.size >= 2, "an empty picture proves nothing");
          assert.equal(difference(image, await dumped(folder, disk)), undefined);
        });
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "800 by 600 in planes has the picture of 640 by 480 in planes in its corner",
  ignore: lacks !== undefined,
  fn: () => {
    // QEMU 7.2 leaves this mode of the extension black.
    const folder = mkdtempSync(join(tmpdir(), "overture-display-"));
    try {
      const sector = assemble(folder);
      const [large, small] = [0x102, 0x12].map((mode) => ours(diskFor(sector, mode)));
      assert.ok(large !== undefined && small !== undefined);
      assert.deepEqual([large.width, large.height], [800, 600]);
      for (let y = 0; y < small.height; y++) {
        assert.deepEqual(
          large.pixels.subarray(4 * y * large.width, 4 * (y * large.width + small.width)),
          small.pixels.subarray(4 * y * small.width, 4 * (y + 1) * small.width),
          `row ${y}`,
        );
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
});
