/**
 * Hooks that come and go: what they drop, when they take hold, and that nothing of them stays.
 * @module
 */
import assert from "node:assert/strict";
import type { Cpu } from "./mod.ts";
import { CODE } from "./test_cpu.ts";
import {
  ADC,
  at,
  DEC,
  everywhere,
  FUNCTION,
  JNZ,
  makeCpu,
  ROUNDS,
  run,
  STORE,
} from "./test_hooks.ts";

const OTHER = 0x2000;
/** `inc` of a register, 100 times, then the same elsewhere by PUSH and RET, which no region follows. */
function loop(increment: number, next: number): number[] {
  // mov ecx, 100; L: inc r; dec ecx; jnz L; push next; ret
  return [0xb9, 100, 0, 0, 0, increment, 0x49, 0x75, 0xfc, 0x68, 0, next >> 8, 0, 0, 0xc3];
}
/** Instructions of each of the two loops. */
const ROUND = 1 + 300 + 2;
/** EAX is counted at {@link CODE}, EBX at {@link OTHER}, for ever. */
function twoLoops(threshold: number): Cpu {
  const cpu = makeCpu(threshold, loop(0x40, OTHER));
  cpu.memory.write(OTHER, new Uint8Array(loop(0x43, CODE)));
  return cpu;
}
/** Calls back before an instruction, by a subscription to nothing else. */
function only(cpu: Cpu, address: number, callback: () => void): Disposable {
  return cpu.hooks.onTranslate((block) => block.onExecute(callback), {
    start: address,
    end: address + 1,
  });
}
function translated(cpu: Cpu): number {
  return cpu.translationCounts.get("translated") ?? 0;
}
function runFor(cpu: Cpu, instructions: number): void {
  const end = cpu.instructions + instructions;
  while (cpu.instructions < end) cpu.run(Math.min(ROUND, end - cpu.instructions));
}

for (const threshold of [1, 500]) {
  Deno.test(`a hook on a range leaves other code translated, after ${threshold} entries`, () => {
    const cpu = twoLoops(threshold);
    runFor(cpu, 200 * ROUND);
    const { registers, codeStatistics } = cpu;
    const statistics = cpu.translation;
    assert.ok(statistics !== undefined);
    const before = { ...codeStatistics, ...statistics };
    let calls = 0;
    const hook = only(cpu, OTHER + 5, () => {
      calls++;
      assert.equal(registers.get("eip"), OTHER + 5);
    });
    // The loop, and what leads into it where that has a region of its own.
    const dropped = statistics.dropped - before.dropped;
    assert.ok(dropped === 1 || dropped === 2);
    assert.equal(statistics.live, before.live - dropped);
    assert.ok(statistics.live >= dropped);
    const count = registers.get("ebx");
    runFor(cpu, 200 * ROUND);
    assert.equal(calls, registers.get("ebx") - count);
    // The loop at OTHER alone was decoded and translated again.
    assert.ok(codeStatistics.decoded - before.decoded <= 4);
    assert.equal(statistics.dropped, before.dropped + dropped);
    assert.equal(codeStatistics.flushes, before.flushes);
    assert.equal(statistics.live, before.live);

    const hooked = { ...codeStatistics };
    hook[Symbol.dispose]();
    hook[Symbol.dispose]();
    const last = calls;
    runFor(cpu, 200 * ROUND);
    assert.equal(calls, last);
    assert.ok(codeStatistics.decoded - hooked.decoded <= 4);
    assert.equal(codeStatistics.flushes, before.flushes);
    // The speed is back.
    const from = translated(cpu);
    runFor(cpu, 100 * ROUND);
    assert.ok(translated(cpu) - from > 95 * ROUND);
  });

  Deno.test(`the end of a hook drops the blocks that it was on, after ${threshold} entries`, () => {
    const cpu = twoLoops(threshold);
    const { registers, codeStatistics } = cpu;
    let calls = 0;
    // It looks at all blocks, and hooks one loop.
    const hook = cpu.hooks.onTranslate((block) => {
      for (const one of block.instructions) {
        if (one.address === OTHER + 5) one.onExecute(() => void calls++);
      }
    });
    runFor(cpu, 200 * ROUND);
    assert.equal(calls, registers.get("ebx"));
    const before = { ...codeStatistics, ...cpu.translation };
    hook[Symbol.dispose]();
    const dropped = (cpu.translation?.dropped ?? 0) - (before.dropped ?? 0);
    assert.ok(dropped === 1 || dropped === 2);
    runFor(cpu, 200 * ROUND);
    assert.equal(codeStatistics.flushes, before.flushes);
    assert.ok(codeStatistics.decoded - before.decoded <= 4);
    assert.equal(cpu.translation?.live, before.live);
  });
}

everywhere(
  "a hook that a callback adds takes hold at the next instruction, in callee and caller",
  (make) => {
    const cpu = make();
    const { registers } = cpu;
    const seen: string[] = [];
    let added = -1;
    const note = (name: string) => (): void => {
      seen.push(`${name} ${registers.get("ecx")} ${cpu.instructions - added}`);
    };
    const more: Disposable[] = [];
    at(cpu, ADC, () => {
      const left = registers.get("ecx");
      if (left === 1000 || left === 100) {
        added = cpu.instructions;
        // Before it, itself, behind it, and where the calls return to.
        for (const where of [FUNCTION, ADC, STORE, DEC]) {
          more.push(only(cpu, where, note(where.toString(16))));
        }
      } else if (left === 998 || left === 98) {
        for (const one of more.splice(0)) one[Symbol.dispose]();
      }
    });
    run(cpu);
    const first = [1000, 999, 998].flatMap((left, round) => {
      const names = [[FUNCTION, -1], [ADC, 0], [STORE, 1], [DEC, 5]] as const;
      return names.map(([where, behind]) =>
        [where.toString(16), left, 9 * round + behind] as const
      );
    });
    // ADC of the first round was under way, and behind that of the third all were gone.
    const expected = first.filter(([, left, behind]) =>
      behind > 0 && (left > 998 || behind <= 9 * 2)
    ).map((one) => one.join(" "));
    const again = expected.map((one) => one.replace(/ (\d+) /, (_, left) => ` ${left - 900} `));
    assert.deepEqual(seen, [...expected, ...again]);
  },
);

