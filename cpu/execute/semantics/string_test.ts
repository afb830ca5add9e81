/**
 * String instructions, the stack, and code with 16-bit or limited segments. Expected values from SDM vol. 2.
 * @module
 */
import assert from "node:assert/strict";
import { Hooks } from "../../hooks.ts";
import * as L from "../../state/layout.ts";
import { CODE, DATA, STACK, type TestMachine, testMachine } from "../test_machine.ts";

const [EAX, ECX, ESP, EBP, ESI, EDI] = [0, 1, 4, 5, 6, 7];

function bytes(machine: TestMachine, at: number, count: number): number[] {
  return [...machine.core.u8.slice(L.RAM_BASE + at, L.RAM_BASE + at + count)];
}

Deno.test("REP MOVSB with a destination inside the source repeats the pattern", () => {
  const machine = testMachine();
  machine.poke(DATA, [1, 2, 3]);
  machine.core.setGpr(ESI, DATA);
  machine.core.setGpr(EDI, DATA + 3);
  machine.core.setGpr(ECX, 30);
  machine.execute([0xf3, 0xa4]);
  assert.deepEqual(bytes(machine, DATA, 33), Array.from({ length: 33 }, (_, i) => i % 3 + 1));
});

Deno.test("REP MOVSD moves across pages and retires once every 64 elements, traced or not", () => {
  const results = [false, true].map((traced) => {
    const machine = testMachine();
    const { core, engine } = machine;
    if (traced) {
      new Hooks(core, engine).onTranslate((block) => {
        for (const instruction of block.instructions) instruction.onMemory(() => {});
      });
    }
    machine.poke(DATA, Array.from({ length: 8192 }, (_, i) => i * 7));
    core.setGpr(ESI, DATA);
    core.setGpr(EDI, DATA + 0x4010);
    core.setGpr(ECX, 2048);
    machine.execute([0xf3, 0xa5]);
    assert.equal(core.gpr(ECX), 0);
    assert.equal(core.gpr(EDI), DATA + 0x4010 + 8192);
    assert.deepEqual(bytes(machine, DATA + 0x4010, 8192), bytes(machine, DATA, 8192));
    return engine.instructions();
  });
  assert.deepEqual(results, [2048 / 64 + 1, 2048 / 64 + 1]);
});

Deno.test("REP STOSW fills with a pattern; DF runs downwards", () => {
  const machine = testMachine();
  machine.core.setGpr(EAX, 0x1234);
  machine.core.setGpr(EDI, DATA);
  machine.core.setGpr(ECX, 100);
  machine.execute([0xf3, 0x66, 0xab]);
  assert.deepEqual(bytes(machine, DATA, 202).slice(196), [0x34, 0x12, 0x34, 0x12, 0, 0]);
  machine.core.setGpr(EDI, DATA + 50);
  machine.core.setGpr(ECX, 10);
  machine.core.setGpr(EAX, 0xff);
  machine.execute([0xfd, 0xf3, 0xaa, 0xfc]);
  assert.equal(machine.core.gpr(EDI), DATA + 40);
  assert.deepEqual(bytes(machine, DATA + 40, 12), [0x34, ...new Array(10).fill(0xff), 0x12]);
});

Deno.test("REPNE SCASB ends at the byte, REPE CMPSB at the difference", () => {
  const machine = testMachine();
  machine.poke(DATA, [5, 6, 7, 0, 9]);
  machine.poke(DATA + 16, [5, 6, 8, 0]);
  machine.core.setGpr(EDI, DATA);
  machine.core.setGpr(ECX, -1);
  machine.core.setGpr(EAX, 0);
  machine.execute([0xf2, 0xae]);
  assert.equal(machine.core.gpr(EDI), DATA + 4);
  assert.equal(machine.core.gpr(ECX), -5);
  machine.core.setGpr(ESI, DATA);
  machine.core.setGpr(EDI, DATA + 16);
  machine.core.setGpr(ECX, 4);
  machine.execute([0xf3, 0xa6]);
  assert.equal(machine.core.gpr(ECX), 1);
  // 7 − 8: below.
  assert.equal(machine.core.eflags & 0x41, 1);
});

