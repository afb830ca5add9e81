/**
 * A processor with a program and nothing around it, for tests that run the same code in several ways.
 * @module
 */
import assert from "node:assert/strict";
import { Cpu } from "./mod.ts";

/** Where the program, its data (ESI) and its stack are. */
export const CODE: number = 0x1000;
export const DATA: number = 0x20000;
export const STACK: number = 0x30000;
const RAM = 0x40000;
/** An OUT to this port asks for interrupt 20h. */
const INTERRUPT_PORT = 0x10;
/** EAX to EFLAGS, then the segment registers, come first among the registers. */
const COMPARED = 16;

/** A processor as it comes out of reset. */
export function resetCpu(translateAfter: number, now?: () => number): Cpu {
  const cpu = new Cpu({
    ramBytes: RAM,
    translateAfter,
    now,
    bus: {
      readPort: () => 0,
      writePort: (port) => {
        if (port === INTERRUPT_PORT) cpu.setInterruptLine(true);
      },
      readMemory: () => 0xff,
      writeMemory: () => {},
      acknowledgeInterrupt: () => {
        cpu.setInterruptLine(false);
        return 0x20;
      },
    },
  });
  return cpu;
}
/** A processor about to run `code`; translated after so many entries (0: never). With `now` regions count. */
export function makeCpu(
  code: readonly number[],
  translateAfter: number,
  now?: () => number,
): Cpu {
  const cpu = resetCpu(translateAfter, now);
  cpu.memory.write(CODE, new Uint8Array(code));
  cpu.enterFlatProtectedMode({ eip: CODE, esp: STACK });
  cpu.registers.set("esi", DATA);
  return cpu;
}
/** Registers and the count of instructions. */
export function state(cpu: Cpu): string {
  const names = cpu.registers.names.slice(0, COMPARED);
  return [...names.map((name) => cpu.registers.get(name).toString(16)), cpu.instructions].join(" ");
}
/** Runs both in steps, and compares their states after each and their memories at the end. */
export function compareRuns(
  plain: Cpu,
  translating: Cpu,
  steps: readonly number[],
  between: (cpu: Cpu, step: number) => void = () => {},
): void {
  for (const [i, step] of steps.entries()) {
    assert.equal(translating.run(step), plain.run(step));
    assert.equal(state(translating), state(plain));
    between(plain, i);
    between(translating, i);
  }
  const [one, other] = [plain, translating].map((cpu) => cpu.memory.read(0, RAM));
  assert.equal(one?.findIndex((byte, at) => byte !== other?.[at]), -1);
}
/** Runs `code` interpreted and translated after `threshold` entries, and returns the translating processor. */
export function compare(
  code: readonly number[],
  steps: readonly number[],
  threshold = 1,
  between: (cpu: Cpu, step: number) => void = () => {},
): Cpu {
  const translating = makeCpu(code, threshold);
  compareRuns(makeCpu(code, 0), translating, steps, between);
  return translating;
}
