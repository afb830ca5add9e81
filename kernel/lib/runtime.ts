/**
 * The compiler's runtime for the kernel: `new` on an unmanaged class is `kmalloc`, a failed assertion
 * is a panic, managed objects do not exist.
 *
 * @module
 */
import { kfree, kmalloc } from "../mm/heap.ts";
import { panic } from "./panic.ts";
import { printk } from "./printk.ts";

/*@global*/
export function __alloc(size: usize): usize {
  const block = kmalloc(<u32> size);
  if (block === 0) panic(c`out of kernel memory`);
  return block;
}

/*@global*/
export function __realloc(_block: usize, _size: usize): usize {
  panic(c`__realloc`);
  return 0;
}

/*@global*/
export function __free(block: usize): void {
  kfree(block);
}

/*@global*/
export function __new(_size: usize, _id: u32): usize {
  panic(c`managed object in the kernel`);
  return 0;
}

/*@global*/
export function __renew(_block: usize, _size: usize): usize {
  panic(c`managed object in the kernel`);
  return 0;
}

/*@global*/
export function __link(_parent: usize, _child: usize, _multiple: bool): void {}

/*@global*/
export function __pin(block: usize): usize {
  return block;
}

/*@global*/
export function __unpin(_block: usize): void {}

/*@global*/
export function __visit(_block: usize, _cookie: u32): void {}

/*@global*/
export function __collect(): void {}

/* Static strings are UTF-16, their length in bytes in the word before; the kernel's own text is ASCII. */
function logWide(text: usize): void {
  if (text === 0) return;
  const length = load<u32>(text - 4) >> 1;
  for (let i: u32 = 0; i < length; i++) printk(c`%c`, load<u16>(text + (i << 1)));
}

/**
 * Where `assert`, `throw` and a null behind `!` end. The strings are taken as addresses: as objects they
 * would make the compiler keep a stack of references.
 */
export function abort(message: usize, file: usize, line: u32, column: u32): void {
  printk(c`Assertion: `);
  logWide(message);
  printk(c` at `);
  logWide(file);
  printk(c`:%u:%u\n`, line, column);
  panic(c`assertion failed`);
}
