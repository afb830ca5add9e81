/** Reading with VMIN and VTIME, job control, pseudo-terminals. @module */
import assert from "node:assert/strict";
import { compileUnit, type Unit } from "./wasm_unit.ts";
import { ttyFakes } from "./tty_fakes.ts";

const EIO = 5;
const EAGAIN = 11;
const ENOTTY = 25;
const EPERM = 1;
const ESRCH = 3;
const ERESTARTSYS = 512;
const SIGHUP = 1;
const SIGINT = 2;
const SIGCONT = 18;
const SIGTTIN = 21;
const SIGTTOU = 22;
const SIGWINCH = 28;
const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TIOCSCTTY = 0x540e;
const TIOCGPGRP = 0x540f;
const TIOCSPGRP = 0x5410;
const TIOCGWINSZ = 0x5413;
const TIOCSWINSZ = 0x5414;
const FIONREAD = 0x541b;
const TIOCNOTTY = 0x5422;
const TIOCGSID = 0x5429;
const TIOCGPTN = 0x80045430;
const TIOCSPTLCK = 0x40045431;

const entry = `
import { Tty, TtyDriver, ttyCreate, ttyOutputTake, ttyRawPut } from "./kernel/tty/tty.ts";
import { ttyReceiveRaw } from "./kernel/tty/input.ts";
import { ttyDevicesInit, ttyRegister } from "./kernel/tty/device.ts";
import { ttySessionExit } from "./kernel/tty/job.ts";
import { ptyInit } from "./kernel/tty/pty.ts";
import { deviceOps, File, Inode, makeDevice } from "./kernel/fs/mod.ts";
import { Transfer } from "./kernel/mm/mod.ts";
import { current, Process, setPending } from "./kernel/proc/task.ts";
import { setProcesses, processFirst } from "./kernel/proc/task_list.ts";
export { setPending };
function start(tty: Tty): void {}
const driver = changetype<TtyDriver>(memory.data(64));
let tty: Tty = changetype<Tty>(0);
export function create(): void {
  driver.start = start;
  tty = ttyCreate(driver, 0, 4, 64);
  ttyDevicesInit(null, tty);
  ttyRegister(tty, c\`ttyS0\`);
  ptyInit();
}
export function type(data: usize, n: u32): void {
  for (let i: u32 = 0; i < n; i++) { ttyRawPut(tty, load<u8>(data + i)); ttyReceiveRaw(tty); }
}
export function open(major: u32, minor: u32, flags: u32): i32 {
  const inode = changetype<Inode>(__alloc(8)), file = changetype<File>(__alloc(32));
  inode.rdev = makeDevice(major, minor);
  file.flags = flags; file.mode = 0;
  const call = deviceOps(inode.rdev).open!;
  const result = call(inode, file);
  return result < 0 ? result : <i32> changetype<usize>(file);
}
export function close(file: File): void { deviceOps(0x440).release!(file); }
export function read(file: File, into: usize, n: u32): i32 {
  const t = changetype<Transfer>(__alloc(16)); t.at = into; t.remaining = n;
  return deviceOps(0x440).read!(file, t, 0);
}
export function write(file: File, from: usize, n: u32): i32 {
  const t = changetype<Transfer>(__alloc(16)); t.at = from; t.remaining = n;
  return deviceOps(0x440).write!(file, t, 0);
}
export function ioctl(file: File, request: u32, argument: u32): i32 {
  const master = changetype<Tty>(file.data).isMaster;
  return deviceOps(master ? 0x502 : 0x440).ioctl!(file, request, argument);
}
export function poll(file: File): u32 { return deviceOps(0x440).poll!(file, null); }
export function process(pid: i32, pgrp: i32, session: i32, parent: Process | null): Process {
  const p = changetype<Process>(__alloc(64));
  memory.fill(changetype<usize>(p), 0, 64);
  p.pid = pid; p.pgrp = pgrp; p.session = session; p.parent = parent;
  p.next = processFirst(); setProcesses(p);
  return p;
}
export function run(p: Process): void { current().process = p; }
export function block(signal: i32): void { current().blocked = signal; }
export function hasTerminal(p: Process): bool { return p.tty !== 0; }
export function exitSession(p: Process): void { ttySessionExit(p.tty, current()); }
`;

