/** Virtual-8086 mode and its extensions. Expected values: SDM vol. 3A §20.2–20.4, vol. 2 (CLI, STI, PUSHF, POPF, INT n, IRET). */
import assert from "node:assert/strict";
import { integerAssists } from "../execute/assists.ts";
import { emptyOperands } from "../execute/assist.ts";
import { IF, IOPL, NT, TF, VIF, VIP, VM } from "../state/flags.ts";
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import { fault, type Outcome, SELECTOR, TestSystem, TSS } from "../system/test_system.ts";

const HANDLER = 0x6000;
const VME = 1;
const PVI = 2;
const GP0: Outcome = fault(VECTOR.GP, 0);

/** A system in virtual-8086 mode: CS 1000h, SS 2000h, DS 3000h, ES 4000h, FS 5000h, GS 6000h, SP 100h, IP 20h. */
function virtual(flags: number, cr4 = 0): TestSystem {
  const system = new TestSystem();
  const { core } = system;
  core.i32[L.CR4 >> 2] = cr4;
  const image = [0x20, 0x1000, VM | 2 | flags, 0x100, 0x2000, 0x4000, 0x3000, 0x5000, 0x6000];
  image.forEach((value, i) => system.poke32(0x8000 + 4 * i, value));
  assert.equal(system.execute("iret", {}), undefined);
  return system;
}
/** An assist of a flag instruction. */
function flagInstruction(system: TestSystem, name: string, size: 2 | 4 = 2): Outcome | undefined {
  const assist = integerAssists[name];
  assert.ok(assist);
  return system.outcome(() => assist(system.core, { ...emptyOperands(), operandSize: size }));
}
/** Words from SS:SP up. */
function words(system: TestSystem, count: number): number[] {
  const at = L.RAM_BASE + system.core.segmentBase(L.SS) + (system.core.gpr(4) & 0xffff);
  return Array.from({ length: count }, (_, i) => system.core.view.getUint16(at + 2 * i, true));
}
function pushWords(system: TestSystem, values: readonly number[]): void {
  const at = L.RAM_BASE + system.core.segmentBase(L.SS) + (system.core.gpr(4) & 0xffff);
  values.forEach((value, i) => system.core.view.setUint16(at + 2 * i, value, true));
}

Deno.test("IRETD with VM in the image enters virtual-8086 mode with all six segments", () => {
  const { core } = virtual(IF | IOPL | VIP);
  assert.equal(core.vm86, true);
  assert.equal(core.cpl, 3);
  assert.deepEqual([core.eip, core.gpr(4)], [0x20, 0x100]);
  assert.equal(core.eflags, VM | IF | IOPL | VIP | 2);
  const bases = [L.CS, L.SS, L.DS, L.ES, L.FS, L.GS].map((segment) => core.segmentBase(segment));
  assert.deepEqual(bases, [0x10000, 0x20000, 0x30000, 0x40000, 0x50000, 0x60000]);
  for (let segment = L.ES; segment <= L.GS; segment++) {
    assert.equal(core.segmentLimit(segment), 0xffff);
    assert.equal(core.segmentAttributes(segment), 0xf3);
  }
});

Deno.test("IRETD into virtual-8086 mode with EIP above FFFFh is #GP(0), and at CPL 3 VM is ignored", () => {
  const system = new TestSystem();
  [0x10000, 0x1000, VM | 2, 0x100, 0, 0, 0, 0, 0].forEach((value, i) =>
    system.poke32(0x8000 + 4 * i, value)
  );
  assert.deepEqual(system.execute("iret", {}), GP0);
  assert.equal(system.core.vm86, false);
  system.segments(3);
  system.poke32(0x8004, SELECTOR.CODE3);
  assert.equal(system.execute("iret", {}), undefined);
  assert.equal(system.core.vm86, false);
});

Deno.test("an exception leaves for CPL 0: nine words on the TSS's stack, data segments null", () => {
  for (const wide of [true, false]) {
    const system = virtual(IF);
    const { core } = system;
    const access = wide ? 0x8e : 0x86;
    system.interruptGate(13, { selector: SELECTOR.CODE0, offset: HANDLER, access });
    assert.equal(core.events.deliver(core.fault.set(13, 0)), true);
    const frame = [
      0,
      0x20,
      0x1000,
      VM | IF | 0x10002,
      0x100,
      0x2000,
      0x4000,
      0x3000,
      0x5000,
      0x6000,
    ];
    if (wide) assert.deepEqual(system.stack(10), frame);
    else assert.deepEqual(words(system, 10), frame.map((value) => value & 0xffff));
    assert.equal(core.gpr(4), 0x9000 - (wide ? 40 : 20));
    assert.deepEqual([core.vm86, core.cpl, core.eip], [false, 0, HANDLER]);
    for (const segment of [L.ES, L.DS, L.FS, L.GS]) {
      assert.deepEqual([core.selector(segment), core.segmentAttributes(segment)], [0, 0]);
    }
  }
});

