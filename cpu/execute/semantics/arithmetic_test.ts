/**
 * Arithmetic, shifts and bit operations: results and flags from the SDM's definitions (the broad comparison
 * with silicon is in tests/differential).
 * @module
 */
import assert from "node:assert/strict";
import { AF, CF, OF, PF, SF, ZF } from "../../state/flags.ts";
import { DATA, testMachine } from "../test_machine.ts";

const [EAX, ECX, EDX, EBX] = [0, 1, 2, 3];
const ALL = CF | PF | AF | ZF | SF | OF;

interface Case {
  name: string;
  code: number[];
  before: [register: number, value: number][];
  flagsBefore?: number;
  after: [register: number, value: number][];
  flags?: number;
  /** Flags that are defined; all if absent. */
  mask?: number;
}

// deno-fmt-ignore
const CASES: Case[] = [
  { name: "ADD r/m8, r8 sets OF on signed overflow", code: [0x00, 0xc8], before: [[EAX, 0x7f], [ECX, 1]], after: [[EAX, 0x80]], flags: OF | SF | AF },
  { name: "ADD r/m32, r32 sets CF and ZF on wrap", code: [0x01, 0xc8], before: [[EAX, -1], [ECX, 1]], after: [[EAX, 0]], flags: CF | ZF | PF | AF },
  { name: "ADD AH leaves AL and the upper half alone", code: [0x80, 0xc4, 0xff], before: [[EAX, 0x12340156]], after: [[EAX, 0x12340056]], flags: CF | ZF | PF | AF },
  { name: "ADC adds CF", code: [0x11, 0xc8], before: [[EAX, -1], [ECX, 0]], flagsBefore: CF, after: [[EAX, 0]], flags: CF | ZF | PF | AF },
  { name: "SBB subtracts CF", code: [0x19, 0xc8], before: [[EAX, 0], [ECX, 0]], flagsBefore: CF, after: [[EAX, -1]], flags: CF | SF | PF | AF },
  { name: "CMP r/m16, r16 compares 16 bits only", code: [0x66, 0x39, 0xc8], before: [[EAX, 0x10005], [ECX, 0x20005]], after: [[EAX, 0x10005]], flags: ZF | PF },
  { name: "INC keeps CF", code: [0x40], before: [[EAX, 0x7fffffff]], flagsBefore: CF, after: [[EAX, -0x80000000]], flags: CF | OF | SF | AF | PF },
  { name: "DEC r16 wraps within 16 bits", code: [0x66, 0x48], before: [[EAX, 0x50000]], after: [[EAX, 0x5ffff]], flags: SF | PF | AF },
  { name: "NEG of the most negative number sets OF", code: [0xf7, 0xd8], before: [[EAX, -0x80000000]], after: [[EAX, -0x80000000]], flags: CF | OF | SF | PF },
  { name: "NEG 0 clears CF", code: [0xf7, 0xd8], before: [[EAX, 0]], flagsBefore: CF, after: [[EAX, 0]], flags: ZF | PF },
  { name: "NOT changes no flag", code: [0xf7, 0xd0], before: [[EAX, 0]], flagsBefore: ZF | CF, after: [[EAX, -1]], flags: ZF | CF },
  { name: "MUL r/m32 gives 64 bits", code: [0xf7, 0xe1], before: [[EAX, -1], [ECX, -1]], after: [[EAX, 1], [EDX, -2]], flags: CF | OF, mask: CF | OF },
  { name: "IMUL r/m8 gives AX", code: [0xf6, 0xe9], before: [[EAX, 0x123400ff], [ECX, 2]], after: [[EAX, 0x1234fffe]], flags: 0, mask: CF | OF },
  { name: "IMUL r16, r/m16, imm8 sets OF when the product does not fit", code: [0x66, 0x6b, 0xc1, 0x7f], before: [[ECX, 0x7fff]], after: [[EAX, 0x7f81]], flags: CF | OF, mask: CF | OF },
  { name: "DIV r/m32 divides 64 bits", code: [0xf7, 0xf1], before: [[EAX, 5], [EDX, 1], [ECX, 2]], after: [[EAX, -0x80000000 + 2], [EDX, 1]], mask: 0 },
  { name: "IDIV r/m8 rounds to zero", code: [0xf6, 0xf9], before: [[EAX, 0xfff9], [ECX, 2]], after: [[EAX, 0xfffd]], mask: 0 },
  { name: "SHL by 1 sets OF when the sign changes", code: [0xd1, 0xe0], before: [[EAX, 0x40000000]], after: [[EAX, -0x80000000]], flags: OF | SF | PF, mask: ALL & ~AF },
  { name: "SHL by 0 changes no flag", code: [0xc1, 0xe0, 0x20], before: [[EAX, 5]], flagsBefore: ZF | CF | OF, after: [[EAX, 5]], flags: ZF | CF | OF },
  { name: "SHR r8 by 8 moves the top bit into CF", code: [0xc0, 0xe8, 8], before: [[EAX, 0x80]], after: [[EAX, 0]], flags: CF | ZF | PF, mask: ALL & ~AF & ~OF },
  { name: "SAR r8 by 31 fills with the sign", code: [0xc0, 0xf8, 31], before: [[EAX, 0x80]], after: [[EAX, 0xff]], flags: CF | SF | PF, mask: ALL & ~AF & ~OF },
  { name: "ROL r16 by 16 leaves the value and copies bit 0 to CF", code: [0x66, 0xc1, 0xc0, 16], before: [[EAX, 0x8001]], after: [[EAX, 0x8001]], flags: CF, mask: CF },
  { name: "RCL r8 by 9 is a full turn", code: [0xc0, 0xd0, 9], before: [[EAX, 0x5a]], flagsBefore: CF, after: [[EAX, 0x5a]], flags: CF, mask: CF },
  { name: "RCR r32 by 1 shifts CF in", code: [0xd1, 0xd8], before: [[EAX, 1]], flagsBefore: CF, after: [[EAX, -0x80000000]], flags: CF | OF, mask: CF | OF },
  { name: "SHLD r32 takes bits from the source", code: [0x0f, 0xa4, 0xc8, 8], before: [[EAX, 0x12345678], [ECX, 0x2bcdef01]], after: [[EAX, 0x3456782b]], flags: PF, mask: ALL & ~AF & ~OF },
  { name: "SHRD r16 takes bits from the source", code: [0x66, 0x0f, 0xac, 0xc8, 4], before: [[EAX, 0x1234], [ECX, 0x000f]], after: [[EAX, 0xf123]], mask: 0 },
  { name: "BT r32, imm8 takes the bit modulo 32", code: [0x0f, 0xba, 0xe0, 33], before: [[EAX, 2]], after: [[EAX, 2]], flags: CF, mask: CF },
  { name: "BSF of 0 sets ZF and keeps the destination", code: [0x0f, 0xbc, 0xc1], before: [[EAX, 77], [ECX, 0]], after: [[EAX, 77]], flags: ZF, mask: ZF },
  { name: "BSR finds the highest bit", code: [0x0f, 0xbd, 0xc1], before: [[ECX, 0x00f00000]], after: [[EAX, 23]], flags: 0, mask: ZF },
  { name: "F3 0F BC is BSF on this processor", code: [0xf3, 0x0f, 0xbc, 0xc1], before: [[EAX, 5], [ECX, 0]], after: [[EAX, 5]], flags: ZF, mask: ZF },
  { name: "BSWAP reverses the bytes", code: [0x0f, 0xc8], before: [[EAX, 0x12345678]], after: [[EAX, 0x78563412]] },
  { name: "XADD with one register leaves the sum", code: [0x0f, 0xc1, 0xc0], before: [[EAX, 21]], after: [[EAX, 42]] },
  { name: "CMPXCHG equal stores the source", code: [0x0f, 0xb1, 0xca], before: [[EAX, 5], [EDX, 5], [ECX, 9]], after: [[EDX, 9], [EAX, 5]], flags: ZF | PF },
  { name: "CMPXCHG unequal loads the accumulator", code: [0x0f, 0xb1, 0xca], before: [[EAX, 4], [EDX, 5], [ECX, 9]], after: [[EDX, 5], [EAX, 5]], flags: CF | SF | PF | AF },
  { name: "CWDE extends AX", code: [0x98], before: [[EAX, 0x12348000]], after: [[EAX, -0x8000]] },
  { name: "CDQ extends EAX into EDX", code: [0x99], before: [[EAX, -1]], after: [[EDX, -1]] },
  { name: "SALC spreads CF over AL", code: [0xd6], before: [[EAX, 0x1200]], flagsBefore: CF, after: [[EAX, 0x12ff]], flags: CF },
  { name: "LAHF reads the flags into AH", code: [0x9f], before: [[EAX, 0]], flagsBefore: SF | CF | AF, after: [[EAX, 0x9300]], flags: SF | CF | AF },
  { name: "SAHF sets all but OF", code: [0x9e], before: [[EAX, 0xd500]], flagsBefore: OF, after: [], flags: OF | SF | ZF | AF | PF | CF },
  { name: "CMC complements CF only", code: [0xf5], before: [], flagsBefore: ZF | OF, after: [], flags: ZF | OF | CF },
  { name: "CMOVG moves when neither ZF nor SF≠OF", code: [0x0f, 0x4f, 0xc1], before: [[EAX, 1], [ECX, 2]], after: [[EAX, 2]] },
  { name: "SETB takes CF", code: [0x0f, 0x92, 0xc0], before: [[EAX, 0x55555500]], flagsBefore: CF, after: [[EAX, 0x55555501]], flags: CF },
  { name: "DAA corrects a decimal sum", code: [0x27], before: [[EAX, 0xae]], after: [[EAX, 0x14]], flags: CF | AF | PF, mask: ALL & ~OF },
  { name: "DAS corrects a decimal difference", code: [0x2f], before: [[EAX, 0xee]], flagsBefore: CF | AF, after: [[EAX, 0x88]], flags: CF | AF | SF | PF, mask: ALL & ~OF },
  { name: "AAA carries into AH", code: [0x37], before: [[EAX, 0x00f]], after: [[EAX, 0x105]], flags: CF | AF, mask: CF | AF },
  { name: "AAM divides AL by the immediate", code: [0xd4, 10], before: [[EAX, 63]], after: [[EAX, 0x0603]], flags: PF, mask: SF | ZF | PF },
  { name: "AAD multiplies AH", code: [0xd5, 10], before: [[EAX, 0x0603]], after: [[EAX, 63]], flags: PF, mask: SF | ZF | PF },
];

