/** Task switches. Expected values: SDM vol. 3A §7.2–7.6, Tables 7-1, 7-2 and 6-6. */
import assert from "node:assert/strict";
import { IF, NT, VM } from "../state/flags.ts";
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import { ACCESS, fault, SELECTOR, TestSystem, TSS } from "../system/test_system.ts";

const GDT = 0x1000;
/** The other task: its descriptor, TSS and stack. */
const OTHER = 0x48;
const OTHER_TSS = 0x4400;
const OTHER_STACK = 0xb000;
const ENTRY = 0x6000;
const GATE = 0x50;
const TASK_GATE = 0x85;

interface Task {
  wide?: boolean;
  busy?: boolean;
  access?: number;
  limit?: number;
  cs?: number;
  ss?: number;
  data?: number;
  ldt?: number;
  eflags?: number;
  eip?: number;
  trap?: boolean;
  link?: number;
}

/** Puts a task into OTHER. */
function task(system: TestSystem, options: Task = {}): void {
  const { wide = true, busy = false, cs = SELECTOR.CODE0, ss = SELECTOR.DATA0 } = options;
  const { data = SELECTOR.DATA0, ldt = 0, eflags = 2, eip = ENTRY, trap = false } = options;
  const type = (wide ? 0x89 : 0x81) | (busy ? 2 : 0);
  system.descriptor(OTHER, {
    access: options.access ?? type,
    base: OTHER_TSS,
    limit: options.limit ?? (wide ? 0x67 : 0x2b),
    flags: 0,
  });
  const put = (at: number, value: number) => {
    if (wide) system.poke32(OTHER_TSS + at, value);
    else system.core.view.setUint16(L.RAM_BASE + OTHER_TSS + at, value, true);
  };
  put(0, options.link ?? 0);
  const at = wide
    ? { eip: 0x20, eflags: 0x24, gpr: 0x28, segment: 0x48, ldt: 0x60 }
    : { eip: 0x0e, eflags: 0x10, gpr: 0x12, segment: 0x22, ldt: 0x2a };
  const step = wide ? 4 : 2;
  put(at.eip, eip);
  put(at.eflags, eflags);
  for (let i = 0; i < 8; i++) put(at.gpr + i * step, i === 4 ? OTHER_STACK : 0x1110 + i);
  [data, cs, ss, data, data, data].slice(0, wide ? 6 : 4)
    .forEach((selector, i) => put(at.segment + i * step, selector));
  put(at.ldt, ldt);
  if (wide) put(0x64, trap ? 1 : 0);
}
function busy(system: TestSystem, selector: number): boolean {
  return (system.peek32(GDT + selector + 4) & 0x200) !== 0;
}
function word(system: TestSystem, at: number): number {
  return system.peek32(at) & 0xffff;
}
const jump = (system: TestSystem, selector: number = OTHER) =>
  system.execute("jmpFar", { immediate: 0x123, immediate2: selector });
const call = (system: TestSystem, selector: number = OTHER) =>
  system.execute("callFar", { immediate: 0x123, immediate2: selector });

