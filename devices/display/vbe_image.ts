/**
 * The picture of a mode of Bochs's extension: 4 bits in planes, 8 bits through the palette, 15, 16, 24 and 32 bits.
 *
 * Sources: QEMU docs/specs/standard-vga.rst; VBE 3.0 "ModeInfoBlock" for the order of the colours.
 *
 * @module
 */
import { blankImage, type DisplayImage, rgba } from "./scan_out.ts";

/** Where and how the pixels are. */
export interface VbeMode {
  /** Pixels a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** 4, 8, 15, 16, 24 or 32. */
  readonly bits: number;
  /** Pixels from one row of the memory to the next. */
  readonly pitch: number;
  /** Column of the memory's pixel at the top left. */
  readonly left: number;
  /** Its row. */
  readonly top: number;
}

const five = (value: number): number => (value << 3) | (value >> 2);
const six = (value: number): number => (value << 2) | (value >> 4);

/** The colour at a byte offset, for the depths without a palette. */
function direct(memory: Uint8Array, at: number, bits: number): number {
  const byte = (index: number): number => memory[at + index] ?? 0;
  const word = byte(0) | (byte(1) << 8);
  if (bits === 15) return rgba(five((word >> 10) & 31), five((word >> 5) & 31), five(word & 31));
  if (bits === 16) return rgba(five(word >> 11), six((word >> 5) & 63), five(word & 31));
  return rgba(byte(2), byte(1), byte(0));
}

/**
 * Draws it.
 *
 * @param colours RGBA words of the palette, by pixel value.
 */
export function vbeImage(
  mode: VbeMode,
  memory: Uint8Array,
  colours: (pixel: number) => number,
): DisplayImage {
  const { width, height, bits } = mode;
  const { image, words } = blankImage(width, height);
  const bytes = Math.ceil(bits / 8);
  for (let y = 0; y < height; y++) {
    const row = (mode.top + y) * mode.pitch + mode.left;
    for (let x = 0; x < width; x++) {
      const pixel = row + x;
      let colour: number;
      if (bits > 8) colour = direct(memory, pixel * bytes, bits);
      else if (bits === 8) colour = colours(memory[pixel] ?? 0);
      else {
        let index = 0;
        for (let plane = 0; plane < 4; plane++) {
          const part = memory[(pixel >> 3) * 4 + plane] ?? 0;
          index |= ((part >> (7 - (pixel & 7))) & 1) << plane;
        }
        colour = colours(index);
      }
      words[y * width + x] = colour;
    }
  }
  return image;
}
