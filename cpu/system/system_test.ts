/** System instructions. Expected values: SDM vol. 2 and vol. 3A §2, §5.9; vol. 1 §19.5. */
import assert from "node:assert/strict";
import { IF, ZF } from "../state/flags.ts";
import * as L from "../state/layout.ts";
import { ACCESS, fault, SELECTOR, TestSystem, TSS } from "./test_system.ts";

const PRIVILEGED: readonly (readonly [string, number])[] = [
  ["hlt", 0],
  ["clts", 0],
  ["invlpg", 0],
  ["wbinvd", 0],
  ["invd", 0],
  ["lgdt", 0],
  ["lidt", 0],
  ["lldt", 0],
  ["ltr", 0],
  ["lmsw", 0],
  ["movToControl", 0],
  ["movFromControl", 0],
  ["movToDebug", 0],
  ["movFromDebug", 0],
  ["rdmsr", 0],
  ["wrmsr", 0],
  ["sysexit", 0],
];

Deno.test("privileged instructions are #GP(0) above CPL 0", () => {
  const system = new TestSystem();
  system.segments(3);
  for (const [name, reg] of PRIVILEGED) {
    assert.deepEqual(system.execute(name, { reg, rm: 0 }), fault(13, 0), name);
  }
});

Deno.test("MOV CR0 refuses PG without PE and NW without CD, and keeps ET set", () => {
  const system = new TestSystem();
  const write = (value: number) => system.execute("movToControl", { reg: 0, rm: 0 }, [value]);
  assert.deepEqual(write(0x80000000), fault(13, 0));
  assert.deepEqual(write(0x20000001), fault(13, 0));
  assert.equal(system.core.cr0, 0x11);
  assert.equal(write(0x60000001), undefined);
  assert.equal(system.core.cr0, 0x60000011);
  assert.equal(write(0x0ffaffc0 | 1), undefined);
  assert.equal(system.core.cr0, 0x11);
});

Deno.test("MOV CR4 refuses bits that CPUID does not announce; CR1 and CR5 do not exist", () => {
  const system = new TestSystem();
  assert.deepEqual(system.execute("movToControl", { reg: 4, rm: 0 }, [0x800]), fault(13, 0));
  assert.equal(system.execute("movToControl", { reg: 4, rm: 0 }, [0x69c]), undefined);
  for (const reg of [1, 5, 6, 7]) {
    assert.deepEqual(system.execute("movToControl", { reg, rm: 0 }), fault(6));
    assert.deepEqual(system.execute("movFromControl", { reg, rm: 0 }), fault(6));
  }
});

Deno.test("clearing PE leaves protected mode in the mode bits", () => {
  const system = new TestSystem();
  const mode = () => (system.core.i32[L.MODE_WORD >> 2] as number) & L.MODE.PROTECTED;
  assert.equal(mode(), L.MODE.PROTECTED);
  system.execute("movToControl", { reg: 0, rm: 0 }, [0x10]);
  assert.equal(mode(), 0);
});

Deno.test("LMSW sets PE MP EM TS and cannot clear PE", () => {
  const system = new TestSystem();
  assert.equal(system.execute("lmsw", { rm: 0 }, [0xfffe]), undefined);
  assert.equal(system.core.cr0, 0x1f);
  assert.equal(system.execute("clts", {}), undefined);
  assert.equal(system.core.cr0, 0x17);
});

Deno.test("DR4 and DR5 are DR6 and DR7 without CR4.DE, #UD with it; DR7.GD traps", () => {
  const system = new TestSystem();
  assert.equal(system.execute("movToDebug", { reg: 5, rm: 0 }, [0xffffffff & ~0x2000]), undefined);
  assert.equal(system.core.i32[(L.DR >> 2) + 7], 0xffff07ff | 0);
  assert.equal(system.execute("movFromDebug", { reg: 7, rm: 2 }), undefined);
  assert.equal(system.core.gpr(2), 0xffff07ff | 0);
  system.execute("movToControl", { reg: 4, rm: 0 }, [8]);
  assert.deepEqual(system.execute("movFromDebug", { reg: 4, rm: 0 }), fault(6));
  system.execute("movToDebug", { reg: 7, rm: 0 }, [0x2000]);
  assert.deepEqual(system.execute("movFromDebug", { reg: 0, rm: 0 }), fault(1));
  assert.equal((system.core.i32[(L.DR >> 2) + 6] as number) & 0x2000, 0x2000);
  // The way into the handler clears GD.
  system.interruptGate(1, { selector: SELECTOR.CODE0, offset: 0x6000, access: 0x8e });
  system.core.events.deliver(system.core.fault.set(1));
  assert.equal(system.execute("movFromDebug", { reg: 0, rm: 0 }), undefined);
});