Deno.test("a string instruction with a count of 0 changes nothing", () => {
  const machine = testMachine();
  machine.core.setGpr(ECX, 0);
  machine.core.setGpr(EDI, 0x90000);
  machine.core.eflags = 2 | 0x40;
  machine.execute([0xf3, 0xaa, 0xf2, 0xae]);
  assert.equal(machine.faults.length, 0);
  assert.equal(machine.core.gpr(EDI), 0x90000);
  assert.equal(machine.core.eflags & 0x40, 0x40);
});

Deno.test("PUSHA and POPA keep ESP's place", () => {
  const machine = testMachine();
  const { core } = machine;
  for (let i = 0; i < 8; i++) if (i !== ESP) core.setGpr(i, 100 + i);
  machine.execute([0x60]);
  assert.equal(core.gpr(ESP), STACK - 32);
  assert.equal(core.read(L.SS, STACK - 20, 4), STACK);
  machine.poke(STACK - 32, [7, 0, 0, 0]);
  machine.poke(CODE + 0x100, [0x61, 0xf4]);
  core.eip = CODE + 0x100;
  core.i32[L.HALTED >> 2] = 0;
  machine.engine.run(10);
  assert.equal(core.gpr(EDI), 7);
  assert.equal(core.gpr(ESP), STACK);
});

Deno.test("ENTER with a level copies the display; LEAVE undoes it", () => {
  const machine = testMachine();
  const { core } = machine;
  core.setGpr(EBP, DATA + 0x40);
  machine.poke(DATA + 0x3c, [0xaa, 0, 0, 0]);
  machine.execute([0xc8, 0x10, 0x00, 0x02]); // enter 16, 2
  const frame = STACK - 4;
  assert.equal(core.gpr(EBP), frame);
  assert.equal(core.gpr(ESP), STACK - 12 - 16);
  assert.equal(core.read(L.SS, frame, 4), DATA + 0x40);
  assert.equal(core.read(L.SS, frame - 4, 4), 0xaa);
  assert.equal(core.read(L.SS, frame - 8, 4), frame);
});

Deno.test("POP [ESP+n] addresses with the incremented ESP", () => {
  const machine = testMachine();
  // push 5; push 6; pop [esp] → overwrites the 5 with 6
  machine.execute([0x6a, 5, 0x6a, 6, 0x8f, 0x04, 0x24]);
  assert.equal(machine.core.gpr(ESP), STACK - 4);
  assert.equal(machine.core.read(L.SS, STACK - 4, 4), 6);
});

Deno.test("PUSH ESP stores the old value, POP ESP loads the popped one", () => {
  const machine = testMachine();
  machine.execute([0x54, 0x58]); // push esp; pop eax
  assert.equal(machine.core.gpr(EAX), STACK);
  machine.execute([0x68, 0, 0x60, 0, 0, 0x5c]); // push 6000h; pop esp
  assert.equal(machine.core.gpr(ESP), 0x6000);
});

/** Makes CS, SS and DS 16-bit segments as in real mode, with bases. */
function sixteenBit(machine: TestMachine): void {
  const { core } = machine;
  core.setSegment(L.CS, 0x100, 0x1000, 0xffff, 0x9b);
  core.setSegment(L.SS, 0x300, 0x3000, 0xffff, 0x93);
  core.setSegment(L.DS, 0x800, 0x8000, 0xffff, 0x93);
  core.setSegment(L.ES, 0x800, 0x8000, 0xffff, 0x93);
  core.updateMode();
}

Deno.test("16-bit code: addresses wrap at 64 KiB, PUSH and CALL use SP", () => {
  const machine = testMachine();
  const { core } = machine;
  sixteenBit(machine);
  // mov bx, 0fffeh; mov byte [bx+4], 77h; push 1234h; call +0; hlt
  machine.poke(0x1000, [
    ...[0xbb, 0xfe, 0xff, 0xc6, 0x47, 0x04, 0x77, 0x68, 0x34, 0x12, 0xe8, 0, 0, 0xf4],
  ]);
  core.eip = 0;
  core.setGpr(ESP, 0xabcd0000);
  assert.equal(machine.engine.run(20), "halted");
  assert.equal(machine.faults.length, 0);
  assert.deepEqual(bytes(machine, 0x8002, 1), [0x77]);
  // SP wraps from 0 to FFFC; the upper half of ESP stays.
  assert.equal(core.gpr(ESP) >>> 0, 0xabcdfffc);
  assert.deepEqual(bytes(machine, 0x3000 + 0xfffc, 4), [13, 0, 0x34, 0x12]);
});

