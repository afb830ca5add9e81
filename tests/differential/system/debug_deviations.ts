/**
 * Known differences of QEMU 7.2's TCG in the scenarios of debug registers.
 * @module
 */
import { type Deviation, differsBy, field, without } from "./deviation.ts";

/** Bytes that the scenarios' instructions access, and whether they write. */
const ACCESSES: Readonly<Record<string, readonly [bytes: number, writes: boolean]>> = {
  read1: [1, false],
  read2: [2, false],
  read4: [4, false],
  write1: [1, true],
  write2: [2, true],
  write4: [4, true],
  modify: [4, true],
  compare: [4, false],
  push: [4, false],
  pop: [4, true],
  wide: [8, false],
  "wide store": [8, true],
};
const PORT_BYTES: Readonly<Record<string, number>> = { out: 1, outl: 4, outsb: 1 };

/** SDM vol. 3A §17.2.5: the LEN field masks the address, and any byte in common is a match. */
function overlaps(place: number, length: number, first: number, bytes: number): boolean {
  const start = place & ~length;
  return first <= start + length && first + bytes > start;
}
/** DR6.B0 of our line of a data breakpoint is what the manual says; undefined for other lines. */
function dataIsRight(ours: string): boolean | undefined {
  const match = /^debug ([a-z]+[124]?(?: store)?) [03] ([13])0([013]) (\w+) /.exec(ours);
  const access = ACCESSES[match?.[1] ?? ""];
  if (match === null || access === undefined) return undefined;
  const [bytes, writes] = access;
  const where = parseInt(match[4] as string, 16);
  const hit = (match[2] === "3" || writes) &&
    overlaps(where & 0xff, Number(match[3]), where >> 8, bytes);
  return (field(ours, "dr6") & 15) === (hit ? 1 : 0) && field(ours, "v") === (hit ? 1 : 0x30);
}
/** The same of a port breakpoint; OUTS stops behind its first element. */
function portIsRight(ours: string): boolean | undefined {
  const match = /^debug (out|outl|outsb) 0 ([01]) (\w+) /.exec(ours);
  if (match === null) return undefined;
  const name = match[1] as string;
  const where = parseInt(match[3] as string, 16);
  const hit = match[2] === "1" &&
    overlaps(where >> 4, where & 15, 0x80, PORT_BYTES[name] as number);
  return (field(ours, "dr6") & 15) === (hit ? 1 : 0) && field(ours, "v") === (hit ? 1 : 0x30) &&
    (name !== "outsb" || field(ours, "c") === (hit ? 2 : 0));
}

/** Known differences in lines that begin with "debug". */
export const DEBUG_DEVIATIONS: readonly Deviation[] = [
  {
    reason:
      "QEMU takes a breakpoint's address as it is, and widens accesses across words; SDM vol. 3A §17.2.5",
    explains: (ours) => dataIsRight(ours) === true,
  },
  {
    reason:
      "QEMU matches ports without CR4.DE, does not mask their address, and stops OUTS half-way; SDM vol. 3A §17.2.4",
    explains: (ours) => portIsRight(ours) === true,
  },
  {
    reason: "QEMU looks at code breakpoints behind MOV SS; SDM vol. 3A §6.8.3",
    explains: (ours, qemu) =>
      /^debug ss [03] [1-8] 0 /.test(ours) && field(ours, "v") === 0x30 && field(qemu, "v") === 1,
  },
  {
    reason: "QEMU does not set RF in the image of a fault; SDM vol. 3A §17.3.1.1",
    explains: (ours, qemu) =>
      /^debug (fault|get|get6|set) /.test(ours) && differsBy(ours, qemu, "rf", 1) &&
      field(ours, "rf") === 1,
  },
  {
    reason: "QEMU keeps RF behind the instruction; SDM vol. 3A §17.3.1.1: cleared by its success",
    explains: (ours, qemu) =>
      /^debug resume/.test(ours) && differsBy(ours, qemu, "rf", 1) && field(ours, "rf") === 0,
  },
  {
    reason: "QEMU clears RF after one element of a repeated instruction; SDM vol. 3A §17.3.1.1",
    explains: (ours, qemu) =>
      /^debug resume string [03] \w+ 1 /.test(ours) && field(ours, "v") === 0x30 &&
      field(qemu, "v") === 1 && field(qemu, "c") === 7,
  },
  {
    reason: "QEMU stops at the first of two data breakpoints; SDM vol. 3A §17.2.3: all that match",
    explains: (ours, qemu) =>
      /^debug (stos|movs|pop ss|both|lods) /.test(ours) && (field(ours, "dr6") & 3) === 3 &&
      without(ours, "dr6") === without(qemu, "dr6"),
  },
  {
    reason: "QEMU does not have DR7.GD; SDM vol. 3A §17.2.4",
    explains: (ours, qemu) =>
      /^debug (get|get6|set) 0 1 /.test(ours) && field(ours, "v") === 1 &&
      (field(ours, "dr6") & 0x2000) !== 0 && field(qemu, "v") === 0x30,
  },
  {
    reason:
      "QEMU single-steps into the handler of the #DB that a data breakpoint raised too; SDM vol. 3A §17.3.1.4",
    explains: (ours, qemu) =>
      /^debug step 0 [23] /.test(ours) && (field(ours, "dr6") & 0x4002) === 0x4002 &&
      field(ours, "fl") === 0x102 && field(qemu, "fl") === 2,
  },
];
