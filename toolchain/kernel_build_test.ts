/**
 * Tests of kernel builds: layout, boot under QEMU, the embedded symbol table.
 *
 * @module
 */

import assert from "node:assert/strict";
import { buildProgram } from "./mod.ts";
import { haveCommands, run, withFolder } from "./testing/binutils.ts";
import { sourceFiles } from "./testing/sources.ts";

const ENTRY = `.intel_syntax noprefix
.section .boot, "ax"
.set FLAGS, 3
    .balign 4
    .long 0x1badb002, FLAGS, -(0x1badb002 + FLAGS)
.global _start
_start:
    mov edi, offset page_directory - 0xc0000000
    mov dword ptr [edi], 0x83
    mov dword ptr [edi+0xc00], 0x83
    mov dword ptr [edi+0xc04], 0x400083
    mov esi, eax
    mov eax, cr4
    or eax, 0x10
    mov cr4, eax
    mov cr3, edi
    mov eax, cr0
    or eax, 0x80010000
    mov cr0, eax
    mov eax, offset high
    jmp eax
.text
.type high, @function
high:
    mov esp, offset stack_top
    xor ebp, ebp
    call __module_init
    mov eax, esi
    mov edx, ebx
    call kernel_main
1:  cli
    hlt
    jmp 1b
.bss
.balign 4096
page_directory: .skip 4096
    .skip 8192
stack_top:
`;

const MAIN = `import { outb, ebp } from "./x86.ts";
import { __symbols_start, __symbols_end, __image_end } from "./sym.ts";
let answer: u32 = compute();
function compute(): u32 { return load<u8>(c\`*\`); }
function print(text: usize): void {
  for (; load<u8>(text); text++) outb(0x3f8, load<u8>(text));
}
function printNumber(value: u32): void {
  if (value >= 10) printNumber(value / 10);
  outb(0x3f8, 48 + value % 10);
}
function nameOf(address: u32): usize {
  let name: usize = c\`?\`;
  for (let at = __symbols_start(); at < __symbols_end(); at += 8) {
    if (load<u32>(at) > address) break;
    name = load<u32>(at, 4);
  }
  return name;
}
export function backtrace(): void {
  for (let frame = ebp(); frame != 0; frame = load<usize>(frame)) {
    print(nameOf(load<u32>(frame, 4)));
    print(c\`\\n\`);
  }
}
export function recurse(n: u32): u32 {
  if (n == 0) {
    backtrace();
    return 0;
  }
  return recurse(n - 1) + 1;
}
export function kernel_main(magic: u32, _information: usize): void {
  print(magic == 0x2badb002 ? c\`multiboot\\n\` : c\`?\\n\`);
  printNumber(answer + recurse(2));
  print(__image_end() % 4096 == 0 ? c\`\\naligned\\n\` : c\`\\nodd\\n\`);
  outb(0xf4, 0);
}
`;

const FILES = sourceFiles({
  "main.ts": MAIN,
  "entry.s": ENTRY,
  "x86.ts": "export declare function outb(port: u32, value: u32): void;\n" +
    "export declare function ebp(): usize;\n",
  "sym.ts": "export declare function __symbols_start(): usize;\n" +
    "export declare function __symbols_end(): usize;\nexport declare function __image_end(): usize;\n",
});

async function buildKernel(): Promise<Uint8Array> {
  const assembly = ["entry.s"];
  const options = { root: "", entry: "main.ts", target: "kernel", assembly, files: FILES } as const;
  return (await buildProgram(options)).elf;
}

Deno.test({
  name: "a kernel lies at 1 MiB physically and in the higher half virtually",
  ignore: !haveCommands("readelf"),
  fn: async () => {
    const elf = await buildKernel();
    withFolder((folder) => {
      Deno.writeFileSync(`${folder}/kernel`, elf);
      const headers = run("readelf", "-lW", `${folder}/kernel`);
      assert.match(headers, /LOAD +0x001000 0x00100000 0x00100000 .* R E/);
      assert.match(headers, /LOAD +0x\w+ 0xc0101000 0x00101000 .* R E/);
      assert.match(headers, /LOAD +0x\w+ 0xc0400000 0x00400000 .* RW/);
      assert.match(headers, /Entry point 0x10000c/);
    });
  },
});

Deno.test({
  name: "a kernel boots under QEMU, runs its initialisers and names its own frames",
  ignore: !haveCommands("qemu-system-i386"),
  fn: async () => {
    const elf = await buildKernel();
    withFolder((folder) => {
      const path = `${folder}/kernel`;
      Deno.writeFileSync(path, elf);
      const machine = ["-kernel", path, "-serial", "stdio", "-display", "none", "-no-reboot"];
      const { stdout } = new Deno.Command("timeout", {
        args: ["20", "qemu-system-i386", ...machine, "-device", "isa-debug-exit,iobase=0xf4"],
      }).outputSync();
      const lines = new TextDecoder().decode(stdout).split(/\r?\n/);
      assert.deepEqual(lines, [
        ...[
          "multiboot",
          "recurse",
          "recurse",
          "recurse",
          "kernel_main",
          "high",
          "44",
          "aligned",
          "",
        ],
      ]);
    });
  },
});
