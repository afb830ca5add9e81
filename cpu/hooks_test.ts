/**
 * Plugins' callbacks and the state they see and change: interpreted, translated at once, and translated when hot.
 * @module
 */
import assert from "node:assert/strict";
import type { Cpu } from "./mod.ts";
import { CODE, DATA, STACK, state } from "./test_cpu.ts";
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
  translatedShare,
  WHOLE,
} from "./test_hooks.ts";

const IDT = 0x9100;
const GDT = 0x9000;
const TF = 0x100;
const IF = 0x200;

/** Gates 1 and 20h lead to `inc ebp` and an IRET that clears TF in the frame if it was #DB. */
function setUpEvents(cpu: Cpu): void {
  const { memory } = cpu;
  memory.write(GDT + 8, new Uint8Array([0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0]));
  memory.write(GDT + 16, new Uint8Array([0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0]));
  const gate = (vector: number, at: number): void => {
    memory.write(IDT + 8 * vector, new Uint8Array([at & 0xff, at >> 8, 8, 0, 0, 0x8e, 0, 0]));
  };
  // inc ebp; and dword [esp+8], ~100h; iret
  memory.write(0x3000, new Uint8Array([0x45, 0x81, 0x64, 0x24, 8, 0xff, 0xfe, 0xff, 0xff, 0xcf]));
  gate(1, 0x3000);
  gate(0x20, 0x3000);
  // lidt [3100h]
  memory.write(0x3100, new Uint8Array([0xff, 7, 0, 0x91, 0, 0]));
  memory.write(0x3200, new Uint8Array([0x0f, 0x01, 0x1d, 0, 0x31, 0, 0]));
  const gdt = { base: GDT, limit: 23 };
  cpu.enterFlatProtectedMode({ eip: 0x3200, esp: STACK, esi: DATA, gdt });
  cpu.run(1);
  cpu.registers.set("eip", CODE);
}

everywhere("callbacks before each instruction see exact state", (make) => {
  const cpu = make();
  let [seen, sum] = [0, 0];
  const path: string[] = [];
  cpu.hooks.onTranslate((block) => {
    for (const one of block.instructions) {
      one.onExecute(() => {
        assert.equal(cpu.registers.get("eip"), one.address);
        assert.equal(cpu.instructions, seen);
        seen++;
        for (const name of cpu.registers.names.slice(0, 10)) {
          sum = (Math.imul(sum, 31) + cpu.registers.get(name)) | 0;
        }
        if (seen > ROUNDS * 8) path.push(state(cpu));
      });
    }
  });
  run(cpu);
  assert.equal(seen, WHOLE);
  return [sum, path];
});

for (const threshold of [1, 500]) {
  Deno.test(`code with callbacks runs translated, after ${threshold} entries`, () => {
    const cpu = makeCpu(threshold);
    let calls = 0;
    cpu.hooks.onTranslate((block) => {
      for (const one of block.instructions) one.onExecute(() => void calls++);
    });
    run(cpu);
    assert.equal(calls, WHOLE);
    assert.ok(translatedShare(cpu) > 0.6, `${translatedShare(cpu)}`);
  });
}

everywhere("what a callback changes is taken up: registers, flags, memory", (make) => {
  const cpu = make();
  const { registers, memory } = cpu;
  at(cpu, ADC, () => {
    // CF is added by the ADC, and EDX is its operand.
    registers.set("eflags", (registers.get("eflags") & ~1) | (registers.get("ecx") & 1));
    if (registers.get("ecx") % 100 === 0) registers.set("edx", 7);
    if (registers.get("ecx") % 7 === 0) memory.write32(DATA + 4, registers.get("ecx"));
  });
  at(cpu, STORE, () => registers.set("eax", registers.get("eax") + memory.read8(DATA + 4)));
  run(cpu);
  return [memory.read32(DATA), memory.read32(DATA + 4)];
});

everywhere("a callback may go on elsewhere, and that instruction's callback is called", (make) => {
  const cpu = make();
  const { registers } = cpu;
  const seen: string[] = [];
  // Every tenth round does without the store.
  at(cpu, STORE, () => {
    if (registers.get("ecx") % 10 !== 0) return;
    registers.set("eip", STORE + 2);
    assert.equal(registers.get("eip"), STORE + 2);
  });
  let pushes = 0;
  at(cpu, STORE + 2, () => {
    pushes++;
    if (registers.get("ecx") % 10 === 0) seen.push(state(cpu));
  });
  run(cpu);
  assert.equal(pushes, ROUNDS);
  assert.equal(seen.length, ROUNDS / 10);
  assert.equal(cpu.instructions, WHOLE - ROUNDS / 10);
  return seen;
});

