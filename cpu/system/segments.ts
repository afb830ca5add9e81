/**
 * MOV and POP to segment registers, LDS LES LFS LGS LSS.
 * Sources: SDM vol. 2 (MOV, POP, LDS), vol. 3A §6.8.3 (no interrupt after a load of SS).
 * @module
 */
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import type { Assist, Assists } from "../execute/assist.ts";
import { StackReader } from "../events/frame.ts";
import { loadSegment } from "../memory/mod.ts";
import { readWord, writeRegister } from "./operand.ts";

const movToSegment: Assist = (core, operands) => {
  const { reg } = operands;
  if (reg === L.CS || reg > L.GS) core.raise(VECTOR.UD);
  loadSegment(core, reg, readWord(core, operands));
  if (reg === L.SS) core.setInterruptShadow();
};

const popSegment: Assist = (core, { reg, operandSize }) => {
  const reader = new StackReader(core, operandSize);
  const selector = reader.popSelector();
  const esp = reader.next();
  loadSegment(core, reg, selector);
  core.setGpr(4, esp);
  if (reg === L.SS) core.setInterruptShadow();
};

/** Destination segment by the opcode's last byte. */
function farPointerSegment(opcode: number): number {
  switch (opcode) {
    case 0xc4:
      return L.ES;
    case 0xc5:
      return L.DS;
    case 0xb2:
      return L.SS;
    case 0xb4:
      return L.FS;
    default:
      return L.GS;
  }
}

const loadFarPointer: Assist = (core, operands) => {
  const { segment, operandSize, opcode, reg } = operands;
  const offset = core.read(segment, operands.offset, operandSize);
  const selector = core.read(segment, (operands.offset + operandSize) | 0, 2);
  loadSegment(core, farPointerSegment(opcode), selector);
  writeRegister(core, reg, operandSize, offset);
};

/** Assists that load ES SS DS FS GS. */
export const segmentAssists: Assists = { movToSegment, popSegment, loadFarPointer };
