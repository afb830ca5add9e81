/**
 * What a known difference between QEMU and us is, and how lines of the probe are taken apart.
 * @module
 */

/** One known difference. */
export interface Deviation {
  /** What QEMU does, and what says otherwise. */
  readonly reason: string;
  /** True when the difference between the two lines is this one. */
  readonly explains: (ours: string, qemu: string) => boolean;
}

/** The value of `name=` in a line, or −1. */
export function field(line: string, name: string): number {
  const match = new RegExp(` ${name}=([0-9a-f]+)`).exec(line);
  return match === null ? -1 : parseInt(match[1] as string, 16);
}
/** The line without some fields. */
export function without(line: string, ...names: string[]): string {
  return names.reduce((text, name) => text.replace(new RegExp(` ${name}=[0-9a-f,]*`), ""), line);
}
/** Only `name` differs, and by exactly these bits. */
export function differsBy(ours: string, qemu: string, name: string, bits: number): boolean {
  return without(ours, name) === without(qemu, name) &&
    (field(ours, name) ^ field(qemu, name)) === bits;
}
