/**
 * Instructions: imports of a file named x86.ts become code in place. System calls by `int 0x80` with
 * the Linux i386 convention: number in EAX, arguments in EBX, ECX, EDX, ESI, EDI, EBP; the result is
 * negative for an error (-errno).
 *
 * @module
 */
export declare function syscall0(number: u32): i32;
export declare function syscall1(number: u32, a: usize): i32;
export declare function syscall2(number: u32, a: usize, b: usize): i32;
export declare function syscall3(number: u32, a: usize, b: usize, c: usize): i32;
export declare function syscall4(number: u32, a: usize, b: usize, c: usize, d: usize): i32;
export declare function syscall5(
  number: u32,
  a: usize,
  b: usize,
  c: usize,
  d: usize,
  e: usize,
): i32;
export declare function syscall6(
  number: u32,
  a: usize,
  b: usize,
  c: usize,
  d: usize,
  e: usize,
  f: usize,
): i32;
