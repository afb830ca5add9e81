/** Delivery through the IDT: frames, stacks, checks, double faults. Expected values: SDM vol. 3A §6. */
import assert from "node:assert/strict";
import { IF, NT, RF, TF } from "../state/flags.ts";
import { Fault, VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import { ACCESS, fault, IDT, SELECTOR, TestSystem, TSS } from "../system/test_system.ts";

const INTERRUPT32 = 0x8e;
const TRAP32 = 0x8f;
const INTERRUPT16 = 0x86;
const HANDLER = 0x6000;

function deliver(system: TestSystem, vector: number, errorCode = -1): boolean {
  return system.core.events.deliver(new Fault().set(vector, errorCode));
}

Deno.test("an exception at CPL 0 pushes EFLAGS with RF, CS, EIP and its error code", () => {
  const system = new TestSystem();
  const { core } = system;
  core.eflags = IF | TF | NT | 0x41 | 2;
  system.interruptGate(13, { selector: SELECTOR.CODE0, offset: HANDLER, access: INTERRUPT32 });
  assert.equal(deliver(system, 13, 0x18), true);
  assert.deepEqual(system.stack(4), [0x18, 0x5000, SELECTOR.CODE0, IF | TF | NT | RF | 0x43]);
  assert.equal(core.eip, HANDLER);
  assert.equal(core.gpr(4), 0x8000 - 16);
  assert.equal(core.eflags, 0x43);
});

Deno.test("a trap gate leaves IF alone, an external interrupt sets no RF", () => {
  const system = new TestSystem();
  system.core.eflags = IF | 2;
  system.interruptGate(0x20, { selector: SELECTOR.CODE0, offset: HANDLER, access: TRAP32 });
  assert.equal(system.core.events.interrupt(0x20), true);
  assert.deepEqual(system.stack(3), [0x5000, SELECTOR.CODE0, IF | 2]);
  assert.equal(system.core.eflags, IF | 2);
});

Deno.test("an interrupt at CPL 3 takes the stack of the TSS and pushes SS and ESP", () => {
  const system = new TestSystem();
  const { core } = system;
  system.segments(3);
  core.setGpr(4, 0x7ffc);
  system.interruptGate(0x80, { selector: SELECTOR.CODE0, offset: HANDLER, access: 0xee });
  assert.equal(system.execute("int", { immediate: 0x80 }), undefined);
  assert.equal(core.cpl, 0);
  assert.equal(core.selector(L.CS), SELECTOR.CODE0);
  assert.equal(core.selector(L.SS), SELECTOR.DATA0);
  assert.equal(core.gpr(4), 0x9000 - 20);
  assert.deepEqual(system.stack(5), [0x5002, SELECTOR.CODE3, 2, 0x7ffc, SELECTOR.DATA3]);

  assert.equal(system.execute("iret", {}), undefined);
  assert.equal(core.cpl, 3);
  assert.equal(core.eip, 0x5002);
  assert.equal(core.selector(L.CS), SELECTOR.CODE3);
  assert.equal(core.selector(L.SS), SELECTOR.DATA3);
  assert.equal(core.gpr(4), 0x7ffc);
  assert.equal(core.selector(L.DS), SELECTOR.DATA3);
});

Deno.test("a 16-bit gate pushes words", () => {
  const system = new TestSystem();
  system.interruptGate(13, { selector: SELECTOR.CODE0, offset: HANDLER, access: INTERRUPT16 });
  assert.equal(deliver(system, 13, 0x18), true);
  assert.equal(system.core.gpr(4), 0x8000 - 8);
  assert.deepEqual(system.stack(2), [0x50000018, 0x00020008]);
});

Deno.test("INT n checks limit, type, DPL, presence and code segment in this order", () => {
  const system = new TestSystem();
  const { core } = system;
  const int = (vector: number) => system.execute("int", { immediate: vector });
  system.segments(3);
  core.i32[L.IDTR_LIMIT >> 2] = 8 * 0x40 - 1;
  assert.deepEqual(int(0x40), fault(VECTOR.GP, 0x40 * 8 + 2));
  core.i32[L.IDTR_LIMIT >> 2] = 0x7ff;
  system.interruptGate(0x40, { selector: SELECTOR.CODE0, offset: HANDLER, access: 0x8c });
  assert.deepEqual(int(0x40), fault(VECTOR.GP, 0x40 * 8 + 2));
  system.interruptGate(0x40, { selector: SELECTOR.CODE0, offset: HANDLER, access: 0x0e });
  assert.deepEqual(int(0x40), fault(VECTOR.GP, 0x40 * 8 + 2));
  system.interruptGate(0x40, { selector: SELECTOR.CODE0, offset: HANDLER, access: 0x6e });
  assert.deepEqual(int(0x40), fault(VECTOR.NP, 0x40 * 8 + 2));
  system.interruptGate(0x40, { selector: 3, offset: HANDLER, access: 0xee });
  assert.deepEqual(int(0x40), fault(VECTOR.GP, 0));
  system.interruptGate(0x40, { selector: 0x1f8 + 0x10, offset: HANDLER, access: 0xee });
  assert.deepEqual(int(0x40), fault(VECTOR.GP, 0x208));
  system.interruptGate(0x40, { selector: SELECTOR.DATA0, offset: HANDLER, access: 0xee });
  assert.deepEqual(int(0x40), fault(VECTOR.GP, SELECTOR.DATA0));
  system.descriptor(SELECTOR.FREE, { access: ACCESS.CODE0 & ~0x80 });
  system.interruptGate(0x40, { selector: SELECTOR.FREE, offset: HANDLER, access: 0xee });
  assert.deepEqual(int(0x40), fault(VECTOR.NP, SELECTOR.FREE));
  assert.equal(core.cpl, 3);
  assert.equal(core.eip, 0x5000);
  assert.equal(core.gpr(4), 0x8000);
});

Deno.test("a bad stack in the TSS is #TS with its selector, an absent one #SS", () => {
  const system = new TestSystem();
  const int = () => system.execute("int", { immediate: 0x40 });
  system.segments(3);
  system.interruptGate(0x40, { selector: SELECTOR.CODE0, offset: HANDLER, access: 0xee });
  system.poke32(TSS + 8, 0);
  assert.deepEqual(int(), fault(VECTOR.TS, 0));
  system.poke32(TSS + 8, SELECTOR.CODE0);
  assert.deepEqual(int(), fault(VECTOR.TS, SELECTOR.CODE0));
  system.poke32(TSS + 8, SELECTOR.DATA0 | 1);
  assert.deepEqual(int(), fault(VECTOR.TS, SELECTOR.DATA0));
  system.descriptor(SELECTOR.FREE, { access: ACCESS.DATA0 & ~0x80 });
  system.poke32(TSS + 8, SELECTOR.FREE);
  assert.deepEqual(int(), fault(VECTOR.SS, SELECTOR.FREE));
  // A stack of 16 bytes has no room for five words.
  system.descriptor(SELECTOR.FREE, { access: ACCESS.DATA0, limit: 0xf, flags: 4 });
  system.poke32(TSS + 4, 0x10);
  assert.deepEqual(int(), fault(VECTOR.SS, SELECTOR.FREE));
  system.core.setSegment(L.TR, SELECTOR.TSS, TSS, 8, 0x8b);
  assert.deepEqual(int(), fault(VECTOR.TS, SELECTOR.TSS));
});

Deno.test("two contributory exceptions make #DF with error code 0 at the first one's EIP", () => {
  const system = new TestSystem();
  // Vector 13's gate is not present: #NP while delivering #GP.
  system.interruptGate(13, { selector: SELECTOR.CODE0, offset: HANDLER, access: 0x0e });
  system.interruptGate(8, { selector: SELECTOR.CODE0, offset: HANDLER + 8, access: INTERRUPT32 });
  assert.equal(deliver(system, 13, 0x18), true);
  assert.equal(system.core.eip, HANDLER + 8);
  assert.deepEqual(system.stack(4), [0, 0x5000, SELECTOR.CODE0, 2]);
});

Deno.test("a fault in the delivery of an interrupt or benign exception is delivered instead, with EXT", () => {
  for (const vector of [6, 0x20]) {
    const system = new TestSystem();
    system.interruptGate(vector, { selector: SELECTOR.CODE0, offset: HANDLER, access: 0x0e });
    system.interruptGate(11, { selector: SELECTOR.CODE0, offset: HANDLER, access: INTERRUPT32 });
    assert.equal(vector === 6 ? deliver(system, 6) : system.core.events.interrupt(vector), true);
    assert.deepEqual(system.stack(2), [vector * 8 + 3, 0x5000]);
  }
});

Deno.test("a page fault in the delivery of a contributory exception is delivered, the reverse is #DF", () => {
  const system = new TestSystem();
  system.enablePaging();
  system.interruptGate(14, { selector: SELECTOR.CODE0, offset: HANDLER, access: INTERRUPT32 });
  system.interruptGate(8, { selector: SELECTOR.CODE0, offset: HANDLER + 8, access: INTERRUPT32 });
  // #GP whose handler's descriptor is in a page that is not there.
  system.interruptGate(13, { selector: 0x7c, offset: HANDLER, access: INTERRUPT32 });
  system.mapPage(0x3000, 0);
  assert.equal(deliver(system, 13, 0), true);
  assert.equal(system.core.eip, HANDLER);
  assert.equal(system.core.i32[L.CR2 >> 2], 0x3078);
  assert.deepEqual(system.stack(2), [0, 0x5000]);
  system.core.eip = 0x5000;
  system.interruptGate(14, { selector: 0x7c, offset: HANDLER, access: INTERRUPT32 });
  assert.equal(deliver(system, 14, 2), true);
  assert.equal(system.core.eip, HANDLER + 8);
});

Deno.test("a fault in the delivery of #DF shuts the processor down", () => {
  const system = new TestSystem();
  system.core.i32[L.IDTR_LIMIT >> 2] = 0;
  assert.equal(deliver(system, 6), false);
});

Deno.test("a frame that a page fault cuts short changes nothing", () => {
  const system = new TestSystem();
  const { core } = system;
  system.enablePaging();
  system.segments(3);
  system.interruptGate(0x80, { selector: SELECTOR.CODE0, offset: HANDLER, access: 0xee });
  // The inner stack's upper page is there, the lower is not; the frame crosses.
  system.poke32(TSS + 4, 0x9008);
  system.mapPage(0x8000, 0);
  const outcome = system.execute("int", { immediate: 0x80 });
  assert.deepEqual(outcome, fault(VECTOR.PF, 2, 0x8ffc));
  assert.equal(core.cpl, 3);
  assert.equal(core.gpr(4), 0x8000);
  assert.equal(system.peek32(0x9000), 0);
  assert.equal(core.selector(L.SS), SELECTOR.DATA3);
});

Deno.test("real mode delivers through the vector table", () => {
  const system = new TestSystem();
  const { core } = system;
  core.i32[L.CR0 >> 2] = 0x10;
  core.i32[L.IDTR_BASE >> 2] = 0;
  core.i32[L.IDTR_LIMIT >> 2] = 0x3ff;
  core.setSegment(L.CS, 0x100, 0x1000, 0xffff, 0x93);
  core.setSegment(L.SS, 0x200, 0x2000, 0xffff, 0x93);
  core.updateMode();
  core.setGpr(4, 0x12340100);
  core.eip = 0x20;
  core.eflags = IF | 3;
  system.poke32(0x21 * 4, 0x04560123);
  assert.equal(system.execute("int", { immediate: 0x21, operandSize: 2 }), undefined);
  assert.equal(core.selector(L.CS), 0x456);
  assert.equal(core.eip, 0x123);
  assert.equal(core.gpr(4), 0x123400fa);
  assert.equal(system.peek32(0x20fa), 0x01000022);
  assert.equal(core.eflags, 3);
  assert.equal(system.execute("iret", { operandSize: 2 }), undefined);
  assert.equal(core.selector(L.CS), 0x100);
  assert.equal(core.eip, 0x22);
  assert.equal(core.eflags, IF | 3);
  assert.equal(IDT, 0x2000);
});

Deno.test("two events in one delivery are a double fault exactly as Table 6-5 of the SDM says", () => {
  const contributory: readonly number[] = [VECTOR.DE, VECTOR.TS, VECTOR.NP, VECTOR.SS, VECTOR.GP];
  const benign = [VECTOR.DB, VECTOR.BR, VECTOR.UD, VECTOR.NM, VECTOR.MF, VECTOR.AC];
  // A gate that is absent, of a wrong type, and one whose code descriptor is in a page that is not there.
  const broken = [
    [VECTOR.NP, { selector: SELECTOR.CODE0, offset: HANDLER, access: 0x0e }],
    [VECTOR.GP, { selector: SELECTOR.CODE0, offset: HANDLER, access: 0x8c }],
    [VECTOR.PF, { selector: 0x7c, offset: HANDLER, access: INTERRUPT32 }],
  ] as const;
  for (const first of [...contributory, ...benign, VECTOR.PF]) {
    for (const [second, gate] of broken) {
      const system = new TestSystem();
      system.enablePaging();
      system.mapPage(0x3000, 0);
      for (const vector of [VECTOR.DF, VECTOR.NP, VECTOR.GP, VECTOR.PF]) {
        system.interruptGate(vector, {
          selector: SELECTOR.CODE0,
          offset: HANDLER + vector,
          access: INTERRUPT32,
        });
      }
      system.interruptGate(first, gate);
      assert.equal(deliver(system, first, 0), true);
      const double = contributory.includes(first) && second !== VECTOR.PF ||
        first === VECTOR.PF;
      const taken = double ? VECTOR.DF : second;
      assert.equal(system.core.eip, HANDLER + taken, `${first} then ${second}`);
      const error = double || second === VECTOR.PF ? 0 : first * 8 + 3;
      assert.deepEqual(system.stack(2), [error, 0x5000], `${first} then ${second}`);
    }
  }
});