Deno.test("16-bit code: a word at offset FFFFh raises #GP, on the stack #SS", () => {
  for (const [code, vector] of [[[0xa1, 0xff, 0xff], 13], [[0x8b, 0x46, 0xff], 12]] as const) {
    const machine = testMachine();
    sixteenBit(machine);
    machine.core.setGpr(EBP, 0);
    machine.poke(0x1000, [...code]);
    machine.core.eip = 0;
    machine.engine.run(5);
    assert.deepEqual(machine.faults, [{ vector, errorCode: 0, address: 0, eip: 0 }]);
  }
});

Deno.test("a jump beyond the limit of CS raises #GP at the jump and pushes nothing", () => {
  const machine = testMachine();
  const { core } = machine;
  core.setSegment(L.CS, 8, 0x1000, 0xff, 0x409b);
  core.updateMode();
  machine.poke(0x1000, [0x40, 0xe8, 0x00, 0x10, 0, 0]); // inc eax; call +1000h
  core.eip = 0;
  core.setGpr(ESP, STACK);
  machine.engine.run(5);
  assert.deepEqual(machine.faults, [{ vector: 13, errorCode: 0, address: 0, eip: 1 }]);
  assert.equal(core.gpr(ESP), STACK);
  assert.equal(core.gpr(EAX), 1);
});

Deno.test("an expand-down segment allows only offsets above its limit", () => {
  const machine = testMachine();
  const { core } = machine;
  core.setSegment(L.DS, 0x10, 0, 0x7fff, 0x4097); // expand-down, writable, big
  core.updateMode();
  machine.execute([0xa1, 0x00, 0x80, 0x00, 0x00]); // mov eax, [8000h]
  assert.equal(machine.faults.length, 0);
  machine.execute([0xa1, 0xff, 0x7f, 0x00, 0x00]);
  assert.equal(machine.faults[0]?.vector, 13);
});

Deno.test("a null data segment raises #GP when it is used", () => {
  const machine = testMachine();
  machine.core.setSegment(L.GS, 0, 0, 0, 0);
  machine.core.updateMode();
  machine.execute([0x65, 0xa1, 0, 0, 0, 0]); // mov eax, gs:[0]
  assert.deepEqual(machine.faults, [{ vector: 13, errorCode: 0, address: 0, eip: CODE }]);
});

Deno.test("a segment with a base: GS-relative loads add it (thread-local storage)", () => {
  const machine = testMachine();
  machine.core.setSegment(L.GS, 0x33, DATA - 0x10, 0xffffffff, 0xc0f3);
  machine.core.updateMode();
  machine.poke(DATA, [0x78, 0x56, 0x34, 0x12]);
  machine.execute([0x65, 0xa1, 0x10, 0, 0, 0]);
  assert.equal(machine.core.gpr(EAX), 0x12345678);
});

Deno.test("LOOP counts CX with a 16-bit address size", () => {
  const machine = testMachine();
  machine.core.setGpr(ECX, 0x10003);
  machine.core.setGpr(EAX, 0);
  machine.execute([0x40, 0x67, 0xe2, 0xfc]); // l: inc eax; loopw l
  assert.equal(machine.core.gpr(EAX), 3);
  assert.equal(machine.core.gpr(ECX), 0x10000);
});

Deno.test("BOUND raises #BR outside its bounds", () => {
  const machine = testMachine();
  machine.poke(DATA, [0xff, 0xff, 0xff, 0xff, 5, 0, 0, 0]); // −1…5
  const code = [0x62, 0x05, DATA & 0xff, DATA >> 8, 0, 0]; // bound eax, [DATA]
  for (const [index, fault] of [[-2, true], [-1, false], [5, false], [6, true]] as const) {
    machine.faults.length = 0;
    machine.core.setGpr(EAX, index);
    machine.execute(code);
    assert.equal(machine.faults[0]?.vector, fault ? 5 : undefined);
  }
});
