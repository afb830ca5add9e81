/**
 * The instructions that the assembler knows, one row an encoding, in the notation of SDM vol. 2A §3.1.1.
 *
 * The order of the rows of a mnemonic is the order of preference, chosen so that the bytes are those
 * of GNU as: short immediates first, then accumulator forms, then the general ones; between two
 * registers the form with the source in the reg field.
 *
 * Operands: `r8 r16 r32`, `rm8 rm16 rm32`, `m` (memory of any size), `m16 m32 m48 m64`, `imm8 imm16 imm32`,
 * `imm8s` (fits after sign extension), `sreg creg dreg`, `al ax eax cl dx es cs ss ds fs gs`, `1`, `3`,
 * `rel` (branch), `rel8`, `moffs8 moffs16 moffs32` (memory without registers), `far`.
 * `rv rmv immv moffsv av` stand for 16 and 32 bits; such a row is two, the 16-bit one with a 66 prefix.
 *
 * Encoding: hexadecimal bytes, `/r` or `/digit` (ModRM), `+r` (register in the opcode), `ib iw id iv`,
 * `mo` (32-bit offset), `fp` (far pointer), `jb` and `jd` (8- and 32-bit branch), `jc` (branch that may be short: the
 * byte before is the short opcode, what follows in brackets the long one), `o16` (66 prefix), `dup` (the
 * register operand is also the ModRM operand).
 *
 * @module
 */

/** One encoding. */
export interface InstructionRow {
  readonly mnemonic: string;
  readonly operands: readonly string[];
  readonly encoding: readonly string[];
  /** Bits of the operand size that an unsized memory operand would get, 0 if it has none. */
  readonly size: number;
  /** True where memory must be written with its size (`push word ptr`). */
  readonly explicit: boolean;
}