everywhere(
  "a callback that stops the machine stops it before the instruction, and is called once",
  (make) => {
    const cpu = make();
    const { registers } = cpu;
    let [before, stopped, after] = [0, 0, 0];
    const counter = cpu.hooks.counter();
    cpu.hooks.onTranslate((block) => {
      for (const one of block.instructions) {
        if (one.address !== STORE) continue;
        one.onExecute(() => void before++);
        one.addInline(counter, 1);
        one.onExecute(() => {
          if (registers.get("ecx") % 100 === 0) cpu.requestStop();
        });
        one.addInline(counter, 1);
        one.onExecute(() => void after++);
      }
    });
    for (let i = 0; i < 1000 && !cpu.halted; i++) {
      const reason = cpu.run(1_000_000);
      if (reason !== "stopped") continue;
      stopped++;
      assert.equal(registers.get("eip"), STORE);
      assert.equal(registers.get("ecx") % 100, 0);
      assert.equal(after, before);
    }
    assert.ok(cpu.halted);
    assert.equal(stopped, ROUNDS / 100);
    assert.deepEqual([before, after, counter.value], [ROUNDS, ROUNDS, BigInt(2 * ROUNDS)]);
    assert.equal(cpu.instructions, WHOLE);
  },
);

everywhere("what the machine is told while it stands before an instruction holds", (make) => {
  const cpu = make();
  const { registers } = cpu;
  let calls = 0;
  at(cpu, DEC, () => {
    calls++;
    if (registers.get("ecx") === 50) cpu.requestStop();
  });
  while (cpu.run(1_000_000) !== "stopped");
  // Once round again from another place: then the callback is called for the instruction it stood before.
  registers.set("eip", FUNCTION);
  registers.set("esp", STACK - 4);
  assert.equal(cpu.run(6), "limit");
  assert.equal(registers.get("eip"), DEC);
  const before = calls;
  cpu.run(1);
  assert.equal(calls, before + 1);
  run(cpu);
  return calls;
});

everywhere(
  "a callback that changes the instruction it is before is called once, and the new one runs",
  (make) => {
    const cpu = make();
    let calls = 0;
    at(cpu, ADC, () => {
      calls++;
      // adc edx, imm8
      cpu.memory.write8(ADC + 2, calls & 0x7f);
    });
    run(cpu);
    assert.equal(calls, ROUNDS);
    let sum = 0;
    for (let i = 1; i <= ROUNDS; i++) sum += i & 0x7f;
    return cpu.registers.get("edx") - sum;
  },
);

everywhere("an interrupt that a callback raises comes behind its instruction", (make) => {
  const cpu = make();
  const { registers } = cpu;
  setUpEvents(cpu);
  registers.set("eflags", IF);
  const seen: string[] = [];
  const calls = new Map<number, number>();
  for (const where of [ADC, JNZ]) {
    at(cpu, where, () => {
      calls.set(where, (calls.get(where) ?? 0) + 1);
      if (registers.get("ecx") % 500 === 100) cpu.setInterruptLine(true);
    });
  }
  cpu.hooks.onDiscontinuity(({ vector, from, to }) => seen.push(`${vector} ${from} ${to}`));
  run(cpu);
  assert.deepEqual([...calls], [[ADC, ROUNDS], [JNZ, ROUNDS]]);
  const interrupts = seen.filter((one) => one.startsWith("32 "));
  assert.equal(interrupts.length, 12);
  for (const one of interrupts) {
    const from = Number(one.split(" ")[1]);
    assert.ok(from === STORE || from === CODE + 5, `${from.toString(16)}`);
  }
  return seen;
});

everywhere("a single step that a callback begins ends behind its instruction", (make) => {
  const cpu = make();
  const { registers } = cpu;
  setUpEvents(cpu);
  let calls = 0;
  const seen: string[] = [];
  at(cpu, ADC, () => {
    calls++;
    if (registers.get("ecx") % 500 === 100) registers.set("eflags", registers.get("eflags") | TF);
  });
  cpu.hooks.onDiscontinuity(({ vector, from }) => {
    if (vector === 1) seen.push(`${from.toString(16)} ${cpu.instructions}`);
  });
  run(cpu);
  assert.equal(calls, ROUNDS);
  assert.equal(seen.length, 6);
  for (const one of seen) assert.ok(one.startsWith(STORE.toString(16)), one);
  return seen;
});