everywhere("a hook on all code that a callback adds takes hold at the next instruction", (make) => {
  const cpu = make();
  const { registers } = cpu;
  let [added, removed, last] = [-1, -1, -1];
  const seen: number[] = [];
  let more: Disposable | undefined;
  at(cpu, ADC, () => {
    if (registers.get("ecx") === 500) {
      added = cpu.instructions;
      more = cpu.hooks.onTranslate((block) => {
        for (const one of block.instructions) {
          one.onExecute(() => {
            last = cpu.instructions;
            seen.push(last);
          });
        }
      });
    } else if (registers.get("ecx") === 490) {
      removed = cpu.instructions;
      more?.[Symbol.dispose]();
    }
  });
  run(cpu);
  assert.equal(removed - added, 90);
  // The callbacks of the instruction at which it went still ran.
  assert.deepEqual(seen, Array.from({ length: 90 }, (_, i) => added + 1 + i));
});

everywhere("a hook that a memory callback adds takes hold at the next instruction", (make) => {
  const cpu = make();
  const { registers } = cpu;
  const seen: number[] = [];
  let more: Disposable | undefined;
  let [added, accesses] = [-1, 0];
  cpu.hooks.onTranslate((block) => {
    for (const one of block.instructions) {
      one.onMemory(() => {
        accesses++;
        if (registers.get("ecx") !== 700 || one.address !== STORE) return;
        added = cpu.instructions;
        more = only(cpu, STORE + 2, () => {
          seen.push(cpu.instructions);
          if (seen.length === 2) more?.[Symbol.dispose]();
        });
      });
    }
  }, { start: FUNCTION, end: FUNCTION + 20 });
  run(cpu);
  assert.equal(accesses, 4 * ROUNDS);
  assert.deepEqual(seen, [added + 1, added + 10]);
});

everywhere(
  "a hook that a timer or a block's translation adds takes hold at the next instruction",
  (make) => {
    const cpu = make();
    const seen: number[] = [];
    const here = (): void => void seen.push(cpu.instructions);
    for (const when of [9000, 9004]) {
      cpu.hooks.at(when, () => {
        const hook = cpu.hooks.onTranslate((block) => {
          for (const one of block.instructions) one.onExecute(here);
        });
        cpu.hooks.at(when + 3, () => hook[Symbol.dispose]());
      });
    }
    let asked = false;
    cpu.hooks.at(9020, () => {
      const hook = cpu.hooks.onTranslate(() => {
        if (asked) return;
        asked = true;
        const more = cpu.hooks.onTranslate((block) => {
          for (const one of block.instructions) one.onExecute(here);
        });
        cpu.hooks.at(9024, () => {
          more[Symbol.dispose]();
          hook[Symbol.dispose]();
        });
      });
    });
    run(cpu);
    assert.deepEqual(seen, [9000, 9001, 9002, 9004, 9005, 9006, 9020, 9021, 9022, 9023]);
  },
);

everywhere(
  "with a range a plugin sees the instructions in it, wherever the block begins",
  (make) => {
    const cpu = make();
    const [seen, addresses] = [new Map<number, number>(), new Set<number>()];
    const counter = cpu.hooks.counter();
    cpu.hooks.onTranslate((block) => {
      addresses.add(block.address);
      for (const { address } of block.instructions) {
        assert.ok(address === ADC || address === STORE);
      }
      block.addInline(counter, 1);
      const { address } = block;
      block.onExecute(() => seen.set(address, (seen.get(address) ?? 0) + 1));
    }, { start: ADC - 1, end: STORE + 1 });
    run(cpu);
    // Where a run ends between the two, the second begins a block.
    assert.deepEqual([...addresses], [ADC, STORE]);
    assert.equal(seen.get(ADC), ROUNDS);
    assert.equal(counter.value, BigInt(ROUNDS + (seen.get(STORE) ?? 0)));
    return seen.get(STORE);
  },
);

everywhere("hooks of two plugins on the same code come and go on their own", (make) => {
  const cpu = make();
  const counts = [0, 0];
  const hooks = [0, 1].map((n) => only(cpu, JNZ, () => void counts[n]!++));
  cpu.run(9 * 1000 + 1);
  hooks[0]?.[Symbol.dispose]();
  cpu.run(9 * 1000);
  hooks[1]?.[Symbol.dispose]();
  run(cpu);
  assert.deepEqual(counts, [1000, 2000]);
});

Deno.test("a range that is none is refused", () => {
  const cpu = makeCpu(0);
  const ranges = [[5, 5], [5, 4], [-1, 4], [0, 2 ** 32 + 1], [NaN, 4], [0, NaN]] as const;
  for (const [start, end] of ranges) {
    assert.throws(() => cpu.hooks.onTranslate(() => {}, { start, end }), RangeError);
  }
  cpu.hooks.onTranslate(() => {}, { start: 0, end: 2 ** 32 })[Symbol.dispose]();
});
