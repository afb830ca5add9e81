/**
 * Compares what two engines did with a case.
 * @module
 */
import { INITIAL_MXCSR, type Outcome, REGIONS, type TestCase } from "./case.ts";

/** Frames of faults have RF set; our engine looks at the state before the frame is made. */
const RF = 0x10000;
/** #PF error code: instruction fetch; reported only by processors with no-execute pages. */
const FETCH = 0x10;
const PAGE_FAULT = 14;
/** How a case ends that completes. */
const BREAKPOINT = 3;
/** {@link Outcome} vector of a case that destroyed the process. */
const DESTROYED = -2;
const REGISTERS = ["EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"];
const SEGMENTS = ["ES", "CS", "SS", "DS", "FS", "GS"];

function hex(value: number): string {
  return (value >>> 0).toString(16);
}

/**
 * True when the native run ended by something that an i386 does not have, a page that may not be executed, or
 * took the process with it (ESP on the stack of its signal handler, say).
 */
export function incomparable(native: Outcome): boolean {
  if (native.vector === DESTROYED) return true;
  return native.vector === PAGE_FAULT && (native.errorCode & (FETCH | 1)) === (FETCH | 1);
}

/** The differences, empty if there are none. `fpu`: compare the x87 state too, with
 * a number: allowing so many units in the last place. */
export function compare(
  test: TestCase,
  native: Outcome,
  ours: Outcome,
  fpu: boolean | number = false,
): string[] {
  const out: string[] = [];
  const say = (what: string, a: number, b: number): void => {
    if (a !== b) out.push(`${what}: native ${hex(a)}, ours ${hex(b)}`);
  };
  say("vector", native.vector, ours.vector);
  if (native.vector < 0 || out.length > 0) return out;
  say("error code", native.errorCode & ~FETCH, ours.errorCode & ~FETCH);
  if (Math.abs(native.address - ours.address) >= (test.faultsWithin ?? 1)) {
    say("fault address", native.address, ours.address);
  }
  say("EIP", native.eip, ours.eip);
  const flagMask = ~(test.undefinedFlags | RF);
  say("EFLAGS", native.eflags & flagMask, ours.eflags & flagMask);
  for (let i = 0; i < 8; i++) {
    if ((test.undefinedRegisters ?? 0) >> i & 1) continue;
    say(REGISTERS[i] as string, native.gpr[i] as number, ours.gpr[i] as number);
  }
  for (let i = 0; i < 6; i++) {
    say(SEGMENTS[i] as string, native.segments[i] as number, ours.segments[i] as number);
  }
  if (!test.undefinedMemory?.bytes) say("words changed", native.changed, ours.changed);
  const skip = test.undefinedMemory;
  for (const address of new Set([...native.memory.keys(), ...ours.memory.keys()])) {
    if (skip && address + 3 >= skip.start && address < skip.start + skip.bytes) continue;
    const [a, b] = [native.memory.get(address), ours.memory.get(address)];
    if (a !== b && ours.memory.size <= 64) {
      out.push(
        `memory ${hex(address)}: native ${a === undefined ? "unchanged" : hex(a)}, ` +
          `ours ${b === undefined ? "unchanged" : hex(b)}`,
      );
    }
  }
  if (typeof fpu === "number") out.push(...compareApproximately(native, ours, fpu));
  else if (fpu && !(test.undefinedFpuOnFault && native.vector !== BREAKPOINT)) {
    out.push(...compareFpu(native, ours));
  }
  if (test.xmm) out.push(...compareSimd(test, native, ours));
  return out;
}

/** Differences of MXCSR and the XMM registers. */
function compareSimd(test: TestCase, native: Outcome, ours: Outcome): string[] {
  const out: string[] = [];
  const mask = ~(test.undefinedMxcsr ?? 0);
  if ((native.mxcsr & mask) !== (ours.mxcsr & mask)) {
    out.push(`MXCSR: native ${hex(native.mxcsr)}, ours ${hex(ours.mxcsr)}`);
  }
  for (let i = 0; i < 8; i++) {
    const [a, b] = [native, ours].map(({ xmm }) => vectorText(xmm, i));
    if (a !== b) out.push(`XMM${i}: native ${a}, ours ${b}`);
  }
  return out;
}
/** An XMM register, highest byte first, in words of 32 bits. */
function vectorText(xmm: Uint8Array, i: number): string {
  const view = new DataView(xmm.buffer, xmm.byteOffset + 16 * i, 16);
  return [12, 8, 4, 0].map((at) => hex(view.getUint32(at, true)).padStart(8, "0")).join("_");
}

