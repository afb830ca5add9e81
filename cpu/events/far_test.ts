/** Far transfers and returns. Expected values: SDM vol. 2 (CALL, JMP, RET, IRET), vol. 3A §5.8. */
import assert from "node:assert/strict";
import { AC, DF, ID, IF, IOPL, NT, TF } from "../state/flags.ts";
import * as L from "../state/layout.ts";
import { ACCESS, fault, SELECTOR, TestSystem } from "../system/test_system.ts";

const GDT = 0x1000;

Deno.test("CALL far pushes CS and EIP, RET far with a count takes them and the parameters back", () => {
  const system = new TestSystem();
  const { core } = system;
  system.descriptor(SELECTOR.FREE, { access: ACCESS.CODE0 });
  const target = { immediate: 0x7000, immediate2: SELECTOR.FREE };
  assert.equal(system.execute("callFar", target), undefined);
  assert.deepEqual([core.eip, core.selector(L.CS)], [0x7000, SELECTOR.FREE]);
  assert.deepEqual(system.stack(2), [0x5002, SELECTOR.CODE0]);
  assert.equal(system.execute("retFar", { immediate: 8 }), undefined);
  assert.deepEqual([core.eip, core.selector(L.CS), core.gpr(4)], [0x5002, SELECTOR.CODE0, 0x8008]);
});

Deno.test("a target beyond the limit is #GP(0) and pushes nothing", () => {
  const system = new TestSystem();
  system.descriptor(SELECTOR.FREE, { access: ACCESS.CODE0, limit: 0xfff, flags: 4 });
  const target = { immediate: 0x1000, immediate2: SELECTOR.FREE };
  assert.deepEqual(system.execute("callFar", target), fault(13, 0));
  assert.deepEqual(system.execute("jmpFar", target), fault(13, 0));
  assert.equal(system.core.gpr(4), 0x8000);
  assert.equal(system.peek32(0x7ffc), 0);
});

Deno.test("a call gate to an inner level switches stacks and copies parameters", () => {
  const system = new TestSystem();
  const { core } = system;
  system.segments(3);
  system.gate(GDT + SELECTOR.FREE, {
    selector: SELECTOR.CODE0,
    offset: 0x6000,
    access: 0xec,
    count: 2,
  });
  core.setGpr(4, 0x7000);
  system.poke32(0x7000, 0x1111);
  system.poke32(0x7004, 0x2222);
  const gate = { immediate: 0xdeadbeef, immediate2: SELECTOR.FREE | 3 };
  assert.equal(system.execute("callFar", gate), undefined);
  assert.equal(core.cpl, 0);
  assert.equal(core.eip, 0x6000);
  const frame = [0x5002, SELECTOR.CODE3, 0x1111, 0x2222, 0x7000, SELECTOR.DATA3];
  assert.deepEqual(system.stack(6), frame);
  assert.equal(system.execute("retFar", { immediate: 8 }), undefined);
  assert.deepEqual([core.cpl, core.eip, core.gpr(4)], [3, 0x5002, 0x7008]);
});

Deno.test("JMP through a gate to an inner level is #GP with the code selector", () => {
  const system = new TestSystem();
  system.segments(3);
  system.gate(GDT + SELECTOR.FREE, { selector: SELECTOR.CODE0, offset: 0x6000, access: 0xec });
  const gate = { immediate: 0, immediate2: SELECTOR.FREE };
  assert.deepEqual(system.execute("jmpFar", gate), fault(13, SELECTOR.CODE0));
});

Deno.test("IRET to an outer level nulls data segments of inner privilege", () => {
  const system = new TestSystem();
  const { core } = system;
  system.load(L.FS, SELECTOR.DATA3);
  system.descriptor(SELECTOR.FREE, { access: 0x9e });
  system.load(L.GS, SELECTOR.FREE);
  [0x7000, SELECTOR.CODE3, 2, 0xa000, SELECTOR.DATA3].forEach((value, index) =>
    system.poke32(0x8000 + 4 * index, value)
  );
  assert.equal(system.execute("iret", {}), undefined);
  assert.deepEqual(
    [core.selector(L.DS), core.selector(L.ES), core.selector(L.FS), core.selector(L.GS)],
    [0, 0, SELECTOR.DATA3, SELECTOR.FREE],
  );
  assert.deepEqual([core.cpl, core.eip, core.gpr(4)], [3, 0x7000, 0xa000]);
});

Deno.test("IRET changes IOPL at CPL 0 only and IF up to IOPL", () => {
  const all = 0xd5 | TF | IF | DF | 0x800 | IOPL | NT | AC | ID;
  const returned = (cpl: 0 | 3, old: number, image: number, size: 2 | 4) => {
    const system = new TestSystem();
    system.segments(cpl);
    system.core.eflags = old | 2;
    const selector = cpl === 3 ? SELECTOR.CODE3 : SELECTOR.CODE0;
    if (size === 4) {
      [0x7000, selector, image].forEach((value, i) => system.poke32(0x8000 + 4 * i, value));
    } else {
      system.poke32(0x8000, 0x7000 | (selector << 16));
      system.poke32(0x8004, image & 0xffff);
    }
    assert.equal(system.execute("iret", { operandSize: size }), undefined);
    return system.core.eflags;
  };
  assert.equal(returned(0, 0, all, 4), all | 2);
  assert.equal(returned(0, AC | ID, all & 0xffff, 2), all | 2);
  assert.equal(returned(3, 0, all, 4), (all & ~(IOPL | IF)) | 2);
  assert.equal(returned(3, IOPL, all, 4), all | 2);
  assert.equal(returned(3, IF, 0, 4), IF | 2);
});

Deno.test("a return with a stack that does not fit faults before anything is loaded", () => {
  const system = new TestSystem();
  const { core } = system;
  const outer = (stack: number) => {
    [0x7000, SELECTOR.CODE3, 2, 0xa000, stack].forEach((value, index) =>
      system.poke32(0x8000 + 4 * index, value)
    );
    return system.execute("iret", {});
  };
  assert.deepEqual(outer(0), fault(13, 0));
  assert.deepEqual(outer(SELECTOR.DATA0), fault(13, SELECTOR.DATA0));
  assert.deepEqual(outer(SELECTOR.CODE3), fault(13, SELECTOR.CODE3 & ~3));
  system.descriptor(SELECTOR.FREE, { access: ACCESS.DATA3 & ~0x80 });
  assert.deepEqual(outer(SELECTOR.FREE | 3), fault(12, SELECTOR.FREE));
  assert.deepEqual([core.cpl, core.eip, core.gpr(4)], [0, 0x5000, 0x8000]);
  assert.equal(core.selector(L.CS), SELECTOR.CODE0);
});

Deno.test("real-mode far calls load selector × 16 and push words", () => {
  const system = new TestSystem();
  const { core } = system;
  core.i32[L.CR0 >> 2] = 0x10;
  core.setSegment(L.CS, 0, 0, 0xffff, 0x93);
  core.setSegment(L.SS, 0, 0, 0xffff, 0x93);
  core.setGpr(4, 0xffff0000 | 0);
  const target = { immediate: 0x10, immediate2: 0x1234, operandSize: 2 } as const;
  assert.equal(system.execute("callFar", target), undefined);
  assert.deepEqual([core.eip, core.segmentBase(L.CS)], [0x10, 0x12340]);
  assert.equal(core.gpr(4), 0xfffffffc | 0);
  assert.equal(system.peek32(0xfffc), 0x5002);
});
