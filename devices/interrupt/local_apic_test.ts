import assert from "node:assert/strict";
import { Wire } from "../bus/wire.ts";
import { FakeClock } from "../testing/fake_clock.ts";
import { DELIVERY } from "./apic_message.ts";
import { LocalApic } from "./local_apic.ts";

const [ID, VERSION, TPR, PPR, EOI, LDR, DFR, SVR] = [
  0x20,
  0x30,
  0x80,
  0xa0,
  0xb0,
  0xd0,
  0xe0,
  0xf0,
];
const [ISR, TMR, IRR, ESR, ICR, ICR_HIGH] = [0x100, 0x180, 0x200, 0x280, 0x300, 0x310];
const [TIMER, LINT0, LINT1, LVT_ERROR] = [0x320, 0x350, 0x360, 0x370];
const [INITIAL, CURRENT, DIVIDE] = [0x380, 0x390, 0x3e0];

function apic(options: { entries?: 4 | 5 | 6; enabled?: boolean } = {}) {
  const time = new FakeClock();
  const told: string[] = [];
  const ended: number[] = [];
  const intr = new Wire();
  const bases: (number | undefined)[] = [];
  const chip = new LocalApic({
    clock: time.clock,
    intr,
    nmi: () => told.push("nmi"),
    init: () => told.push("init"),
    acknowledgeExternal: () => 0x08,
    endOfInterrupt: (vector) => ended.push(vector),
    ready: () => told.push("ready"),
    moved: (base) => bases.push(base),
    ...(options.entries === undefined ? {} : { entries: options.entries }),
  });
  const write = (register: number, value: number): void => chip.write(register, 4, value);
  const read = (register: number): number => chip.read(register, 4);
  if (options.enabled !== false) write(SVR, 0x1ff);
  const send = (vector: number, level = false): boolean =>
    chip.accept({ destination: 0, logical: false, mode: DELIVERY.FIXED, vector, level });
  return { time, told, ended, intr, bases, chip, write, read, send };
}

Deno.test("local APIC after RESET is at FEE00000h, software-disabled, all its vectors masked", () => {
  const { bases, read, send, intr } = apic({ enabled: false });
  assert.deepEqual(bases, [0xfee00000]);
  assert.equal(read(SVR), 0xff);
  assert.equal(read(DFR), 0xffffffff);
  for (const entry of [TIMER, 0x340, LINT0, LINT1, LVT_ERROR]) assert.equal(read(entry), 0x10000);
  assert.ok(!send(0x40), "nothing is accepted");
  assert.ok(!intr.level);
});

Deno.test("local APIC keeps its entries masked while it is disabled by software", () => {
  const { read, write } = apic({ enabled: false });
  write(LINT0, 0x700);
  assert.equal(read(LINT0), 0x10700);
  write(SVR, 0x1ff);
  write(LINT0, 0x700);
  assert.equal(read(LINT0), 0x700);
  write(SVR, 0xff);
  assert.equal(read(LINT0), 0x10700);
});

Deno.test("local APIC's version tells how many local vectors the model has", () => {
  assert.equal(apic({ entries: 4 }).read(VERSION), 0x00030011);
  assert.equal(apic().read(VERSION), 0x00040011);
  assert.equal(apic({ entries: 6 }).read(VERSION), 0x00050014);
  const p6 = apic();
  p6.write(0x330, 0x40);
  assert.equal(p6.read(0x330), 0, "no thermal sensor before the Pentium 4");
  p6.write(ESR, 0);
  assert.equal(p6.read(ESR) & 0x80, 0x80, "illegal register");
  const p4 = apic({ entries: 6 });
  p4.write(0x330, 0x40);
  assert.equal(p4.read(0x330), 0x40);
});

Deno.test("local APIC gives vectors by priority class and nests higher ones", () => {
  const { send, intr, chip, read, write } = apic();
  for (const vector of [0x41, 0x62, 0x45]) assert.ok(send(vector));
  assert.ok(intr.level);
  assert.equal(chip.acknowledge(), 0x62);
  assert.equal(read(PPR), 0x60);
  assert.equal(read(ISR + 0x30), 4);
  assert.ok(!intr.level, "classes below stay out");
  send(0x63);
  assert.ok(!intr.level, "and the same class");
  send(0x71);
  assert.ok(intr.level);
  assert.equal(chip.acknowledge(), 0x71);
  write(EOI, 0);
  assert.equal(read(PPR), 0x60);
  write(EOI, 0);
  assert.equal(chip.acknowledge(), 0x63);
  write(EOI, 0);
  assert.equal(chip.acknowledge(), 0x45, "the higher vector of a class first");
  write(EOI, 0);
  assert.equal(chip.acknowledge(), 0x41);
  assert.equal(read(IRR + 0x20), 0);
});

