/**
 * The engine: exact counts, precise faults, self-modifying code, interrupts, hooks.
 * @module
 */
import assert from "node:assert/strict";
import { Hooks } from "../hooks.ts";
import * as L from "../state/layout.ts";
import { CODE, DATA, STACK, testMachine } from "./test_machine.ts";

const EAX = 0;
const ECX = 1;
const EDX = 2;
const ESP = 4;
const ESI = 6;
const EDI = 7;

Deno.test("run() stops at exactly the given number of instructions", () => {
  const machine = testMachine();
  // inc eax ×5; dec ecx; jnz −8
  const program = [0x40, 0x40, 0x40, 0x40, 0x40, 0x49, 0x75, 0xf8, 0xf4];
  for (let limit = 1; limit < 40; limit++) {
    machine.poke(CODE, program);
    const { core, engine } = machine;
    core.eip = CODE;
    core.setGpr(EAX, 0);
    core.setGpr(ECX, 100);
    const before = engine.instructions();
    assert.equal(engine.run(limit), "limit");
    assert.equal(engine.instructions() - before, limit);
    const [rounds, rest] = [Math.floor(limit / 7), limit % 7];
    assert.equal(core.gpr(EAX), rounds * 5 + Math.min(rest, 5));
    assert.equal(core.eip, CODE + (rest < 6 ? rest : 6));
  }
});

Deno.test("run() in slices gives the same state as in one piece", () => {
  // mov ecx, 50; l: add eax, ecx; push eax; pop edx; xor eax, edx; add eax, ecx; loop l
  const program = [0xb9, 50, 0, 0, 0, 0x01, 0xc8, 0x50, 0x5a, 0x31, 0xd0, 0x01, 0xc8, 0xe2, 0xf6];
  const whole = testMachine();
  whole.execute(program);
  const sliced = testMachine();
  sliced.poke(CODE, [...program, 0xf4]);
  sliced.core.eip = CODE;
  sliced.core.setGpr(ESP, STACK);
  let slice = 1;
  while (sliced.engine.run(slice) === "limit") slice = slice % 5 + 1;
  assert.equal(sliced.engine.instructions(), whole.engine.instructions());
  for (let i = 0; i < 8; i++) assert.equal(sliced.core.gpr(i), whole.core.gpr(i));
  assert.equal(sliced.core.eflags, whole.core.eflags);
});

Deno.test("a fault reports its instruction and leaves registers, flags and count as before it", () => {
  const machine = testMachine();
  // stc; inc eax; add [0x90000], eax (not mapped)
  machine.poke(CODE, [0xf9, 0x40, 0x01, 0x05, 0x00, 0x00, 0x09, 0x00]);
  const { core, engine, faults } = machine;
  core.eip = CODE;
  core.setGpr(EAX, 0x7fffffff);
  assert.equal(engine.run(100), "halted");
  // A read-modify-write faults as a write: W bit in the error code.
  assert.deepEqual(faults, [{ vector: 14, errorCode: 2, address: 0x90000, eip: CODE + 2 }]);
  assert.equal(engine.instructions(), 2);
  assert.equal(core.gpr(EAX), -0x80000000);
  // CF kept by INC; OF, SF, AF, PF set by it.
  assert.equal(core.eflags & 0x8d5, 0x895);
});

Deno.test("undefined opcodes raise #UD when they are reached", () => {
  const machine = testMachine();
  machine.poke(CODE, [0x40, 0x0f, 0xff]);
  machine.core.eip = CODE;
  assert.equal(machine.engine.run(10), "halted");
  assert.deepEqual(machine.faults, [{ vector: 6, errorCode: -1, address: 0, eip: CODE + 1 }]);
  assert.equal(machine.engine.instructions(), 1);
});

Deno.test("an instruction across a page end runs, and faults in its second page when that is missing", () => {
  const machine = testMachine();
  // At 0x7fffe: mov eax, imm32, whose immediate is beyond the last page.
  machine.poke(0x7fffe, [0xb8, 0x01]);
  machine.core.eip = 0x7fffe;
  assert.equal(machine.engine.run(10), "halted");
  assert.deepEqual(machine.faults[0], { vector: 14, errorCode: 0, address: 0x80000, eip: 0x7fffe });
  // The same across two pages that are there.
  machine.poke(0x2ffe, [0xb8, 0x01, 0x02, 0x03, 0x04, 0xf4]);
  machine.core.eip = 0x2ffe;
  machine.core.i32[L.HALTED >> 2] = 0;
  assert.equal(machine.engine.run(10), "halted");
  assert.equal(machine.core.gpr(EAX), 0x04030201);
});

Deno.test("code that changes the next instruction sees the change at once", () => {
  const machine = testMachine();
  // mov byte [CODE+8], 0x42 (inc edx); inc eax at CODE+7; at CODE+8: inc ecx → inc edx
  machine.execute(
    [0xc6, 0x05, CODE & 0xff, CODE >> 8, 0, 0, 0x42, 0x40, 0x41].map((byte, i) =>
      i === 2 ? (CODE + 8) & 0xff : byte
    ),
  );
  assert.equal(machine.core.gpr(EAX), 1);
  assert.equal(machine.core.gpr(ECX), 0);
  assert.equal(machine.core.gpr(EDX), 1);
});

