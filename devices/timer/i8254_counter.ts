/**
 * One counter of an 8254: six modes, computed from the time that has passed, not stepped.
 *
 * All times here are ticks of the input clock. `start` is the tick at which the counting element took
 * its count over (one clock after the write or the trigger, 8254 data sheet "Mode definitions").
 *
 * Sources: Intel 82C54 data sheet (231244-006), "Read operations", "Mode definitions".
 *
 * @module
 */

/** The fields of a counter. */
export interface CounterFields {
  /** 0–5. */
  mode: number;
  /** The mode bits as written: 6 and 7 stand for 2 and 3. */
  writtenMode: number;
  bcd: boolean;
  /** RW bits of the control word: 1 low byte, 2 high byte, 3 both. */
  access: number;
  gate: boolean;
  /** Count in effect: 1–65536 (or 10000); 0 while none is. */
  reload: number;
  /** Tick at which the counting element was loaded. */
  start: number;
  /** Whether the counting element was loaded since the control word (modes 1 and 5: by a trigger). */
  loaded: boolean;
  /** A count written meanwhile that the next period (modes 2, 3) or trigger (1, 5) takes; 0 none. */
  next: number;
  /** Tick at which the gate stopped it (modes 0, 4), or null. */
  stoppedAt: number | null;
  /** Low byte of a two-byte write under way, or null. */
  lowByte: number | null;
  /** Next byte read is the high one. */
  readHigh: boolean;
  latchedCount: number | null;
  latchedStatus: number | null;
}

/** A counter after power-on: the data sheet leaves it undefined; this is what a PC's firmware finds. */
export function counterPowerOn(): CounterFields {
  return {
    mode: 3,
    writtenMode: 3,
    bcd: false,
    access: 3,
    gate: true,
    reload: 0,
    start: 0,
    loaded: false,
    next: 0,
    stoppedAt: null,
    lowByte: null,
    readHigh: false,
    latchedCount: null,
    latchedStatus: null,
  };
}

function triggered(mode: number): boolean {
  return mode === 1 || mode === 5;
}

function periodic(mode: number): boolean {
  return mode === 2 || mode === 3;
}

function modulus(c: CounterFields): number {
  return c.bcd ? 10000 : 0x10000;
}

function fromBcd(value: number): number {
  return (value >> 12) * 1000 + ((value >> 8) & 15) * 100 + ((value >> 4) & 15) * 10 + (value & 15);
}

function toBcd(value: number): number {
  const digit = (unit: number): number => Math.floor(value / unit) % 10;
  return (digit(1000) << 12) | (digit(100) << 8) | (digit(10) << 4) | digit(1);
}

/** Takes a new count over at the ends of periods that have passed. */
function advance(c: CounterFields, now: number): void {
  if (!periodic(c.mode) || !c.loaded || !c.gate || c.next === 0) return;
  if (now < c.start + c.reload) return;
  c.start += c.reload;
  c.reload = c.next;
  c.next = 0;
}

function elapsed(c: CounterFields, now: number): number {
  return Math.max(0, (c.stoppedAt ?? now) - c.start);
}

/** The OUT pin. */
export function counterOutput(c: CounterFields, now: number): boolean {
  advance(c, now);
  const e = elapsed(c, now);
  if (!c.loaded) return c.mode !== 0;
  switch (c.mode) {
    case 0:
      return e >= c.reload;
    case 1:
      return now < c.start || e >= c.reload;
    case 2:
      return !c.gate || c.reload === 1 || e % c.reload !== c.reload - 1;
    case 3:
      return !c.gate || e % c.reload < Math.ceil(c.reload / 2);
    default:
      return e !== c.reload;
  }
}

/** The next tick after `now` at which OUT changes; `Infinity` when it stays. */
export function nextOutputChange(c: CounterFields, now: number): number {
  advance(c, now);
  if (!c.loaded || c.stoppedAt !== null) return Infinity;
  const after = (tick: number): number => tick > now ? tick : Infinity;
  if (!periodic(c.mode)) {
    const end = c.start + c.reload;
    if (c.mode === 1 && now < c.start) return c.start;
    if (c.mode >= 4) return Math.min(after(end), after(end + 1));
    return after(end);
  }
  if (!c.gate || c.reload === 1) return Infinity;
  const boundary = c.start + Math.floor(elapsed(c, now) / c.reload) * c.reload;
  const low = boundary + (c.mode === 2 ? c.reload - 1 : Math.ceil(c.reload / 2));
  return low > now ? low : boundary + c.reload;
}

