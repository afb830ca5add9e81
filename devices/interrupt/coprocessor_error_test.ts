/**
 * The coprocessor's error latch, alone and between the processor and the interrupt controller of a machine.
 * @module
 */
import assert from "node:assert/strict";
import { Wire } from "../bus/wire.ts";
import { Machine } from "../pc/machine.ts";
import { CoprocessorError } from "./coprocessor_error.ts";

Deno.test("port F0h clears the coprocessor's error latch, port F1h does not", () => {
  const irq = new Wire();
  const latch = new CoprocessorError({ irq });
  latch.signal();
  assert.equal(irq.level, true);
  latch.write(1, 1, 0);
  assert.equal(irq.level, true);
  const other = new CoprocessorError({ irq: new Wire() });
  other.restore(latch.save());
  assert.deepEqual(other.save(), latch.save());
  latch.write(0, 1, 0);
  assert.equal(irq.level, false);
  latch.signal();
  latch.reset();
  assert.equal(irq.level, false);
});

Deno.test("a pending x87 error raises IRQ 13 when CR0.NE is clear", () => {
  const machine = new Machine({ ramBytes: 1 << 20 });
  const { cpu } = machine;
  // In real mode after reset, at 0000:1000 instead of the ROM.
  // deno-fmt-ignore
  const code = [
    0xdb, 0xe3, // fninit
    0xc7, 0x06, 0x00, 0x20, 0x7b, 0x03, // mov word [2000h], 037Bh
    0xd9, 0x2e, 0x00, 0x20, // fldcw [2000h]
    0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, // fld1; fldz; fdivp
    0x9b, // fwait
    0xf4, // hlt
  ];
  cpu.memory.write(0x1000, new Uint8Array(code));
  for (const [name, value] of [["cs", 0], ["eip", 0x1000]] as const) cpu.registers.set(name, value);
  // Request register of the slave, bit 5 (IRQ 13): read after OCW3.
  const requested = (): number => {
    machine.board.ports.write(0xa0, 1, 0x0a);
    return machine.board.ports.read(0xa0, 1) & 0x20;
  };
  assert.equal(requested(), 0);
  // The board's timers stop the processor now and then.
  let reason = cpu.run(1000);
  for (let i = 0; reason === "stopped" && i < 10; i++) reason = cpu.run(1000);
  assert.equal(reason, "halted");
  assert.equal(requested(), 0x20);
  machine.board.ports.write(0xf0, 1, 0);
  assert.equal(requested(), 0);
});