Deno.test("local APIC's task priority keeps classes out, and shows in PPR with its low bits", () => {
  const { send, intr, chip, read, write } = apic();
  write(TPR, 0x4f);
  assert.equal(read(PPR), 0x4f);
  send(0x4f);
  assert.ok(!intr.level);
  send(0x50);
  assert.ok(intr.level);
  write(TPR, 0x50);
  assert.ok(!intr.level);
  assert.equal(chip.acknowledge(), 0xff, "spurious: no in-service bit");
  assert.equal(read(ISR + 0x20), 0);
  write(TPR, 0);
  assert.equal(chip.acknowledge(), 0x50);
});

Deno.test("local APIC tells the end of level-triggered interrupts only", () => {
  const { send, chip, ended, read, write } = apic();
  send(0x51, true);
  assert.equal(read(TMR + 0x20), 0x20000);
  chip.acknowledge();
  write(EOI, 0);
  assert.deepEqual(ended, [0x51]);
  send(0x51);
  assert.equal(read(TMR + 0x20), 0);
  chip.acknowledge();
  write(EOI, 0);
  write(EOI, 0); // nothing in service: nothing happens
  assert.deepEqual(ended, [0x51]);
});

Deno.test("local APIC passes the 8259A's interrupts through LINT0 in mode ExtINT", () => {
  const { chip, intr, read, write } = apic();
  chip.setPin(0, true);
  assert.ok(!intr.level, "masked");
  write(LINT0, 0x8700);
  assert.ok(intr.level);
  assert.equal(chip.acknowledge(), 0x08);
  assert.deepEqual([read(ISR), read(IRR)], [0, 0]);
  write(LINT0, 0x18700);
  assert.ok(!intr.level);
  write(LINT0, 0x8700);
  chip.setPin(0, false);
  assert.ok(!intr.level);
});

Deno.test("local APIC takes its own interrupt before an external one", () => {
  const { chip, send, write } = apic();
  write(LINT0, 0x700);
  chip.setPin(0, true);
  send(0x30);
  assert.equal(chip.acknowledge(), 0x30);
  assert.equal(chip.acknowledge(), 0x08);
});

Deno.test("local APIC's LINT1 is NMI, its LINT0 a vector, when the entries say so", () => {
  const { chip, told, write, read } = apic();
  told.length = 0;
  write(LINT1, 0x400);
  chip.setPin(1, true);
  chip.setPin(1, true);
  assert.deepEqual(told, ["nmi"]);
  write(LINT0, 0x31);
  chip.setPin(0, true);
  assert.equal(chip.acknowledge(), 0x31);
  chip.setPin(0, false);
  write(EOI, 0);
  write(LINT0, 0x8032); // level
  chip.setPin(0, true);
  assert.equal(read(LINT0), 0xc032, "remote IRR");
  assert.equal(chip.acknowledge(), 0x32);
  write(EOI, 0);
  assert.equal(chip.acknowledge(), 0x32, "still active: again");
  chip.setPin(0, false);
  write(EOI, 0);
  assert.equal(read(LINT0), 0x8032);
});

Deno.test("local APIC disabled by its MSR leaves the pins INTR and NMI", () => {
  const { chip, intr, told, bases, send, read } = apic();
  told.length = 0;
  chip.setBase(0xfee00100);
  assert.deepEqual(bases, [0xfee00000, undefined]);
  chip.setPin(0, true);
  assert.ok(intr.level);
  assert.equal(chip.acknowledge(), 0x08);
  chip.setPin(1, true);
  assert.deepEqual(told, ["nmi"]);
  assert.ok(!send(0x40));
  chip.setBase(0xfec10900);
  assert.deepEqual(bases.slice(2), [0xfec10000]);
  assert.equal(read(SVR), 0xff, "as after RESET");
  assert.ok(!intr.level, "LINT0 is masked again");
});

Deno.test("local APIC timer counts once, divided, and stands at zero", () => {
  const { time, chip, intr, read, write } = apic();
  write(DIVIDE, 0x3); // by 16
  write(TIMER, 0x40);
  write(INITIAL, 100);
  assert.equal(read(CURRENT), 100);
  time.pass(8000);
  assert.equal(read(CURRENT), 50);
  time.pass(7990);
  assert.ok(!intr.level);
  time.pass(10);
  assert.equal(chip.acknowledge(), 0x40);
  write(EOI, 0);
  time.pass(1_000_000);
  assert.ok(!intr.level);
  assert.equal(read(CURRENT), 0);
  assert.equal(read(INITIAL), 100);
});

