/**
 * Two 8259As as on every PC since the AT: 15 inputs, the slave at the master's input 2.
 *
 * @module
 */
import type { Device, Registers, Saved, Width } from "../bus/device.ts";
import { Wire } from "../bus/wire.ts";
import { I8259 } from "./i8259.ts";

const CASCADE = 2;

/** Master and slave. */
export class PicPair implements Device {
  /** Inputs 0 to 7. */
  readonly master: I8259;
  /** Inputs 8 to 15. */
  readonly slave: I8259;
  /** ELCR, two bytes: offset 0 the master's, 1 the slave's. */
  readonly elcr: Registers;

  /**
   * Both chips, wired.
   *
   * @param options.int the master's INT output, to the CPU's INTR.
   */
  constructor(options: { int: Wire }) {
    // IRQ 0, 1, 2, 8 and 13 are the board's own and stay edge-triggered.
    const master = new I8259({ int: options.int, elcrMask: 0xf8, cascadeInput: CASCADE });
    this.master = master;
    this.slave = new I8259({
      int: new Wire((high) => master.setInput(CASCADE, high)),
      elcrMask: 0xde,
    });
    const chips = [this.master, this.slave];
    this.elcr = {
      read: (offset: number): number => chips[offset & 1].elcr,
      write: (offset: number, _size: Width, value: number): void => {
        chips[offset & 1].elcr = value & 0xff;
      },
    };
  }

  /** The wire to input `irq`, 0–15 (2 is the cascade). */
  input(irq: number): Wire {
    const chip = irq < 8 ? this.master : this.slave;
    return new Wire((high) => chip.setInput(irq & 7, high));
  }

  /** The INTA cycles: the vector, 0–255. */
  acknowledge(): number {
    const level = this.master.acknowledge();
    if (level !== CASCADE || !this.master.cascaded) return this.master.vector(level);
    return this.slave.vector(this.slave.acknowledge());
  }

  reset(): void {
    this.slave.reset();
    this.master.reset();
  }

  save(): Saved {
    const fields = { master: this.master.save(), slave: this.slave.save() };
    return { device: "8259A pair", version: 1, fields };
  }

  restore(saved: Saved): void {
    const fields = saved.fields as { master?: Saved; slave?: Saved } | null | undefined;
    const { master, slave } = fields ?? {};
    if (saved.device !== "8259A pair" || saved.version !== 1 || !master || !slave) {
      throw new TypeError(`Cannot restore "8259A pair": the state is of "${saved.device}"`);
    }
    this.slave.restore(slave);
    this.master.restore(master);
  }
}
