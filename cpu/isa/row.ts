/**
 * The notation of the instruction table.
 *
 * A row is `[opcode, operation, operands, attributes, feature]`.
 *
 * Opcode: bytes in hexadecimal, mandatory prefix first ("F3 0F BC"). "/5": the reg field of ModRM selects;
 * "/5 m" memory only, "/5 r" register only. "50+r": the low three bits are a register. In the x87 maps
 * (D8–DF) "D9 /2 m" is a memory form, "D9 C8+i" eight register forms, "D9 E0" one whole ModRM byte.
 *
 * Operation: name of the Wasm semantics; if there are none, of the assist.
 *
 * Operands, separated by blanks, as in SDM vol. 2 appendix A.2:
 *   Eb Ew Ev Ed   ModRM register or memory, of 1, 2, operand size, 4 bytes
 *   Gb Gw Gv Gd   register of ModRM.reg          Zb Zv   register in the opcode
 *   Mb Mw Md Mq Mt Mv   memory only, of 1 2 4 8 10 bytes or operand size; M: address only (no check)
 *   Rd            register of ModRM.rm (mod ignored)
 *   Ib Iw Iz      immediate; Is: byte, sign-extended to the operand size; 1: the constant
 *   Jb Jz         branch displacement; the record's IMMEDIATE is the target EIP
 *   Ob Ov         memory at an immediate offset
 *   Ap            far pointer: IMMEDIATE offset, DISPLACEMENT selector
 *   Sw Cd Dd      segment, control, debug register number of ModRM.reg (assists read `operands.reg`)
 *   STi           x87 stack register: field A of the record is i
 *   AL AX eAX CL DX   fixed registers
 *
 *   P Q N         MMX register of ModRM.reg; MMX register or memory; MMX register of ModRM.rm. Sizes d q
 *   V W U         XMM register of ModRM.reg; XMM register or memory; XMM register of ModRM.rm. Sizes d q x
 *
 * Attributes, letters: L may be locked (with a memory destination); E ends the block; A 16-byte memory
 * operand must be aligned; N none of 66, F2 and F3 may be there ("NP" in the SDM). Rows with an MMX or XMM
 * operand are so without saying it.
 *
 * Feature: what a processor must have for the encoding to exist; absent where all have it.
 * @module
 */

/** One encoding. */
export type Row = readonly [
  opcode: string,
  operation: string,
  operands?: string,
  attributes?: string,
  feature?: string,
];
