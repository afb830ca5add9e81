/**
 * What a VGA's CRT controller and attribute controller make of the memory: the picture as a monitor shows it, one
 * pixel a dot. So mode 13h is 640×400, and 80×25 characters of 9×16 dots are 720×400.
 *
 * Everything follows from the registers, not from mode numbers: the width of characters, doubled lines and dots,
 * addresses in bytes, words or doublewords, the row-scan bits in the address that CGA's modes have, split screen,
 * panning, two fonts of plane 2. What blinks is shown lit.
 *
 * Sources: IBM VGA Technical Reference (1992); FreeVGA "Accessing the VGA display memory", "VGA display generation".
 *
 * @module
 */

/** A picture: red, green, blue and alpha (always 255) of each pixel, row by row. */
export interface DisplayImage {
  /** Pixels a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** Four bytes a pixel. */
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
}

/** The registers that decide. */
export interface ScanRegisters {
  /** Sequencer registers, by index. */
  readonly sequencer: readonly number[];
  /** CRT controller registers, by index. */
  readonly crtc: readonly number[];
  /** Graphics controller registers, by index. */
  readonly graphics: readonly number[];
  /** Attribute controller registers, by index. */
  readonly attributes: readonly number[];
  /** Bit 5: the screen has the palette; while it is clear the picture is black. */
  readonly attributeIndex: number;
  /** Red, green and blue of each of 256 colours. */
  readonly dac: readonly number[];
  /** Mask over colour numbers. */
  readonly dacMask: number;
}

const PLANE_MASK = 0xffff;
const MOST_WIDTH = 2048;
const MOST_HEIGHT = 2048;

/** The colours as RGBA words of a little-endian host's picture. */
export function palette(registers: ScanRegisters, bits: 6 | 8): Uint32Array {
  const { dac, dacMask } = registers;
  const level = (value: number): number =>
    bits === 8 ? value & 0xff : ((value & 0x3f) << 2) | ((value & 0x3f) >> 4);
  return Uint32Array.from({ length: 256 }, (_, index) => {
    const at = (index & dacMask) * 3;
    const [red, green, blue] = [at, at + 1, at + 2].map((i) => level(dac[i] as number));
    return rgba(red as number, green as number, blue as number);
  });
}

/** A pixel as a word whose bytes in memory are red, green, blue, 255. */
export function rgba(red: number, green: number, blue: number): number {
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
}

/** A picture to fill, and its pixels as words. */
export function blankImage(width: number, height: number): {
  readonly image: DisplayImage;
  readonly words: Uint32Array;
} {
  const words = new Uint32Array(width * height).fill(0xff000000);
  return { image: { width, height, pixels: new Uint8ClampedArray(words.buffer) }, words };
}

/** How the attribute controller turns four bits of the planes into a colour's number. */
function attributeColours({ attributes }: ScanRegisters): Uint8Array {
  const mode = attributes[0x10] as number;
  const select = attributes[0x14] as number;
  return Uint8Array.from({ length: 16 }, (_, index) => {
    const entry = (attributes[index & (attributes[0x12] as number)] as number) & 0x3f;
    // Bit 7 of the mode: P5 and P4 come from the colour select register; P7 and P6 always do.
    const low = (mode & 0x80) !== 0 ? (entry & 0x0f) | ((select & 3) << 4) : entry;
    return low | ((select & 0x0c) << 4);
  });
}

/** What each scan line shows: the address counter at its left edge and the row within characters. */
interface Line {
  readonly start: number;
  readonly row: number;
}

/** The frame's geometry. */
class Frame {
  readonly height: number;
  readonly characters: number;
  readonly #crtc: readonly number[];
  readonly #repeat: number;
  readonly #rows: number;
  readonly #compare: number;

  constructor({ crtc }: ScanRegisters) {
    this.#crtc = crtc;
    const at = (index: number): number => crtc[index] as number;
    this.characters = at(1) + 1;
    this.height = Math.min(
      (at(0x12) | ((at(7) & 2) << 7) | ((at(7) & 0x40) << 3)) + 1,
      MOST_HEIGHT,
    );
    this.#rows = (at(9) & 0x1f) + 1;
    this.#repeat = (at(9) & 0x80) !== 0 ? 2 : 1;
    this.#compare = at(0x18) | ((at(7) & 0x10) << 4) | ((at(9) & 0x40) << 3);
  }

