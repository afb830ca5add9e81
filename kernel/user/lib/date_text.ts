/**
 * Times as `ls -l` shows them: `2026-11-23 14:05` in UTC.
 *
 * @module
 */

const TEXT = memory.data(24);

function put(position: u32, value: u32): void {
  store<u8>(TEXT + position, 0x30 + value / 10 % 10);
  store<u8>(TEXT + position + 1, 0x30 + value % 10);
}

/** The text of a time in seconds since 1970, in a static buffer that the next call overwrites. */
export function dateText(seconds: u32): usize {
  // Days to a civil date, with years that begin in March (H. Hinnant, "chrono-compatible low-level date algorithms").
  const days = seconds / 86400 + 719468;
  const era = days / 146097;
  const dayOfEra = days - era * 146097;
  const yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365;
  const dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
  const shifted = (5 * dayOfYear + 2) / 153;
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  put(0, year / 100);
  put(2, year);
  store<u8>(TEXT + 4, 0x2d);
  put(5, month);
  store<u8>(TEXT + 7, 0x2d);
  put(8, dayOfYear - (153 * shifted + 2) / 5 + 1);
  store<u8>(TEXT + 10, 0x20);
  put(11, seconds / 3600 % 24);
  store<u8>(TEXT + 13, 0x3a);
  put(14, seconds / 60 % 60);
  store<u8>(TEXT + 16, 0);
  return TEXT;
}
