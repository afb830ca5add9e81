/**
 * What a user process on the real processor cannot show: what CR0 and CR4 forbid, FXSAVE without OSFXSR, stores
 * that fault or change code, and the registers by name. The operations are compared in tests/differential/.
 * Expected values: SDM vol. 3A Tables 12-1, 13-1 and 2-2; vol. 2 (FXSAVE, MOVNTI); vol. 1 Table 10-2.
 * @module
 */
import assert from "node:assert/strict";
import { CODE, DATA, type TestMachine, testMachine } from "../execute/test_machine.ts";
import { fpuAssists, fpuRegisters, fpuSemantics } from "../fpu/mod.ts";
import { SIMD } from "../isa/simd.ts";
import { X87 } from "../isa/x87.ts";
import * as L from "../state/layout.ts";
import { Registers } from "../state/registers.ts";
import { mmxRegisters, simdAssists, simdSemantics, sseRegisters } from "./mod.ts";

const EM = 4;
const TS = 8;
const NE = 0x20;
const BASE = 0x11;
const OSFXSR = 0x200;

function address(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
}
const PADDB_MMX = [0x0f, 0xfc, 0xc1];
const EMMS = [0x0f, 0x77];
const PADDB_XMM = [0x66, 0x0f, 0xfc, 0xc1];
const MOVQ2DQ = [0xf3, 0x0f, 0xd6, 0xc1];
const STMXCSR = [0x0f, 0xae, 0x1d, ...address(DATA)];
const FXSAVE = [0x0f, 0xae, 0x05, ...address(DATA)];
const FXRSTOR = [0x0f, 0xae, 0x0d, ...address(DATA)];
const SFENCE = [0x0f, 0xae, 0xf8];
const MOVNTI = [0x0f, 0xc3, 0x05, ...address(DATA)];
const MASKMOVQ = [0x0f, 0xf7, 0xc1];

function machine(): TestMachine {
  const made = testMachine({
    rows: [...X87, ...SIMD],
    semantics: { ...fpuSemantics, ...simdSemantics },
    assists: { ...fpuAssists, ...simdAssists },
  });
  made.core.i32[L.MXCSR_MASK >> 2] = 0xffbf;
  made.core.i32[L.MXCSR >> 2] = 0x1f80;
  made.core.setGpr(7, DATA);
  return made;
}
const shared = machine();

/** Vectors that the code raises under CR0 and CR4. */
function vectors(code: readonly number[], cr0: number, cr4 = OSFXSR): number[] {
  const { core, faults } = shared;
  faults.length = 0;
  core.i32[L.CR0 >> 2] = cr0;
  core.i32[L.CR4 >> 2] = cr4;
  shared.execute(code);
  return faults.map(({ vector }) => vector);
}

Deno.test("MMX and SSE instructions raise #UD and #NM as CR0 and CR4 say", () => {
  const table: [name: string, code: number[], em: number[], ts: number[], osfxsr0: number[]][] = [
    ["PADDB mm", PADDB_MMX, [6], [7], []],
    ["EMMS", EMMS, [6], [7], []],
    ["MASKMOVQ", MASKMOVQ, [6], [7], []],
    ["PADDB xmm", PADDB_XMM, [6], [7], [6]],
    ["MOVQ2DQ", MOVQ2DQ, [6], [7], [6]],
    ["STMXCSR", STMXCSR, [6], [7], [6]],
    ["FXSAVE", FXSAVE, [7], [7], []],
    ["FXRSTOR", FXRSTOR, [7], [7], []],
    ["SFENCE", SFENCE, [], [], []],
    ["MOVNTI", MOVNTI, [], [], []],
  ];
  shared.poke(DATA, new Array(512).fill(0));
  for (const [name, code, em, ts, without] of table) {
    assert.deepEqual(vectors(code, BASE), [], name);
    assert.deepEqual(vectors(code, BASE | EM), em, `${name} with CR0.EM`);
    assert.deepEqual(vectors(code, BASE | TS), ts, `${name} with CR0.TS`);
    assert.deepEqual(vectors(code, BASE, 0), without, `${name} without CR4.OSFXSR`);
    // #UD goes before #NM.
    assert.deepEqual(vectors(code, BASE | EM | TS), em, `${name} with CR0.EM and CR0.TS`);
  }
});

Deno.test("MMX instructions report a pending x87 exception, SSE instructions do not", () => {
  const { core } = shared;
  const pend = (): void => {
    core.i32[L.FPU_CONTROL >> 2] = 0x37e;
    core.i32[L.FPU_STATUS >> 2] = 0x8081;
  };
  for (const [code, expected] of [[PADDB_MMX, [16]], [EMMS, [16]], [PADDB_XMM, []]] as const) {
    pend();
    assert.deepEqual(vectors(code, BASE | NE), expected);
  }
  pend();
  assert.deepEqual(vectors(MOVQ2DQ, BASE | NE), [16]);
  core.i32[L.FPU_STATUS >> 2] = 0;
});

