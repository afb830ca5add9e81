/**
 * A guest-visible exception on its way from where it was noticed to the run loop.
 *
 * There is one object for each machine, thrown again and again: a fault allocates nothing. Only the run
 * loop catches it. Sources: SDM vol. 3A §6.3–6.15.
 * @module
 */

/** Exception vectors by Intel's mnemonics. */
export const VECTOR = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
} as const;

/** The exception being raised. */
export class Fault extends Error {
  override readonly name = "Fault";
  /** 0..31. */
  vector = 0;
  /** Error code, or −1 when the exception pushes none. */
  errorCode = -1;
  /** Linear address for #PF (the run loop loads CR2 with it), else 0. */
  address = 0;
  /** True for traps (#DB, #BP, #OF): EIP already points behind the instruction. */
  trap = false;

  constructor() {
    super("guest exception outside the run loop");
  }

  /** Fills the object; `throw fault.set(…)` is the idiom. */
  set(vector: number, errorCode = -1, address = 0): this {
    this.vector = vector;
    this.errorCode = errorCode;
    this.address = address | 0;
    this.trap = false;
    return this;
  }
}