// deno-fmt-ignore
const GENERAL = `
mov      | moffs8 al       | a2 mo
mov      | moffsv av       | a3 mo
mov      | al moffs8       | a0 mo
mov      | av moffsv       | a1 mo
mov      | rm8 r8          | 88 /r
mov      | rmv rv          | 89 /r
mov      | r8 rm8          | 8a /r
mov      | rv rmv          | 8b /r
mov      | r32 sreg        | 8c /r
mov      | r16 sreg        | o16 8c /r
mov      | m sreg          | 8c /r
mov      | sreg r32        | 8e /r
mov      | sreg r16        | 8e /r
mov      | sreg m          | 8e /r
mov      | r8 imm8         | b0 +r ib
mov      | rv immv         | b8 +r iv
mov      | rm8 imm8        | c6 /0 ib
mov      | rmv immv        | c7 /0 iv
mov      | r32 creg        | 0f 20 /r
mov      | creg r32        | 0f 22 /r
mov      | r32 dreg        | 0f 21 /r
mov      | dreg r32        | 0f 23 /r
xchg     | rv av           | 90 +r
xchg     | av rv           | 90 +r
xchg     | rm8 r8          | 86 /r
xchg     | rmv rv          | 87 /r
xchg     | r8 rm8          | 86 /r
xchg     | rv rmv          | 87 /r
lea      | rv m            | 8d /r
push     | r32             | 50 +r
push     | r16             | o16 50 +r
push     | imm8s           | 6a ib
push     | imm32           | 68 id
push     | es              | 06
push     | cs              | 0e
push     | ss              | 16
push     | ds              | 1e
push     | fs              | 0f a0
push     | gs              | 0f a8
push     | rm32            | ff /6
push     | !m16            | o16 ff /6
pop      | r32             | 58 +r
pop      | r16             | o16 58 +r
pop      | es              | 07
pop      | ss              | 17
pop      | ds              | 1f
pop      | fs              | 0f a1
pop      | gs              | 0f a9
pop      | rm32            | 8f /0
pop      | !m16            | o16 8f /0
inc      | rv              | 40 +r
inc      | rm8             | fe /0
inc      | rmv             | ff /0
dec      | rv              | 48 +r
dec      | rm8             | fe /1
dec      | rmv             | ff /1
test     | al imm8         | a8 ib
test     | av immv         | a9 iv
test     | rm8 imm8        | f6 /0 ib
test     | rmv immv        | f7 /0 iv
test     | rm8 r8          | 84 /r
test     | rmv rv          | 85 /r
test     | r8 rm8          | 84 /r
test     | rv rmv          | 85 /r
not      | rm8             | f6 /2
not      | rmv             | f7 /2
neg      | rm8             | f6 /3
neg      | rmv             | f7 /3
mul      | rm8             | f6 /4
mul      | rmv             | f7 /4
div      | rm8             | f6 /6
div      | rmv             | f7 /6
idiv     | rm8             | f6 /7
idiv     | rmv             | f7 /7
imul     | rm8             | f6 /5
imul     | rmv             | f7 /5
imul     | rv rmv          | 0f af /r
imul     | rv rmv imm8s    | 6b /r ib
imul     | rv rmv immv     | 69 /r iv
imul     | rv imm8s        | 6b dup ib
imul     | rv immv         | 69 dup iv
movzx    | rv rm8          | 0f b6 /r
movzx    | r32 rm16        | 0f b7 /r
movsx    | rv rm8          | 0f be /r
movsx    | r32 rm16        | 0f bf /r
shld     | rmv rv imm8     | 0f a4 /r ib
shld     | rmv rv cl       | 0f a5 /r
shrd     | rmv rv imm8     | 0f ac /r ib
shrd     | rmv rv cl       | 0f ad /r
bswap    | r32             | 0f c8 +r
bsf      | rv rmv          | 0f bc /r
bsr      | rv rmv          | 0f bd /r
xadd     | rm8 r8          | 0f c0 /r
xadd     | rmv rv          | 0f c1 /r
cmpxchg  | rm8 r8          | 0f b0 /r
cmpxchg  | rmv rv          | 0f b1 /r
cmpxchg8b | m              | 0f c7 /1
call     | rel             | e8 jd
call     | far             | 9a fp
call     | rm32            | ff /2
call     | !m48            | ff /3
jmp      | rel             | eb jc e9
jmp      | far             | ea fp
jmp      | rm32            | ff /4
jmp      | !m48            | ff /5
ljmp     | far             | ea fp
ljmp     | m               | ff /5
lcall    | far             | 9a fp
lcall    | m               | ff /3
loop     | rel8            | e2 jb
loope    | rel8            | e1 jb
loopz    | rel8            | e1 jb
loopne   | rel8            | e0 jb
loopnz   | rel8            | e0 jb
jecxz    | rel8            | e3 jb
ret      |                 | c3
ret      | imm16           | c2 iw
retf     |                 | cb
retf     | imm16           | ca iw
lret     |                 | cb
lret     | imm16           | ca iw
int      | 3               | cc
int      | imm8            | cd ib
enter    | imm16 imm8      | c8 iw ib
in       | al imm8         | e4 ib
in       | av imm8         | e5 ib
in       | al dx           | ec
in       | av dx           | ed
out      | imm8 al         | e6 ib
out      | imm8 av         | e7 ib
out      | dx al           | ee
out      | dx av           | ef
lgdt     | m               | 0f 01 /2
lidt     | m               | 0f 01 /3
sgdt     | m               | 0f 01 /0
sidt     | m               | 0f 01 /1
lldt     | rm16            | 0f 00 /2
ltr      | rm16            | 0f 00 /3
str      | r32             | 0f 00 /1
str      | r16             | o16 0f 00 /1
str      | m               | 0f 00 /1
sldt     | r32             | 0f 00 /0
sldt     | r16             | o16 0f 00 /0
sldt     | m               | 0f 00 /0
smsw     | r32             | 0f 01 /4
smsw     | r16             | o16 0f 01 /4
smsw     | m               | 0f 01 /4
lmsw     | rm16            | 0f 01 /6
invlpg   | m               | 0f 01 /7
verr     | rm16            | 0f 00 /4
verw     | rm16            | 0f 00 /5
lss      | r32 m           | 0f b2 /r
lfs      | r32 m           | 0f b4 /r
lgs      | r32 m           | 0f b5 /r
lds      | r32 m           | c5 /r
les      | r32 m           | c4 /r
fnsave   | m               | dd /6
frstor   | m               | dd /4
fxsave   | m               | 0f ae /0
fxrstor  | m               | 0f ae /1
ldmxcsr  | m               | 0f ae /2
stmxcsr  | m               | 0f ae /3
fnstcw   | m               | d9 /7
fldcw    | m               | d9 /5
fnstsw   | ax              | df e0
fnstsw   | m               | dd /7
`;