Deno.test("FXSAVE and FXRSTOR leave XMM registers and MXCSR alone without CR4.OSFXSR", () => {
  const { core } = shared;
  core.u8.fill(0x5a, L.XMM, L.XMM + 128);
  core.i32[L.MXCSR >> 2] = 0x1f80;
  shared.poke(DATA, new Array(512).fill(0x77));
  assert.deepEqual(vectors(FXSAVE, BASE, 0), []);
  const image = core.u8.subarray(L.RAM_BASE + DATA, L.RAM_BASE + DATA + 512);
  assert.equal(image[160], 0x77);
  assert.deepEqual(vectors(FXSAVE, BASE), []);
  assert.deepEqual([...image.subarray(160, 288)], new Array(128).fill(0x5a));
  assert.deepEqual([...image.subarray(24, 32)], [0x80, 0x1f, 0, 0, 0xbf, 0xff, 0, 0]);
  assert.equal(image[288], 0x77);
  core.u8.fill(0, L.XMM, L.XMM + 128);
  assert.deepEqual(vectors(FXRSTOR, BASE, 0), []);
  assert.equal(core.u8[L.XMM], 0);
  assert.deepEqual(vectors(FXRSTOR, BASE), []);
  assert.equal(core.u8[L.XMM], 0x5a);
  // Denormals-are-zeros is not in the mask of this processor.
  shared.poke(DATA + 24, [0xc0, 0x1f, 0, 0]);
  assert.deepEqual(vectors(FXRSTOR, BASE), [13]);
});

Deno.test("a 16-byte store into a missing page stores nothing", () => {
  const { core } = shared;
  // movups [7FFF8h], xmm0: the second half has no page.
  const store = [0x0f, 0x11, 0x05, ...address(0x7fff8)];
  shared.poke(0x7fff8, [1, 2, 3, 4, 5, 6, 7, 8]);
  core.u8.fill(0xee, L.XMM, L.XMM + 16);
  assert.deepEqual(vectors(store, BASE), [14]);
  assert.equal((shared.faults[0]?.address ?? 0) >>> 12, 0x80);
  const at = L.RAM_BASE + 0x7fff8;
  assert.deepEqual([...core.u8.subarray(at, at + 8)], [1, 2, 3, 4, 5, 6, 7, 8]);
  // movaps at a misaligned address: #GP goes before the missing page.
  assert.deepEqual(vectors([0x0f, 0x29, 0x05, ...address(0x7fff8)], BASE), [13]);
});

Deno.test("a vector store over the code behind it is seen by the next instruction", () => {
  const { core } = shared;
  // movups [CODE + 7], xmm0; mov eax, 1 — which becomes mov eax, 2; hlt.
  const code = [0x0f, 0x11, 0x05, ...address(CODE + 7), 0xb8, 1, 0, 0, 0];
  core.u8.set([0xb8, 2, 0, 0, 0, 0xf4], L.XMM);
  core.u8.fill(0xf4, L.XMM + 6, L.XMM + 16);
  assert.deepEqual(vectors(code, BASE), []);
  assert.equal(core.gpr(0), 2);
});

Deno.test("x87, MMX and SSE registers are read and set by gdb's names", () => {
  const { core } = shared;
  const units = [fpuRegisters(core), mmxRegisters(core), sseRegisters(core)];
  const registers = new Registers(core, () => 0, units);
  assert.deepEqual(["eax", "st7", "mm0", "xmm7", "mxcsr"].map((name) => registers.size(name)), [
    4,
    10,
    8,
    16,
    4,
  ]);
  assert.equal(registers.feature("xmm0"), "org.gnu.gdb.i386.sse");
  // fld1; fldz
  vectors([0xdb, 0xe3, 0xd9, 0xe8, 0xd9, 0xee], BASE);
  assert.equal(registers.get("fctrl"), 0x37f);
  assert.equal(registers.get("fstat"), 6 << 11);
  // R6 zero, R7 valid, the others empty.
  assert.equal(registers.get("ftag"), 0x1fff);
  assert.equal(registers.get("fioff"), CODE + 4);
  assert.equal(registers.get("fop"), 0x1ee);
  assert.deepEqual([...registers.getBytes("st1")], [0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f]);
  // MM7 is the physical register that holds ST(1).
  registers.setBytes("mm7", new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]));
  assert.deepEqual([...registers.getBytes("st1")], [1, 2, 3, 4, 5, 6, 7, 8, 0xff, 0xff]);
  const vector = Uint8Array.from({ length: 16 }, (_, i) => i);
  registers.setBytes("xmm3", vector);
  assert.deepEqual(registers.getBytes("xmm3"), vector);
  assert.equal(core.u8[L.XMM + 3 * 16 + 5], 5);
  registers.set("mxcsr", 0xffffffff);
  assert.equal(registers.get("mxcsr"), 0xffbf);
  registers.set("fstat", 0);
  assert.deepEqual([...registers.getBytes("st7")], [1, 2, 3, 4, 5, 6, 7, 8, 0xff, 0xff]);
  assert.throws(() => registers.get("xmm0"), RangeError);
  assert.throws(() => registers.setBytes("xmm0", new Uint8Array(8)), RangeError);
  assert.throws(() => registers.getBytes("xmm8"), RangeError);
  for (const name of registers.names) {
    assert.equal(registers.getBytes(name).length, registers.size(name), name);
  }
});
