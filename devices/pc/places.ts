/**
 * Addresses and numbers of the board that the chips, the firmware and the ACPI tables have to agree on.
 *
 * @module
 */

/** Interrupt lines. */
export const IRQ = {
  timer: 0,
  keyboard: 1,
  serial1: 4,
  clock: 8,
  power: 9,
  hpet: 11,
  mouse: 12,
  coprocessor: 13,
  ide1: 14,
  ide2: 15,
} as const;

/** Physical addresses of chips that do not move, or of where they are after RESET. */
export const ADDRESS = {
  ioApic: 0xfec00000,
  hpet: 0xfed00000,
  localApic: 0xfee00000,
} as const;

/** The I/O APIC's ID, which must differ from the processors' on the APIC bus of the Pentium and P6; theirs is 0. */
export const IO_APIC_ID = 1;

/** Where firmware puts the PIIX4's power-management registers. */
export const POWER_BASE = 0x600;
/** The PIIX4's port for commands to system management code. */
export const SMI_COMMAND_PORT = 0xb2;
/** Commands at {@link SMI_COMMAND_PORT} that switch ACPI on and off. */
export const ACPI_COMMAND = { enable: 0xf1, disable: 0xf0 } as const;
/** PIIX3 reset control register, and what resets all. */
export const RESET_CONTROL = { port: 0xcf9, value: 0x06 } as const;
