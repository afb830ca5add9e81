/**
 * date: prints the time in UTC (`date [+format]`, %Y %m %d %H %M %S %s %a %b %j %% %T %F %Z).
 *
 * @module
 */
import { finish, out, outByte, outLine, outNumber, usage } from "../lib/output.ts";
import { at } from "../lib/string.ts";
import { now } from "../lib/system.ts";

const DAYS = c`SunMonTueWedThuFriSat`;
const MONTHS = c`JanFebMarAprMayJunJulAugSepOctNovDec`;

let year: i64 = 0;
let month: i32 = 0;
let day: i32 = 0;
let dayOfYear: i32 = 0;
let second: i64 = 0;
let days: i64 = 0;
let time: i64 = 0;

export function main(argc: i32, argv: usize): i32 {
  const format = argc > 1 ? load<usize>(argv, 4) : c`+%a %b %e %T %Z %Y`;
  if (argc > 2 || at(format) !== 0x2b) return usage(c`date [+format]`);
  time = now();
  civil();
  print(format + 1);
  outLine();
  return finish(c`date`, 0);
}

function isLeap(when: i64): bool {
  return when % 4 === 0 && (when % 100 !== 0 || when % 400 === 0);
}

function monthDays(index: i32): i32 {
  if (index === 1) return isLeap(year) ? 29 : 28;
  return index === 3 || index === 5 || index === 8 || index === 10 ? 30 : 31;
}

/** Splits the time into the fields of the Gregorian calendar. */
function civil(): void {
  days = time / 86400;
  second = time % 86400;
  year = 1970;
  let rest = days;
  while (rest >= (isLeap(year) ? 366 : 365)) {
    rest -= isLeap(year) ? 366 : 365;
    year++;
  }
  dayOfYear = <i32> rest + 1;
  month = 0;
  while (rest >= monthDays(month)) rest -= monthDays(month++);
  day = <i32> rest + 1;
}

function two(value: i64, blank: u32 = 0x30): void {
  if (value < 10) outByte(blank);
  outNumber(value);
}

function name(table: usize, index: u32): void {
  for (let letter: u32 = 0; letter < 3; letter++) outByte(load<u8>(table + index * 3 + letter));
}

function print(format: usize): void {
  for (; at(format) !== 0; format++) {
    if (at(format) !== 0x25 || at(format, 1) === 0) {
      outByte(at(format));
      continue;
    }
    format++;
    switch (at(format)) {
      case 0x59: // Y
        outNumber(year);
        break;
      case 0x79: // y
        two(year % 100);
        break;
      case 0x6d: // m
        two(month + 1);
        break;
      case 0x64: // d
        two(day);
        break;
      case 0x65: // e
        two(day, 0x20);
        break;
      case 0x48: // H
        two(second / 3600);
        break;
      case 0x4d: // M
        two(second / 60 % 60);
        break;
      case 0x53: // S
        two(second % 60);
        break;
      case 0x73: // s
        outNumber(time);
        break;
      case 0x61: // a
        name(DAYS, <u32> ((days + 4) % 7));
        break;
      case 0x62: // b
        name(MONTHS, month);
        break;
      case 0x6a: // j
        if (dayOfYear < 100) outByte(0x30);
        two(dayOfYear);
        break;
      case 0x54: // T
        print(c`%H:%M:%S`);
        break;
      case 0x46: // F
        print(c`%Y-%m-%d`);
        break;
      case 0x5a: // Z
        out(c`UTC`);
        break;
      case 0x6e: // n
        outLine();
        break;
      default:
        outByte(at(format));
    }
  }
}
