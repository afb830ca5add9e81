/**
 * An assembler for i386: a strict subset of GNU as with `.intel_syntax noprefix`, so that `as --32`
 * gives the same bytes for every file that we accept.
 *
 * Directives: `.text .data .bss .section .global .globl .extern .type .size .align .balign .p2align .byte
 * .word .short .hword .2byte .long .int .4byte .quad .8byte .ascii .asciz .string .zero .skip .space .fill .set .equ .org
 * .macro .endm .rept .irp .endr .if .ifdef .ifndef .elseif .else .endif .altmacro .noaltmacro .code32
 * .intel_syntax .file .ident`. Comments are `#` and C comments. Numeric labels (`1:`, `1b`, `1f`) work.
 *
 * @module
 */

export { assemble } from "./assemble.ts";