/** A kernel with a serial terminal, init (1), and a shell (10) with two jobs (11, 12). */
async function system() {
  let sleeping: (ticks: number) => number = () => {
    throw new Error("Nobody may sleep here");
  };
  const signals: [number, number][] = [];
  const imports = {
    host: {
      sleep: (ticks = 0) => sleeping(ticks >>> 0),
      signal: (group = 0, number = 0) => void signals.push([group, number]),
    },
  };
  const unit: Unit = await compileUnit({ entry, fakes: ttyFakes, imports });
  const call = unit.call;
  call["create"]!();
  const init = call["process"]!(1, 1, 1, 0);
  const shell = call["process"]!(10, 10, 10, init);
  const job = call["process"]!(11, 11, 10, shell);
  const other = call["process"]!(12, 12, 10, shell);
  const buffer = unit.put(new Uint8Array(8192));
  const put = (text: string): [number, number] => {
    const bytes = new TextEncoder().encode(text);
    return [unit.put(bytes), bytes.length];
  };
  return {
    ...{ unit, call, init, shell, job, other, buffer },
    onSleep: (callback: (ticks: number) => number) => (sleeping = callback),
    takeSignals: () => signals.splice(0),
    type: (text: string) => call["type"]!(...put(text)),
    write: (file: number, text: string) => call["write"]!(file, ...put(text)),
    read(file: number, n = 4096): string | number {
      const result = call["read"]!(file, buffer, n);
      return result < 0 ? result : new TextDecoder().decode(unit.get(buffer, result));
    },
    /** An ioctl on a buffer of words; the words afterwards. */
    ioctl(file: number, request: number, ...words: number[]): [number, number] {
      const at = unit.put(new Uint8Array(new Uint32Array(words.length > 0 ? words : [0]).buffer));
      const result = call["ioctl"]!(file, request, at);
      return [result, new DataView(unit.bytes().buffer).getInt32(at, true)];
    },
    /** Raw mode with VMIN and VTIME. */
    raw(file: number, min: number, time: number) {
      assert.equal(call["ioctl"]!(file, TCGETS, buffer), 0);
      const bytes = unit.bytes();
      new DataView(bytes.buffer).setUint32(buffer + 12, 0, true);
      bytes[buffer + 17 + 6] = min;
      bytes[buffer + 17 + 5] = time;
      assert.equal(call["ioctl"]!(file, TCSETS, buffer), 0);
    },
  };
}

Deno.test("ttyRead() in canonical mode sleeps for a line, and a signal ends it", async () => {
  const s = await system();
  s.call["run"]!(s.shell);
  const file = s.call["open"]!(4, 64, 0);
  s.onSleep(() => (s.type("hi\n"), 1));
  assert.equal(s.read(file), "hi\n");
  s.onSleep(() => -1);
  assert.equal(s.read(file), -ERESTARTSYS);
  s.call["setPending"]!(0);
  const nonblock = s.call["open"]!(4, 64, 0o4000);
  assert.equal(s.read(nonblock), -EAGAIN);
});

Deno.test("ttyRead() in raw mode follows the four cases of VMIN and VTIME", async () => {
  const s = await system();
  s.call["run"]!(s.shell);
  const file = s.call["open"]!(4, 64, 0);
  s.raw(file, 0, 0);
  assert.equal(s.read(file), ""); // polling read
  s.raw(file, 3, 0);
  const keys = ["a", "b", "cd"];
  s.onSleep((ticks) => (assert.equal(ticks, 0xffffffff), s.type(keys.shift()!), 1));
  assert.equal(s.read(file), "abcd");
  s.raw(file, 0, 5); // half a second for anything
  s.onSleep((ticks) => (assert.equal(ticks, 125), 0));
  assert.equal(s.read(file), "");
  s.onSleep(() => (s.type("x"), 50));
  assert.equal(s.read(file), "x");
  s.raw(file, 4, 2); // between bytes
  const waits: number[] = [];
  s.onSleep((ticks) => {
    waits.push(ticks);
    if (waits.length === 1) return (s.type("p"), 1);
    if (waits.length === 2) return (s.type("q"), 7);
    return 0;
  });
  assert.equal(s.read(file), "pq");
  assert.deepEqual(waits, [0xffffffff, 50, 50]);
});

