/**
 * The rows of SSE's and SSE2's floating-point arithmetic, comparisons and conversions.
 * Sources: SDM vol. 2 Tables A-3 and A-6; the exception sections for what needs alignment.
 * @module
 */
import type { Row } from "./row.ts";

/** Opcode after 0F and name of what exists packed and scalar, single and double. */
// deno-fmt-ignore
const ALL: readonly (readonly [string, string])[] = [
  ["51", "sqrt"], ["58", "add"], ["59", "mul"], ["5C", "sub"], ["5D", "min"], ["5E", "div"], ["5F", "max"],
];

/** The four encodings; `more`: operands behind the two. */
function four([opcode, name]: readonly [string, string], more = ""): Row[] {
  return [
    [`0F ${opcode}`, `${name}ps`, `Vx Wx${more}`, "A", "sse"],
    [`F3 0F ${opcode}`, `${name}ss`, `Vd Wd${more}`, "", "sse"],
    [`66 0F ${opcode}`, `${name}pd`, `Vx Wx${more}`, "A", "sse2"],
    [`F2 0F ${opcode}`, `${name}sd`, `Vq Wq${more}`, "", "sse2"],
  ];
}

/** Floating-point instructions on XMM registers. */
// deno-fmt-ignore
export const SIMD_FLOAT: readonly Row[] = [
  ["0F 2A", "cvtpi2ps", "Vq Qq", "", "sse"], ["F3 0F 2A", "cvtsi2ss", "Vd Ed", "", "sse"],
  ["66 0F 2A", "cvtpi2pd", "Vx Qq", "", "sse2"], ["F2 0F 2A", "cvtsi2sd", "Vq Ed", "", "sse2"],
  ["0F 2C", "cvttps2pi", "Pq Wq", "", "sse"], ["F3 0F 2C", "cvttss2si", "Gd Wd", "", "sse"],
  ["66 0F 2C", "cvttpd2pi", "Pq Wx", "A", "sse2"], ["F2 0F 2C", "cvttsd2si", "Gd Wq", "", "sse2"],
  ["0F 2D", "cvtps2pi", "Pq Wq", "", "sse"], ["F3 0F 2D", "cvtss2si", "Gd Wd", "", "sse"],
  ["66 0F 2D", "cvtpd2pi", "Pq Wx", "A", "sse2"], ["F2 0F 2D", "cvtsd2si", "Gd Wq", "", "sse2"],
  ["0F 2E", "ucomiss", "Vd Wd", "", "sse"], ["66 0F 2E", "ucomisd", "Vq Wq", "", "sse2"],
  ["0F 2F", "comiss", "Vd Wd", "", "sse"], ["66 0F 2F", "comisd", "Vq Wq", "", "sse2"],
  ["0F 52", "rsqrtps", "Vx Wx", "A", "sse"], ["F3 0F 52", "rsqrtss", "Vd Wd", "", "sse"],
  ["0F 53", "rcpps", "Vx Wx", "A", "sse"], ["F3 0F 53", "rcpss", "Vd Wd", "", "sse"],
  ["0F 5A", "cvtps2pd", "Vx Wq", "", "sse2"], ["66 0F 5A", "cvtpd2ps", "Vx Wx", "A", "sse2"],
  ["F3 0F 5A", "cvtss2sd", "Vq Wd", "", "sse2"], ["F2 0F 5A", "cvtsd2ss", "Vd Wq", "", "sse2"],
  ["0F 5B", "cvtdq2ps", "Vx Wx", "A", "sse2"], ["66 0F 5B", "cvtps2dq", "Vx Wx", "A", "sse2"],
  ["F3 0F 5B", "cvttps2dq", "Vx Wx", "A", "sse2"], ["66 0F E6", "cvttpd2dq", "Vx Wx", "A", "sse2"],
  ["F3 0F E6", "cvtdq2pd", "Vx Wq", "", "sse2"], ["F2 0F E6", "cvtpd2dq", "Vx Wx", "A", "sse2"],
  ...ALL.flatMap((row) => four(row)),
  ...four(["C2", "cmp"], " Ib"),
];
