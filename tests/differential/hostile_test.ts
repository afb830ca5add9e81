/**
 * Random bytes as code: whatever a guest executes, nothing but a guest exception comes of it, and the same bytes
 * do the same twice. Runs without the native processor.
 * @module
 */
import assert from "node:assert/strict";
import { type Outcome, REGIONS, type TestCase } from "./case.ts";
import { draft } from "./generate.ts";
import { fpuState } from "./generate_x87.ts";
import { InterpreterEngine } from "./interpreter.ts";
import { Random } from "./random.ts";

/** Programs of 64 random bytes; each runs until its first exception or limit. */
const PROGRAMS = 40_000;
/** One of so many is translated too. */
const TRANSLATED = 8;

function program(random: Random): TestCase {
  const d = draft(random);
  for (const register of [0, 3, 5, 6, 7]) {
    d.gpr[register] = REGIONS.data.start + random.below(REGIONS.data.bytes);
  }
  const code = random.bytes(64);
  // Half of the programs have their bytes from the commoner opcodes, so that they get further.
  if (random.oneIn(2)) {
    for (let i = 0; i < 64; i += 1 + random.below(3)) code[i] = random.below(0x40);
  }
  return {
    name: "random bytes",
    operation: "random",
    undefinedFlags: 0,
    code,
    gpr: d.gpr,
    eflags: d.eflags,
    eip: REGIONS.code.start + random.below(REGIONS.code.bytes - 64),
    patches: [],
    fpu: fpuState(random),
  };
}

function digest(outcome: Outcome): string {
  return JSON.stringify([
    outcome.vector,
    outcome.errorCode,
    outcome.address,
    [...outcome.gpr],
    outcome.eflags,
    outcome.eip,
    outcome.segments,
    outcome.fpu.status,
    outcome.fpu.tag,
    [...outcome.fpu.registers],
    [...outcome.memory],
  ]);
}

Deno.test("random code raises guest exceptions only, and the same ones each time, translated too", () => {
  const random = new Random(4711);
  const [first, second] = [new InterpreterEngine(), new InterpreterEngine()];
  // A pair of their own, so that their time stamps are the same.
  const [plain, translating] = [new InterpreterEngine(), new InterpreterEngine(true, true)];
  const vectors = new Map<number, number>();
  for (let i = 0; i < PROGRAMS; i++) {
    const test = program(random);
    const outcome = first.runCase(test);
    vectors.set(outcome.vector, (vectors.get(outcome.vector) ?? 0) + 1);
    assert.ok(outcome.vector < 20, `vector ${outcome.vector}`);
    assert.equal(digest(second.runCase(test)), digest(outcome), `program ${i}`);
    if (i % TRANSLATED !== 0) continue;
    assert.equal(
      digest(translating.runCase(test)),
      digest(plain.runCase(test)),
      `program ${i}, translated`,
    );
  }
  // The programs do get somewhere: all the usual exceptions are among the ends, and many instructions ran.
  for (const vector of [0, 3, 6, 13, 14, 16]) {
    assert.ok(
      (vectors.get(vector) ?? 0) > 20,
      `vector ${vector}: ${vectors.get(vector) ?? 0} times`,
    );
  }
  const executed = first.core.instructions + second.core.instructions;
  assert.ok(executed > 1e6, `${executed} instructions`);
  assert.ok(translating.translated > 2000, `${translating.translated} translated`);
});
