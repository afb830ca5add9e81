/**
 * The calendar of an MC146818: its registers as seconds and back, in binary or BCD, 12 or 24 hours.
 *
 * @module
 */

/** Register numbers. */
export const SECONDS = 0;
export const SECONDS_ALARM = 1;
export const MINUTES = 2;
export const MINUTES_ALARM = 3;
export const HOURS = 4;
export const HOURS_ALARM = 5;
export const WEEKDAY = 6;
export const DAY = 7;
export const MONTH = 8;
export const YEAR = 9;
/** The PC's century byte in the CMOS memory. */
export const CENTURY = 0x32;

/** Seconds of a day. */
export const DAY_SECONDS = 86_400;
/** Alarm bytes from here on match anything. */
const DO_NOT_CARE = 0xc0;
const PM = 0x80;

/** How registers are coded: register B's DM and 24/12. */
export interface Coding {
  readonly binary: boolean;
  readonly hours24: boolean;
}

function decode(value: number, coding: Coding): number {
  return coding.binary ? value : (value >> 4) * 10 + (value & 15);
}

function encode(value: number, coding: Coding): number {
  return coding.binary ? value : (Math.floor(value / 10) << 4) | (value % 10);
}

function decodeHour(value: number, coding: Coding): number {
  if (coding.hours24) return decode(value, coding);
  return decode(value & ~PM, coding) % 12 + ((value & PM) !== 0 ? 12 : 0);
}

function encodeHour(hour: number, coding: Coding): number {
  if (coding.hours24) return encode(hour, coding);
  return encode((hour + 11) % 12 + 1, coding) | (hour >= 12 ? PM : 0);
}

/** Days from 0000-03-01 to a date of the proleptic Gregorian calendar. */
function dayNumber(year: number, month: number, day: number): number {
  const y = month > 2 ? year : year - 1;
  const m = month > 2 ? month - 3 : month + 9;
  return y * 365 + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) +
    Math.floor((153 * m + 2) / 5) + day - 1;
}

const EPOCH_DAY = dayNumber(1970, 1, 1);

function dateOf(days: number): { year: number; month: number; day: number } {
  // Civil-from-days over 400-year eras of 146,097 days.
  const era = Math.floor(days / 146_097);
  const inEra = days - era * 146_097;
  const yearOfEra = Math.floor(
    (inEra - Math.floor(inEra / 1460) + Math.floor(inEra / 36_524) - Math.floor(inEra / 146_096)) /
      365,
  );
  const inYear = inEra -
    (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const m = Math.floor((5 * inYear + 2) / 153);
  const month = m < 10 ? m + 3 : m - 9;
  const year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0);
  return { year, month, day: inYear - Math.floor((153 * m + 2) / 5) + 1 };
}

/** Writes a time (seconds since 1970) into the registers. */
export function writeTime(registers: number[], seconds: number, coding: Coding): void {
  const days = Math.floor(seconds / DAY_SECONDS);
  const time = seconds - days * DAY_SECONDS;
  const { year, month, day } = dateOf(days + EPOCH_DAY);
  registers[SECONDS] = encode(time % 60, coding);
  registers[MINUTES] = encode(Math.floor(time / 60) % 60, coding);
  registers[HOURS] = encodeHour(Math.floor(time / 3600), coding);
  registers[WEEKDAY] = encode((((days + 4) % 7) + 7) % 7 + 1, coding); // 1970-01-01: a Thursday
  registers[DAY] = encode(day, coding);
  registers[MONTH] = encode(month, coding);
  registers[YEAR] = encode(((year % 100) + 100) % 100, coding);
  registers[CENTURY] = encode(Math.floor(year / 100) % 100, { binary: false, hours24: true });
}

/** The seconds of the day that the registers show; whatever they hold, within a day. */
export function timeOfDay(registers: readonly number[], coding: Coding): number {
  const seconds = decode(registers[SECONDS], coding) % 60;
  const minutes = decode(registers[MINUTES], coding) % 60;
  return (decodeHour(registers[HOURS], coding) % 24) * 3600 + minutes * 60 + seconds;
}

/** The registers as seconds since 1970; dates that do not exist count on from the month's start. */
export function readTime(registers: readonly number[], coding: Coding): number {
  const century = decode(registers[CENTURY], { binary: false, hours24: true });
  const year = century * 100 + decode(registers[YEAR], coding) % 100;
  const month = Math.min(12, Math.max(1, decode(registers[MONTH], coding)));
  const day = Math.min(31, Math.max(1, decode(registers[DAY], coding)));
  return (dayNumber(year, month, day) - EPOCH_DAY) * DAY_SECONDS + timeOfDay(registers, coding);
}

/** Whether the alarm is set for this second of the day. */
export function alarmMatches(registers: readonly number[], time: number, coding: Coding): boolean {
  const seconds = registers[SECONDS_ALARM];
  const minutes = registers[MINUTES_ALARM];
  const hours = registers[HOURS_ALARM];
  return (seconds >= DO_NOT_CARE || decode(seconds, coding) === time % 60) &&
    (minutes >= DO_NOT_CARE || decode(minutes, coding) === Math.floor(time / 60) % 60) &&
    (hours >= DO_NOT_CARE || decodeHour(hours, coding) === Math.floor(time / 3600));
}