/** Differences of the x87 state. */
function compareFpu(native: Outcome, ours: Outcome): string[] {
  const out: string[] = [];
  const say = (what: string, a: number, b: number): void => {
    if (a !== b) out.push(`${what}: native ${hex(a)}, ours ${hex(b)}`);
  };
  say("FCW", native.fpu.control, ours.fpu.control);
  say("FSW", native.fpu.status, ours.fpu.status);
  say("FTW", native.fpu.tag, ours.fpu.tag);
  say("FIP", native.fpu.ip, ours.fpu.ip);
  for (let i = 0; i < 8; i++) {
    const [a, b] = [native, ours].map((o) => realText(o.fpu.registers, i));
    if (a !== b) out.push(`ST(${i}): native ${a}, ours ${b}`);
  }
  return out;
}
/** Distance of two 80-bit numbers of a register image in units in the last place; Infinity if not near. */
function ulps(a: Uint8Array, b: Uint8Array, i: number): number {
  const [x, y] = [a, b].map((registers) => {
    const view = new DataView(registers.buffer, registers.byteOffset + i * 10, 10);
    const se = view.getUint16(8, true);
    // Consecutive numbers have consecutive places; the integer bit is implied but in denormals.
    const magnitude = (BigInt(se & 0x7fff) << 63n) + BigInt.asUintN(63, view.getBigUint64(0, true));
    return se & 0x8000 ? -magnitude : magnitude;
  }) as [bigint, bigint];
  return Number(x > y ? x - y : y - x);
}

/** Differences of x87 states when results may be off by `tolerance` units in the last place. */
function compareApproximately(native: Outcome, ours: Outcome, tolerance: number): string[] {
  const out: string[] = [];
  // Where rounding differs C1 may, and so may PE and UE where a result is called exact.
  const loose = 0x230;
  const [a, b] = [native.fpu.status & ~loose, ours.fpu.status & ~loose];
  if (a !== b) out.push(`FSW: native ${hex(native.fpu.status)}, ours ${hex(ours.fpu.status)}`);
  for (let i = 0; i < 8; i++) {
    if (ulps(native.fpu.registers, ours.fpu.registers, i) <= tolerance) continue;
    const [x, y] = [native, ours].map((o) => realText(o.fpu.registers, i));
    out.push(`ST(${i}): native ${x}, ours ${y}`);
  }
  return out;
}

function realText(registers: Uint8Array, i: number): string {
  const view = new DataView(registers.buffer, registers.byteOffset + i * 10, 10);
  return `${hex(view.getUint16(8, true)).padStart(4, "0")}:` +
    view.getBigUint64(0, true).toString(16).padStart(16, "0");
}

/** A case in a form from which it can be repeated by hand. */
export function describe(test: TestCase): string {
  const registers = [...test.gpr].map((value, i) => `${REGISTERS[i]}=${hex(value)}`).join(" ");
  const patches = test.patches.map(({ address, bytes }) =>
    ` [${hex(address)}]=${[...bytes].map((b) => b.toString(16).padStart(2, "0")).join(" ")}`
  ).join("");
  const code = [...test.code].map((b) => b.toString(16).padStart(2, "0")).join(" ");
  const where = hex(test.eip - REGIONS.code.start);
  let fpu = "";
  if (test.fpu) {
    const { fpu: image } = test;
    const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
    const words = [0, 4, 8].map((at) => hex(view.getUint16(at, true)));
    const stack = Array.from({ length: 8 }, (_, i) => realText(image.subarray(28), i));
    fpu = `\n  FCW=${words[0]} FSW=${words[1]} FTW=${words[2]} ST: ${stack.join(" ")}`;
  }
  if (test.xmm) {
    const { xmm } = test;
    const registers = Array.from({ length: 8 }, (_, i) => `XMM${i}=${vectorText(xmm, i)}`);
    fpu += `\n  MXCSR=${hex(test.mxcsr ?? INITIAL_MXCSR)} ${registers.join(" ")}`;
  }
  if (test.segments) fpu += `\n  ES CS SS DS FS GS=${test.segments.map(hex).join(" ")}`;
  const flags = `EFLAGS=${hex(test.eflags)}`;
  return `${test.name}\n  code+${where}: ${code}\n  ${registers} ${flags}${patches}${fpu}`;
}
