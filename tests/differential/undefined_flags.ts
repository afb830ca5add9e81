/**
 * Which flags each operation leaves undefined, so that no comparison asks for them.
 *
 * By the "Flags Affected" sections of SDM vol. 2 and vol. 1 Table A-2. Where Intel's processors agree
 * since the 386, or the flag is known to be kept or cleared by all of them, the table does not excuse us:
 * AF after AND, OR, XOR, TEST is 0; BSF and BSR of 0 leave the destination; ROL … RCR keep SF ZF AF PF.
 * @module
 */

const CF = 0x1;
const PF = 0x4;
const AF = 0x10;
const ZF = 0x40;
const SF = 0x80;
const OF = 0x800;
const ALL = CF | PF | AF | ZF | SF | OF;

/** Undefined whatever the operands are. */
const ALWAYS: Readonly<Record<string, number>> = {
  mul: SF | ZF | AF | PF,
  imul: SF | ZF | AF | PF,
  imul3: SF | ZF | AF | PF,
  div: ALL,
  idiv: ALL,
  bsf: CF | OF | SF | AF | PF,
  bsr: CF | OF | SF | AF | PF,
  bt: OF | SF | AF | PF,
  bts: OF | SF | AF | PF,
  btr: OF | SF | AF | PF,
  btc: OF | SF | AF | PF,
  aaa: OF | SF | ZF | PF,
  aas: OF | SF | ZF | PF,
  aam: OF | AF | CF,
  aad: OF | AF | CF,
  daa: OF,
  das: OF,
};

/** The undefined flags of an operation of `size` bytes, shifted or rotated by `count` (0..255) if it is one. */
export function undefinedFlags(operation: string, size: number, count: number): number {
  const masked = count & 31;
  switch (operation) {
    case "shl":
    case "shr":
    case "sar":
      if (masked === 0) return 0;
      return AF | (masked > 1 ? OF : 0) | (masked >= size * 8 && operation !== "sar" ? CF : 0);
    case "rol":
    case "ror":
    case "rcl":
    case "rcr":
      return masked > 1 ? OF : 0;
    case "shld":
    case "shrd":
      if (masked === 0) return 0;
      return masked > size * 8 ? ALL : AF | (masked > 1 ? OF : 0);
    default:
      return ALWAYS[operation] ?? 0;
  }
}
