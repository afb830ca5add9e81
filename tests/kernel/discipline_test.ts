/** The line discipline: bytes typed, bytes read, bytes echoed. @module */
import assert from "node:assert/strict";
import { compileUnit, type Unit } from "./wasm_unit.ts";
import { ttyFakes } from "./tty_fakes.ts";

const entry = `
import { Tty, TtyDriver, ttyCreate, ttyOutputTake, ttyRawPut } from "./kernel/tty/tty.ts";
import { inputTake, inputAvailable, inputCount, ttyReceiveRaw, inputModeChanged } from "./kernel/tty/input.ts";
import { outputWrite } from "./kernel/tty/output.ts";
function start(tty: Tty): void {}
const driver = changetype<TtyDriver>(memory.data(64));
let tty: Tty = changetype<Tty>(0);
export function create(): void {
  driver.start = start;
  tty = ttyCreate(driver, 0, 4, 64);
  tty.group = 7;
}
export function type(data: usize, n: u32): void {
  for (let i: u32 = 0; i < n; i++) { ttyRawPut(tty, load<u8>(data + i)); ttyReceiveRaw(tty); }
}
export function raw(e: u32): void { ttyRawPut(tty, e); ttyReceiveRaw(tty); }
export function write(data: usize, n: u32): u32 { return outputWrite(tty, data, n); }
export function shown(into: usize): u32 {
  let n: u32 = 0;
  for (;;) { const b = ttyOutputTake(tty); if (b < 0) return n; store<u8>(into + n++, <u8> b); }
  return n;
}
export function read(into: usize, most: u32): u32 { return inputTake(tty, into, most); }
export function available(): bool { return inputAvailable(tty, 1); }
export function count(): u32 { return inputCount(tty); }
export function flags(which: u32, clear: u32, set: u32): void {
  const p = changetype<usize>(tty.termios) + which * 4;
  const old = load<u32>(changetype<usize>(tty.termios), 12);
  store<u32>(p, (load<u32>(p) & ~clear) | set);
  if ((old ^ load<u32>(changetype<usize>(tty.termios), 12)) & 2) inputModeChanged(tty);
}
export function setTermios(from: usize): void {
  memory.copy(changetype<usize>(tty.termios), from, 36);
}
export function termios(): usize { return changetype<usize>(tty.termios); }
`;
/* Words of a termios. */
const I = 0;
const O = 1;
const L = 3;

async function terminal() {
  let last = 0;
  const signal = (group = 0, number = 0) => {
    assert.equal(group, 7);
    last = number;
  };
  const imports = { host: { signal, sleep: () => -1 } };
  const unit: Unit = await compileUnit({ entry, fakes: ttyFakes, imports });
  unit.call["create"]!();
  const buffer = unit.put(new Uint8Array(8192));
  const encode = (text: string) => new TextEncoder().encode(text);
  const decode = (n: number) => new TextDecoder("latin1").decode(unit.get(buffer, n));
  return {
    unit,
    type: (text: string) => {
      const bytes = encode(text);
      unit.call["type"]!(unit.put(bytes), bytes.length);
    },
    write: (text: string) => {
      const bytes = encode(text);
      return unit.call["write"]!(unit.put(bytes), bytes.length);
    },
    shown: () => decode(unit.call["shown"]!(buffer)),
    /** What a read gives, or undefined when it would wait. */
    read: (most = 4096) => {
      if (!unit.call["available"]!()) return undefined;
      return decode(unit.call["read"]!(buffer, most) & 0x7fffffff);
    },
    /** The last signal sent since this was asked, or 0. */
    takeSignal: () => [last, last = 0][0],
    flags: (which: number, clear: number, set: number) => unit.call["flags"]!(which, clear, set),
  };
}

Deno.test("discipline gives whole lines, with echo and newline mapping", async () => {
  const t = await terminal();
  t.type("hello");
  assert.equal(t.read(), undefined);
  t.type("\r");
  assert.equal(t.shown(), "hello\r\n");
  assert.equal(t.unit.call["count"]!(), 6);
  assert.deepEqual([t.read(2), t.read(), t.read()], ["he", "llo\n", undefined]);
  t.type("a\nb\n");
  assert.deepEqual([t.read(), t.read()], ["a\n", "b\n"]);
});