for (const { name, code, before, flagsBefore = 0, after, flags, mask = ALL } of CASES) {
  Deno.test(name, () => {
    const machine = testMachine();
    const { core } = machine;
    for (const [register, value] of before) core.setGpr(register, value);
    core.eflags = 2 | flagsBefore;
    machine.execute(code);
    assert.equal(machine.faults.length, 0);
    for (const [register, value] of after) assert.equal(core.gpr(register), value, `r${register}`);
    if (flags !== undefined) assert.equal(core.eflags & mask, flags & mask);
  });
}

Deno.test("division by zero and quotients that do not fit raise #DE with nothing changed", () => {
  const cases: [number[], number, number, number][] = [
    [[0xf7, 0xf1], 1, 0, 0], // div ecx, by 0
    [[0xf7, 0xf1], 0, 2, 2], // div ecx, quotient 2^32
    [[0xf7, 0xf9], 0, -0x80000000, -1], // idiv ecx, 64-bit minimum by −1
    [[0xf6, 0xf1], 0x200, 0, 1], // div cl
    [[0xf6, 0xf9], 0x80, 0, -1], // idiv cl: −128 is not AX here: 128 / −1 = −128 fits
    [[0x66, 0xf7, 0xf9], 0, 0x8000, -1], // idiv cx: −2^31 / −1
    [[0xd4, 0x00], 5, 0, 0], // aam 0
  ];
  for (const [code, eax, edx, ecx] of cases) {
    const machine = testMachine();
    machine.core.setGpr(EAX, eax);
    machine.core.setGpr(EDX, edx);
    machine.core.setGpr(ECX, ecx);
    machine.execute(code);
    if (code[1] === 0xf9 && code[0] === 0xf6) {
      assert.equal(machine.faults.length, 0);
      assert.equal(machine.core.gpr(EAX) & 0xff, 0x80);
      continue;
    }
    assert.equal(machine.faults[0]?.vector, 0, code.join(" "));
    assert.equal(machine.core.gpr(EAX), eax);
    assert.equal(machine.core.gpr(EDX), edx);
  }
});

