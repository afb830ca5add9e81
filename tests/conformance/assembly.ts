/**
 * The smallest assembler that random programs need: bytes with references to labels.
 * @module
 */

/** A reference to a label: from behind itself, or absolute. */
export interface Reference {
  readonly label: string;
  readonly relative: boolean;
  /** Added to the address. */
  readonly plus: number;
  /** Bytes, 4 if not given. */
  readonly size?: 2;
}

/** An instruction or several, with a label in front. */
export interface Part {
  readonly label?: string;
  readonly code: readonly (number | Reference)[];
}

/** A jump's or call's operand. */
export function to(label: string): Reference {
  return { label, relative: true, plus: 0 };
}
/** An absolute address. */
export function at(label: string, plus = 0): Reference {
  return { label, relative: false, plus };
}

/** Places parts into memory. */
export class Assembly {
  readonly labels: Map<string, number> = new Map<string, number>();
  readonly #bytes: Uint8Array;
  readonly #open: { readonly where: number; readonly from: number; readonly to: Reference }[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  address(label: string): number {
    const address = this.labels.get(label);
    if (address === undefined) throw new RangeError(`no label ${label}`);
    return address;
  }
  /** Writes parts from an offset on, for the address if that is another; returns the end. */
  place(offset: number, parts: readonly Part[], address: number = offset): number {
    const delta = address - offset;
    let where = offset;
    for (const { label, code } of parts) {
      if (label !== undefined) this.labels.set(label, where + delta);
      for (const one of code) {
        if (typeof one === "number") this.#bytes[where++] = one;
        else {
          const size = one.size ?? 4;
          this.#open.push({ where, from: where + delta + size, to: one });
          where += size;
        }
      }
    }
    return where;
  }
  /** Fills in the references. */
  link(): void {
    const view = new DataView(this.#bytes.buffer);
    for (const { where, from, to } of this.#open) {
      const value = this.address(to.label) + to.plus - (to.relative ? from : 0);
      if (to.size === 2) view.setInt16(where, value, true);
      else view.setInt32(where, value, true);
    }
  }
}
