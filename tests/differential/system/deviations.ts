/**
 * Where QEMU 7.2's TCG knowingly differs from the SDM or from silicon in the probe's scenarios.
 *
 * A rule explains a pair of lines only by the very difference that it names; everything else is a failure. "Silicon"
 * means that a process on an Intel processor showed it (page-fault error codes and signals under Linux).
 * @module
 */

import { DEBUG_DEVIATIONS } from "./debug_deviations.ts";
import { type Deviation, differsBy, field, without } from "./deviation.ts";
import { TASK_DEVIATIONS } from "./task_deviations.ts";

/** The line with A cleared in the entries after the access. */
function withoutAccessed(line: string): string {
  return line.replace(
    / (pd|pt)=([0-9a-f]+)/g,
    (_, name: string, value: string) => ` ${name}=${(parseInt(value, 16) & ~0x20).toString(16)}`,
  );
}
/** Known differences, most frequent first. */
export const DEVIATIONS: readonly Deviation[] = [
  {
    reason:
      "QEMU reads before it writes: when a read-modify-write faults W is clear, or A may be set; silicon sets W",
    explains: (ours, qemu) =>
      /^(page|large) modify /.test(ours) && field(ours, "v") === 14 &&
      (field(ours, "e") & 2) !== 0 && ((field(ours, "e") ^ field(qemu, "e")) & ~2) === 0 &&
      withoutAccessed(without(ours, "e")) === withoutAccessed(without(qemu, "e")),
  },
  {
    // Both differences can come together.
    reason: "QEMU clears P for reserved bits; SDM vol. 3A §4.7: RSVD is set only if P is",
    explains: (ours, qemu) =>
      /^large /.test(ours) && (field(ours, "e") & 9) === 9 &&
      without(ours, "e") === without(qemu, "e") &&
      ((field(ours, "e") ^ field(qemu, "e")) & ~(/^large modify/.test(ours) ? 2 : 0)) ===
        1,
  },
  {
    reason: "QEMU's LAR clears bits 19:16; silicon returns the limit's bits there (SDM: undefined)",
    explains: (ours, qemu) =>
      ours.startsWith("lar ") && without(ours, "a") === without(qemu, "a") &&
      (field(ours, "a") & ~0xf0000) === field(qemu, "a"),
  },
  {
    reason: "QEMU does not set the accessed bit of code segments; SDM vol. 3A §3.4.5.1",
    explains: (ours, qemu) =>
      /^(jmp far|call far|ret far|iret|int) /.test(ours) && differsBy(ours, qemu, "hi", 0x100) &&
      (field(ours, "hi") & 0x1900) === 0x1900,
  },
  {
    reason: "QEMU loads a null selector into TR; SDM vol. 2 (LTR): #GP(0)",
    explains: (ours, qemu) =>
      /^ltr 0 (l )?[0-3]:/.test(ours) && field(ours, "v") === 13 && field(ours, "e") === 0 &&
      field(qemu, "v") === 0x30,
  },
  {
    reason: "QEMU sets EXT only for INTR; SDM vol. 3A §6.13: for an earlier exception too",
    explains: (ours, qemu) =>
      /^(double \d 6|virtual exit ud) /.test(ours) && differsBy(ours, qemu, "e", 1) &&
      (field(ours, "e") & 1) === 1,
  },
  {
    reason: "QEMU raises #GP for JMP through a gate to absent code; SDM vol. 2 (JMP): #NP",
    explains: (ours, qemu) =>
      ours.startsWith("jump gate 0 1b") && differsBy(ours, qemu, "v", 11 ^ 13),
  },
  {
    reason:
      "QEMU takes CPL from a conforming segment's DPL in a call gate; SDM vol. 2 (CALL): CPL stays",
    explains: (ours, qemu) =>
      ours.startsWith("call gate 3 9f") && field(ours, "cs") === 0x8b && field(qemu, "cs") === 0x88,
  },
  {
    reason: "QEMU raises #TS or #NP for an absent stack segment; SDM vol. 2 (INT n, IRET): #SS",
    explains: (ours, qemu) =>
      ours.startsWith("outer ")
        ? differsBy(ours, qemu, "v", 11 ^ 12) && field(ours, "v") === 12
        : /^stack \w+ 3 c13 /.test(ours) && field(ours, "a") === 12 && field(qemu, "a") === 10 &&
          without(ours, "a", "ip") === without(qemu, "a", "ip"),
  },
  {
    reason: "QEMU checks no segment limits, and wraps no 16-bit stack when it delivers",
    explains: (ours) =>
      /^stack \w+ 3 493 /.test(ours) && field(ours, "a") === 12 ||
      /^stack \w+ 3 893 /.test(ours) && field(ours, "v") === 0x30 && field(ours, "cs") === 8,
  },
  {
    reason: "QEMU checks privilege before the register number of MOV CR; silicon raises #UD",
    explains: (ours, qemu) =>
      /^i_cr[15] 3 /.test(ours) && field(ours, "v") === 6 && field(qemu, "v") === 13,
  },
  {
    reason: "QEMU's IRET loads neither VIF nor VIP; SDM vol. 2 (IRET): at CPL 0 both",
    explains: (ours, qemu) =>
      /^iret 0 /.test(ours) &&
      without(ours, "a", "fl") === without(qemu, "a", "fl") &&
      (field(ours, "fl") & ~0x180000) === field(qemu, "fl") &&
      (field(ours, "a") & ~0x180000) === field(qemu, "a"),
  },
  ...TASK_DEVIATIONS,
  ...DEBUG_DEVIATIONS,
];
