/**
 * Register allocation: cleans up, then colours and spills until everything has a register.
 *
 * @module
 */

import { Colouring } from "./colour.ts";
import { eliminateDead } from "./eliminate_dead.ts";
import type { MachineFunction } from "./machine.ts";
import { spillRegisters } from "./spill.ts";
import { splitWebs } from "./split_webs.ts";

const ROUND_LIMIT = 30;

/** The machine register of every register, and how many were spilled. */
export interface Allocation {
  readonly colours: Int32Array;
  readonly spills: number;
}

/** Allocates registers; the function's instructions change where values are spilled. */
export function allocateRegisters(func: MachineFunction): Allocation {
  eliminateDead(func);
  splitWebs(func);
  let spills = 0;
  for (let round = 0; round < ROUND_LIMIT; round++) {
    const colouring = new Colouring(func);
    if (colouring.spilled.length === 0) return { colours: colouring.colours(), spills };
    spills += colouring.spilled.length;
    spillRegisters(func, colouring);
  }
  throw new Error("Register allocation does not converge");
}