Deno.test("JMP to a TSS saves the old task, loads the new one and moves the busy bit", () => {
  const system = new TestSystem();
  const { core } = system;
  core.eflags = IF | 0x47;
  core.i32[(L.DR >> 2) + 7] = 0x4ff;
  for (const register of [0, 1, 2, 3, 5, 6, 7]) core.setGpr(register, 0x11111111 * register);
  task(system, { link: 0x77, data: SELECTOR.DATA3 });
  assert.equal(jump(system), undefined);
  assert.equal(system.peek32(TSS + 0x20), 0x5002);
  assert.equal(system.peek32(TSS + 0x24), IF | 0x47);
  for (let i = 0; i < 8; i++) {
    assert.equal(system.peek32(TSS + 0x28 + 4 * i), i === 4 ? 0x8000 : 0x11111111 * i);
    assert.equal(core.gpr(i), i === 4 ? OTHER_STACK : 0x1110 + i);
  }
  const saved = [0, 1, 2, 3, 4, 5].map((i) => system.peek32(TSS + 0x48 + 4 * i));
  const { DATA0, CODE0 } = SELECTOR;
  assert.deepEqual(saved, [DATA0, CODE0, DATA0, DATA0, DATA0, DATA0]);
  assert.equal(core.eip, ENTRY);
  assert.equal(core.eflags, 2);
  assert.equal(core.selector(L.TR), OTHER);
  assert.equal(core.segmentBase(L.TR), OTHER_TSS);
  assert.equal(core.segmentAttributes(L.TR) & 0xff, 0x8b);
  assert.equal(core.selector(L.LDTR), 0);
  assert.deepEqual([core.selector(L.ES), core.selector(L.GS)], [SELECTOR.DATA3, SELECTOR.DATA3]);
  assert.equal(core.cr0 & 8, 8);
  assert.equal(core.i32[(L.DR >> 2) + 7], 0x4aa);
  assert.deepEqual([busy(system, SELECTOR.TSS), busy(system, OTHER)], [false, true]);
  assert.equal(word(system, OTHER_TSS), 0x77);
});

Deno.test("CALL nests: both busy, link and NT; IRET goes back and clears NT in the image it saves", () => {
  const system = new TestSystem();
  const { core } = system;
  task(system);
  assert.equal(call(system), undefined);
  assert.deepEqual([busy(system, SELECTOR.TSS), busy(system, OTHER)], [true, true]);
  assert.equal(word(system, OTHER_TSS), SELECTOR.TSS);
  assert.equal(core.eflags, NT | 2);
  assert.equal(system.execute("iret", {}), undefined);
  assert.deepEqual([busy(system, SELECTOR.TSS), busy(system, OTHER)], [true, false]);
  assert.equal(core.eip, 0x5002);
  assert.equal(core.eflags, 2);
  assert.equal(core.selector(L.TR), SELECTOR.TSS);
  assert.equal(core.selector(L.LDTR), 0);
  // Behind the IRET.
  assert.equal(system.peek32(OTHER_TSS + 0x20), ENTRY + 2);
  assert.equal(system.peek32(OTHER_TSS + 0x24), 2);
});

Deno.test("a 16-bit TSS keeps words: no FS and GS, CR3 and the upper flags stay out of it", () => {
  const system = new TestSystem();
  const { core } = system;
  system.enablePaging();
  task(system, { wide: false, eip: 0x6000, eflags: 0x46 });
  core.eflags = 0x240002;
  assert.equal(call(system), undefined);
  assert.equal(core.eip, 0x6000);
  assert.equal(core.eflags, NT | 0x46);
  assert.equal(core.i32[L.CR3 >> 2], 0x10000);
  assert.deepEqual([core.selector(L.FS), core.selector(L.GS)], [0, 0]);
  assert.equal(core.gpr(3), 0x1113);
  assert.equal(core.gpr(4), OTHER_STACK);
  core.setGpr(3, 0x12345678);
  // IRET back into the 32-bit task, whose CR3 is 0 in its TSS.
  system.poke32(TSS + 0x1c, 0x10000);
  assert.equal(system.execute("iret", {}), undefined);
  assert.equal(core.eflags, 0x240002);
  assert.equal(word(system, OTHER_TSS + 0x12 + 6), 0x5678);
  assert.equal(word(system, OTHER_TSS + 0x0e), 0x6002);
});

Deno.test("an event through a task gate pushes the error code on the new task's stack", () => {
  for (const wide of [true, false]) {
    const system = new TestSystem();
    const { core } = system;
    task(system, { wide, eip: 0x6000 });
    system.interruptGate(13, { selector: OTHER, offset: 0, access: TASK_GATE });
    assert.equal(core.events.deliver(core.fault.set(13, 0x1234)), true);
    assert.equal(core.gpr(4), OTHER_STACK - (wide ? 4 : 2));
    assert.equal(word(system, core.gpr(4)), 0x1234);
    assert.equal(system.peek32(TSS + 0x20), 0x5000);
    assert.equal(core.eflags & NT, NT);
    assert.equal(word(system, OTHER_TSS), SELECTOR.TSS);
  }
});

