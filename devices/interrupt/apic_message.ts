/**
 * What goes over the bus between the I/O APIC and local APICs.
 *
 * Sources: SDM vol. 3A §11.6.1; Intel 82093AA data sheet (290566) §3.2.4.
 *
 * @module
 */

/** Delivery modes: bits 8–10 of redirection and local vector table entries and of the ICR. */
export const DELIVERY = {
  FIXED: 0,
  LOWEST: 1,
  SMI: 2,
  NMI: 4,
  INIT: 5,
  STARTUP: 6,
  EXTINT: 7,
} as const;

/** An interrupt message. */
export interface ApicMessage {
  /** Physical: an APIC ID. Logical: bits that local APICs compare with theirs. 0–255. */
  readonly destination: number;
  /** How the destination is meant. */
  readonly logical: boolean;
  /** One of {@link DELIVERY}. */
  readonly mode: number;
  /** 0–255. */
  readonly vector: number;
  /** Level-triggered: the end of interrupt is told to the I/O APIC. */
  readonly level: boolean;
}
