/**
 * Known differences of QEMU 7.2's TCG in the scenarios of task switches and virtual-8086 mode.
 * @module
 */
import { type Deviation, differsBy, field, without } from "./deviation.ts";

/** The line without EIP in the new task's TSS. */
function withoutNewEip(line: string): string {
  return line.replace(/ new=[0-9a-f]+,/, " new=");
}

/** Known differences in lines that begin with "task" or "virtual". */
export const TASK_DEVIATIONS: readonly Deviation[] = [
  {
    reason:
      "QEMU's CALL gives #GP the selector for an offset beyond the limit; SDM vol. 2 (CALL): 0",
    explains: (ours, qemu) =>
      /^task call [03] (9b|fb) /.test(ours) && field(ours, "v") === 13 &&
      field(ours, "e") === 0 && differsBy(ours, qemu, "e", 0x80),
  },
  {
    reason:
      "QEMU raises #TS for a task gate to the LDT; SDM vol. 2 (JMP, CALL, INT n): #GP with the selector",
    explains: (ours, qemu) =>
      /^task (jmp gate|call gate|int) 0 84 f /.test(ours) && field(ours, "v") === 13 &&
      field(qemu, "v") === 10 && without(ours, "v") === without(qemu, "v"),
  },
  {
    reason: "QEMU reads the new TSS before it saves the old one; SDM vol. 3A §7.3: after",
    explains: (ours) =>
      ours.startsWith("task iret 0 28 f ") && field(ours, "v") === 0x30 &&
      field(ours, "fl") === 2,
  },
  {
    // SDM vol. 3A §7.2.1: the dynamic fields are those that a switch updates.
    reason: "QEMU reads the first byte of the old TSS, then writes it; a switch stores from EIP on",
    explains: (ours, qemu) =>
      /^task page 0 [0-3] [56] /.test(ours) && (field(ours, "e") & 2) !== 0 &&
      (field(ours, "e") & ~2) === (field(qemu, "e") & ~2) &&
      (field(ours, "cr2") ^ field(qemu, "cr2")) === 0x20 &&
      without(ours, "e", "cr2") === without(qemu, "e", "cr2"),
  },
  {
    reason:
      "QEMU saves the old task before a write of the link faults; SDM vol. 3A §7.3: no change",
    explains: (ours, qemu) =>
      /^task page 0 [12] 3 lone=0,0,0/.test(ours) && field(ours, "v") === 14 &&
      without(ours, "lone") === without(qemu, "lone"),
  },
  {
    reason:
      "QEMU's IRET saves a task without the flags of the instruction before; SDM vol. 3A §7.3",
    explains: (ours, qemu) =>
      /^task (call twice|int back) /.test(ours) && ours.includes(",6,10203041,") &&
      ours.replace(",6,10203041,", ",2,10203041,") === qemu,
  },
  {
    reason:
      "QEMU puts the EIP of JMP, CALL or IRET into the frame of the new task's fault; SDM vol. 3A §7.3: the new task's",
    explains: (ours, qemu) =>
      /^task (jmp|call|iret|ldt) /.test(ours)
        ? field(ours, "tr") > 0xa0 && withoutNewEip(ours) === withoutNewEip(qemu)
        : /^virtual task (0|10|30) /.test(ours) && [10, 13].includes(field(ours, "v")) &&
          without(ours, "ip") === without(qemu, "ip"),
  },
  {
    reason: "QEMU raises #NP for an absent stack segment of a new task; SDM vol. 3A Table 7-1: #SS",
    explains: (ours, qemu) =>
      /^task \w+ 0 140013 /.test(ours) && field(ours, "v") === 12 && field(qemu, "v") === 11 &&
      without(ours, "tr", "links", "new", "v", "ip") ===
        without(qemu, "tr", "links", "new", "v", "ip"),
  },
  {
    reason:
      "QEMU wants DPL = RPL of a new task's conforming code too; SDM vol. 3A Table 7-1: DPL ≤ RPL",
    explains: (ours, qemu) =>
      /^task \w+ [03] 13009f 9b /.test(ours) && [8, 10].includes(field(qemu, "v")) &&
      (field(qemu, "e") & ~1) === (field(qemu, "v") === 10 ? 0x98 : 0) &&
      (field(ours, "v") === 0x30 && field(ours, "cs") === 0x9b ||
        field(ours, "v") === 10 && (field(ours, "e") & ~1) === 0x10),
  },
  {
    reason: "QEMU checks no limits: a new task's stack, a stack of the TSS, EIP of IRETD",
    explains: (ours) =>
      /^task \w+ [03] (140097 98|e0000 2) /.test(ours) && [8, 12].includes(field(ours, "v")) ||
      /^virtual stack 88 93 /.test(ours) && field(ours, "v") === 12 && field(ours, "e") === 0x88 ||
      /^virtual entry (10000|ffff0000) /.test(ours) && field(ours, "v") === 13 &&
        field(ours, "e") === 0 && field(ours, "cs") === 8,
  },
  {
    reason:
      "QEMU checks EIP of a new task before it pushes the error code; SDM vol. 2 (INT n): after",
    explains: (ours, qemu) =>
      /^task gp [03] 80000 /.test(ours) && without(ours, "new") === without(qemu, "new"),
  },
  {
    reason: "QEMU ignores T of a new task; SDM vol. 3A §17.3.1.5: #DB with BT",
    explains: (ours, qemu) =>
      /^task \w+ [03] 190000 680001 /.test(ours) && field(ours, "v") === 1 &&
      field(ours, "dr6") === 0x8000 && field(qemu, "v") === 0x30,
  },
  {
    reason: "QEMU's task switch loads neither VIF nor VIP; SDM vol. 3A §7.3: all of EFLAGS",
    explains: (ours, qemu) =>
      /^task \w+ [03] 90000 ffdcffff /.test(ours) && differsBy(ours, qemu, "fl", 0x180000),
  },
  {
    reason:
      "QEMU looks at the stack before the DPL of code that leaves virtual-8086 mode; SDM vol. 2 (INT n): #GP",
    explains: (ours, qemu) =>
      /^virtual exit \w+ \w+ bb0088 /.test(ours) && field(ours, "v") === 13 &&
      (field(ours, "e") & ~1) === 0x88 && field(qemu, "v") === 10,
  },
  {
    reason: "QEMU raises #TS for an absent stack of the TSS; SDM vol. 2 (INT n): #SS",
    explains: (ours, qemu) =>
      /^virtual stack 88 13 /.test(ours) && field(ours, "v") === 12 && field(qemu, "v") === 10 &&
      without(ours, "v", "ip", "tr") === without(qemu, "v", "ip", "tr"),
  },
];