Deno.test("#DF goes through a task gate when nothing else can be delivered, error code 0", () => {
  const system = new TestSystem();
  const { core } = system;
  task(system);
  system.interruptGate(8, { selector: OTHER, offset: 0, access: TASK_GATE });
  // The stack is of no use, #GP's gate neither.
  core.setSegment(L.SS, 0, 0, 0, 0);
  system.interruptGate(13, { selector: SELECTOR.CODE0, offset: ENTRY, access: 0x8e });
  assert.equal(core.events.deliver(core.fault.set(13, 0x18)), true);
  assert.equal(core.eip, ENTRY);
  assert.deepEqual(system.stack(1), [0]);
  assert.equal(system.peek32(TSS + 0x20), 0x5000);
});

Deno.test("INT n needs the task gate's DPL, an exception does not; the target is checked with EXT", () => {
  const system = new TestSystem();
  const { core } = system;
  const int = () => system.execute("int", { immediate: 0x40 });
  system.segments(3);
  task(system, { cs: SELECTOR.CODE3, ss: SELECTOR.DATA3, data: SELECTOR.DATA3 });
  system.interruptGate(0x40, { selector: OTHER, offset: 0, access: TASK_GATE });
  assert.deepEqual(int(), fault(VECTOR.GP, 0x202));
  system.interruptGate(0x40, { selector: OTHER | 4, offset: 0, access: 0xe5 });
  assert.deepEqual(int(), fault(VECTOR.GP, OTHER | 4));
  system.interruptGate(0x40, { selector: 0, offset: 0, access: 0xe5 });
  assert.deepEqual(int(), fault(VECTOR.GP, 0));
  system.interruptGate(0x40, { selector: OTHER, offset: 0, access: 0x65 });
  assert.deepEqual(int(), fault(VECTOR.NP, 0x202));
  system.interruptGate(0x40, { selector: OTHER, offset: 0, access: 0xe5 });
  for (
    const [access, vector] of [[0x8b, VECTOR.GP], [0x09, VECTOR.NP], [0x82, VECTOR.GP]] as const
  ) {
    task(system, { access });
    assert.deepEqual(int(), fault(vector, OTHER));
  }
  task(system, { limit: 0x66 });
  assert.deepEqual(int(), fault(VECTOR.TS, OTHER));
  // The same of an exception, with EXT, and delivered in turn.
  system.interruptGate(6, { selector: OTHER, offset: 0, access: TASK_GATE });
  system.interruptGate(10, { selector: SELECTOR.CODE0, offset: ENTRY, access: 0x8e });
  assert.equal(core.events.deliver(core.fault.set(6)), true);
  assert.deepEqual(system.stack(2), [OTHER | 1, 0x5000]);
});

Deno.test("JMP and CALL check DPL against CPL and RPL, then busy, presence and limit", () => {
  const system = new TestSystem();
  task(system);
  assert.deepEqual(jump(system, OTHER | 1), fault(VECTOR.GP, OTHER));
  task(system, { access: 0x8b });
  assert.deepEqual(call(system), fault(VECTOR.GP, OTHER));
  task(system, { access: 0x09 });
  assert.deepEqual(call(system), fault(VECTOR.NP, OTHER));
  task(system, { limit: 0x66 });
  assert.deepEqual(jump(system), fault(VECTOR.TS, OTHER));
  task(system, { wide: false, limit: 0x2a });
  assert.deepEqual(jump(system), fault(VECTOR.TS, OTHER));
  task(system);
  system.core.setSegment(L.TR, SELECTOR.TSS, TSS, 0x5c, 0x8b);
  assert.deepEqual(jump(system), fault(VECTOR.TS, SELECTOR.TSS));
  system.core.setSegment(L.TR, SELECTOR.TSS, TSS, 0x5d, 0x8b);
  // A task gate, also in the LDT, has the privilege; the TSS's own DPL does not count.
  system.gate(GDT + GATE, { selector: OTHER, offset: 0, access: 0x05 });
  assert.deepEqual(jump(system, GATE), fault(VECTOR.NP, GATE));
  system.gate(GDT + GATE, { selector: OTHER, offset: 0, access: TASK_GATE });
  assert.deepEqual(jump(system, GATE | 3), fault(VECTOR.GP, GATE));
  system.gate(0x3000 + 8, { selector: OTHER, offset: 0, access: 0xe5 });
  assert.equal(jump(system, 0x0f), undefined);
  assert.equal(system.core.selector(L.TR), OTHER);
});

