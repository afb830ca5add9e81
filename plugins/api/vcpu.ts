/**
 * The virtual CPU that a callback is about.
 *
 * @module
 */

/** A virtual CPU, as QEMU's `vcpu_index` names it. Overture's PC has one. */
export interface Vcpu {
  /** 0: the PC has one processor. */
  readonly index: number;
}