Deno.test("LGDT with 16-bit operands loads 24 bits of base, SGDT stores all 32", () => {
  const system = new TestSystem();
  system.poke32(0x8000, 0x56780123);
  system.poke32(0x8004, 0x9abc1234);
  system.execute("lidt", { isMemory: true, offset: 0x8000, operandSize: 2 });
  assert.equal(system.core.i32[L.IDTR_BASE >> 2], 0x345678);
  system.execute("lidt", { isMemory: true, offset: 0x8000 });
  assert.equal(system.core.i32[L.IDTR_BASE >> 2], 0x12345678);
  assert.equal(system.core.i32[L.IDTR_LIMIT >> 2], 0x123);
  system.execute("sidt", { isMemory: true, offset: 0x8010, operandSize: 2 });
  assert.deepEqual([system.peek32(0x8010), system.peek32(0x8014)], [0x56780123, 0x1234]);
});

Deno.test("LTR takes an available TSS of the GDT once: it becomes busy", () => {
  const system = new TestSystem();
  const ltr = (selector: number) => system.execute("ltr", { rm: 0 }, [selector]);
  assert.deepEqual(ltr(SELECTOR.TSS), fault(13, SELECTOR.TSS));
  assert.deepEqual(ltr(0), fault(13, 0));
  assert.deepEqual(ltr(SELECTOR.TSS | 4), fault(13, SELECTOR.TSS | 4));
  assert.deepEqual(ltr(SELECTOR.DATA0), fault(13, SELECTOR.DATA0));
  system.descriptor(SELECTOR.FREE, { access: 0x09, base: TSS, limit: 0x67, flags: 0 });
  assert.deepEqual(ltr(SELECTOR.FREE), fault(11, SELECTOR.FREE));
  system.descriptor(SELECTOR.FREE, { access: 0x89, base: TSS, limit: 0x67, flags: 0 });
  assert.equal(ltr(SELECTOR.FREE), undefined);
  assert.equal((system.peek32(0x1000 + SELECTOR.FREE + 4) >>> 8) & 0xff, 0x8b);
});

Deno.test("system instructions that need protected mode are #UD in real mode", () => {
  const system = new TestSystem();
  system.core.i32[L.CR0 >> 2] = 0x10;
  for (const name of ["lldt", "ltr", "sldt", "str", "lar", "lsl", "verr", "verw", "arpl"]) {
    assert.deepEqual(system.execute(name, { rm: 0 }), fault(6), name);
  }
});

Deno.test("ARPL raises the RPL of the destination and says so in ZF", () => {
  const system = new TestSystem();
  system.execute("arpl", { rm: 0, reg: 1 }, [0xabcd0010, 3]);
  assert.equal(system.core.gpr(0), 0xabcd0013 | 0);
  assert.equal(system.core.eflags & ZF, ZF);
  system.execute("arpl", { rm: 0, reg: 1 }, [0x13, 2]);
  assert.equal(system.core.gpr(0), 0x13);
  assert.equal(system.core.eflags & ZF, 0);
});

Deno.test("LSL gives the limit in bytes, 16 bits of it for a 16-bit operand", () => {
  const system = new TestSystem();
  system.descriptor(SELECTOR.FREE, { access: ACCESS.DATA0, limit: 0x12, flags: 8 });
  system.execute("lsl", { reg: 2, rm: 0 }, [SELECTOR.FREE, 0, 0xdead0000]);
  assert.equal(system.core.gpr(2), 0x12fff);
  system.execute("lsl", { reg: 2, rm: 0, operandSize: 2 }, [SELECTOR.FREE, 0, 0xdead0000]);
  assert.equal(system.core.gpr(2), 0xdead2fff | 0);
});