Deno.test("a page fault before the commit point leaves the old task as it was", () => {
  // The new TSS is not there; the old one, then the GDT is read-only.
  const NEW_TSS = 0x14400;
  const cases = [[NEW_TSS, 0, 0, NEW_TSS + 0x1c], [TSS, TSS | 1, 3, TSS + 0x20], [
    GDT,
    GDT | 1,
    3,
    GDT + OTHER + 4,
  ]] as const;
  for (const [page, entry, code, address] of cases) {
    const system = new TestSystem();
    const { core } = system;
    task(system);
    system.descriptor(OTHER, { access: 0x89, base: NEW_TSS, limit: 0x67, flags: 0 });
    for (let i = 0; i < 0x68; i += 4) system.poke32(NEW_TSS + i, system.peek32(OTHER_TSS + i));
    system.enablePaging();
    core.i32[L.CR0 >> 2] = 0x80010011 | 0;
    system.memory.flush();
    system.mapPage(page, entry);
    assert.deepEqual(call(system), fault(VECTOR.PF, code, address));
    assert.equal(core.fault.trap, false);
    assert.equal(core.eip, 0x5000);
    assert.equal(core.selector(L.TR), SELECTOR.TSS);
    assert.equal(core.cr0 & 8, 0);
    assert.equal(core.eflags, 2);
    assert.equal(busy(system, OTHER), false);
    assert.equal(system.peek32(TSS + 0x20), 0);
    assert.equal(system.peek32(NEW_TSS), 0);
  }
});

Deno.test("behind the commit point the new task faults: #TS, #NP, #SS with its selectors", () => {
  const bad: readonly [Task, number, number][] = [
    [{ ldt: SELECTOR.DATA0 }, VECTOR.TS, SELECTOR.DATA0],
    [{ ldt: 0x0c }, VECTOR.TS, 0x0c],
    [{ ldt: 0x208 }, VECTOR.TS, 0x208],
    [{ cs: 0 }, VECTOR.TS, 0],
    [{ cs: SELECTOR.DATA0 }, VECTOR.TS, SELECTOR.DATA0],
    [{ cs: SELECTOR.CODE0 | 3 }, VECTOR.TS, SELECTOR.CODE0],
    [{ cs: SELECTOR.FREE }, VECTOR.NP, SELECTOR.FREE],
    [{ ss: 0 }, VECTOR.TS, 0],
    [{ ss: SELECTOR.DATA3 }, VECTOR.TS, SELECTOR.DATA3 & ~3],
    [{ ss: SELECTOR.CODE0 }, VECTOR.TS, SELECTOR.CODE0],
    [{ ss: 0x60 }, VECTOR.SS, 0x60],
    [{ data: 0x208 }, VECTOR.TS, 0x208],
    [{ data: SELECTOR.DATA0 | 1 }, VECTOR.TS, SELECTOR.DATA0],
    [{ data: 0x60 }, VECTOR.NP, 0x60],
  ];
  for (const [options, vector, error] of bad) {
    const system = new TestSystem();
    const { core } = system;
    system.descriptor(SELECTOR.FREE, { access: ACCESS.CODE0 & ~0x80 });
    system.descriptor(0x60, { access: ACCESS.DATA0 & ~0x80 });
    task(system, options);
    assert.deepEqual(jump(system), fault(vector, error));
    assert.equal(core.fault.trap, true);
    assert.equal(core.selector(L.TR), OTHER);
    assert.deepEqual([busy(system, SELECTOR.TSS), busy(system, OTHER)], [false, true]);
    assert.equal(core.gpr(0), 0x1110);
    // Not reached: unusable.
    if (options.ss !== undefined) assert.equal(core.segmentAttributes(L.DS), 0);
  }
});

