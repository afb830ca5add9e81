/**
 * NUL-terminated byte strings by address.
 *
 * @module
 */

/** Bytes before the NUL. */
export function strlen(s: usize): u32 {
  let end = s;
  while (load<u8>(end) !== 0) end++;
  return <u32> (end - s);
}

/** Bytes before the NUL, at most `limit`. */
export function strnlen(s: usize, limit: u32): u32 {
  let n: u32 = 0;
  while (n < limit && load<u8>(s + n) !== 0) n++;
  return n;
}

/** Negative, 0 or positive as `a` sorts before, with or after `b`, bytes unsigned. */
export function strcmp(a: usize, b: usize): i32 {
  while (true) {
    const x = load<u8>(a);
    const y = load<u8>(b);
    if (x !== y) return <i32> x - <i32> y;
    if (x === 0) return 0;
    a++;
    b++;
  }
}

/** As `strcmp` of at most `n` bytes. */
export function strncmp(a: usize, b: usize, n: u32): i32 {
  for (let i: u32 = 0; i < n; i++) {
    const x = load<u8>(a + i);
    const y = load<u8>(b + i);
    if (x !== y) return <i32> x - <i32> y;
    if (x === 0) return 0;
  }
  return 0;
}

/** Copies `source` with its NUL; the caller knows that it fits. */
export function strcpy(destination: usize, source: usize): void {
  memory.copy(destination, source, strlen(source) + 1);
}

/** Copies what fits in `size` bytes with a NUL at the end, and clears the rest. */
export function strlcpy(destination: usize, source: usize, size: u32): void {
  if (size === 0) return;
  const n = strnlen(source, size - 1);
  memory.copy(destination, source, n);
  memory.fill(destination + n, 0, size - n);
}

/** Address of the first `byte` (which may be 0), 0 when there is none. */
export function strchr(s: usize, byte: u32): usize {
  while (true) {
    const c = load<u8>(s);
    if (<u32> c === byte) return s;
    if (c === 0) return 0;
    s++;
  }
}

/** Compares memory as `strcmp` does strings. */
export function memcmp(a: usize, b: usize, n: u32): i32 {
  for (let i: u32 = 0; i < n; i++) {
    const d = <i32> load<u8>(a + i) - <i32> load<u8>(b + i);
    if (d !== 0) return d;
  }
  return 0;
}