Deno.test("discipline edits: erase, word erase, kill, reprint, literal next", async () => {
  const t = await terminal();
  t.type("abc\x7f");
  assert.equal(t.shown(), "abc\b \b");
  t.type("\x17xyz  foo_1 \x17q\n");
  assert.equal(t.read(), "xyz  q\n");
  t.shown();
  t.type("\x01\x7f");
  assert.equal(t.shown(), "^A\b \b\b \b");
  t.type("abc\x15");
  assert.equal(t.shown(), "abc\b \b\b \b\b \b");
  t.type("ab\x12");
  assert.equal(t.shown(), "ab^R\r\nab");
  t.type("\x16\x03\x16\x7f\n");
  assert.equal(t.shown(), "^\b^C^\b^?\r\n");
  assert.equal(t.read(), "ab\x03\x7f\n");
  t.type("\x7f\x7f\x17\x15");
  assert.equal(t.shown(), "");
});

Deno.test("discipline erases tabs to where they began", async () => {
  const t = await terminal();
  t.write("$ ");
  t.shown();
  t.type("ab\t\x7f");
  assert.equal(t.shown(), "ab\t\b\b\b\b");
  t.type("\x7f\x7f\t\tx\x7f\x7f");
  assert.ok(t.shown().endsWith("\t\tx\b \b" + "\b".repeat(8)));
});

Deno.test("discipline erases whole UTF-8 characters under IUTF8", async () => {
  const t = await terminal();
  t.flags(I, 0, 0x4000);
  t.type("aé日\x7f\x7f\n");
  assert.equal(t.shown().endsWith("\b \b\b \b\r\n"), true);
  assert.equal(t.read(), "a\n");
});

Deno.test("discipline end of file and extra line ends", async () => {
  const t = await terminal();
  t.type("ab\x04");
  assert.equal(t.unit.call["count"]!(), 2);
  assert.equal(t.read(2), "ab"); // and the end of file is used up with it
  assert.equal(t.read(), undefined);
  t.type("\x04");
  assert.equal(t.read(), "");
  t.unit.bytes()[t.unit.call["termios"]!() + 17 + 11] = 0x3b;
  t.type("x;y\n");
  assert.deepEqual([t.read(), t.read()], ["x;", "y\n"]);
});

Deno.test("discipline sends signals to the foreground group and flushes", async () => {
  const t = await terminal();
  t.write("unsent");
  t.type("typed\x03");
  assert.equal(t.takeSignal(), 2);
  assert.equal(t.shown(), "^C");
  t.type("x\n");
  assert.equal(t.read(), "x\n");
  t.shown();
  t.flags(L, 0, 0x80); // NOFLSH
  t.type("k\x1a");
  assert.equal(t.takeSignal(), 20);
  t.type("\x1c\n");
  assert.equal(t.takeSignal(), 3);
  assert.equal(t.read(), "k\n");
  t.flags(L, 1, 0);
  t.type("\x03\n");
  assert.equal(t.takeSignal(), 0);
  assert.equal(t.read(), "\x03\n");
});

Deno.test("discipline flow control holds output", async () => {
  const t = await terminal();
  t.type("\x13");
  t.write("held");
  assert.equal(t.shown(), "");
  t.type("a");
  assert.equal(t.shown(), "");
  t.type("\x11");
  assert.equal(t.shown(), "helda");
  t.flags(I, 0, 0x800); // IXANY
  t.type("\x13b");
  assert.equal(t.shown(), "b");
  assert.equal(t.read(), undefined);
});

Deno.test("discipline raw mode passes everything; a mode change hands over what was typed", async () => {
  const t = await terminal();
  t.type("part");
  t.flags(L, 2 | 8 | 1, 0);
  assert.equal(t.read(), "part");
  t.flags(I, 0x100 | 0x400, 0);
  t.type("\x03\r\x04\x7f\x11");
  assert.equal(t.read(), "\x03\r\x04\x7f\x11");
  assert.equal(t.shown(), "part");
  t.type("zz");
  t.flags(L, 0, 2);
  assert.equal(t.read(), "zz");
  t.type("\x04");
  assert.equal(t.read(), "");
});

