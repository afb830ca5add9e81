/**
 * The rows of MMX, SSE and SSE2 but for their floating-point arithmetic: integers, moves, shuffles, logic, state.
 *
 * Instructions that do the same to the bits share an operation (ANDPS, ANDPD, PAND …). Sources: SDM vol. 2
 * Tables A-3 and A-6; vol. 3A Table 24-4 and vol. 2's exception sections for what needs alignment.
 * @module
 */
import type { Row } from "./row.ts";

/** Operations on MMX registers that are in the first MMX. Opcode after 0F and name. */
// deno-fmt-ignore
const INTEGER: readonly (readonly [string, string])[] = [
  ["63", "packsswb"], ["64", "pcmpgtb"], ["65", "pcmpgtw"], ["66", "pcmpgtd"], ["67", "packuswb"], ["68", "punpckhbw"],
  ["69", "punpckhwd"], ["6A", "punpckhdq"], ["6B", "packssdw"], ["74", "pcmpeqb"], ["75", "pcmpeqw"], ["76", "pcmpeqd"],
  ["D1", "psrlw"], ["D2", "psrld"], ["D3", "psrlq"], ["D5", "pmullw"], ["D8", "psubusb"], ["D9", "psubusw"], ["DB", "pand"],
  ["DC", "paddusb"], ["DD", "paddusw"], ["DF", "pandn"], ["E1", "psraw"], ["E2", "psrad"], ["E5", "pmulhw"], ["E8", "psubsb"],
  ["E9", "psubsw"], ["EB", "por"], ["EC", "paddsb"], ["ED", "paddsw"], ["EF", "pxor"], ["F1", "psllw"], ["F2", "pslld"],
  ["F3", "psllq"], ["F5", "pmaddwd"], ["F8", "psubb"], ["F9", "psubw"], ["FA", "psubd"], ["FC", "paddb"], ["FD", "paddw"],
  ["FE", "paddd"],
];
/** Those that came with SSE. */
// deno-fmt-ignore
const INTEGER_SSE: readonly (readonly [string, string])[] = [
  ["DA", "pminub"], ["DE", "pmaxub"], ["E0", "pavgb"], ["E3", "pavgw"], ["E4", "pmulhuw"], ["EA", "pminsw"], ["EE", "pmaxsw"],
  ["F6", "psadbw"],
];
/** Those that came with SSE2. */
const INTEGER_SSE2: readonly (readonly [string, string])[] = [
  ["D4", "paddq"],
  ["F4", "pmuludq"],
  ["FB", "psubq"],
];
/** Shifts by an immediate: opcode, /n, name. */
// deno-fmt-ignore
const SHIFTS: readonly (readonly [string, number, string])[] = [
  ["71", 2, "psrlw"], ["71", 4, "psraw"], ["71", 6, "psllw"], ["72", 2, "psrld"], ["72", 4, "psrad"], ["72", 6, "pslld"],
  ["73", 2, "psrlq"], ["73", 6, "psllq"],
];

/** The row on MMX registers and the one on XMM registers. */
function pairs(list: readonly (readonly [string, string])[], feature: string): Row[] {
  return list.flatMap(([opcode, operation]): Row[] => [
    [`0F ${opcode}`, operation, "Pq Qq", "", feature],
    [`66 0F ${opcode}`, operation, "Vx Wx", "A", "sse2"],
  ]);
}

// deno-fmt-ignore
const MMX: readonly Row[] = [
  // Of the low halves; memory of 4 bytes.
  ["0F 60", "punpcklbw", "Pq Qd", "", "mmx"], ["0F 61", "punpcklwd", "Pq Qd", "", "mmx"], ["0F 62", "punpckldq", "Pq Qd", "", "mmx"],
  ["0F 6E", "movd", "Pd Ed", "", "mmx"], ["0F 6F", "movq", "Pq Qq", "", "mmx"], ["0F 77", "emms", "", "N", "mmx"],
  ["0F 7E", "movd", "Ed Pd", "", "mmx"], ["0F 7F", "movq", "Qq Pq", "", "mmx"],
];

// deno-fmt-ignore
const SSE: readonly Row[] = [
  ["0F 10", "movups", "Vx Wx", "", "sse"], ["F3 0F 10", "movss", "Vd Wd", "", "sse"], ["0F 11", "movups", "Wx Vx", "", "sse"], ["F3 0F 11", "movss", "Wd Vd", "", "sse"],
  ["0F 12 m", "movlps", "Vq Mq", "", "sse"], ["0F 12 r", "movhlps", "Vq Uq", "", "sse"], ["0F 13 m", "movlps", "Mq Vq", "", "sse"],
  ["0F 14", "punpckldq", "Vx Wx", "A", "sse"], ["0F 15", "punpckhdq", "Vx Wx", "A", "sse"],
  ["0F 16 m", "movhps", "Vq Mq", "", "sse"], ["0F 16 r", "movlhps", "Vq Uq", "", "sse"], ["0F 17 m", "movhps", "Mq Vq", "", "sse"],
  ["0F 28", "movups", "Vx Wx", "A", "sse"], ["0F 29", "movups", "Wx Vx", "A", "sse"], ["0F 2B m", "movups", "Mx Vx", "A", "sse"],
  ["0F 50", "movmskps", "Gd Ux", "", "sse"],
  ["0F 54", "pand", "Vx Wx", "A", "sse"], ["0F 55", "pandn", "Vx Wx", "A", "sse"], ["0F 56", "por", "Vx Wx", "A", "sse"], ["0F 57", "pxor", "Vx Wx", "A", "sse"],
  ["0F 70", "pshufw", "Pq Qq Ib", "", "sse"],
  ["0F AE /0 m", "fxsave", "M", "N", "fxsr"], ["0F AE /1 m", "fxrstor", "M", "N", "fxsr"],
  ["0F AE /2 m", "ldmxcsr", "Md", "N", "sse"], ["0F AE /3 m", "stmxcsr", "Md", "N", "sse"], ["0F AE /7 r", "fence", "", "N", "sse"],
  ["0F C4", "pinsrw", "Pq Ew Ib", "", "sse"], ["0F C5", "pextrw", "Gd Nq Ib", "", "sse"], ["0F C6", "shufps", "Vx Wx Ib", "A", "sse"],
  ["0F D7", "pmovmskb", "Gd Nq", "", "sse"], ["0F E7 m", "movq", "Mq Pq", "", "sse"], ["0F F7", "maskmovq", "Pq Nq", "", "sse"],
];

