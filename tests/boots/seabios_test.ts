/**
 * Debian's SeaBIOS starts the machine, finds its devices and boots a disk's master boot record, as on QEMU.
 *
 * Needs Debian's package seabios, gcc with -m32, binutils and qemu-system-i386.
 *
 * @module
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import {
  type ExitReason,
  Machine,
  type MachineOptions,
  MemoryDisk,
  screenText,
} from "../../devices/mod.ts";

const FOLDER = "/usr/share/seabios";
const SECTORS = 20_480;
const LIMIT = 300_000_000;
/** The boot sector's exit status: 10h << 1 | 1. */
const STATUS = 0x21;

function has(): boolean {
  const found = existsSync(`${FOLDER}/bios-256k.bin`);
  if (!found) console.error("Skipped: there is no SeaBIOS; install Debian's package seabios");
  return found;
}
const ignore = !has();

function rom(name: string): Uint8Array {
  return Deno.readFileSync(`${FOLDER}/${name}`);
}

/** A disk whose first sector is the program, and whose second has a text. */
function bootDisk(source = new URL("boot_sector.s", import.meta.url).pathname): Uint8Array {
  const folder = Deno.makeTempDirSync();
  try {
    const { success, stderr } = new Deno.Command("gcc", {
      args: ["-m32", "-nostdlib", "-static", "-Wl,-Ttext=0x7c00,--oformat=binary,--build-id=none"]
        .concat(["-Wl,--no-warn-rwx-segments", "-o", `${folder}/mbr`, source]),
    }).outputSync();
    assert.ok(success, new TextDecoder().decode(stderr));
    const image = new Uint8Array(SECTORS * 512);
    image.set(Deno.readFileSync(`${folder}/mbr`).subarray(0, 512));
    image.set(new TextEncoder().encode("second sector\r\n\0"), 512);
    return image;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

interface Started {
  readonly machine: Machine;
  readonly said: () => string;
  readonly serial: () => string;
}

function start(options: MachineOptions): Started {
  let said = "";
  let serial = "";
  const machine = new Machine({
    vgaRom: rom("vgabios-stdvga.bin"),
    disks: [new MemoryDisk(bootDisk())],
    debug: (bytes) => said += String.fromCharCode(...bytes),
    serial: (bytes) => serial += String.fromCharCode(...bytes),
    ...options,
  });
  return { machine, said: () => said, serial: () => serial };
}

/** What the boot sector said, of all that went to the debug ports. */
function sectorText(said: string): string {
  const at = said.indexOf("boot sector\r\n");
  return at < 0 ? "" : said.slice(at);
}

function screen(machine: Machine): string {
  const shown = machine.display.screen();
  return shown === undefined ? "" : screenText(shown);
}

const EXIT: ExitReason = { type: "exit", status: STATUS };

Deno.test({
  name: "SeaBIOS boots a master boot record, which finds the machine as on QEMU",
  ignore,
  fn: async () => {
    const { machine, said } = start({ bios: rom("bios-256k.bin") });
    assert.deepEqual(machine.runSync(LIMIT), EXIT, said().slice(-1000));
    assert.match(said(), /Running on QEMU \(i440fx\)\n/);
    assert.match(said(), /Found 1 serial ports\n/);
    assert.match(said(), /PS2 keyboard initialized\n/);
    assert.match(said(), /ACPI: parse DSDT at /);
    const text = sectorText(said());
    assert.match(text, /^boot sector\r\nsecond sector\r\nsecond sector\r\n/);
    assert.match(text, /\r\ndone\r\n$/);
    assert.ok(screen(machine).includes("second sector"), screen(machine));
    assert.match(screen(machine), /SeaBIOS \(version [^)]*\)\n/);

    const folder = Deno.makeTempDirSync();
    try {
      Deno.writeFileSync(`${folder}/disk.img`, bootDisk());
      const { stdout, code } = await new Deno.Command("timeout", {
        args: ["60", "qemu-system-i386", "-M", "pc", "-nic", "none", "-display", "none"]
          .concat(["-drive", `file=${folder}/disk.img,format=raw,if=ide`, "-no-reboot"])
          .concat(["-debugcon", "stdio", "-monitor", "none", "-serial", "none"])
          .concat(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]),
        stdin: "null",
      }).output();
      assert.equal(text, sectorText(new TextDecoder().decode(stdout)));
      assert.equal(code, STATUS);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "SeaBIOS takes the same steps translated, when its code is hot and from the first entry on",
  ignore,
  fn: () => {
    const runs = [0, 500, 1].map((translateAfter) => {
      const { machine, said } = start({ bios: rom("bios-256k.bin"), translateAfter });
      assert.deepEqual(machine.runSync(LIMIT), EXIT, said().slice(-1000));
      return { said: said(), screen: screen(machine), instructions: machine.cpu.instructions };
    });
    assert.deepEqual(runs[1], runs[0]);
    assert.deepEqual(runs[2], runs[0]);
  },
});

Deno.test({
  name: "SeaBIOS of 128 KiB boots too, without APICs, and again after a reset, in the same steps",
  ignore,
  fn: () => {
    const { machine, said } = start({ bios: rom("bios.bin"), apic: false });
    assert.deepEqual(machine.runSync(LIMIT), EXIT, said().slice(-1000));
    const first = said();
    machine.reboot();
    assert.deepEqual(machine.runSync(LIMIT), EXIT, said().slice(-1000));
    assert.equal(sectorText(said().slice(first.length)), sectorText(first));
    const other = start({ bios: rom("bios.bin"), apic: false });
    other.machine.runSync(LIMIT);
    other.machine.reboot();
    other.machine.runSync(LIMIT);
    assert.equal(other.said(), said());
    assert.equal(other.machine.cpu.instructions, machine.cpu.instructions);
  },
});

Deno.test({
  name: "SeaBIOS runs an option ROM, and has its console on COM1 when it is told to",
  ignore,
  fn: () => {
    // push ax, bx; mov ax, 0E21h; int 10h; pop bx, ax; retf
    const code = [0x50, 0x53, 0xb8, 0x21, 0x0e, 0xbb, 7, 0, 0xcd, 0x10, 0x5b, 0x58, 0xcb];
    const card = new Uint8Array(512);
    card.set([0x55, 0xaa, 1, ...code]);
    card[511] = -card.reduce((sum, byte) => sum + byte, 0) & 0xff;
    const { machine, said, serial } = start({
      bios: rom("bios-256k.bin"),
      optionRoms: [card],
      biosOnSerial: true,
    });
    assert.deepEqual(machine.runSync(LIMIT), EXIT, said().slice(-1000));
    assert.match(screen(machine), /^!/m);
    assert.match(serial(), /second sector/);
  },
});

Deno.test({
  name: "SeaBIOS says on the screen that there is nothing to boot",
  ignore,
  fn: () => {
    const { machine } = start({ bios: rom("bios-256k.bin"), disks: [] });
    machine.runSync(LIMIT);
    assert.match(screen(machine), /No bootable device\./);
  },
});

Deno.test({
  name: "the VGA's BIOS sets a mode of Bochs's extension, and the frame buffer is where PCI has it",
  ignore,
  fn: () => {
    const folder = Deno.makeTempDirSync();
    let disk: Uint8Array;
    try {
      Deno.writeTextFileSync(`${folder}/vbe.s`, VBE_SECTOR);
      disk = bootDisk(`${folder}/vbe.s`);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
    const { machine, said } = start({
      bios: rom("bios-256k.bin"),
      disks: [new MemoryDisk(disk)],
    });
    assert.deepEqual(machine.runSync(LIMIT), EXIT, said().slice(-1000));
    const { board, cpu } = machine;
    const { mode } = board.vbe;
    assert.deepEqual([mode?.width, mode?.height, mode?.bits, mode?.pitch], [1024, 768, 24, 1024]);
    // What the mode's description says (VBE 2.0, "PhysBasePtr"), and what was written there.
    const base = cpu.memory.read32(0x8200 + 0x28);
    assert.equal(base, 0xfd000000);
    assert.equal(board.vbe.frameBuffer.read(0x1234, 4), 0xcafe1234);
  },
});

/** Reads the description of mode 118h, sets it with its linear frame buffer, and writes to that in protected mode. */
const VBE_SECTOR = `
.code16
.intel_syntax noprefix
.globl _start
_start:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ax, 0x4f01
  mov cx, 0x118
  mov di, 0x8200
  int 0x10
  mov ax, 0x4f02
  mov bx, 0x4118
  int 0x10
  cli
  lgdt [pointer]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  mov bx, 8
  mov ds, bx
  mov ebx, [0x8228]
  mov dword ptr [ebx + 0x1234], 0xcafe1234
  mov al, 0x10
  out 0xf4, al
1: hlt
  jmp 1b
.align 8
gdt: .quad 0, 0x00cf92000000ffff
pointer: .word 15
  .long gdt
.org 510
.word 0xaa55
`;

Deno.test("a file that cannot be a BIOS is refused", () => {
  assert.throws(() => new Machine({ bios: new Uint8Array(1000) }), RangeError);
  assert.throws(() => new Machine({ bios: new Uint8Array(0) }), RangeError);
});
