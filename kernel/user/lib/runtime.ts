/**
 * What the compiler asks of a program: the allocator behind `new` of unmanaged classes, and the end after
 * a failed `assert`.
 *
 * @module
 */
import { failure } from "./failure.ts";
import { allocateZeroed, release, resize } from "./memory.ts";

/*@global*/
export function __alloc(size: usize): usize {
  return allocateZeroed(size);
}

/*@global*/
export function __realloc(block: usize, size: usize): usize {
  return resize(block, size);
}

/*@global*/
export function __free(block: usize): void {
  release(block);
}

/** Where `assert` and `throw` end; the message is a UTF-16 literal of the compiler's. */
export function abort(message: usize, _file: usize, _line: u32, _column: u32): void {
  if (message !== 0) {
    const units = load<u32>(message - 4) >> 1;
    const text = allocateZeroed(units + 1);
    for (let index: u32 = 0; index < units; index++) {
      store<u8>(text + index, <u8> load<u16>(message + (index << 1)));
    }
    failure(text);
  }
  failure(c`assertion failed`);
}
