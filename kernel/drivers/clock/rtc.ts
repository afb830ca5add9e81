/**
 * The real-time clock of the CMOS (Motorola MC146818A data sheet; century in byte 0x32, as ACPI's
 * FADT names it on a PC).
 *
 * @module
 */
import { irqRestore, irqSave } from "../../arch/i386/irq_flags.ts";
import { inb, outb } from "../../arch/i386/x86.ts";

const ADDRESS: u32 = 0x70;
const DATA: u32 = 0x71;
/** Bit 7 of the address port masks NMI; it stays clear. */
const SECONDS: u32 = 0;
const MINUTES: u32 = 2;
const HOURS: u32 = 4;
const DAY: u32 = 7;
const MONTH: u32 = 8;
const YEAR: u32 = 9;
const STATUS_A: u32 = 10;
const STATUS_B: u32 = 11;
const CENTURY: u32 = 0x32;
const UPDATING: u32 = 0x80;
const BINARY: u32 = 4;
const HOURS_24: u32 = 2;

function cmos(index: u32): u32 {
  outb(ADDRESS, index);
  return inb(DATA);
}

function decode(value: u32, binary: bool): u32 {
  return binary ? value : (value >> 4) * 10 + (value & 15);
}

/** Days from 1970-01-01 to a civil date (proleptic Gregorian; era arithmetic of 400 years). */
export function daysFromCivil(year: i32, month: i32, day: i32): i32 {
  const y = month <= 2 ? year - 1 : year;
  const era = y / 400;
  const yearOfEra = y - era * 400;
  const dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719468;
}

/** Seconds since 1970 from the chip's registers as read. */
export function rtcSeconds(
  second: u32,
  minute: u32,
  hour: u32,
  day: u32,
  month: u32,
  year: u32,
  century: u32,
  statusB: u32,
): u64 {
  const binary = (statusB & BINARY) !== 0;
  let hours = decode(hour & 0x7f, binary);
  if ((statusB & HOURS_24) === 0) {
    if (hours === 12) hours = 0;
    if ((hour & 0x80) !== 0) hours += 12;
  }
  let years = decode(year, binary);
  const centuries = decode(century, binary);
  // A century byte that is none is not one: then two digits mean 1970–2069.
  if (centuries >= 19 && centuries <= 21) years += centuries * 100;
  else years += years < 70 ? 2000 : 1900;
  const days = daysFromCivil(years, decode(month, binary), decode(day, binary));
  return <u64> days * 86400 + <u64> (hours * 3600 + decode(minute, binary) * 60 +
    decode(second, binary));
}

/** The time now by the chip, in seconds since 1970, UTC. */
export function rtcRead(): u64 {
  // Two readings alike, both outside an update, are whole. An update takes 2 ms at most; a chip that
  // never finishes must not hold the boot.
  let last: u64 = 0;
  for (let tries = 0; tries < 100000; tries++) {
    const flags = irqSave();
    let now: u64 = 0;
    if ((cmos(STATUS_A) & UPDATING) === 0) {
      now = rtcSeconds(
        cmos(SECONDS),
        cmos(MINUTES),
        cmos(HOURS),
        cmos(DAY),
        cmos(MONTH),
        cmos(YEAR),
        cmos(CENTURY),
        cmos(STATUS_B),
      );
    }
    irqRestore(flags);
    if (now !== 0 && now === last) return now;
    if (now !== 0) last = now;
  }
  return last;
}
