/**
 * Which instructions access memory at all: only those are traced for a plugin that hears of accesses.
 * @module
 */

/** Operations that access memory by a memory operand alone. */
const BY_OPERAND: ReadonlySet<string> = new Set(
  ("add or adc sbb and sub xor cmp test inc dec neg not mul imul imul3 div idiv xadd cmpxchg cmpxchg8b " +
    "rol ror rcl rcr shl shr sar shld shrd bt bts btr btc bsf bsr bswap mov movzx movsx xchg " +
    "cbw cwd salc lahf sahf clc stc cmc cld std cli nop jmp jmpE loop loope loopne jcxz sti " +
    Array.from({ length: 16 }, (_, i) => `j.${i} cmov.${i} set.${i}`).join(" ")).split(" "),
);

/** Whether an operation may access memory; `hasOperand`: one of its operands is there. */
export function mayAccess(operation: string, hasOperand: boolean): boolean {
  // The operand of LEA is an address, and nothing is there.
  if (operation === "lea") return false;
  return hasOperand || !BY_OPERAND.has(operation);
}
