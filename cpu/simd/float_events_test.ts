/**
 * What system software sees of SSE's arithmetic: when it is #UD, #NM, #XM, and what has changed then. What programs
 * see is compared with silicon in tests/differential.
 * Sources: SDM vol. 3A §13.1, Table 13-1 (CR0, CR4), §6.15 (vector 19); vol. 1 §11.5.3.
 * @module
 */
import assert from "node:assert/strict";
import { SIMD_FLOAT } from "../isa/simd_float.ts";
import { CR0, CR4, MXCSR, XMM } from "../state/layout.ts";
import { DATA, type TestMachine, testMachine } from "../execute/test_machine.ts";
import { floatSemantics, simdAssists } from "./mod.ts";

const CR0_EM = 4;
const CR0_TS = 8;
const OSFXSR = 0x200;
const OSXMMEXCPT = 0x400;
const UD = 6;
const NM = 7;
const PF = 14;
const XM = 19;
/** DIVSD XMM0, XMM1; DIVSD XMM0, [90000]; COMISD XMM0, XMM1. */
const DIVSD = [0xf2, 0x0f, 0x5e, 0xc1];
const DIVSD_MISSING = [0xf2, 0x0f, 0x5e, 0x05, 0x00, 0x00, 0x09, 0x00];
const COMISD = [0x66, 0x0f, 0x2f, 0xc1];
/** ZE and DE not masked. */
const UNMASKED = 0x1f80 & ~0x300;

const rows = { rows: SIMD_FLOAT, semantics: floatSemantics, assists: simdAssists };
let shared: TestMachine | undefined;

/** Runs an instruction on 1 ÷ 0 under control registers; gives the vector, −1 if it completed. */
function divide(
  code: readonly number[],
  options: { cr0?: number; cr4: number; mxcsr: number; divisor?: number },
): { vector: number; result: number; mxcsr: number; eflags: number } {
  shared ??= testMachine(rows);
  const { core, faults } = shared;
  faults.length = 0;
  const doubles = new Float64Array(core.u8.buffer);
  doubles[XMM >> 3] = 1;
  doubles[(XMM >> 3) + 2] = options.divisor ?? 0;
  core.i32[CR0 >> 2] = 0x11 | (options.cr0 ?? 0);
  core.i32[CR4 >> 2] = options.cr4;
  core.i32[MXCSR >> 2] = options.mxcsr;
  core.eflags = 0x8d7;
  core.updateMode();
  shared.execute(code);
  return {
    vector: faults[0]?.vector ?? -1,
    result: doubles[XMM >> 3] as number,
    mxcsr: core.i32[MXCSR >> 2] as number,
    eflags: core.eflags & 0x8d5,
  };
}

Deno.test("an unmasked exception is #XM, changes no register, and leaves its flag in MXCSR", () => {
  const cr4 = OSFXSR | OSXMMEXCPT;
  const got = divide(DIVSD, { cr4, mxcsr: UNMASKED });
  assert.deepEqual(got, { vector: XM, result: 1, mxcsr: UNMASKED | 4, eflags: 0x8d5 });
  // Nothing pends: the next instruction runs.
  assert.equal(divide(DIVSD, { cr4, mxcsr: UNMASKED | 4, divisor: 2 }).result, 0.5);
});

Deno.test("an unmasked exception is #UD when CR4.OSXMMEXCPT is clear", () => {
  const got = divide(DIVSD, { cr4: OSFXSR, mxcsr: UNMASKED });
  assert.deepEqual(got, { vector: UD, result: 1, mxcsr: UNMASKED | 4, eflags: 0x8d5 });
});

Deno.test("a masked exception sets its flag and the instruction completes", () => {
  const got = divide(DIVSD, { cr4: OSFXSR, mxcsr: 0x1f80 });
  assert.deepEqual(got, { vector: -1, result: Infinity, mxcsr: 0x1f84, eflags: 0x8d5 });
});

Deno.test("COMISD with an unmasked exception leaves EFLAGS", () => {
  const options = { cr4: OSFXSR | OSXMMEXCPT, mxcsr: UNMASKED, divisor: 5e-324 };
  const got = divide(COMISD, options);
  assert.deepEqual(got, { vector: XM, result: 1, mxcsr: UNMASKED | 2, eflags: 0x8d5 });
  // 1 > denormal: all six flags are cleared.
  assert.equal(divide(COMISD, { ...options, mxcsr: 0x1f80 }).eflags, 0);
});

Deno.test("EM and a clear OSFXSR are #UD, then comes #NM by TS, then #PF, then the operation", () => {
  const cr4 = OSFXSR | OSXMMEXCPT;
  const mxcsr = UNMASKED;
  const vectors = [
    divide(DIVSD_MISSING, { cr0: CR0_EM | CR0_TS, cr4, mxcsr }),
    divide(DIVSD_MISSING, { cr0: CR0_TS, cr4: OSXMMEXCPT, mxcsr }),
    divide(DIVSD_MISSING, { cr0: CR0_TS, cr4, mxcsr }),
    divide(DIVSD_MISSING, { cr4, mxcsr }),
    divide(DIVSD, { cr4, mxcsr }),
  ].map(({ vector }) => vector);
  assert.deepEqual(vectors, [UD, UD, NM, PF, XM]);
});

Deno.test("a scalar needs no alignment and reads no more than its size, a vector must be aligned", () => {
  // ADDSD XMM0, [7fff8] touches the last 8 bytes that there are; ADDPD XMM0, [DATA + 8] is #GP.
  const last = [0xf2, 0x0f, 0x58, 0x05, 0xf8, 0xff, 0x07, 0x00];
  assert.equal(divide(last, { cr4: OSFXSR, mxcsr: 0x1f80 }).vector, -1);
  const at = DATA + 8;
  const unaligned = [0x66, 0x0f, 0x58, 0x05, at & 0xff, at >> 8, 0, 0];
  assert.equal(divide(unaligned, { cr4: OSFXSR, mxcsr: 0x1f80 }).vector, 13);
});