Deno.test("BTS with a register bit number reaches memory before and behind the operand", () => {
  const machine = testMachine();
  machine.core.setGpr(EBX, DATA + 16);
  machine.core.setGpr(ECX, -1);
  machine.execute([0x0f, 0xab, 0x0b]); // bts [ebx], ecx
  assert.equal(machine.core.read(3, DATA + 12, 4), 0x80000000);
  machine.core.setGpr(ECX, 70);
  machine.execute([0x0f, 0xab, 0x0b]);
  assert.equal(machine.core.read(3, DATA + 24, 4), 0x40);
});

Deno.test("CMPXCHG8B exchanges 64 bits and touches only ZF", () => {
  const machine = testMachine();
  const { core } = machine;
  machine.poke(DATA, [1, 0, 0, 0, 2, 0, 0, 0]);
  core.setGpr(EAX, 1);
  core.setGpr(EDX, 2);
  core.setGpr(EBX, 0x11);
  core.setGpr(ECX, 0x22);
  core.eflags = 2 | CF | SF | OF;
  machine.execute([0x0f, 0xc7, 0x0d, DATA & 0xff, DATA >> 8, 0, 0]);
  assert.equal(core.eflags & ALL, CF | SF | OF | ZF);
  assert.equal(core.read(3, DATA, 4), 0x11);
  assert.equal(core.read(3, DATA + 4, 4), 0x22);
  machine.execute([0x0f, 0xc7, 0x0d, DATA & 0xff, DATA >> 8, 0, 0]);
  assert.equal(core.eflags & ALL, CF | SF | OF);
  assert.equal(core.gpr(EAX), 0x11);
  assert.equal(core.gpr(EDX), 0x22);
});