everywhere("a stop before an instruction that is single-stepped is no step", (make) => {
  const cpu = make();
  const { registers } = cpu;
  setUpEvents(cpu);
  let [calls, traps] = [0, 0];
  at(cpu, STORE, () => {
    calls++;
    if (calls === 10) cpu.requestStop();
  });
  at(cpu, ADC, () => {
    if (calls === 9) registers.set("eflags", registers.get("eflags") | TF);
  });
  // The frame keeps TF, so that the next instruction is stepped too.
  cpu.memory.write(0x3000, new Uint8Array([0x45, 0x90, 0xcf]));
  cpu.hooks.onDiscontinuity(({ vector, from }) => {
    if (vector === 1 && ++traps === 1) assert.equal(from, STORE);
    if (vector === 1 && traps === 2) assert.equal(from, STORE + 2);
  });
  while (cpu.run(100_000) !== "stopped");
  assert.equal(registers.get("eip"), STORE);
  assert.equal(traps, 1);
  cpu.run(1);
  assert.equal(calls, 10);
  cpu.run(3);
  assert.equal(traps, 2);
});

everywhere("an exception of a callback leaves the state before the instruction", (make) => {
  const cpu = make();
  let thrown = 0;
  const hook = at(cpu, STORE, () => {
    if (cpu.registers.get("ecx") === 1000 && thrown === 0) throw new Error("plugin");
  });
  for (;;) {
    try {
      if (cpu.run(100_000) === "halted") break;
    } catch (error) {
      assert.match(String(error), /plugin/);
      assert.equal(cpu.registers.get("eip"), STORE);
      thrown++;
    }
  }
  hook[Symbol.dispose]();
  assert.equal(thrown, 1);
});

everywhere("an access is told of only if its own instruction is hooked", (make) => {
  // The last instruction of a block accesses nothing; where its record was is an access later.
  const cpu = make([0x90, 0xeb, 0, 0xf4]);
  let accesses = 0;
  const hook = cpu.hooks.onTranslate((block) => {
    block.instructions.at(-1)?.onMemory(() => void accesses++);
  });
  cpu.run(2);
  hook[Symbol.dispose]();
  for (let length = 0; length < 6; length++) {
    // nop …; mov eax, [esi]; hlt
    const code = [...Array.from({ length }, () => 0x90), 0x8b, 0x06, 0xf4];
    cpu.memory.write(CODE, new Uint8Array(code));
    cpu.enterFlatProtectedMode({ eip: CODE, esp: STACK, esi: DATA });
    cpu.hooks.flush();
    cpu.run(length + 1);
  }
  assert.equal(accesses, 0);
});

everywhere("what the last instruction of a block puts on the clock comes at its count", (make) => {
  // L: out 10h, al (ends its block); inc eax, eight times; jmp L
  const cpu = make([0xe6, 0x10, ...Array<number>(8).fill(0x40), 0xeb, 0xf4]);
  const late: number[] = [];
  let wait = 1;
  cpu.hooks.onPort(() => {
    const due = cpu.instructions + wait++ % 23;
    cpu.hooks.at(due, () => late.push(cpu.instructions - due));
  });
  for (const limit of [1000, 1, 7, 3000]) cpu.run(limit);
  assert.deepEqual(new Set(late), new Set([0, 1]), "a time that is now is behind the instruction");
  return [state(cpu), late];
});

everywhere("a callback on the read of a read-modify-write may map the page elsewhere", (make) => {
  const [directory, table, other] = [0x10000, 0x11000, 0x22000];
  // mov eax, directory; mov cr3, eax; mov eax, cr0; or eax, 80000000h; mov cr0, eax; mov ecx, 2000
  // L: inc dword [esi]; add [esi+4], ecx; dec ecx; jnz L; hlt
  // deno-fmt-ignore
  const cpu = make([
    0xb8, 0, 0, 1, 0, 0x0f, 0x22, 0xd8, 0x0f, 0x20, 0xc0, 0x0d, 0, 0, 0, 0x80, 0x0f, 0x22, 0xc0,
    0xb9, 0xd0, 7, 0, 0, 0xff, 0x06, 0x01, 0x4e, 4, 0x49, 0x75, 0xf8, 0xf4,
  ]);
  const { memory } = cpu;
  memory.write32(directory, table | 3);
  for (let page = 0; page < 64; page++) memory.write32(table + 4 * page, page << 12 | 3);
  const entry = table + 4 * (DATA >> 12);
  const pages: number[] = [];
  let reads = 0;
  cpu.hooks.onTranslate((block) => {
    const one = block.instructions.find(({ address }) => address === CODE + 24);
    one?.onMemory(({ write, physical }) => {
      if (!write) pages.push(physical);
      if (!write && ++reads % 3 === 0) {
        memory.write32(entry, ((memory.read32(entry) & ~0xfff) === DATA ? other : DATA) | 3);
      }
    });
  });
  run(cpu);
  assert.equal(reads, 2000);
  assert.ok(memory.read32(DATA) > 500 && memory.read32(other) > 500);
  return [
    pages,
    ...[DATA, DATA + 4, other, other + 4].map((address) => memory.read32(address)),
  ];
});