Deno.test("poll and FIONREAD tell of input", async () => {
  const s = await system();
  s.call["run"]!(s.shell);
  const file = s.call["open"]!(4, 64, 0);
  assert.equal(s.call["poll"]!(file) & 5, 4);
  s.type("ab\n");
  assert.equal(s.call["poll"]!(file) & 5, 5);
  assert.deepEqual(s.ioctl(file, FIONREAD), [0, 3]);
});

Deno.test("a session leader's open gives it the terminal; its jobs obey SIGTTIN and SIGTTOU", async () => {
  const s = await system();
  s.call["run"]!(s.job);
  const early = s.call["open"]!(4, 64, 0);
  assert.equal(s.call["hasTerminal"]!(s.job), 0); // not a leader
  assert.equal(s.ioctl(early, TIOCGPGRP)[0], -ENOTTY);
  s.call["run"]!(s.shell);
  assert.equal(s.call["open"]!(5, 0, 0), -6); // ENXIO: /dev/tty without a terminal
  const quiet = s.call["open"]!(4, 64, 0o400);
  assert.equal(s.ioctl(quiet, TIOCGSID)[0], -ENOTTY);
  const file = s.call["open"]!(4, 64, 0);
  assert.deepEqual(s.ioctl(file, TIOCGPGRP), [0, 10]);
  assert.deepEqual(s.ioctl(file, TIOCGSID), [0, 10]);
  // The children of the shell got its terminal by fork; here they have it by hand.
  for (const p of [s.job, s.other]) {
    s.call["run"]!(p);
    new DataView(s.unit.bytes().buffer).setUint32(
      p + 20,
      new DataView(s.unit.bytes().buffer).getUint32(s.shell + 20, true),
      true,
    );
  }
  s.call["run"]!(s.shell);
  assert.deepEqual(s.ioctl(file, TIOCSPGRP, 99)[0], -ESRCH);
  assert.deepEqual(s.ioctl(file, TIOCSPGRP, 1)[0], -EPERM);
  assert.deepEqual(s.ioctl(file, TIOCSPGRP, 11)[0], 0);
  s.type("\x03");
  assert.deepEqual(s.takeSignals(), [[11, SIGINT]]);
  s.call["run"]!(s.other);
  assert.equal(s.read(file), -ERESTARTSYS);
  assert.deepEqual(s.takeSignals(), [[12, SIGTTIN]]);
  assert.equal(s.ioctl(file, TIOCSPGRP, 12)[0], -ERESTARTSYS);
  assert.deepEqual(s.takeSignals(), [[12, SIGTTOU]]);
  assert.equal(s.write(file, "x"), 1); // without TOSTOP anybody may write
  s.call["block"]!(SIGTTIN);
  assert.equal(s.read(file), -EIO);
  s.call["block"]!(SIGTTOU);
  assert.equal(s.ioctl(file, TIOCSPGRP, 12)[0], 0); // a blocked SIGTTOU lets it pass
});

Deno.test("an orphaned background group gets -EIO instead of being stopped", async () => {
  const s = await system();
  s.call["run"]!(s.shell);
  const file = s.call["open"]!(4, 64, 0);
  const lost = s.call["process"]!(20, 20, 10, s.init);
  const view = new DataView(s.unit.bytes().buffer);
  view.setUint32(lost + 20, view.getUint32(s.shell + 20, true), true);
  s.call["run"]!(lost);
  assert.equal(s.read(file), -EIO);
  assert.deepEqual(s.takeSignals(), []);
});

Deno.test("init's claim on the console gives way to a session's", async () => {
  const s = await system();
  s.call["run"]!(s.init);
  const console = s.call["open"]!(5, 1, 0);
  assert.deepEqual(s.ioctl(console, TIOCGPGRP), [0, 1]);
  s.call["run"]!(s.shell);
  assert.equal(s.call["ioctl"]!(console, TIOCSCTTY, 0), 0);
  assert.equal(s.call["hasTerminal"]!(s.init), 0);
  assert.deepEqual(s.ioctl(console, TIOCGPGRP), [0, 10]);
});

