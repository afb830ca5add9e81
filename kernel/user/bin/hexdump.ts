/**
 * hexdump: bytes in hexadecimal and as text (as BSD's `hexdump -C`; -n bytes at most, -s from an offset).
 *
 * @module
 */
import { bytesNew } from "../lib/bytes.ts";
import { eachInput, readAll } from "../lib/files.ts";
import { complain, finish, out, outByte, outLine } from "../lib/output.ts";
import { readOptions, valueOfOption } from "../lib/options.ts";
import { at, formatUnsigned, length, parseNumber, parseUnsigned } from "../lib/string.ts";

const PROGRAM = c`hexdump`;
const ROW: u32 = 16;
const input = bytesNew();

export function main(argc: i32, argv: usize): i32 {
  const first = readOptions(argc, argv, c`Cn:s:`, c`hexdump [-C] [-n bytes] [-s offset] [file]...`);
  const status = eachInput(PROGRAM, argc, argv, first, (fd: i32, name: usize): i32 => {
    const error = readAll(fd, input);
    return error < 0 ? complain(PROGRAM, name, error) : 0;
  });
  const start = min(number(valueOfOption(0x73, c`0`)), input.used);
  let end = input.used;
  const limit = valueOfOption(0x6e);
  if (limit !== 0 && number(limit) < end - start) end = start + number(limit);
  let repeated = false;
  let row = start;
  for (; row < end; row += ROW) {
    const same = row > start && end - row >= ROW &&
      memory.compare(input.data + row, input.data + row - ROW, ROW) === 0;
    if (same) {
      if (!repeated) out(c`*\n`);
      repeated = true;
      continue;
    }
    repeated = false;
    print(row, min(end - row, ROW));
  }
  if (end > start) {
    hexadecimal(end, 8);
    outLine();
  }
  return finish(PROGRAM, status);
}

function number(text: usize): u32 {
  return at(text) === 0x30 && at(text, 1) === 0x78
    ? parseUnsigned(text + 2, 16)
    : parseNumber(text);
}

function hexadecimal(value: u32, digits: u32): void {
  const text = formatUnsigned(value, 16);
  for (let zero = length(text); zero < digits; zero++) outByte(0x30);
  out(text);
}

function print(row: u32, count: u32): void {
  hexadecimal(row, 8);
  for (let index: u32 = 0; index < ROW; index++) {
    out(index === 0 || index === 8 ? c`  ` : c` `);
    if (index < count) hexadecimal(load<u8>(input.data + row + index), 2);
    else out(c`  `);
  }
  out(c`  |`);
  for (let index: u32 = 0; index < count; index++) {
    const byte: u32 = load<u8>(input.data + row + index);
    outByte(byte >= 0x20 && byte < 0x7f ? byte : 0x2e);
  }
  out(c`|\n`);
}
