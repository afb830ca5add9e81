/**
 * What the native processor cannot show from user mode: #NM and #MF by CR0, the FERR# pin, and the pointers and
 * formats of the environment. Arithmetic is compared with silicon in tests/differential/.
 * Expected values: SDM vol. 1 §8.1.8–8.1.10, §8.7; vol. 3A §2.5 and Table 9-3.
 * @module
 */
import assert from "node:assert/strict";
import { CODE, DATA, type TestMachine, testMachine } from "../execute/test_machine.ts";
import { X87 } from "../isa/x87.ts";
import * as L from "../state/layout.ts";
import { fpuAssists, fpuSemantics } from "./mod.ts";

const MP = 2;
const EM = 4;
const TS = 8;
const NE = 0x20;
const BASE = 0x11;
const FNINIT = [0xdb, 0xe3];
const FLD1 = [0xd9, 0xe8];
const FLDZ = [0xd9, 0xee];
const FDIVP = [0xde, 0xf9];
const FWAIT = [0x9b];
const FNOP = [0xd9, 0xd0];
const FNSTSW_AX = [0xdf, 0xe0];
/** fldcw [DATA] with ZM = 0. */
const UNMASK_ZERO_DIVIDE = [
  0xc7,
  0x05,
  ...address(DATA),
  ...address(0x037b),
  0xd9,
  0x2d,
  ...address(DATA),
];

function address(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
}
function machine(cr0 = BASE | NE): TestMachine {
  const made = testMachine({ rows: X87, semantics: fpuSemantics, assists: fpuAssists });
  made.core.i32[L.CR0 >> 2] = cr0;
  return made;
}
function vectors(made: TestMachine, code: readonly number[]): number[] {
  made.faults.length = 0;
  made.execute(code);
  return made.faults.map(({ vector }) => vector);
}

Deno.test("x87 instructions raise #NM when CR0 has TS or EM", () => {
  for (
    const [cr0, code, expected] of [
      [BASE, FNOP, []],
      [BASE | MP, FNOP, []],
      [BASE | EM, FNOP, [7]],
      [BASE | TS, FNOP, [7]],
      [BASE | TS, FNINIT, [7]],
      [BASE | TS, FNSTSW_AX, [7]],
      [BASE | EM, [0xd9, 0x35, ...address(DATA)], [7]],
      [BASE | TS, FWAIT, []],
      [BASE | EM, FWAIT, []],
      [BASE | MP, FWAIT, []],
      [BASE | TS | MP, FWAIT, [7]],
    ] as const
  ) {
    const made = machine(cr0);
    assert.deepEqual(vectors(made, code), expected, `CR0 ${cr0.toString(16)} code ${code}`);
  }
});

Deno.test("an unmasked exception raises #MF at the next waiting instruction when CR0.NE is set", () => {
  const made = machine();
  const divide = [...FNINIT, ...UNMASK_ZERO_DIVIDE, ...FLD1, ...FLDZ, ...FDIVP];
  // Not at the division, nor at instructions that do not wait.
  assert.deepEqual(vectors(made, [...divide, ...FNSTSW_AX, 0x90]), []);
  // ZE, ES and B; TOP stays because the pop did not happen.
  assert.equal(made.core.gpr(0) & 0xffff, 0xb084);
  for (const waiting of [FWAIT, FNOP, FLD1]) {
    assert.deepEqual(vectors(made, [...divide, ...waiting]), [16]);
    assert.equal(made.faults[0]?.eip, CODE + divide.length);
    assert.equal(made.faults[0]?.errorCode, -1);
  }
  // FNCLEX ends it.
  assert.deepEqual(vectors(made, [...divide, 0xdb, 0xe2, ...FWAIT]), []);
});

Deno.test("an unmasked exception drives FERR# at the next waiting instruction when CR0.NE is clear", () => {
  const made = machine(BASE);
  let errors = 0;
  made.core.bus.coprocessorError = () => errors++;
  const divide = [...FNINIT, ...UNMASK_ZERO_DIVIDE, ...FLD1, ...FLDZ, ...FDIVP];
  assert.deepEqual(vectors(made, divide), []);
  assert.equal(errors, 0);
  assert.deepEqual(vectors(made, [...divide, ...FWAIT]), []);
  assert.equal(errors, 1);
});

Deno.test("FNSTENV stores pointers, opcode and tags in the format of mode and operand size", () => {
  const made = machine();
  const { core } = made;
  core.f64[(L.RAM_BASE + DATA) >> 3] = 1;
  // fldz; fadd qword [DATA]; fnstenv [DATA+100h]
  const load = [...FNINIT, ...FLDZ, 0xdc, 0x05, ...address(DATA)];
  const eip = CODE + FNINIT.length + FLDZ.length;
  const at = L.RAM_BASE + DATA + 0x100;
  const words = (count: number, size: 2 | 4): number[] =>
    Array.from(
      { length: count },
      (_, i) => size === 4 ? core.u32[(at >> 2) + i] as number : core.u16[(at >> 1) + i] as number,
    );
  assert.deepEqual(vectors(made, [...load, 0xd9, 0x35, ...address(DATA + 0x100)]), []);
  assert.deepEqual(words(7, 4), [
    0xffff037f,
    0xffff3800,
    0xffff3fff,
    eip,
    (0x405 << 16) | 8,
    DATA,
    0xffff0010,
  ]);
  // The masks are set in the register, not in the image.
  assert.deepEqual(vectors(made, [...load, 0x66, 0xd9, 0x35, ...address(DATA + 0x100)]), []);
  assert.deepEqual(words(7, 2), [0x37f, 0x3800, 0x3fff, eip, 8, DATA, 0x10]);
});

Deno.test("FNSAVE and FRSTOR keep all state, and FNSAVE initialises", () => {
  const made = machine();
  const { core } = made;
  const save = [0xdd, 0x35, ...address(DATA + 0x100)];
  const restore = [0xdd, 0x25, ...address(DATA + 0x100)];
  // fldpi; fld1; fldz; fincstp; ffree st(3)
  const fill = [...FNINIT, 0xd9, 0xeb, ...FLD1, ...FLDZ, 0xd9, 0xf7, 0xdd, 0xc3];
  made.execute(fill);
  const state = (): Uint8Array => core.u8.slice(L.FPU_REGISTERS, L.FPU_OPCODE + 4);
  const before = state();
  made.execute(save);
  assert.equal(core.i32[L.FPU_CONTROL >> 2], 0x37f);
  assert.equal(core.i32[L.FPU_TAG >> 2], 0);
  assert.equal(core.i32[L.FPU_TOP >> 2], 0);
  core.u8.fill(0x55, L.FPU_REGISTERS, L.FPU_REGISTERS + 128);
  made.execute(restore);
  const after = state();
  for (let i = 0; i < 8; i++) {
    assert.deepEqual(after.slice(i * 16, i * 16 + 10), before.slice(i * 16, i * 16 + 10), `R${i}`);
  }
  assert.deepEqual(after.slice(128), before.slice(128));
});