// deno-fmt-ignore
const SSE2: readonly Row[] = [
  ["66 0F 10", "movups", "Vx Wx", "", "sse2"], ["F2 0F 10", "movsd", "Vq Wq", "", "sse2"], ["66 0F 11", "movups", "Wx Vx", "", "sse2"], ["F2 0F 11", "movsd", "Wq Vq", "", "sse2"],
  ["66 0F 12 m", "movlps", "Vq Mq", "", "sse2"], ["66 0F 13 m", "movlps", "Mq Vq", "", "sse2"],
  ["66 0F 14", "punpcklqdq", "Vx Wx", "A", "sse2"], ["66 0F 15", "punpckhqdq", "Vx Wx", "A", "sse2"],
  ["66 0F 16 m", "movhps", "Vq Mq", "", "sse2"], ["66 0F 17 m", "movhps", "Mq Vq", "", "sse2"],
  ["66 0F 28", "movups", "Vx Wx", "A", "sse2"], ["66 0F 29", "movups", "Wx Vx", "A", "sse2"], ["66 0F 2B m", "movups", "Mx Vx", "A", "sse2"],
  ["66 0F 50", "movmskpd", "Gd Ux", "", "sse2"],
  ["66 0F 54", "pand", "Vx Wx", "A", "sse2"], ["66 0F 55", "pandn", "Vx Wx", "A", "sse2"], ["66 0F 56", "por", "Vx Wx", "A", "sse2"], ["66 0F 57", "pxor", "Vx Wx", "A", "sse2"],
  ["66 0F 60", "punpcklbw", "Vx Wx", "A", "sse2"], ["66 0F 61", "punpcklwd", "Vx Wx", "A", "sse2"], ["66 0F 62", "punpckldq", "Vx Wx", "A", "sse2"],
  ["66 0F 6C", "punpcklqdq", "Vx Wx", "A", "sse2"], ["66 0F 6D", "punpckhqdq", "Vx Wx", "A", "sse2"],
  ["66 0F 6E", "movd", "Vd Ed", "", "sse2"], ["66 0F 6F", "movups", "Vx Wx", "A", "sse2"], ["F3 0F 6F", "movups", "Vx Wx", "", "sse2"],
  ["66 0F 70", "pshufd", "Vx Wx Ib", "A", "sse2"], ["F3 0F 70", "pshufhw", "Vx Wx Ib", "A", "sse2"], ["F2 0F 70", "pshuflw", "Vx Wx Ib", "A", "sse2"],
  ["66 0F 73 /3 r", "psrldq", "Ux Ib", "", "sse2"], ["66 0F 73 /7 r", "pslldq", "Ux Ib", "", "sse2"],
  ["66 0F 7E", "movd", "Ed Vd", "", "sse2"], ["F3 0F 7E", "movq", "Vq Wq", "", "sse2"], ["66 0F 7F", "movups", "Wx Vx", "A", "sse2"], ["F3 0F 7F", "movups", "Wx Vx", "", "sse2"],
  ["0F AE /7 m", "clflush", "Mb", "N", "sse2"], ["0F AE /5 r", "fence", "", "N", "sse2"], ["0F AE /6 r", "fence", "", "N", "sse2"],
  ["0F C3 m", "mov", "Md Gd", "N", "sse2"],
  ["66 0F C4", "pinsrw", "Vx Ew Ib", "", "sse2"], ["66 0F C5", "pextrw", "Gd Ux Ib", "", "sse2"], ["66 0F C6", "shufpd", "Vx Wx Ib", "A", "sse2"],
  ["66 0F D6", "movq", "Wq Vq", "", "sse2"], ["F3 0F D6", "movq2dq", "Vq Nq", "", "sse2"], ["F2 0F D6", "movdq2q", "Pq Uq", "", "sse2"],
  ["66 0F D7", "pmovmskb", "Gd Ux", "", "sse2"], ["66 0F E7 m", "movups", "Mx Vx", "A", "sse2"], ["66 0F F7", "maskmovdqu", "Vx Ux", "", "sse2"],
];

/** MMX, SSE and SSE2 without floating-point arithmetic. */
export const SIMD: readonly Row[] = [
  ...pairs(INTEGER, "mmx"),
  ...pairs(INTEGER_SSE, "sse"),
  ...pairs(INTEGER_SSE2, "sse2"),
  ...SHIFTS.flatMap(([opcode, extension, operation]): Row[] => [
    [`0F ${opcode} /${extension} r`, operation, "Nq Ib", "", "mmx"],
    [`66 0F ${opcode} /${extension} r`, operation, "Ux Ib", "", "sse2"],
  ]),
  ...MMX,
  ...SSE,
  ...SSE2,
];