Deno.test("local APIC timer in periodic mode goes on, also through what nobody hears", () => {
  const { time, chip, intr, read, write } = apic();
  write(DIVIDE, 0xb); // by 1
  write(TIMER, 0x20041);
  write(INITIAL, 1000);
  for (let tick = 0; tick < 3; tick++) {
    time.pass(10_000);
    assert.equal(chip.acknowledge(), 0x41);
    write(EOI, 0);
  }
  write(TIMER, 0x30041);
  time.pass(25_000);
  assert.ok(!intr.level);
  assert.equal(read(CURRENT), 500);
  write(TIMER, 0x20041);
  time.pass(5000);
  assert.equal(chip.acknowledge(), 0x41);
  write(INITIAL, 0);
  assert.equal(read(CURRENT), 0);
});

Deno.test("local APIC timer's divisors", () => {
  const { time, read, write } = apic();
  const divisors = [[0, 2], [1, 4], [2, 8], [3, 16], [8, 32], [9, 64], [10, 128], [11, 1]] as const;
  for (const [code, divisor] of divisors) {
    write(DIVIDE, code);
    write(INITIAL, 1000);
    time.pass(100 * divisor * 10);
    assert.equal(read(CURRENT), 900, `by ${divisor}`);
  }
});

Deno.test("local APIC sends interrupts to itself by shorthand, ID and logical address", () => {
  const { chip, read, write, told } = apic();
  told.length = 0;
  write(ICR, 0x40050); // self
  assert.equal(chip.acknowledge(), 0x50);
  write(ICR, 0x80061); // all including self
  assert.equal(chip.acknowledge(), 0x61);
  write(ICR_HIGH, 0);
  write(ICR, 0x72);
  assert.equal(chip.acknowledge(), 0x72);
  write(LDR, 0x02000000);
  write(ICR_HIGH, 0x03000000);
  write(ICR, 0x883); // logical, flat
  assert.equal(chip.acknowledge(), 0x83);
  write(DFR, 0x0fffffff); // clusters
  write(LDR, 0x12000000);
  write(ICR_HIGH, 0x13000000);
  write(ICR, 0x894);
  assert.equal(chip.acknowledge(), 0x94);
  write(ICR_HIGH, 0x23000000);
  write(ICR, 0x8a5);
  assert.equal(chip.acknowledge(), 0xff);
  write(ICR_HIGH, 0);
  write(ICR, 0x400);
  assert.deepEqual(told, ["nmi"]);
  assert.equal(read(ICR) & 0x1000, 0, "delivery is always done");
});

Deno.test("local APIC alone: INIT and start-up for others wake no one, and what no one takes is an error", () => {
  const { read, write, told, intr } = apic();
  told.length = 0;
  write(ICR, 0xc4500); // INIT to all others
  write(ICR, 0xc4608); // start-up
  write(ICR_HIGH, 0x01000000);
  write(ICR, 0x8500); // INIT level de-assert
  write(ESR, 0);
  assert.equal(read(ESR), 0);
  write(ICR, 0x4040);
  write(ESR, 0);
  assert.equal(read(ESR), 0x04);
  write(ESR, 0);
  assert.equal(read(ESR), 0);
  assert.deepEqual(told, []);
  assert.ok(!intr.level);
});

Deno.test("local APIC's errors set ESR and raise the error vector", () => {
  const { chip, read, write, send } = apic();
  write(LVT_ERROR, 0xfe);
  write(ICR, 0x4000f); // vector 15
  assert.equal(read(ESR), 0, "latched by a write only");
  write(ESR, 0);
  assert.equal(read(ESR), 0x20);
  assert.equal(chip.acknowledge(), 0xfe);
  write(EOI, 0);
  send(0x0f);
  read(0x3f0); // no register
  write(ESR, 0);
  assert.equal(read(ESR), 0xc0);
  assert.equal(chip.acknowledge(), 0xfe);
});

Deno.test("local APIC's registers are doublewords: smaller reads see bytes, smaller writes nothing", () => {
  const { chip, read, write } = apic();
  write(ID, 0xff000000);
  assert.equal(read(ID), 0x0f000000);
  assert.equal(chip.read(ID + 3, 1), 0x0f);
  assert.equal(chip.read(SVR, 2), 0x1ff);
  chip.write(TPR, 1, 0x40);
  assert.equal(read(TPR), 0);
  write(SVR, 0x3f0);
  assert.equal(read(SVR), 0x3ff, "the low bits of the spurious vector are ones in the P6");
});

Deno.test("local APIC's timer goes on in another machine from a saved state", () => {
  const { chip, time, write } = apic();
  write(TIMER, 0x20041);
  write(DIVIDE, 0xb);
  write(INITIAL, 1000);
  time.pass(4000);
  const other = apic();
  other.time.pass(4000);
  other.chip.restore(chip.save());
  assert.equal(other.read(CURRENT), 600);
  other.time.pass(6000);
  assert.equal(other.chip.acknowledge(), 0x41);
});