Deno.test("a loop that rewrites its own body runs each version once", () => {
  const machine = testMachine();
  // mov ecx, 4; l: add eax, imm8 (imm at CODE+7); inc byte [CODE+7]; loop l
  const at = CODE + 7;
  machine.execute([
    ...[0xb9, 4, 0, 0, 0],
    ...[0x83, 0xc0, 10],
    ...[0xfe, 0x05, at & 0xff, at >> 8, 0, 0],
    ...[0xe2, 0xf5],
  ]);
  assert.equal(machine.core.gpr(EAX), 10 + 11 + 12 + 13);
});

Deno.test("stores beside code in the same page leave the blocks alone", () => {
  const machine = testMachine();
  // mov ecx, 50; l: mov [CODE+0x800], ecx; loop l
  machine.execute([0xb9, 50, 0, 0, 0, 0x89, 0x0d, 0x00, (CODE + 0x800) >> 8, 0, 0, 0xe2, 0xf8]);
  assert.equal(machine.engine.blocks.statistics.dropped, 0);
  assert.equal(machine.core.view.getInt32(L.RAM_BASE + CODE + 0x800, true), 1);
});

Deno.test("a write by a device drops the code that it hits", () => {
  const machine = testMachine();
  machine.execute([0x40]);
  assert.equal(machine.core.gpr(EAX), 1);
  machine.poke(CODE, [0x41]);
  machine.core.eip = CODE;
  machine.core.i32[L.HALTED >> 2] = 0;
  machine.engine.run(10);
  assert.equal(machine.core.gpr(EAX), 1);
  assert.equal(machine.core.gpr(ECX), 1);
});

Deno.test("a store to any byte of an invalid code has it decoded again", () => {
  const machine = testMachine();
  // bound ecx, edi does not exist; bound ecx, [edi] does: the bounds are 0 and 0.
  machine.core.setGpr(EDI, DATA);
  machine.execute([0x62, 0xcf]);
  machine.poke(CODE + 1, [0x0f]);
  machine.core.eip = CODE;
  machine.core.i32[L.HALTED >> 2] = 0;
  machine.engine.run(10);
  assert.deepEqual(machine.faults.map(({ vector }) => vector), [6]);
  assert.equal(machine.core.eip, CODE + 3);
});

Deno.test("REP MOVSB restarts from the element that faulted", () => {
  const machine = testMachine();
  machine.core.setGpr(ESI, DATA);
  machine.core.setGpr(EDI, 0x80000 - 100);
  machine.core.setGpr(ECX, 300);
  machine.poke(CODE, [0xf3, 0xa4]);
  machine.core.eip = CODE;
  machine.engine.run(1000);
  assert.deepEqual(machine.faults, [{ vector: 14, errorCode: 2, address: 0x80000, eip: CODE }]);
  assert.equal(machine.core.gpr(ECX), 200);
  assert.equal(machine.core.gpr(EDI), 0x80000);
  assert.equal(machine.core.gpr(ESI), DATA + 100);
});

Deno.test("an interrupt is taken between two parts of a long REP STOSD", () => {
  const machine = testMachine();
  const { core, engine } = machine;
  core.setGpr(EDI, DATA);
  core.setGpr(ECX, 5000);
  core.setGpr(EAX, 0x11223344);
  machine.poke(CODE, [0xf3, 0xab, 0xf4]);
  core.eip = CODE;
  core.eflags = 0x202;
  assert.equal(engine.run(3), "limit");
  assert.ok(core.gpr(ECX) > 0 && core.gpr(ECX) < 5000);
  assert.equal(core.eip, CODE);
  engine.setInterruptLine(true);
  engine.run(1);
  assert.equal(machine.faults[0]?.vector, 0x20);
  engine.setInterruptLine(false);
  core.eflags = 2;
  core.i32[L.HALTED >> 2] = 0;
  engine.run(10_000);
  assert.equal(core.gpr(ECX), 0);
  assert.equal(core.view.getInt32(L.RAM_BASE + DATA + 4 * 4999, true), 0x11223344);
});

Deno.test("STI lets one more instruction run before the interrupt", () => {
  const machine = testMachine();
  const { core, engine } = machine;
  // sti; inc eax; inc eax
  machine.poke(CODE, [0xfb, 0x40, 0x40, 0xf4]);
  core.eip = CODE;
  core.eflags = 2;
  engine.setInterruptLine(true);
  engine.run(100);
  assert.deepEqual(machine.faults.map(({ vector, eip }) => [vector, eip]), [[0x20, CODE + 2]]);
  assert.equal(core.gpr(EAX), 1);
});

Deno.test("TF traps after each instruction", () => {
  const machine = testMachine();
  const { core, engine } = machine;
  machine.poke(CODE, [0x40, 0x40, 0xf4]);
  core.eip = CODE;
  core.eflags = 0x102;
  engine.run(100);
  assert.deepEqual(machine.faults.map(({ vector, eip }) => [vector, eip]), [[1, CODE + 1]]);
  assert.equal(core.gpr(EAX), 1);
});