Deno.test("MSRs of SYSENTER keep their values, unknown ones are #GP(0)", () => {
  const system = new TestSystem();
  for (const number of [0x174, 0x175, 0x176, 0x277, 0x2ff, 0x200, 0x20f]) {
    assert.equal(system.execute("wrmsr", {}, [number ^ 0x1234, number, 0]), undefined);
  }
  for (const number of [0x174, 0x175, 0x176, 0x277, 0x2ff, 0x200, 0x20f]) {
    assert.equal(system.execute("rdmsr", {}, [0, number, 1]), undefined);
    assert.deepEqual([system.core.gpr(0), system.core.gpr(2)], [number ^ 0x1234, 0]);
  }
  for (const number of [0x1b, 0xc0000080, 0x12345]) {
    assert.deepEqual(system.execute("rdmsr", {}, [0, number]), fault(13, 0));
    assert.deepEqual(system.execute("wrmsr", {}, [0, number, 0]), fault(13, 0));
  }
});

Deno.test("the time stamp counter counts on from what is written, across its words", () => {
  const system = new TestSystem();
  const read = (): bigint => {
    system.execute("rdtsc", {});
    return (BigInt(system.core.gpr(2) >>> 0) << 32n) | BigInt(system.core.gpr(0) >>> 0);
  };
  assert.equal(read(), 1000n);
  for (const value of [0n, 5n, 0xffffffffn, 0x1_00000005n, 0xffffffff_fffffff0n]) {
    system.execute("wrmsr", {}, [Number(value & 0xffffffffn), 0x10, Number(value >> 32n)]);
    assert.equal(read(), value);
  }
  system.segments(3);
  assert.equal(system.execute("rdtsc", {}), undefined);
  system.core.i32[L.CR4 >> 2] = 4;
  assert.deepEqual(system.execute("rdtsc", {}), fault(13, 0));
});

Deno.test("CPUID announces what is there: MMX and SSE, no SSE2, APIC", () => {
  const system = new TestSystem();
  const leaf = (number: number) => {
    system.execute("cpuid", {}, [number]);
    return [0, 3, 1, 2].map((register) => system.core.gpr(register));
  };
  const [highest, ...vendor] = leaf(0);
  assert.equal(highest, 2);
  const bytes = new Uint8Array(
    new Int32Array([vendor[0], vendor[2], vendor[1]] as number[]).buffer,
  );
  assert.equal(new TextDecoder().decode(bytes), "GenuineIntel");
  const features = leaf(1)[3] as number;
  assert.equal(features & 0x8939, 0x8939);
  assert.equal(features >> 23, 7);
  for (const bit of [9, 26]) assert.equal(features & (1 << bit), 0, `bit ${bit}`);
  assert.deepEqual(leaf(0x80000000), leaf(2));
});

Deno.test("ports need IOPL or clear bits for all their bytes in the TSS", () => {
  const system = new TestSystem();
  system.descriptor(SELECTOR.FREE, { access: 0x89, base: TSS, limit: 0x67 + 0x12, flags: 0 });
  system.execute("ltr", { rm: 0 }, [SELECTOR.FREE]);
  system.poke32(TSS + 0x64, 0x68 << 16);
  for (let i = 0; i < 5; i++) system.poke32(TSS + 0x68 + 4 * i, -1);
  // Ports 7 to 9 are allowed.
  system.poke32(TSS + 0x68, ~0x380);
  const input = (port: number, operandSize: 2 | 4, opcode: number) =>
    system.execute("inDx", { opcode, operandSize }, [0, 0, port]);
  system.segments(3);
  assert.equal(input(7, 4, 0xec), undefined);
  assert.equal(input(7, 2, 0xed), undefined);
  assert.deepEqual(input(7, 4, 0xed), fault(13, 0));
  assert.deepEqual(input(6, 4, 0xec), fault(13, 0));
  // The last byte of the map needs one more byte within the limit.
  system.poke32(TSS + 0x78, 0);
  assert.equal(input(0x80, 4, 0xec), undefined);
  assert.deepEqual(input(0x88, 4, 0xec), fault(13, 0));
  system.core.eflags = 0x3002;
  assert.equal(input(6, 4, 0xed), undefined);
  assert.deepEqual(system.ports.at(-1), { port: 6, size: 4, value: undefined });
});

