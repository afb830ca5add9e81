/**
 * A program for tests of plugins' hooks, run interpreted, translated at once, and translated when hot.
 * @module
 */
import assert from "node:assert/strict";
import type { Cpu } from "./mod.ts";
import { CODE, makeCpu as makeBareCpu, state } from "./test_cpu.ts";

/** Entries until a block is translated; 0: everything is interpreted. */
const THRESHOLDS = [0, 1, 500] as const;

// mov ecx, 3000; L: call F; dec ecx; jnz L; hlt; F: add eax, ecx; adc edx, 3; mov [esi], eax; push ebx; pop ebx; ret
// deno-fmt-ignore
export const LOOP: readonly number[] = [
  0xb9, 0xb8, 0x0b, 0, 0, 0xe8, 4, 0, 0, 0, 0x49, 0x75, 0xf8, 0xf4,
  0x01, 0xc8, 0x83, 0xd2, 0x03, 0x89, 0x06, 0x53, 0x5b, 0xc3,
];
/** Addresses of its instructions. */
export const DEC: number = CODE + 10;
export const JNZ: number = CODE + 11;
export const FUNCTION: number = CODE + 14;
export const ADC: number = CODE + 16;
export const STORE: number = CODE + 19;
/** Rounds of the loop. */
export const ROUNDS: number = 3000;
/** Instructions of the whole program. */
export const WHOLE: number = 1 + ROUNDS * 9 + 1;

/** A processor about to run the program. */
export function makeCpu(translateAfter: number, code: readonly number[] = LOOP): Cpu {
  return makeBareCpu(code, translateAfter, () => 0);
}
/** Calls back before the instruction at an address. */
export function at(cpu: Cpu, address: number, callback: () => void): Disposable {
  return cpu.hooks.onTranslate((block) => {
    for (const one of block.instructions) if (one.address === address) one.onExecute(callback);
  });
}
/** Runs to the end in pieces. */
export function run(cpu: Cpu): void {
  for (let i = 0; i < 1000 && !cpu.halted; i++) cpu.run(997);
  assert.ok(cpu.halted);
}
/** Share of instructions that ran in regions. */
export function translatedShare(cpu: Cpu): number {
  return (cpu.translationCounts.get("translated") ?? 0) / cpu.instructions;
}
/** Runs a scenario in each way; what it returns must be the same. */
export function everywhere(
  name: string,
  scenario: (make: (code?: readonly number[]) => Cpu) => unknown,
): void {
  Deno.test(name, () => {
    const results = THRESHOLDS.map((threshold) => {
      const made: Cpu[] = [];
      const result = scenario((code) => {
        const cpu = makeCpu(threshold, code);
        made.push(cpu);
        return cpu;
      });
      return { result, ends: made.map(state) };
    });
    for (const other of results.slice(1)) assert.deepEqual(other, results[0]);
  });
}
