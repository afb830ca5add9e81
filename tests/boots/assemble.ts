/**
 * Multiboot kernels from assembly text, for tests.
 *
 * @module
 */
import assert from "node:assert/strict";

const MULTIBOOT1 = ".align 4\n.long 0x1badb002, 0, -0x1badb002";

/**
 * A kernel at 1 MiB with `code` (Intel syntax) at its entry, a stack, and a flat GDT loaded.
 *
 * @param header its boot header; default Multiboot 1
 */
export function assembleKernel(code: string, header: string = MULTIBOOT1): Uint8Array {
  const source = `.intel_syntax noprefix
.text
${header}
.globl _start
_start:
  mov esp, offset stack_top
  lgdt gdt_pointer
  ljmp 0x08, offset begin
begin:
${code}
.data
.align 8
gdt: .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdt_pointer: .word 23
  .long gdt
.bss
.align 4096
idt: .skip 2048
stack: .skip 4096
stack_top:
`;
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${folder}/kernel.s`, source);
    // For `.include "serial.s"`.
    const include = `-Wa,-I${new URL(".", import.meta.url).pathname}`;
    const { success, stderr } = new Deno.Command("gcc", {
      args: ["-m32", "-nostdlib", "-static", include, "-Wl,-n,-Ttext=0x100000,--build-id=none"]
        .concat(["-Wl,--no-warn-rwx-segments", "-o", `${folder}/kernel`, `${folder}/kernel.s`]),
    }).outputSync();
    assert.ok(success, new TextDecoder().decode(stderr));
    return Deno.readFileSync(`${folder}/kernel`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Code that sends interrupt `irq` of the master PIC (moved to 20h) to the label `handler`, and opens it alone. */
export function interruptSetup(irq: number): string {
  return `
  mov eax, offset handler
  mov edi, offset idt + 8 * (0x20 + ${irq})
  mov [edi], ax
  mov word ptr [edi + 2], 0x08
  mov word ptr [edi + 4], 0x8e00
  shr eax, 16
  mov [edi + 6], ax
  lidt idt_pointer
  mov al, 0x11
  out 0x20, al
  mov al, 0x20
  out 0x21, al
  mov al, 4
  out 0x21, al
  mov al, 1
  out 0x21, al
  mov al, ${0xff & ~(1 << irq)}
  out 0x21, al
  jmp 1f
idt_pointer: .word 2047
  .long idt
1:
`;
}