Deno.test("IN changes its part of EAX, OUT gives the port its size", () => {
  const system = new TestSystem();
  system.execute("in", { opcode: 0xe4, immediate: 0x60 }, [0x12345678]);
  assert.equal(system.core.gpr(0), 0x123456a5);
  system.execute("in", { opcode: 0xe5, immediate: 0x60, operandSize: 2 }, [0x12345678]);
  assert.equal(system.core.gpr(0), 0x123400a5);
  system.execute("out", { opcode: 0xe7, immediate: 0x61 }, [0xfedcba98]);
  assert.deepEqual(system.ports.at(-1), { port: 0x61, size: 4, value: 0xfedcba98 });
  system.execute("outDx", { opcode: 0xef, operandSize: 2 }, [0xfedcba98, 0, 0x1f0]);
  assert.deepEqual(system.ports.at(-1), { port: 0x1f0, size: 2, value: 0xba98 });
});

Deno.test("REP INSW stops at a chunk with EIP on itself, and before the port when memory faults", () => {
  const system = new TestSystem();
  const { core } = system;
  const operands = { opcode: 0x6d, operandSize: 2, repeat: 0xf3 } as const;
  core.setGpr(7, 0x20000);
  assert.equal(system.execute("ins", operands, [0, 100, 0x1f0]), undefined);
  assert.equal(core.gpr(1), 36);
  assert.equal(core.gpr(7), 0x20080);
  assert.equal(core.eip, 0x5000);
  assert.equal(system.execute("ins", operands), undefined);
  assert.deepEqual([core.gpr(1), core.gpr(7), core.eip], [0, 0x200c8, 0x5002]);
  assert.equal(system.ports.length, 100);
  system.enablePaging();
  system.mapPage(0x21000, 0);
  core.setGpr(7, 0x20ffe);
  core.eip = 0x5000;
  assert.deepEqual(system.execute("ins", operands, [0, 2, 0x1f0]), fault(14, 2, 0x21000));
  assert.deepEqual([core.gpr(1), core.gpr(7), core.eip], [1, 0x21000, 0x5000]);
  assert.equal(system.ports.length, 101);
});

Deno.test("a load of SS shadows interrupts, one of DS does not", () => {
  const system = new TestSystem();
  assert.equal(system.load(L.DS, SELECTOR.DATA0), undefined);
  assert.equal(system.core.i32[L.INTERRUPT_SHADOW >> 2], 0);
  assert.equal(system.load(L.SS, SELECTOR.DATA0), undefined);
  assert.notEqual(system.core.i32[L.INTERRUPT_SHADOW >> 2], 0);
});

Deno.test("LDS loads register and segment together, or neither", () => {
  const system = new TestSystem();
  system.poke32(0x8100, 0x11223344);
  system.poke32(0x8104, SELECTOR.CODE3 | 4);
  const lds = { opcode: 0xc5, isMemory: true, offset: 0x8100, reg: 3 } as const;
  assert.equal(system.execute("loadFarPointer", lds, [0, 0, 0, 7])?.vector, 13);
  assert.equal(system.core.gpr(3), 7);
  system.poke32(0x8104, SELECTOR.DATA3);
  assert.equal(system.execute("loadFarPointer", lds), undefined);
  assert.equal(system.core.gpr(3), 0x11223344);
  assert.equal(system.core.selector(L.DS), SELECTOR.DATA3);
});

Deno.test("SYSENTER and SYSEXIT switch to flat segments around the MSR's selector", () => {
  const system = new TestSystem();
  const { core } = system;
  assert.deepEqual(system.execute("sysenter", {}), fault(13, 0));
  for (const [number, value] of [[0x174, 8], [0x175, 0x9000], [0x176, 0x6000]] as const) {
    system.execute("wrmsr", {}, [value, number, 0]);
  }
  system.segments(3);
  core.eflags = IF | 2;
  assert.equal(system.execute("sysenter", {}), undefined);
  assert.deepEqual([core.cpl, core.eip, core.gpr(4), core.eflags], [0, 0x6000, 0x9000, 2]);
  assert.deepEqual([core.selector(L.CS), core.selector(L.SS)], [8, 0x10]);
  assert.equal(system.execute("sysexit", {}, [0, 0x7000, 0x5555]), undefined);
  assert.deepEqual([core.cpl, core.eip, core.gpr(4)], [3, 0x5555, 0x7000]);
  assert.deepEqual([core.selector(L.CS), core.selector(L.SS)], [0x1b, 0x23]);
  assert.deepEqual(system.execute("sysexit", {}), fault(13, 0));
});
