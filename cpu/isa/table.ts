/**
 * The instruction table of the integer processor: one row an encoding, in the order of SDM vol. 2
 * Tables and the opcode groups of Table A-6, through Pentium Pro. Notation: row.ts.
 * @module
 */
import type { Row } from "./row.ts";

const ARITHMETIC = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"] as const;
const SHIFTS = ["rol", "ror", "rcl", "rcr", "shl", "shr", "shl", "sar"] as const;

function hex(value: number): string {
  return value.toString(16).toUpperCase().padStart(2, "0");
}

/** Rows 00–3D: eight operations of the same six encodings; CMP writes nothing, so it takes no LOCK. */
function arithmeticRows(): Row[] {
  return ARITHMETIC.flatMap((operation, index): Row[] => {
    const at = index * 8;
    const lock = operation === "cmp" ? "" : "L";
    return [
      [hex(at), operation, "Eb Gb", lock],
      [hex(at + 1), operation, "Ev Gv", lock],
      [hex(at + 2), operation, "Gb Eb"],
      [hex(at + 3), operation, "Gv Ev"],
      [hex(at + 4), operation, "AL Ib"],
      [hex(at + 5), operation, "eAX Iz"],
      [`80 /${index}`, operation, "Eb Ib", lock],
      [`81 /${index}`, operation, "Ev Iz", lock],
      [`82 /${index}`, operation, "Eb Ib", lock],
      [`83 /${index}`, operation, "Ev Is", lock],
    ];
  });
}

function shiftRows(): Row[] {
  return SHIFTS.flatMap((operation, index): Row[] => [
    [`C0 /${index}`, operation, "Eb Ib"],
    [`C1 /${index}`, operation, "Ev Ib"],
    [`D0 /${index}`, operation, "Eb 1"],
    [`D1 /${index}`, operation, "Ev 1"],
    [`D2 /${index}`, operation, "Eb CL"],
    [`D3 /${index}`, operation, "Ev CL"],
  ]);
}

/** Jcc, SETcc, CMOVcc: the condition is in the opcode's low four bits and in the operation's name. */
function conditionRows(): Row[] {
  return Array.from({ length: 16 }, (_, code): Row[] => [
    [hex(0x70 + code), `j.${code}`, "Jb", "E"],
    [`0F ${hex(0x40 + code)}`, `cmov.${code}`, "Gv Ev", "", "cmov"],
    [`0F ${hex(0x80 + code)}`, `j.${code}`, "Jz", "E"],
    [`0F ${hex(0x90 + code)}`, `set.${code}`, "Eb"],
  ]).flat();
}