Deno.test("the way out must lead to non-conforming code of DPL 0, else #GP with its selector", () => {
  const system = virtual(IOPL);
  system.descriptor(SELECTOR.FREE, { access: 0x9e });
  for (const selector of [SELECTOR.FREE, SELECTOR.CODE3 & ~3]) {
    system.interruptGate(0x40, { selector, offset: HANDLER, access: 0xee });
    const outcome = system.execute("int", { immediate: 0x40, operandSize: 2 });
    assert.deepEqual(outcome, fault(VECTOR.GP, selector));
    assert.equal(system.core.vm86, true);
  }
});

Deno.test("INT n needs IOPL 3 without VME; INT3, INTO and INT1 do not, but the gate's DPL counts", () => {
  const system = virtual(0);
  system.interruptGate(0x40, { selector: SELECTOR.CODE0, offset: HANDLER, access: 0xee });
  assert.deepEqual(system.execute("int", { immediate: 0x40 }), GP0);
  system.interruptGate(3, { selector: SELECTOR.CODE0, offset: HANDLER, access: 0x8e });
  assert.deepEqual(system.execute("int3", {}), fault(VECTOR.GP, 3 * 8 + 2));
  system.interruptGate(1, { selector: SELECTOR.CODE0, offset: HANDLER, access: 0x8e });
  assert.equal(system.execute("int1", {}), undefined);
  assert.equal(system.core.cpl, 0);
  const trusted = virtual(IOPL);
  trusted.interruptGate(0x40, { selector: SELECTOR.CODE0, offset: HANDLER, access: 0xee });
  assert.equal(trusted.execute("int", { immediate: 0x40 }), undefined);
  assert.equal(trusted.core.eip, HANDLER);
});

Deno.test("IRET in virtual-8086 mode needs IOPL 3, and then keeps VM and IOPL", () => {
  const refused = virtual(0);
  assert.deepEqual(refused.execute("iret", { operandSize: 2 }), GP0);
  const system = virtual(IOPL);
  pushWords(system, [0x55, 0x1100, NT | IF | 0x41]);
  assert.equal(system.execute("iret", { operandSize: 2 }), undefined);
  const { core } = system;
  assert.deepEqual([core.eip, core.segmentBase(L.CS), core.gpr(4)], [0x55, 0x11000, 0x106]);
  assert.equal(core.eflags, VM | IOPL | NT | IF | 0x43);
});

Deno.test("IRET unblocks NMI also when it faults", () => {
  const system = virtual(0);
  system.core.nmiBlocked = true;
  assert.deepEqual(system.execute("iret", { operandSize: 2 }), GP0);
  assert.equal(system.core.nmiBlocked, false);
});

Deno.test("CLI and STI with CPL above IOPL: VIF with VME or PVI, else #GP(0)", () => {
  assert.deepEqual(flagInstruction(virtual(0), "cliVirtual"), GP0);
  assert.deepEqual(flagInstruction(virtual(0), "stiVirtual"), GP0);
  assert.deepEqual(flagInstruction(virtual(0, PVI), "stiVirtual"), GP0);
  const system = virtual(IF, VME);
  assert.equal(flagInstruction(system, "stiVirtual"), undefined);
  assert.equal(system.core.eflags, VM | IF | VIF | 2);
  assert.equal(flagInstruction(system, "cliVirtual"), undefined);
  assert.equal(system.core.eflags, VM | IF | 2);
  assert.deepEqual(flagInstruction(virtual(VIP, VME), "stiVirtual"), GP0);
  const user = new TestSystem();
  user.segments(3);
  assert.deepEqual(flagInstruction(user, "stiVirtual"), GP0);
  user.core.i32[L.CR4 >> 2] = VME;
  assert.deepEqual(flagInstruction(user, "stiVirtual"), GP0);
  user.core.i32[L.CR4 >> 2] = PVI;
  assert.equal(flagInstruction(user, "stiVirtual"), undefined);
  assert.equal(user.core.eflags, VIF | 2);
  user.core.eflags = VIF | VIP | 2;
  assert.deepEqual(flagInstruction(user, "stiVirtual"), GP0);
  assert.equal(flagInstruction(user, "cliVirtual"), undefined);
  assert.equal(user.core.eflags, VIP | 2);
});

Deno.test("PUSHF with VME shows VIF as IF and IOPL 3; PUSHFD is #GP(0)", () => {
  const system = virtual(VIF | 0x41, VME);
  assert.equal(flagInstruction(system, "pushfVirtual"), undefined);
  assert.equal(system.core.gpr(4), 0xfe);
  assert.deepEqual(words(system, 1), [IOPL | IF | 0x43]);
  assert.deepEqual(flagInstruction(system, "pushfVirtual", 4), GP0);
  assert.deepEqual(flagInstruction(virtual(0), "pushfVirtual"), GP0);
});