/** Mnemonics without operands. */
// deno-fmt-ignore
const PLAIN: Readonly<Record<string, string>> = {
  nop: "90", hlt: "f4", cli: "fa", sti: "fb", cld: "fc", std: "fd", clc: "f8", stc: "f9", cmc: "f5",
  leave: "c9", int3: "cc", into: "ce", iret: "cf", iretd: "cf", iretw: "66 cf",
  pusha: "60", pushad: "60", popa: "61", popad: "61",
  pushf: "9c", pushfd: "9c", popf: "9d", popfd: "9d", pushfw: "66 9c", popfw: "66 9d",
  sahf: "9e", lahf: "9f", cbw: "66 98", cwde: "98", cwd: "66 99", cdq: "99", xlatb: "d7",
  movsb: "a4", movsw: "66 a5", movsd: "a5", cmpsb: "a6", cmpsw: "66 a7", cmpsd: "a7",
  stosb: "aa", stosw: "66 ab", stosd: "ab", lodsb: "ac", lodsw: "66 ad", lodsd: "ad",
  scasb: "ae", scasw: "66 af", scasd: "af", insb: "6c", insw: "66 6d", insd: "6d",
  outsb: "6e", outsw: "66 6f", outsd: "6f", aaa: "37", aas: "3f", daa: "27", das: "2f",
  ud2: "0f 0b", cpuid: "0f a2", rdtsc: "0f 31", rdmsr: "0f 32", wrmsr: "0f 30", clts: "0f 06",
  invd: "0f 08", wbinvd: "0f 09", sysenter: "0f 34", sysexit: "0f 35", pause: "f3 90", rsm: "0f aa",
  mfence: "0f ae f0", lfence: "0f ae e8", sfence: "0f ae f8", emms: "0f 77",
  fninit: "db e3", fnclex: "db e2", fwait: "9b",
};

/** Condition codes by their number (SDM vol. 1 appendix B). */
export const CONDITIONS: readonly (readonly string[])[] = [
  ["o"],
  ["no"],
  ["b", "c", "nae"],
  ["ae", "nb", "nc"],
  ["e", "z"],
  ["ne", "nz"],
  ["be", "na"],
  ["a", "nbe"],
  ["s"],
  ["ns"],
  ["p", "pe"],
  ["np", "po"],
  ["l", "nge"],
  ["ge", "nl"],
  ["le", "ng"],
  ["g", "nle"],
];

/** Prefixes that may stand before a mnemonic. */
export const PREFIXES: Readonly<Record<string, number>> = {
  lock: 0xf0,
  rep: 0xf3,
  repe: 0xf3,
  repz: 0xf3,
  repne: 0xf2,
  repnz: 0xf2,
};

const ARITHMETIC = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"];
const SHIFTS = ["rol", "ror", "rcl", "rcr", "shl", "shr", "sal", "sar"];
const BIT_TESTS = ["bt", "bts", "btr", "btc"];

function hex(value: number): string {
  return value.toString(16).padStart(2, "0");
}

