/**
 * A small guest with a program at CPL 3, for tests: it loads and stores in a loop, reads a device, writes to a port,
 * makes two system calls and ends by an exception.
 *
 * @module
 */
import type { Machine } from "../devices/mod.ts";
import { ENTRY } from "./test_machine.ts";

/** What the loop stores to. */
export const CELL = 0x200000;
/** Of the loop. */
export const ROUNDS = 100;
/** Physical address of the device. */
export const DEVICE = 0xfec00000;
/** Loads TR and flat segments; counts down in memory; reads a device; writes "x"; then two system calls, UD2. */
// deno-fmt-ignore
export const GUEST: readonly number[] = [
  0xbc, 0x00, 0x00, 0x30, 0x00,             // 00 mov esp, 300000h
  0x0f, 0x01, 0x15, 0x00, 0x10, 0x20, 0x00, // 05 lgdt [201000h]
  0x0f, 0x01, 0x1d, 0x08, 0x10, 0x20, 0x00, // 0c lidt [201008h]
  0x66, 0xb8, 0x28, 0x00, 0x0f, 0x00, 0xd8, // 13 mov ax, 28h; 17 ltr ax
  0x66, 0xb8, 0x23, 0x00,                   // 1a mov ax, 23h
  0x8e, 0xd8, 0x8e, 0xc0,                   // 1e mov ds, ax; 20 mov es, ax
  0xb9, 0x64, 0x00, 0x00, 0x00,             // 22 mov ecx, 100
  0x89, 0x0d, 0x00, 0x00, 0x20, 0x00,       // 27 again: mov [200000h], ecx
  0x0f, 0xbe, 0x05, 0x00, 0x00, 0x20, 0x00, // 2d movsx eax, byte [200000h]
  0x49, 0x75, 0xf0,                         // 34 dec ecx; 35 jnz again
  0xa1, 0x00, 0x00, 0xc0, 0xfe,             // 37 mov eax, [FEC00000h]
  0xb0, 0x78, 0xe6, 0xe9, 0x90, 0x90,       // 3c mov al, 'x'; 3e out E9h, al; 40, 41 nop
  0x6a, 0x23, 0x68, 0x00, 0x00, 0x40, 0x00, // 42 push 23h; 44 push 400000h
  0x6a, 0x02, 0x6a, 0x1b,                   // 49 push 2; 4b push 1Bh
  0x68, 0x73, 0x00, 0x10, 0x00, 0xcf,       // 4d push user; 52 iretd
  0xb8, 0x04, 0x00, 0x00, 0x00,             // 53 user: mov eax, 4
  0xbb, 0x01, 0x00, 0x00, 0x00, 0xb9, 0x00, 0x10, 0x00, 0x00, // 58 mov ebx, 1; 5d mov ecx, 1000h
  0xba, 0x05, 0x00, 0x00, 0x00, 0xbe, 0x06, 0x00, 0x00, 0x00, // 62 mov edx, 5; 67 mov esi, 6
  0xbf, 0x07, 0x00, 0x00, 0x00, 0xbd, 0x08, 0x00, 0x00, 0x00, // 6c mov edi, 7; 71 mov ebp, 8
  0xcd, 0x80, 0xa3, 0x10, 0x00, 0x20, 0x00, // 76 int 80h; 78 mov [200010h], eax
  0xb8, 0x14, 0x00, 0x00, 0x00,             // 7d mov eax, 20
  0xcd, 0x80, 0xa3, 0x14, 0x00, 0x20, 0x00, // 82 int 80h; 84 mov [200014h], eax
  0x0f, 0x0b,                               // 89 ud2
  0xf7, 0xd8, 0xcf,                         // 8b handler of 80h: neg eax; 8d iretd
  0x31, 0xc0, 0xe6, 0xf4, 0xeb, 0xfa,       // 8e handler of #UD: xor eax, eax; 90 out F4h, al; 92 jmp
];
type Place =
  | "MOV_ECX"
  | "STORE"
  | "MOVSX"
  | "DEC"
  | "JNZ"
  | "DEVICE"
  | "OUT"
  | "NOP"
  | "USER"
  | "INT"
  | "UD2"
  | "HANDLER"
  | "FAULT";
/** Where its instructions are. */
export const AT: Readonly<Record<Place, number>> = {
  MOV_ECX: ENTRY + 0x22,
  STORE: ENTRY + 0x27,
  MOVSX: ENTRY + 0x2d,
  DEC: ENTRY + 0x34,
  JNZ: ENTRY + 0x35,
  DEVICE: ENTRY + 0x37,
  OUT: ENTRY + 0x3e,
  NOP: ENTRY + 0x40,
  USER: ENTRY + 0x53,
  INT: ENTRY + 0x76,
  UD2: ENTRY + 0x89,
  HANDLER: ENTRY + 0x8b,
  FAULT: ENTRY + 0x8e,
};
const TABLES = 0x201000;
const TSS = TABLES + 0x200;
/** Its IDT. */
export const IDT: number = TABLES + 0x400;

/** GDT (flat code and data at CPL 0 and 3, a TSS), IDT (gates for #UD and INT 80h), TSS (stack of CPL 0). */
export function prepare({ cpu: { memory } }: Machine): void {
  const put = (at: number, words: readonly number[]): void =>
    words.forEach((word, i) => memory.write32(at + 4 * i, word >>> 0));
  const gdt = TABLES + 0x100;
  put(TABLES, [gdt << 16 | 0x2f, gdt >>> 16, IDT << 16 | 0x407, IDT >>> 16]);
  const flat = [0x9b, 0x93, 0xfb, 0xf3].flatMap((access) => [0xffff, 0xcf0000 | access << 8]);
  put(gdt, [0, 0, ...flat, (TSS & 0xffff) << 16 | 0x67, 0x8900 | (TSS >>> 16 & 0xff)]);
  const gate = (offset: number, dpl: number): number[] => [
    8 << 16 | offset & 0xffff,
    offset & 0xffff0000 | 0x8e00 | dpl << 13,
  ];
  put(IDT + 8 * 6, gate(AT.FAULT, 0));
  put(IDT + 8 * 0x80, gate(AT.HANDLER, 3));
  put(TSS + 4, [0x380000, 0x10]);
}
