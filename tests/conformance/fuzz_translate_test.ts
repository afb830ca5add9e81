/**
 * A part of `deno task fuzz:translate`, and that it sees, and makes small, what is wrong.
 *
 * @module
 */
import assert from "node:assert/strict";
import { checkCase, fuzzCase, fuzzGuest } from "./fuzz_translate.ts";
import { Lockstep, type LockstepGuest } from "./lockstep.ts";
import * as S from "./random_system.ts";

const PROGRAMS = 60;
const SEED = 20261123;

for (const translateAfter of [1, 2, 5]) {
  Deno.test(`random programs do the same translated after ${translateAfter} entries`, () => {
    let regions = 0;
    for (let seed = SEED; seed < SEED + PROGRAMS; seed++) {
      const result = checkCase(fuzzCase(seed, translateAfter));
      assert.equal(result.failure, undefined);
      regions += result.regions;
    }
    assert.ok(regions > 10 * PROGRAMS, `${regions} regions`);
  });
}

for (const [every, translateAfter] of [[1, 2], [3, 1], [10, 5]] as const) {
  Deno.test(`plugins see the same of random programs, at one in ${every} instructions`, () => {
    let regions = 0;
    for (let seed = SEED; seed < SEED + PROGRAMS / 3; seed++) {
      const result = checkCase(fuzzCase(seed, translateAfter, every));
      assert.equal(result.failure, undefined);
      regions += result.regions;
    }
    assert.ok(regions > 3 * PROGRAMS, `${regions} regions`);
  });
}

Deno.test("a random program whose waiting flags lost their locals on the other way of a branch", () => {
  // DEC's carry was computed in the local that held it, after the branch's first way had freed that.
  const result = checkCase(fuzzCase(40157, 3, 0));
  assert.equal(result.failure, undefined);
  assert.ok(result.regions > 5, `${result.regions} regions`);
});

Deno.test("a random program whose x87 pointers named the segment that was loaded later", () => {
  const result = checkCase(fuzzCase(3635));
  assert.equal(result.failure, undefined);
  assert.ok(result.regions > 5, `${result.regions} regions`);
});

Deno.test("random programs meet faults, interrupts, single steps, system calls, and run long", () => {
  const seen = new Map<string, number>();
  let instructions = 0;
  for (let seed = SEED; seed < SEED + PROGRAMS; seed++) {
    const guest = fuzzGuest(fuzzCase(seed)).make(0, () => {});
    guest.cpu.hooks.onDiscontinuity(({ type, vector }) => {
      const key = type === "iret" ? type : `${type} ${vector}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    });
    guest.advance(3000);
    instructions += guest.cpu.instructions;
  }
  assert.ok(instructions > 2500 * PROGRAMS, `${instructions} instructions`);
  for (
    const what of ["exception 0", "exception 1", "exception 6", "exception 13", "exception 14"]
  ) {
    assert.ok((seen.get(what) ?? 0) > 0, what);
  }
  for (const what of ["interrupt 32", "interrupt 2", `software ${S.COUNT_VECTOR}`, "iret"]) {
    assert.ok((seen.get(what) ?? 0) > 0, what);
  }
});

Deno.test("interrupts at every instruction boundary of a program do the same translated", () => {
  const fuzz = { ...fuzzCase(SEED + 3), step: 600 };
  const before = fuzzGuest({ ...fuzz, happenings: [] });
  for (let at = 60; at < 400; at++) {
    const happenings = [{ at, kind: "nmi", slot: 0 }] as const;
    const guest: LockstepGuest = at === 60 ? before : fuzzGuest({ ...fuzz, happenings });
    const { difference } = new Lockstep({ guest, translateAfter: 2, step: 600 }).run(600);
    assert.equal(difference, undefined, `NMI after ${at}`);
  }
});

Deno.test("plugins see the same of random programs in which they once did not", () => {
  // 702: flags behind the second way of a branch; 90226: the interpreter told of an access that nobody had asked for.
  for (const fuzz of [fuzzCase(702, undefined, 3), fuzzCase(90226)]) {
    assert.equal(checkCase(fuzz).failure, undefined);
  }
});