  /** Scan line `y`: below the line compare the counter begins at 0 again, unpanned. */
  line(y: number): Line {
    const crtc = this.#crtc;
    const split = y > this.#compare;
    const first = split ? 0 : ((crtc[0x0c] as number) << 8) | (crtc[0x0d] as number);
    const preset = split ? 0 : (crtc[8] as number) & 0x1f;
    const scanned = Math.floor((split ? y - this.#compare - 1 : y) / this.#repeat) + preset;
    return {
      start: first + Math.floor(scanned / this.#rows) * (crtc[0x13] as number) * 2,
      row: scanned % this.#rows,
    };
  }

  /** Whether the line is below the split, where panning may stop. */
  isBelowSplit(y: number): boolean {
    return y > this.#compare;
  }

  /** The planes' address for a value of the address counter in a row of characters. */
  address(counter: number, row: number): number {
    const mode = this.#crtc[0x17] as number;
    let address = counter;
    if (((this.#crtc[0x14] as number) & 0x40) !== 0) address = counter << 2;
    else if ((mode & 0x40) === 0) {
      address = (counter << 1) | ((counter >> ((mode & 0x20) !== 0 ? 15 : 13)) & 1);
    }
    if ((mode & 1) === 0) address = (address & ~0x2000) | ((row & 1) << 13);
    if ((mode & 2) === 0) address = (address & ~0x4000) | ((row & 2) << 13);
    return address & PLANE_MASK;
  }
}

/** The picture of a VGA's mode. `bits` is the DAC's width. */
export function scanOut(
  registers: ScanRegisters,
  planes: Uint8Array,
  bits: 6 | 8,
): DisplayImage {
  const isText = ((registers.graphics[6] as number) & 1) === 0;
  return isText ? textImage(registers, planes, bits) : graphicsImage(registers, planes, bits);
}

/** Whether the screen is on: the sequencer's screen-off bit and the palette's owner. */
function isOn({ sequencer, attributeIndex }: ScanRegisters): boolean {
  return ((sequencer[1] as number) & 0x20) === 0 && (attributeIndex & 0x20) !== 0;
}

/** Pixels that the screen is shifted to the left. */
function panning(registers: ScanRegisters, frame: Frame, y: number, nine: boolean): number {
  const { attributes } = registers;
  // Mode control bit 5: panning has no effect below the split.
  if (((attributes[0x10] as number) & 0x20) !== 0 && frame.isBelowSplit(y)) return 0;
  const value = (attributes[0x13] as number) & 0x0f;
  if (nine) return value >= 8 ? 0 : value + 1;
  return value & 7;
}

function graphicsImage(
  registers: ScanRegisters,
  planes: Uint8Array,
  bits: 6 | 8,
): DisplayImage {
  const frame = new Frame(registers);
  const shift = (registers.graphics[5] as number) >> 5 & 3;
  // The sequencer's halved dot clock: each pixel is two dots.
  const dots = ((registers.sequencer[1] as number) & 8) !== 0 ? 2 : 1;
  const width = Math.min(frame.characters * 8 * dots, MOST_WIDTH);
  const { image, words } = blankImage(width, frame.height);
  if (!isOn(registers)) return image;
  const colours = palette(registers, bits);
  const numbers = attributeColours(registers);
  const wide = shift >= 2 || ((registers.attributes[0x10] as number) & 0x40) !== 0;
  const pixels = new Uint32Array(8 * (frame.characters + 1));
  for (let y = 0; y < frame.height; y++) {
    const { start, row } = frame.line(y);
    for (let i = 0; i <= frame.characters; i++) {
      const at = frame.address(start + i, row) * 4;
      for (let dot = 0; dot < 8; dot++) {
        pixels[i * 8 + dot] = wide
          ? colours[planes[at + (dot >> 1)] as number] as number
          : colours[numbers[index(planes, at, dot, shift)] as number] as number;
      }
    }
    const pan = panning(registers, frame, y, false);
    for (let x = 0; x < width; x++) {
      words[y * width + x] = pixels[Math.floor(x / dots) + pan] as number;
    }
  }
  return image;
}

/** Four bits of a dot: one of each plane, or with interleaved shift pairs of planes 0 and 1, 2 and 3. */
function index(planes: Uint8Array, at: number, dot: number, shift: number): number {
  if (shift === 1) {
    const from = dot >> 2;
    const by = 6 - 2 * (dot & 3);
    const low = ((planes[at + from] as number) >> by) & 3;
    return low | ((((planes[at + from + 2] as number) >> by) & 3) << 2);
  }
  const by = 7 - dot;
  return (((planes[at] as number) >> by) & 1) |
    ((((planes[at + 1] as number) >> by) & 1) << 1) |
    ((((planes[at + 2] as number) >> by) & 1) << 2) |
    ((((planes[at + 3] as number) >> by) & 1) << 3);
}

/** Where a font of plane 2 begins: 16 KiB a step of the low bits, the high bit 8 KiB. */
function fontBase(low: number, high: number): number {
  return low * 0x4000 + high * 0x2000;
}

/** The cursor's cell and scan lines; an address that is never met when it is off. */
function cursorOf({ crtc }: ScanRegisters): { at: number; first: number; last: number } {
  const start = crtc[0x0a] as number;
  const off = (start & 0x20) !== 0;
  return {
    at: off ? -1 : ((crtc[0x0e] as number) << 8) | (crtc[0x0f] as number),
    first: start & 0x1f,
    last: (crtc[0x0b] as number) & 0x1f,
  };
}

function textImage(registers: ScanRegisters, planes: Uint8Array, bits: 6 | 8): DisplayImage {
  const { sequencer, attributes } = registers;
  const frame = new Frame(registers);
  const nine = ((sequencer[1] as number) & 1) === 0;
  const cell = nine ? 9 : 8;
  const dots = ((sequencer[1] as number) & 8) !== 0 ? 2 : 1;
  const width = Math.min(frame.characters * cell * dots, MOST_WIDTH);
  const { image, words } = blankImage(width, frame.height);
  if (!isOn(registers)) return image;
  const colours = palette(registers, bits);
  const numbers = attributeColours(registers);
  const select = sequencer[3] as number;
  const fonts = [
    fontBase(select & 3, (select >> 4) & 1),
    fontBase((select >> 2) & 3, (select >> 5) & 1),
  ];
  const mode = attributes[0x10] as number;
  const cursor = cursorOf(registers);
  const underline = (registers.crtc[0x14] as number) & 0x1f;
  const pixels = new Uint32Array(cell * (frame.characters + 1));
  for (let y = 0; y < frame.height; y++) {
    const { start, row } = frame.line(y);
    for (let i = 0; i <= frame.characters; i++) {
      const counter = start + i;
      const at = frame.address(counter, 0) * 4;
      const code = planes[at] as number;
      const attribute = planes[at + 1] as number;
      const font = fonts[(attribute >> 3) & 1] as number;
      let shape = (planes[((font + code * 32 + row) & PLANE_MASK) * 4 + 2] as number) << 1;
      // The ninth dot of the line drawing characters repeats the eighth (mode control bit 2).
      if ((mode & 4) !== 0 && code >= 0xc0 && code < 0xe0) shape |= (shape >> 1) & 1;
      const lined = (mode & 2) !== 0 && (attribute & 7) === 1 && row === underline;
      const isCursor = (counter & PLANE_MASK) === cursor.at && row >= cursor.first &&
        row <= cursor.last;
      if (lined || isCursor) shape = 0x1ff;
      const blinks = (mode & 8) !== 0;
      const back = colours[numbers[(attribute >> 4) & (blinks ? 7 : 15)] as number] as number;
      const fore = colours[numbers[attribute & 15] as number] as number;
      for (let dot = 0; dot < cell; dot++) {
        pixels[i * cell + dot] = (shape & (0x100 >> dot)) !== 0 ? fore : back;
      }
    }
    const pan = panning(registers, frame, y, nine);
    for (let x = 0; x < width; x++) {
      words[y * width + x] = pixels[Math.floor(x / dots) + pan] as number;
    }
  }
  return image;
}