Deno.test("POPF with VME sets VIF from IF; TF, and IF with VIP set, are #GP(0)", () => {
  const popped = (flags: number, value: number, size: 2 | 4 = 2, cr4 = VME) => {
    const system = virtual(flags, cr4);
    pushWords(system, [value]);
    return flagInstruction(system, "popfPrivileged", size) ?? system.core.eflags;
  };
  assert.equal(popped(0, IF | IOPL | 0x41), VM | VIF | 0x43);
  assert.equal(popped(VIF | IF, 0), VM | IF | 2);
  assert.equal(popped(VIP, 0x40), VM | VIP | 0x42);
  assert.deepEqual(popped(VIP, IF), GP0);
  assert.deepEqual(popped(0, TF), GP0);
  assert.deepEqual(popped(0, 0, 4), GP0);
  assert.deepEqual(popped(0, 0, 2, 0), GP0);
  // IOPL 3: the real IF, VIF untouched.
  assert.equal(popped(IOPL | VIF, IF), VM | IOPL | VIF | IF | 2);
});

Deno.test("IRET with VME and IOPL below 3 sets VIF from IF", () => {
  const system = virtual(0, VME);
  pushWords(system, [0x55, 0x1100, IF | IOPL | 0x41]);
  assert.equal(system.execute("iret", { operandSize: 2 }), undefined);
  assert.equal(system.core.eflags, VM | VIF | 0x43);
  assert.deepEqual([system.core.eip, system.core.segmentBase(L.CS)], [0x55, 0x11000]);
  pushWords(system, [0x55, 0x1100, TF]);
  assert.deepEqual(system.execute("iret", { operandSize: 2 }), GP0);
  assert.deepEqual(system.execute("iret", { operandSize: 4 }), GP0);
});

Deno.test("INT n with VME: a clear bit of the redirection bitmap enters the program's own handler", () => {
  const make = (flags: number, bit: boolean) => {
    const system = virtual(flags, VME);
    const { core } = system;
    core.setSegment(L.TR, SELECTOR.TSS, TSS, 0x100, 0x8b);
    core.view.setUint16(L.RAM_BASE + TSS + 0x66, 0x88, true);
    // Vector 21h: byte 4, bit 1 of the 32 bytes below the I/O map.
    for (let i = 0; i < 32; i++) core.u8[L.RAM_BASE + TSS + 0x68 + i] = bit ? 0 : 0xff;
    core.u8[L.RAM_BASE + TSS + 0x68 + 4] = bit ? 2 : 0xfd;
    system.poke32(0x21 * 4, 0x04560123);
    system.interruptGate(0x21, { selector: SELECTOR.CODE0, offset: HANDLER, access: 0xee });
    return system;
  };
  const int = (system: TestSystem) => system.execute("int", { immediate: 0x21, operandSize: 2 });
  // Method 5: IOPL 3.
  let system = make(IOPL | IF | VIF | 1, false);
  assert.equal(int(system), undefined);
  assert.deepEqual([system.core.eip, system.core.segmentBase(L.CS)], [0x123, 0x4560]);
  assert.deepEqual(words(system, 3), [0x22, 0x1000, IOPL | IF | 3]);
  assert.equal(system.core.eflags, VM | IOPL | VIF | 3);
  // Method 6: IOPL below 3.
  system = make(IF | VIF | 1, false);
  assert.equal(int(system), undefined);
  assert.deepEqual(words(system, 3), [0x22, 0x1000, IOPL | IF | 3]);
  assert.equal(system.core.eflags, VM | IF | 3);
  system = make(IF, false);
  assert.equal(int(system), undefined);
  assert.deepEqual(words(system, 3), [0x22, 0x1000, IOPL | 2]);
  // Methods 4 and 2: the bit is set.
  assert.deepEqual(int(make(0, true)), GP0);
  system = make(IOPL, true);
  assert.equal(int(system), undefined);
  assert.deepEqual([system.core.vm86, system.core.eip], [false, HANDLER]);
  // No bitmap within the limit.
  system = make(IOPL, false);
  system.core.setSegment(L.TR, SELECTOR.TSS, TSS, 0x6b, 0x8b);
  assert.deepEqual(int(system), GP0);
});

Deno.test("ports in virtual-8086 mode go by the I/O map alone, IOPL 3 or not", () => {
  const system = virtual(IOPL);
  const { core } = system;
  core.view.setUint16(L.RAM_BASE + TSS + 0x66, 0x68, true);
  core.setSegment(L.TR, SELECTOR.TSS, TSS, 0x78, 0x8b);
  core.u8[L.RAM_BASE + TSS + 0x68] = 2;
  assert.equal(system.execute("in", { immediate: 0, opcode: 0xe4 }), undefined);
  assert.deepEqual(system.execute("in", { immediate: 1, opcode: 0xe4 }), GP0);
});

Deno.test("instructions of protected mode are #UD there, a segment load is selector × 16", () => {
  const system = virtual(IOPL);
  for (const name of ["lldt", "ltr", "sldt", "str", "lar", "lsl", "verr", "verw", "arpl"]) {
    assert.deepEqual(system.execute(name, {}), fault(VECTOR.UD), name);
  }
  for (const name of ["lgdt", "lidt", "hlt", "clts", "lmsw", "invlpg", "movToControl"]) {
    assert.deepEqual(system.execute(name, {}), GP0, name);
  }
  assert.equal(system.load(L.DS, 0x1234), undefined);
  assert.equal(system.core.segmentBase(L.DS), 0x12340);
});
