/**
 * A processor with a program and nothing around it, for tests that run the same code in several ways.
 * @module
 */
import { Cpu } from "./mod.ts";

/** Where the program, its data (ESI) and its stack are. */
export const CODE: number = 0x1000;
export const DATA: number = 0x20000;
export const STACK: number = 0x30000;
const RAM = 0x40000;
/** Registers that are compared. */
export const NAMES: readonly string[] = [
  "eax",
  "ecx",
  "edx",
  "ebx",
  "esp",
  "ebp",
  "esi",
  "edi",
  "eip",
  "eflags",
];

/** A processor about to run `code`; translated after so many entries (0: never). With `now` regions count. */
export function makeCpu(
  code: readonly number[],
  translateAfter: number,
  now?: () => number,
): Cpu {
  const cpu = new Cpu({
    ramBytes: RAM,
    translateAfter,
    now,
    bus: {
      readPort: () => 0,
      writePort: () => {},
      readMemory: () => 0xff,
      writeMemory: () => {},
      acknowledgeInterrupt: () => {
        cpu.setInterruptLine(false);
        return 0x20;
      },
    },
  });
  cpu.memory.write(CODE, new Uint8Array(code));
  cpu.enterFlatProtectedMode({ eip: CODE, esp: STACK });
  cpu.registers.set("esi", DATA);
  return cpu;
}
/** Registers and the count of instructions. */
export function state(cpu: Cpu): string {
  return [...NAMES.map((name) => cpu.registers.get(name).toString(16)), cpu.instructions].join(" ");
}
