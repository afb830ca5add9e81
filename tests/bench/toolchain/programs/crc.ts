/** CRC-32 by table over 64 KiB, 600 times. `crc.c` is the same in C. @module */

const TABLE = memory.data(1024);
const BUFFER = memory.data(65536);

function makeTable(): void {
  for (let i: u32 = 0; i < 256; i++) {
    let value = i;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >> 1) ^ 0xedb88320 : value >> 1;
    store<u32>(TABLE + (i << 2), value);
  }
}

function crc(data: usize, length: u32, start: u32): u32 {
  let value = ~start;
  for (let i: u32 = 0; i < length; i++) {
    value = load<u32>(TABLE + (((value ^ load<u8>(data + i)) & 255) << 2)) ^ (value >> 8);
  }
  return ~value;
}

export function main(_argc: i32, _argv: usize, _environment: usize): i32 {
  makeTable();
  let seed: u32 = 1;
  for (let i: u32 = 0; i < 65536; i++) {
    seed = seed * 1664525 + 1013904223;
    store<u8>(BUFFER + i, seed >> 24);
  }
  let result: u32 = 0;
  for (let round = 0; round < 600; round++) result = crc(BUFFER, 65536, result);
  return result & 127;
}
