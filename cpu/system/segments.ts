/**
 * Loads of segment registers: LDS LES LFS LGS LSS, and what MOV and POP leave to TypeScript.
 * Sources: SDM vol. 2 (MOV, POP, LDS), vol. 3A §6.8.3 (no interrupt after a load of SS).
 * @module
 */
import * as L from "../state/layout.ts";
import type { Assist, Assists } from "../execute/assist.ts";
import { loadSegment } from "../memory/mod.ts";
import { writeRegister } from "./operand.ts";

/** What MOV and POP in Wasm (events/fast_segments.ts) leave: field A names the segment, SCRATCH holds the selector. */
const loadNamed: Assist = (core) => {
  const record = core.i32[L.CURRENT >> 2] as number;
  const address = core.i32[(record + L.RECORD.A) >> 2] as number;
  const segment = (address - L.SEGMENTS) / L.SEGMENT_BYTES;
  loadSegment(core, segment, core.i32[L.SCRATCH >> 2] as number);
  if (segment === L.SS) core.setInterruptShadow();
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
export const segmentAssists: Assists = { loadSegment: loadNamed, loadFarPointer };
