/**
 * The `r/m16` operand of system instructions: a register or a word in memory.
 * @module
 */
import { VECTOR } from "../state/fault.ts";
import type { Operands } from "../execute/assist.ts";
import type { Core } from "../execute/core.ts";

/** Reads r/m16. */
export function readWord(core: Core, operands: Operands): number {
  if (!operands.isMemory) return core.gpr(operands.rm) & 0xffff;
  return core.read(operands.segment, operands.offset, 2);
}
/** Writes 16 bits to memory, or `value` to a register of the operand size. */
export function writeWord(core: Core, operands: Operands, value: number): void {
  if (operands.isMemory) core.write(operands.segment, operands.offset, 2, value & 0xffff);
  else writeRegister(core, operands.rm, operands.operandSize, value);
}
/** Writes a 16- or 32-bit register. */
export function writeRegister(core: Core, register: number, size: 2 | 4, value: number): void {
  if (size === 4) core.setGpr(register, value);
  else core.setGpr(register, (core.gpr(register) & ~0xffff) | (value & 0xffff));
}
/** #GP(0) above CPL 0. */
export function requirePrivilege(core: Core): void {
  if (core.cpl !== 0) core.raise(VECTOR.GP, 0);
}
/** #UD in real and virtual-8086 mode. */
export function requireProtected(core: Core): void {
  if (!core.protectedMode) core.raise(VECTOR.UD);
}