// deno-fmt-ignore
const ONE_BYTE: readonly Row[] = [
  ["06", "pushSegment", "ES"], ["07", "popSegment", "ES", "E"], ["0E", "pushSegment", "CS"],
  ["16", "pushSegment", "SS"], ["17", "popSegment", "SS", "E"], ["1E", "pushSegment", "DS"], ["1F", "popSegment", "DS", "E"],
  ["27", "daa"], ["2F", "das"], ["37", "aaa"], ["3F", "aas"],
  ["40+r", "inc", "Zv"], ["48+r", "dec", "Zv"], ["50+r", "push", "Zv"], ["58+r", "pop", "Zv"],
  ["60", "pusha"], ["61", "popa"], ["62", "bound", "Gv M"], ["63", "arpl", "Ew Gw"],
  ["68", "push", "Iz"], ["69", "imul3", "Gv Ev Iz"], ["6A", "push", "Is"], ["6B", "imul3", "Gv Ev Is"],
  ["6C", "ins", "", "E"], ["6D", "ins", "", "E"], ["6E", "outs", "", "E"], ["6F", "outs", "", "E"],
  ["84", "test", "Eb Gb"], ["85", "test", "Ev Gv"], ["86", "xchg", "Eb Gb", "L"], ["87", "xchg", "Ev Gv", "L"],
  ["88", "mov", "Eb Gb"], ["89", "mov", "Ev Gv"], ["8A", "mov", "Gb Eb"], ["8B", "mov", "Gv Ev"],
  ["8C r", "movzx", "Ev Sw"], ["8C m", "mov", "Mw Sw"], ["8D", "lea", "Gv M"], ["8E /0", "movToSegment", "Sw Ew", "E"], ["8E /2", "movToSegment", "Sw Ew", "E"], ["8E /3", "movToSegment", "Sw Ew", "E"],
  ["8E /4", "movToSegment", "Sw Ew", "E"], ["8E /5", "movToSegment", "Sw Ew", "E"], ["8F /0", "popE", "Ev"],
  ["90", "nop"], ["91", "xchg", "Zv eAX"], ["92", "xchg", "Zv eAX"], ["93", "xchg", "Zv eAX"], ["94", "xchg", "Zv eAX"],
  ["95", "xchg", "Zv eAX"], ["96", "xchg", "Zv eAX"], ["97", "xchg", "Zv eAX"],
  ["98", "cbw"], ["99", "cwd"], ["9A", "callFar", "Ap", "E"], ["9C", "pushf"], ["9D", "popf", "", "E"], ["9E", "sahf"], ["9F", "lahf"],
  ["A0", "mov", "AL Ob"], ["A1", "mov", "eAX Ov"], ["A2", "mov", "Ob AL"], ["A3", "mov", "Ov eAX"],
  ["A4", "movs1"], ["A5", "movs"], ["A6", "cmps1"], ["A7", "cmps"], ["A8", "test", "AL Ib"], ["A9", "test", "eAX Iz"],
  ["AA", "stos1"], ["AB", "stos"], ["AC", "lods1"], ["AD", "lods"], ["AE", "scas1"], ["AF", "scas"],
  ["B0+r", "mov", "Zb Ib"], ["B8+r", "mov", "Zv Iz"],
  ["C2", "ret", "Iw", "E"], ["C3", "ret", "", "E"], ["C4 m", "loadFarPointer", "M", "E"], ["C5 m", "loadFarPointer", "M", "E"],
  ["C6 /0", "mov", "Eb Ib"], ["C7 /0", "mov", "Ev Iz"], ["C8", "enter", "Iw I2"], ["C9", "leave"],
  ["CA", "retFar", "Iw", "E"], ["CB", "retFar", "", "E"], ["CC", "int3", "", "E"], ["CD", "int", "Ib", "E"], ["CE", "into", "", "E"], ["CF", "iret", "", "E"],
  ["D4", "aam", "Ib"], ["D5", "aad", "Ib"], ["D6", "salc"], ["D7", "xlat"],
  ["E0", "loopne", "Jb", "E"], ["E1", "loope", "Jb", "E"], ["E2", "loop", "Jb", "E"], ["E3", "jcxz", "Jb", "E"],
  ["E4", "in", "Ib", "E"], ["E5", "in", "Ib", "E"], ["E6", "out", "Ib", "E"], ["E7", "out", "Ib", "E"],
  ["E8", "call", "Jz", "E"], ["E9", "jmp", "Jz", "E"], ["EA", "jmpFar", "Ap", "E"], ["EB", "jmp", "Jb", "E"],
  ["EC", "inDx", "", "E"], ["ED", "inDx", "", "E"], ["EE", "outDx", "", "E"], ["EF", "outDx", "", "E"],
  ["F1", "int1", "", "E"], ["F4", "hlt", "", "E"], ["F5", "cmc"],
  ["F6 /0", "test", "Eb Ib"], ["F6 /1", "test", "Eb Ib"], ["F6 /2", "not", "Eb", "L"], ["F6 /3", "neg", "Eb", "L"],
  ["F6 /4", "mul", "Eb"], ["F6 /5", "imul", "Eb"], ["F6 /6", "div", "Eb"], ["F6 /7", "idiv", "Eb"],
  ["F7 /0", "test", "Ev Iz"], ["F7 /1", "test", "Ev Iz"], ["F7 /2", "not", "Ev", "L"], ["F7 /3", "neg", "Ev", "L"],
  ["F7 /4", "mul", "Ev"], ["F7 /5", "imul", "Ev"], ["F7 /6", "div", "Ev"], ["F7 /7", "idiv", "Ev"],
  ["F8", "clc"], ["F9", "stc"], ["FA", "cli"], ["FB", "sti", "", "E"], ["FC", "cld"], ["FD", "std"],
  ["FE /0", "inc", "Eb", "L"], ["FE /1", "dec", "Eb", "L"],
  ["FF /0", "inc", "Ev", "L"], ["FF /1", "dec", "Ev", "L"], ["FF /2", "callE", "Ev", "E"], ["FF /3 m", "callFarM", "M", "E"],
  ["FF /4", "jmpE", "Ev", "E"], ["FF /5 m", "jmpFarM", "M", "E"], ["FF /6", "push", "Ev"],
];