function arithmeticRows(name: string, index: number): string[] {
  const base = index * 8;
  return [
    `${name} | al imm8 | ${hex(base + 4)} ib`,
    `${name} | rmv imm8s | 83 /${index} ib`,
    `${name} | av immv | ${hex(base + 5)} iv`,
    `${name} | rm8 imm8 | 80 /${index} ib`,
    `${name} | rmv immv | 81 /${index} iv`,
    `${name} | rm8 r8 | ${hex(base)} /r`,
    `${name} | rmv rv | ${hex(base + 1)} /r`,
    `${name} | r8 rm8 | ${hex(base + 2)} /r`,
    `${name} | rv rmv | ${hex(base + 3)} /r`,
  ];
}

function shiftRows(name: string, index: number): string[] {
  const digit = name === "sal" ? 4 : index;
  return [
    `${name} | rm8 | d0 /${digit}`,
    `${name} | rmv | d1 /${digit}`,
    `${name} | rm8 1 | d0 /${digit}`,
    `${name} | rmv 1 | d1 /${digit}`,
    `${name} | rm8 cl | d2 /${digit}`,
    `${name} | rmv cl | d3 /${digit}`,
    `${name} | rm8 imm8 | c0 /${digit} ib`,
    `${name} | rmv imm8 | c1 /${digit} ib`,
  ];
}

function conditionRows(names: readonly string[], code: number): string[] {
  return names.flatMap((name) => [
    `j${name} | rel | ${hex(0x70 + code)} jc 0f ${hex(0x80 + code)}`,
    `set${name} | rm8 | 0f ${hex(0x90 + code)} /0`,
    `cmov${name} | rv rmv | 0f ${hex(0x40 + code)} /r`,
  ]);
}

function bitTestRows(name: string, index: number): string[] {
  return [
    `${name} | rmv rv | 0f ${hex(0xa3 + 8 * index)} /r`,
    `${name} | rmv imm8 | 0f ba /${4 + index} ib`,
  ];
}

function parseRow(line: string): InstructionRow[] {
  const [mnemonic = "", operandText = "", encodingText = ""] = line.split("|").map((part) =>
    part.trim()
  );
  const explicit = operandText.includes("!");
  const operands = operandText.replaceAll("!", "").split(" ").filter((word) => word !== "");
  const encoding = encodingText.split(" ");
  const variable = /^(?:rv|rmv|immv|moffsv|av)$/;
  if (!operands.some((operand) => variable.test(operand))) {
    const sized = operands.map((operand) => /^(?:rm|m|r)(\d+)$/.exec(operand)?.[1]);
    const size = Number(sized.find((value) => value !== undefined) ?? 0);
    return [{ mnemonic, operands, encoding, size, explicit }];
  }
  return [32, 16].map((size) => ({
    mnemonic,
    operands: operands.map((operand) =>
      !variable.test(operand)
        ? operand
        : operand === "av"
        ? (size === 32 ? "eax" : "ax")
        : operand.replace(/v$/, String(size))
    ),
    encoding: [
      ...(size === 16 ? ["o16"] : []),
      ...encoding.map((word) => word === "iv" ? (size === 16 ? "iw" : "id") : word),
    ],
    size,
    explicit,
  }));
}

function buildTable(): Map<string, InstructionRow[]> {
  const lines = [
    ...GENERAL.split("\n").filter((line) => line.includes("|")),
    ...ARITHMETIC.flatMap(arithmeticRows),
    ...SHIFTS.flatMap(shiftRows),
    ...BIT_TESTS.flatMap(bitTestRows),
    ...CONDITIONS.flatMap(conditionRows),
    ...Object.entries(PLAIN).map(([name, bytes]) => `${name} | | ${bytes}`),
  ];
  const table = new Map<string, InstructionRow[]>();
  for (const row of lines.flatMap(parseRow)) {
    const rows = table.get(row.mnemonic);
    if (rows === undefined) table.set(row.mnemonic, [row]);
    else rows.push(row);
  }
  return table;
}

/** All encodings by mnemonic, in order of preference. */
export const INSTRUCTIONS: ReadonlyMap<string, readonly InstructionRow[]> = buildTable();