Deno.test("discipline input flags", async () => {
  const t = await terminal();
  t.flags(I, 0x100, 0x40); // INLCR without ICRNL: newline becomes return, which ends no line
  t.type("a\nb");
  assert.equal(t.read(), undefined);
  t.flags(I, 0x40, 0x80 | 0x20 | 0x200); // IGNCR ISTRIP IUCLC
  t.type("\rQ\n");
  t.unit.call["raw"]!(0xc1);
  t.type("\n");
  assert.deepEqual([t.read(), t.read()], ["a\rbq\n", "a\n"]);
  t.flags(I, 0, 0x8 | 0x10); // PARMRK INPCK
  t.unit.call["raw"]!(0x241);
  t.unit.call["raw"]!(0x100);
  t.type("\n");
  assert.equal(t.read(), "\xff\0A\xff\0\0\n");
  t.flags(I, 0, 2); // BRKINT
  t.unit.call["raw"]!(0x100);
  assert.equal(t.takeSignal(), 2);
});

Deno.test("discipline output flags", async () => {
  const t = await terminal();
  t.write("a\tb\nc\r");
  assert.equal(t.shown(), "a\tb\r\nc\r");
  t.flags(O, 0, 0x1800 | 2); // XTABS OLCUC
  t.write("ab\tc\n");
  assert.equal(t.shown(), "AB      C\r\n");
  t.flags(O, 4, 8 | 0x10); // OCRNL ONOCR, no ONLCR
  t.write("\rx\r");
  assert.equal(t.shown(), "X\n");
  t.flags(O, 1, 0);
  t.write("q\n\t");
  assert.equal(t.shown(), "q\n\t");
});

Deno.test("discipline keeps a place for the newline of an overlong line; output ring fills", async () => {
  const t = await terminal();
  t.flags(L, 8, 0);
  t.type("x".repeat(5000) + "\n");
  const line = t.read(8000)!;
  assert.ok(line.length >= 4000 && line.length <= 4096 && line.endsWith("x\n"));
  const taken = t.write("y".repeat(6000));
  assert.ok(taken > 3000 && taken < 4096);
  t.flags(L, 0, 8);
  t.type("e");
  assert.ok(t.shown().endsWith("ye")); // echo has its reserve
});

const unhex = (text: string) =>
  Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (pair) => parseInt(pair, 16));
const hex = (bytes: Uint8Array) =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("") || "-";

/** Plays one recorded session; says where ours differs. */
function replay(unit: Unit, lines: string[]): void {
  unit.call["create"]!();
  const buffer = unit.put(new Uint8Array(8192));
  const shown = () => hex(unit.get(buffer, unit.call["shown"]!(buffer)));
  for (const line of lines) {
    const [kind, data = "", echo, ...reads] = line.split(" ");
    const bytes = unhex(data);
    const at = unit.put(bytes);
    if (kind === "termios") unit.call["setTermios"]!(at);
    else if (kind === "out") {
      unit.call["write"]!(at, bytes.length);
      assert.equal(shown(), echo, line);
    } else {
      unit.call["type"]!(at, bytes.length);
      const got = shown();
      const taken = reads.map((read) => {
        if (!unit.call["available"]!()) return "would wait";
        const n = unit.call["read"]!(buffer, read.length === 6 ? 3 : 4096) & 0x7fffffff;
        return hex(unit.get(buffer, n));
      });
      assert.deepEqual([got + shown().replace("-", ""), taken], [echo, reads], line);
      // The recording stopped at six reads a step.
      if (reads.length < 6) assert.equal(unit.call["available"]!(), 0, line);
    }
  }
}

Deno.test("discipline does what a Linux pseudo-terminal did, session by session", async () => {
  const text = await Deno.readTextFile(new URL("pty_cases.txt", import.meta.url));
  const sessions = text.split(/^(?=termios)/m).filter((part) => part.startsWith("termios"));
  assert.ok(sessions.length > 100);
  const imports = { host: { signal: () => {}, sleep: () => -1 } };
  const unit = await compileUnit({ entry, fakes: ttyFakes, imports });
  for (const session of sessions) replay(unit, session.trimEnd().split("\n"));
});