Deno.test("dropping blocks again and again leaves links valid and the count exact", () => {
  const machine = testMachine();
  const { core, engine } = machine;
  // mov ecx, 200; l: inc eax; jmp +0; dec ecx; jnz l
  machine.poke(CODE, [0xb9, 200, 0, 0, 0, 0x40, 0xeb, 0x00, 0x49, 0x75, 0xfa, 0xf4]);
  core.eip = CODE;
  let slices = 0;
  while (engine.run(7) === "limit") {
    slices++;
    engine.written(CODE + (slices % 12), 1);
    if (slices % 10 === 0) engine.flush();
  }
  assert.equal(core.gpr(EAX), 200);
  assert.equal(engine.instructions(), 1 + 200 * 4 + 1);
});

Deno.test("hooks see each instruction with exact state, and counters count inline", () => {
  const machine = testMachine();
  const hooks = new Hooks(machine.core, machine.engine);
  const counter = hooks.counter();
  const seen: [number, number, number][] = [];
  const subscription = hooks.onTranslate((block) => {
    for (const instruction of block.instructions) {
      instruction.addInline(counter, 2);
      instruction.onExecute(() => {
        seen.push([instruction.address, machine.core.gpr(EAX), machine.core.instructions]);
      });
    }
  });
  // inc eax; inc eax; jmp +0; inc eax
  machine.execute([0x40, 0x40, 0xeb, 0x00, 0x40]);
  assert.deepEqual(seen, [
    [CODE, 0, 0],
    [CODE + 1, 1, 1],
    [CODE + 2, 2, 2],
    [CODE + 4, 2, 3],
    [CODE + 5, 3, 4],
  ]);
  assert.equal(counter.value, 10n);
  subscription[Symbol.dispose]();
  machine.execute([0x40]);
  assert.equal(seen.length, 5);
});

Deno.test("memory hooks report reads and writes with value and size, and only of their instruction", () => {
  const machine = testMachine();
  const hooks = new Hooks(machine.core, machine.engine);
  const seen: unknown[] = [];
  hooks.onTranslate((block) => {
    for (const instruction of block.instructions) {
      // Not the PUSH (50), but the ADD, the MOVZX and the CALL.
      if (instruction.bytes()[0] === 0x50) continue;
      instruction.onMemory(({ address, size, write, value }) => {
        seen.push([address, size, write, value]);
      });
    }
  });
  machine.poke(DATA, [5, 0, 0, 0]);
  machine.core.setGpr(EAX, 3);
  // add [DATA], eax; push eax; movzx edx, byte [DATA]; call +0; pop ecx
  machine.core.eflags = 2;
  machine.execute([
    ...[0x01, 0x05, DATA & 0xff, DATA >> 8, 0, 0, 0x50],
    ...[0x0f, 0xb6, 0x15, DATA & 0xff, DATA >> 8, 0, 0],
    ...[0xe8, 0, 0, 0, 0, 0x59],
  ]);
  const after = CODE + 6 + 1 + 7 + 5;
  assert.deepEqual(seen, [
    [DATA, 4, false, 5],
    [DATA, 4, true, 8],
    [DATA, 1, false, 8],
    [STACK - 8, 4, true, after],
    [STACK - 8, 4, false, after],
  ]);
});

Deno.test("at() calls back at the exact instruction", () => {
  const machine = testMachine();
  const hooks = new Hooks(machine.core, machine.engine);
  const seen: number[] = [];
  hooks.at(5, () => seen.push(machine.core.gpr(EAX)));
  hooks.at(3, () => {
    seen.push(machine.core.gpr(EAX));
    hooks.at(4, () => seen.push(machine.core.gpr(EAX)));
  });
  machine.execute([0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40]);
  assert.deepEqual(seen, [3, 4, 5]);
});

Deno.test("a callback that asks for itself at the same time again is called once an instruction", () => {
  const machine = testMachine();
  const hooks = new Hooks(machine.core, machine.engine);
  const seen: number[] = [];
  const again = (): void => {
    seen.push(machine.core.instructions);
    hooks.at(0, again);
  };
  hooks.at(1, again);
  machine.execute([0x40, 0x40, 0x40]);
  assert.deepEqual(seen, [1, 2, 3, 4]);
});

Deno.test("an exception of a callback leaves the state before the instruction, and the machine usable", () => {
  const machine = testMachine();
  const { core, engine } = machine;
  const hooks = new Hooks(core, engine);
  const subscription = hooks.onTranslate((block) => {
    block.instructions[1]?.onExecute(() => {
      throw new Error("plugin");
    });
  });
  assert.throws(() => machine.execute([0x40, 0x40, 0x40]), /plugin/);
  assert.equal(core.eip, CODE + 1);
  assert.equal(engine.instructions(), 1);
  subscription[Symbol.dispose]();
  assert.equal(engine.run(100), "halted");
  assert.equal(core.gpr(EAX), 3);
});
