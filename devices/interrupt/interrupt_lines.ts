/**
 * The board's interrupt lines: the 16 of ISA and the four of PCI, with any number of sources each, to the
 * 8259A pair and to the I/O APIC; and the PIIX3's router of PCI interrupts.
 *
 * A line is asserted while one of its sources asserts it. ISA lines go to the 8259A input and to the I/O APIC
 * pin of the same number, but for IRQ 0, which is at pin 2 (pin 0 is the 8259A's INT). PCI lines go to pins 16–19,
 * which are active low, and to the ISA line that the router has for them, active high.
 *
 * Sources: Intel 82371SB PIIX3 (290550) §2.2.10 "PIRQRC[A:D]"; 82093AA (290566) §2.4.
 *
 * @module
 */
import { Wire } from "../bus/wire.ts";
import type { IoApic } from "./io_apic.ts";
import type { PicPair } from "./pic_pair.ts";

const ISA_LINES = 16;
const PCI_LINES = 4;
/** I/O APIC pin of PIRQA. */
export const FIRST_PCI_PIN = 16;
/** I/O APIC pin of IRQ 0. */
export const TIMER_PIN = 2;
const CASCADE = 2;
/** PIRQRC: not routed. */
const ROUTE_OFF = 0x80;
/** ISA lines that a PCI interrupt can go to (PIIX3 §2.2.10: others are reserved). */
const ROUTABLE = 0xdef8;

/** A line that is asserted while one of its sources asserts it. */
export class SharedLine {
  readonly #receiver: (asserted: boolean) => void;
  #asserting = 0;

  /** `receiver` is told of every change. */
  constructor(receiver: (asserted: boolean) => void) {
    this.#receiver = receiver;
  }

  /** One more source. High is asserted. */
  source(): Wire {
    return new Wire((asserted) => {
      this.#asserting += asserted ? 1 : -1;
      if (this.#asserting === (asserted ? 1 : 0)) this.#receiver(asserted);
    });
  }

  /** Whether a source asserts it. */
  get asserted(): boolean {
    return this.#asserting > 0;
  }
}

/** A source that can be cut off from its line: the 8254 and the clock, where the HPET takes their places. */
export class Switch {
  /** What the source drives. */
  readonly input: Wire;
  readonly #output: Wire;
  #closed = true;

  /** A closed one. */
  constructor(output: Wire) {
    this.#output = output;
    this.input = new Wire((level) => {
      if (this.#closed) output.set(level);
    });
  }

  /** Whether the output follows the input; else it is low. */
  set closed(closed: boolean) {
    this.#closed = closed;
    this.#output.set(closed && this.input.level);
  }
}

/** All lines of the board. */
export class InterruptLines {
  readonly #isa: readonly SharedLine[];
  readonly #pci: readonly SharedLine[];
  /** For each PCI line its sources at the ISA lines. */
  readonly #routed: readonly (readonly Wire[])[];
  readonly #routes = new Array<number>(PCI_LINES).fill(ROUTE_OFF);

  /**
   * The wires of a board.
   *
   * @param options.ioApic none on a board without.
   */
  constructor(options: { pic: PicPair; ioApic: IoApic | undefined }) {
    const { pic, ioApic } = options;
    this.#isa = Array.from({ length: ISA_LINES }, (_, irq) => {
      const input = pic.input(irq);
      const pin = irq === 0 ? TIMER_PIN : irq;
      return new SharedLine((asserted) => {
        if (irq !== CASCADE) input.set(asserted);
        ioApic?.setPin(pin, asserted);
      });
    });
    this.#pci = Array.from({ length: PCI_LINES }, (_, line) =>
      new SharedLine((asserted) => {
        ioApic?.setPin(FIRST_PCI_PIN + line, !asserted);
        this.#drive(line);
      }));
    this.#routed = this.#pci.map(() => this.#isa.map((line) => line.source()));
  }

  /** A new source of ISA line `irq`, 0–15 but 2. */
  isa(irq: number): Wire {
    return (this.#isa[irq] as SharedLine).source();
  }

  /**
   * The interrupt pin of a PCI function, asserted by high. On this board device `n`'s INTA# is PIRQ(n − 1), and the
   * others follow in turn.
   *
   * @param pin 0 INTA# to 3 INTD#
   */
  pci(device: number, pin: number): Wire {
    return (this.#pci[(device + pin + PCI_LINES - 1) % PCI_LINES] as SharedLine).source();
  }

  /** The PIIX3's PIRQRC register of PCI line `line` (0–3: A–D) has a new value. */
  route(line: number, value: number): void {
    if (this.#routes[line] === value) return;
    this.#routes[line] = value;
    this.#drive(line);
  }

  #drive(line: number): void {
    const route = this.#routes[line] as number;
    const on = (route & ROUTE_OFF) === 0 && ((ROUTABLE >> (route & 15)) & 1) !== 0 &&
      (this.#pci[line] as SharedLine).asserted;
    this.#routed[line]?.forEach((wire, irq) => wire.set(on && irq === (route & 15)));
  }
}
