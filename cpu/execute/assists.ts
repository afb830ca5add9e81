/**
 * Assists of unprivileged integer instructions that are too rare or too odd for Wasm: BCD, and the flag
 * instructions that privilege limits.
 * Sources: SDM vol. 2 (DAA, DAS, AAA, AAS, AAM, AAD). Undefined flags are as a P6 leaves them where
 * that is simple, else cleared.
 * @module
 */
import { AF, CF, PF, SF, ZF } from "../state/flags.ts";
import { EAX } from "../state/layout.ts";
import type { Assist, Assists } from "./assist.ts";
import type { Core } from "./core.ts";
import { flagAssists } from "./flag_assists.ts";

/** SF, ZF and PF of a byte. */
function resultFlags(value: number): number {
  let parity = value & 0xff;
  parity ^= parity >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return (value & 0x80 ? SF : 0) | ((value & 0xff) === 0 ? ZF : 0) | (parity & 1 ? 0 : PF);
}

const ARITHMETIC_MASK = ~0x8d5;

function setArithmetic(core: Core, flags: number): void {
  core.eflags = (core.eflags & ARITHMETIC_MASK) | flags;
}

/** DAA (sign 1) and DAS (sign −1). */
function decimalAdjust(sign: 1 | -1): Assist {
  return (core) => {
    const old = core.u8[EAX] as number;
    const { eflags } = core;
    let value = old;
    let flags = 0;
    if ((old & 15) > 9 || eflags & AF) {
      value += 6 * sign;
      flags |= AF;
      if (sign < 0 && (value < 0 || eflags & CF)) flags |= CF;
      if (sign > 0 && (value > 0xff || eflags & CF)) flags |= CF;
    }
    if (old > 0x99 || eflags & CF) {
      value += 0x60 * sign;
      flags |= CF;
    }
    core.u8[EAX] = value;
    setArithmetic(core, flags | resultFlags(value & 0xff));
  };
}

/** AAA (sign 1) and AAS (sign −1). */
function asciiAdjust(sign: 1 | -1): Assist {
  return (core) => {
    const { eflags } = core;
    const at = EAX >> 1;
    let flags = 0;
    if (((core.u8[EAX] as number) & 15) > 9 || eflags & AF) {
      core.u16[at] = (core.u16[at] as number) + 0x106 * sign;
      flags = AF | CF;
    }
    core.u8[EAX] = (core.u8[EAX] as number) & 15;
    setArithmetic(core, flags | resultFlags(core.u8[EAX] as number));
  };
}

const aam: Assist = (core, { immediate }) => {
  const base = immediate & 0xff;
  if (base === 0) core.raise(0);
  const value = core.u8[EAX] as number;
  core.u8[EAX + 1] = Math.trunc(value / base);
  core.u8[EAX] = value % base;
  setArithmetic(core, resultFlags(core.u8[EAX] as number));
};

const aad: Assist = (core, { immediate }) => {
  const value = ((core.u8[EAX] as number) + (core.u8[EAX + 1] as number) * (immediate & 0xff)) &
    0xff;
  core.u16[EAX >> 1] = value;
  setArithmetic(core, resultFlags(value));
};

export const integerAssists: Assists = {
  daa: decimalAdjust(1),
  das: decimalAdjust(-1),
  aaa: asciiAdjust(1),
  aas: asciiAdjust(-1),
  aam,
  aad,
  ...flagAssists,
};