Deno.test("a fault behind the commit point of an event is delivered in the new task, with EXT", () => {
  const system = new TestSystem();
  const { core } = system;
  task(system, { data: 0x208 });
  system.interruptGate(0x20, { selector: OTHER, offset: 0, access: TASK_GATE });
  system.interruptGate(10, { selector: SELECTOR.CODE0, offset: 0x7000, access: 0x8e });
  assert.equal(core.events.interrupt(0x20), true);
  assert.equal(core.eip, 0x7000);
  assert.deepEqual(system.stack(3), [0x209, ENTRY, SELECTOR.CODE0]);
  assert.equal(core.selector(L.TR), OTHER);
});

Deno.test("the T bit makes #DB with DR6.BT due before the new task's first instruction", () => {
  const system = new TestSystem();
  const { core } = system;
  task(system, { trap: true });
  assert.equal(jump(system), undefined);
  assert.equal(core.debug.pending, 0x8000);
  assert.equal(core.selector(L.TR), OTHER);
  assert.equal(core.selector(L.DS), SELECTOR.DATA0);
});

Deno.test("IRET with NT wants a busy TSS of the GDT in the link: else #TS", () => {
  const linked = (link: number) => {
    const system = new TestSystem();
    task(system);
    system.core.eflags = NT | 2;
    system.poke32(TSS, link);
    return system.execute("iret", {});
  };
  assert.deepEqual(linked(OTHER), fault(VECTOR.TS, OTHER));
  assert.deepEqual(linked(0), fault(VECTOR.TS, 0));
  assert.deepEqual(linked(OTHER | 4), fault(VECTOR.TS, OTHER | 4));
  assert.deepEqual(linked(0x208), fault(VECTOR.TS, 0x208));
  assert.deepEqual(linked(SELECTOR.DATA0), fault(VECTOR.TS, SELECTOR.DATA0));
  const system = new TestSystem();
  task(system, { access: 0x0b });
  system.core.eflags = NT | 2;
  system.poke32(TSS, OTHER);
  assert.deepEqual(system.execute("iret", {}), fault(VECTOR.NP, OTHER));
});

Deno.test("a task whose EFLAGS have VM starts in virtual-8086 mode, also as an event's handler", () => {
  const system = new TestSystem();
  const { core } = system;
  task(system, { eflags: VM | 2, cs: 0x1234, ss: 0x2000, data: 0x3000, eip: 0x10 });
  system.interruptGate(13, { selector: OTHER, offset: 0, access: TASK_GATE });
  assert.equal(core.events.deliver(core.fault.set(13, 0x55)), true);
  assert.equal(core.vm86, true);
  assert.equal(core.cpl, 3);
  assert.deepEqual([core.segmentBase(L.CS), core.segmentBase(L.DS)], [0x12340, 0x30000]);
  assert.equal(core.segmentLimit(L.GS), 0xffff);
  assert.equal(system.peek32(0x20000 + OTHER_STACK - 4), 0x55);
});

Deno.test("a new task's CR3 and LDT are loaded before its segments", () => {
  const system = new TestSystem();
  const { core } = system;
  system.enablePaging();
  // Another directory of the same table.
  system.poke32(0x13000, 0x11007);
  system.descriptor(SELECTOR.LDT, { access: 0x82, base: 0x3000, limit: 0xff, flags: 0 });
  system.descriptor(0x0c, { access: ACCESS.DATA0, base: 0x100 });
  task(system, { ldt: SELECTOR.LDT, data: 0x0c });
  system.poke32(OTHER_TSS + 0x1c, 0x13000);
  assert.equal(jump(system), undefined);
  assert.equal(core.i32[L.CR3 >> 2], 0x13000);
  assert.equal(core.selector(L.LDTR), SELECTOR.LDT);
  assert.equal(core.segmentBase(L.FS), 0x100);
});