// deno-fmt-ignore
const TWO_BYTE: readonly Row[] = [
  ["0F 00 /0", "sldt", "Ew"], ["0F 00 /1", "str", "Ew"], ["0F 00 /2", "lldt", "Ew", "E"], ["0F 00 /3", "ltr", "Ew", "E"],
  ["0F 00 /4", "verr", "Ew"], ["0F 00 /5", "verw", "Ew"],
  ["0F 01 /0 m", "sgdt", "M"], ["0F 01 /1 m", "sidt", "M"], ["0F 01 /2 m", "lgdt", "M", "E"], ["0F 01 /3 m", "lidt", "M", "E"],
  ["0F 01 /4", "smsw", "Ew"], ["0F 01 /6", "lmsw", "Ew", "E"], ["0F 01 /7 m", "invlpg", "M", "E", "486"],
  ["0F 02", "lar", "Ew"], ["0F 03", "lsl", "Ew"], ["0F 06", "clts", "", "E"], ["0F 08", "invd", "", "E", "486"], ["0F 09", "wbinvd", "", "E", "486"],
  ["0F 0B", "ud", ""], ["0F 0D", "nop", "Ev", "", "p6"],
  ["0F 18", "nop", "Ev", "", "p6"], ["0F 19", "nop", "Ev", "", "p6"], ["0F 1A", "nop", "Ev", "", "p6"], ["0F 1B", "nop", "Ev", "", "p6"],
  ["0F 1C", "nop", "Ev", "", "p6"], ["0F 1D", "nop", "Ev", "", "p6"], ["0F 1E", "nop", "Ev", "", "p6"], ["0F 1F", "nop", "Ev", "", "p6"],
  ["0F 20", "movFromControl", "Rd"], ["0F 21", "movFromDebug", "Rd"], ["0F 22", "movToControl", "Rd", "E"], ["0F 23", "movToDebug", "Rd", "E"],
  ["0F 30", "wrmsr", "", "E", "msr"], ["0F 31", "rdtsc", "", "", "tsc"], ["0F 32", "rdmsr", "", "", "msr"], ["0F 33", "rdpmc", "", "", "pmc"],
  ["0F 34", "sysenter", "", "E", "sep"], ["0F 35", "sysexit", "", "E", "sep"],
  ["0F A0", "pushSegment", "FS"], ["0F A1", "popSegment", "FS", "E"], ["0F A2", "cpuid", "", "", "cpuid"],
  ["0F A3", "bt", "Ev Gv"], ["0F A4", "shld", "Ev Gv Ib"], ["0F A5", "shld", "Ev Gv CL"],
  ["0F A8", "pushSegment", "GS"], ["0F A9", "popSegment", "GS", "E"],
  ["0F AB", "bts", "Ev Gv", "L"], ["0F AC", "shrd", "Ev Gv Ib"], ["0F AD", "shrd", "Ev Gv CL"], ["0F AF", "imul3", "Gv Ev"],
  ["0F B0", "cmpxchg", "Eb Gb", "L", "486"], ["0F B1", "cmpxchg", "Ev Gv", "L", "486"],
  ["0F B2 m", "loadFarPointer", "M", "E"], ["0F B3", "btr", "Ev Gv", "L"], ["0F B4 m", "loadFarPointer", "M", "E"], ["0F B5 m", "loadFarPointer", "M", "E"],
  ["0F B6", "movzx", "Gv Eb"], ["0F B7", "movzx", "Gv Ew"], ["0F B9", "ud", "Ev"],
  ["0F BA /4", "bt", "Ev Ib"], ["0F BA /5", "bts", "Ev Ib", "L"], ["0F BA /6", "btr", "Ev Ib", "L"], ["0F BA /7", "btc", "Ev Ib", "L"],
  ["0F BB", "btc", "Ev Gv", "L"], ["0F BC", "bsf", "Gv Ev"], ["0F BD", "bsr", "Gv Ev"], ["0F BE", "movsx", "Gv Eb"], ["0F BF", "movsx", "Gv Ew"],
  ["0F C0", "xadd", "Eb Gb", "L", "486"], ["0F C1", "xadd", "Ev Gv", "L", "486"], ["0F C7 /1 m", "cmpxchg8b", "M", "L", "cx8"],
  ["0F C8+r", "bswap", "Zv", "", "486"],
];

/** All rows but the x87's. */
export const INTEGER: readonly Row[] = [
  ...arithmeticRows(),
  ...shiftRows(),
  ...conditionRows(),
  ...ONE_BYTE,
  ...TWO_BYTE,
];