Deno.test("the end of a session leader hangs the terminal up", async () => {
  const s = await system();
  s.call["run"]!(s.shell);
  const file = s.call["open"]!(4, 64, 0);
  const console = s.call["open"]!(5, 1, 0);
  s.type("rest\n");
  s.call["exitSession"]!(s.shell);
  assert.deepEqual(s.takeSignals(), [[10, SIGHUP], [10, SIGCONT]]);
  assert.equal(s.call["hasTerminal"]!(s.shell), 0);
  assert.equal(s.read(file), "");
  assert.equal(s.write(file, "x"), -EIO);
  assert.equal(s.call["poll"]!(file) & 0x18, 0x18);
  assert.equal(s.call["ioctl"]!(file, TIOCNOTTY, 0), -EIO);
  const again = s.call["open"]!(4, 64, 0);
  assert.equal(s.write(again, "y"), 1);
  assert.equal(s.write(console, "z"), 1); // what was opened as /dev/console lives on
});

Deno.test("window size changes are told to the foreground group once", async () => {
  const s = await system();
  s.call["run"]!(s.shell);
  const file = s.call["open"]!(4, 64, 0);
  const size = s.unit.put(Uint8Array.of(50, 0, 132, 0, 0, 0, 0, 0));
  assert.equal(s.call["ioctl"]!(file, TIOCSWINSZ, size), 0);
  assert.equal(s.call["ioctl"]!(file, TIOCSWINSZ, size), 0);
  assert.deepEqual(s.takeSignals(), [[10, SIGWINCH]]);
  assert.equal(s.call["ioctl"]!(file, TIOCGWINSZ, s.buffer), 0);
  assert.deepEqual([...s.unit.get(s.buffer, 4)], [50, 0, 132, 0]);
});

Deno.test("a pseudo-terminal carries both ways, with the slave's discipline", async () => {
  const s = await system();
  s.call["run"]!(s.shell);
  const master = s.call["open"]!(5, 2, 0o4000);
  assert.ok(master > 0);
  assert.deepEqual(s.ioctl(master, TIOCGPTN), [0, 0]);
  assert.equal(s.call["open"]!(136, 0, 0), -EIO); // locked
  assert.equal(s.ioctl(master, TIOCSPTLCK, 0)[0], 0);
  const slave = s.call["open"]!(136, 0, 0o4000);
  assert.ok(slave > 0);
  assert.equal(s.write(master, "ls\r"), 3);
  assert.equal(s.read(slave), "ls\n");
  assert.equal(s.read(master), "ls\r\n"); // echo
  assert.equal(s.write(slave, "out\n"), 4);
  assert.equal(s.call["poll"]!(master) & 1, 1);
  assert.equal(s.read(master), "out\r\n");
  assert.equal(s.read(master), -EAGAIN);
  s.call["close"]!(slave);
  assert.equal(s.read(master), -EIO);
  const second = s.call["open"]!(5, 2, 0);
  assert.deepEqual(s.ioctl(second, TIOCGPTN), [0, 1]);
  s.call["close"]!(master);
  assert.equal(s.call["open"]!(136, 0, 0), -EIO);
});

Deno.test("a pseudo-terminal moves more than its buffers hold, and its master's close hangs up", async () => {
  const s = await system();
  s.call["run"]!(s.shell);
  const master = s.call["open"]!(5, 2, 0o4000);
  s.ioctl(master, TIOCSPTLCK, 0);
  const slave = s.call["open"]!(136, 0, 0);
  const text = Array.from({ length: 3000 }, (_, i) => `line ${i}\n`).join("");
  let got = "";
  const drain = () => {
    const part = s.read(master);
    if (typeof part === "string") got += part;
    return 1;
  };
  s.onSleep(drain);
  assert.equal(s.write(slave, text), text.length);
  for (let i = 0; i < 10; i++) drain();
  assert.equal(got, text.replaceAll("\n", "\r\n"));
  s.call["close"]!(master);
  assert.deepEqual(s.takeSignals().slice(0, 2), [[10, SIGHUP], [10, SIGCONT]]);
  assert.equal(s.read(slave), "");
  assert.equal(s.write(slave, "x"), -EIO);
});