/** What the counting element holds, as a read would give it (BCD when so programmed). */
function counting(c: CounterFields, now: number): number {
  advance(c, now);
  if (!c.loaded) return 0;
  const e = elapsed(c, now);
  const n = c.reload;
  let count: number;
  if (c.mode === 2) count = n - (c.gate ? e % n : 0);
  else if (c.mode !== 3) count = (((n - e) % modulus(c)) + modulus(c)) % modulus(c);
  else if (!c.gate) count = n;
  else if (n % 2 === 0) count = n - 2 * (e % (n / 2));
  else {
    // Odd counts: count - 1 down by two, with one clock more in the high half.
    const high = (n + 1) / 2;
    const x = e % n;
    count = n - 1 - 2 * (x < high ? x : x - high);
  }
  count %= modulus(c);
  return c.bcd ? toBcd(count) : count;
}

/** Null count: what was written is not yet in the counting element. */
function nullCount(c: CounterFields, now: number): boolean {
  advance(c, now);
  return !c.loaded || now < c.start || c.next !== 0;
}

/** Writes a control word's mode, access and BCD bits. */
export function writeControl(c: CounterFields, control: number): void {
  const mode = (control >> 1) & 7;
  c.writtenMode = mode;
  c.mode = mode > 5 ? mode - 4 : mode; // 6 and 7 are 2 and 3
  c.bcd = (control & 1) !== 0;
  c.access = (control >> 4) & 3;
  c.reload = 0;
  c.next = 0;
  c.loaded = false;
  c.stoppedAt = null;
  c.lowByte = null;
  c.readHigh = false;
  c.latchedCount = null;
  c.latchedStatus = null;
}

function load(c: CounterFields, count: number, now: number): void {
  c.reload = count;
  c.next = 0;
  c.start = now + 1;
  c.loaded = true;
  c.stoppedAt = (c.mode === 0 || c.mode === 4) && !c.gate ? c.start : null;
}

/** Writes a byte of the count. */
export function writeCount(c: CounterFields, byte: number, now: number): void {
  advance(c, now);
  let value: number;
  if (c.access === 1) value = byte;
  else if (c.access === 2) value = byte << 8;
  else if (c.lowByte === null) {
    c.lowByte = byte;
    // Mode 0: the first byte stops the counting and pulls OUT low.
    if (c.mode === 0) c.loaded = false;
    return;
  } else {
    value = c.lowByte | (byte << 8);
    c.lowByte = null;
  }
  const count = (c.bcd ? fromBcd(value) : value) || modulus(c);
  if (triggered(c.mode) || (periodic(c.mode) && c.loaded)) c.next = count;
  else load(c, count, now);
}

/** Drives the GATE input. */
export function setGate(c: CounterFields, high: boolean, now: number): void {
  if (high === c.gate) return;
  advance(c, now);
  c.gate = high;
  if (triggered(c.mode)) {
    const count = c.next !== 0 ? c.next : c.reload;
    if (high && count !== 0) load(c, count, now);
  } else if (periodic(c.mode)) {
    // A rising edge starts a new period; while low, OUT is high.
    if (high && c.loaded) load(c, c.next !== 0 ? c.next : c.reload, now);
  } else if (c.loaded) {
    if (!high) c.stoppedAt = Math.max(now, c.start);
    else if (c.stoppedAt !== null) {
      c.start += Math.max(now, c.stoppedAt) - c.stoppedAt;
      c.stoppedAt = null;
    }
  }
}

/** The counter latch command; a second one before the read is ignored. */
export function latchCount(c: CounterFields, now: number): void {
  c.latchedCount ??= counting(c, now);
}

/** The read-back command's status byte. */
export function latchStatus(c: CounterFields, now: number): void {
  c.latchedStatus ??= (counterOutput(c, now) ? 0x80 : 0) | (nullCount(c, now) ? 0x40 : 0) |
    (c.access << 4) | (c.writtenMode << 1) | (c.bcd ? 1 : 0);
}

/** Reads the counter's port: latched status, then latched count, else the count as it runs. */
export function readCounter(c: CounterFields, now: number): number {
  if (c.latchedStatus !== null) {
    const status = c.latchedStatus;
    c.latchedStatus = null;
    return status;
  }
  const count = c.latchedCount ?? counting(c, now);
  const high = c.access === 2 || (c.access === 3 && c.readHigh);
  if (c.access === 3) c.readHigh = !c.readHigh;
  if (c.access !== 3 || high) c.latchedCount = null;
  return high ? count >> 8 : count & 0xff;
}
