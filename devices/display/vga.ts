/**
 * VGA: CRT, attribute and graphics controllers, sequencer, DAC, and the memory at A0000h. {@link Vga.image} is the
 * picture of any mode, of Bochs's extension too.
 *
 * Registers: offsets 0–1Fh from port 3B0h… as on the card: {@link Vga} covers 3B0h–3DFh. Reset gives
 * the state in which a VGA's own firmware leaves it: mode 3, 80×25 color text.
 *
 * Sources: IBM VGA Technical Reference (1992); FreeVGA register descriptions.
 *
 * @module
 */
import { type Clock, ticksIn } from "../bus/clock.ts";
import {
  type Device,
  type Registers,
  restoreFields,
  type Saved,
  saveFields,
  type Width,
} from "../bus/device.ts";
import { BochsVbe } from "./bochs_vbe.ts";
import { type DisplayImage, palette as dacPalette, scanOut } from "./scan_out.ts";
import { screenText } from "./text_screen.ts";
import { vbeImage } from "./vbe_image.ts";
import { VgaMemory } from "./vga_memory.ts";
import { PLANES_BYTES } from "./video_memory.ts";

const NAME = "VGA";
/** Horizontal frequency of the text modes in Hz: 31.469 kHz, 449 lines a frame. */
const LINE_HZ = 31_469;
const LINES = 449;
const VISIBLE_LINES = 400;

// Mode 3 as the VGA BIOS sets it (IBM VGA Technical Reference, "BIOS video parameter table").
const MODE3_SEQUENCER = [0x03, 0x00, 0x03, 0x00, 0x02, 0, 0, 0];
// deno-fmt-ignore
const MODE3_CRTC = [
  0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00,
  0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff, 0, 0, 0, 0, 0, 0, 0,
];
const MODE3_GRAPHICS = [0, 0, 0, 0, 0, 0x10, 0x0e, 0x0f, 0xff, 0, 0, 0, 0, 0, 0, 0];
// deno-fmt-ignore
const MODE3_ATTRIBUTES = [
  0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f,
  0x0c, 0x00, 0x0f, 0x08, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];
const MODE3_MISCELLANEOUS = 0x67;

/** The default palette of 64 colours: RGB bits 5–3 secondary, 2–0 primary, in DAC units 0–63. */
function defaultDac(): number[] {
  const dac: number[] = [];
  for (let i = 0; i < 256; i++) {
    const level = (primary: number, secondary: number): number =>
      ((i >> primary) & 1) * 42 + ((i >> secondary) & 1) * 21;
    dac.push(...(i < 64 ? [level(2, 5), level(1, 4), level(0, 3)] : [0, 0, 0]));
  }
  return dac;
}

function powerOn() {
  return {
    miscellaneous: MODE3_MISCELLANEOUS,
    feature: 0,
    sequencerIndex: 0,
    sequencer: [...MODE3_SEQUENCER],
    crtcIndex: 0,
    crtc: [...MODE3_CRTC],
    graphicsIndex: 0,
    graphics: [...MODE3_GRAPHICS],
    attributeIndex: 0x20,
    /** The next write to 3C0h is data. */
    attributeData: false,
    attributes: [...MODE3_ATTRIBUTES],
    dacMask: 0xff,
    dacRead: 0,
    dacWrite: 0,
    /** 0 red, 1 green, 2 blue is next. */
    dacComponent: 0,
    dacReading: false,
    dac: defaultDac(),
    latches: [0, 0, 0, 0],
  };
}

/** What a text mode shows. */
export interface TextScreen {
  /** Characters a row. */
  readonly columns: number;
  /** Rows. */
  readonly rows: number;
  /** Character codes (code page 437 with the card's own font), row by row. */
  readonly characters: Uint8Array;
  /** Attributes: bits 0–3 foreground, 4–6 background, 7 blink or bright background. */
  readonly attributes: Uint8Array;
  /** The cursor's cell, or `undefined` when it is off or elsewhere. */
  readonly cursor: { readonly column: number; readonly row: number } | undefined;
  /** The 16 colours as 0xRRGGBB. */
  readonly palette: readonly number[];
}

/** A VGA. */
export class Vga implements Device, Registers {
  readonly #clock: Clock;
  readonly #vbe: BochsVbe;
  readonly #memory: VgaMemory;
  #revision = 0;
  #f = powerOn();

  /** The memory at A0000h–BFFFFh. */
  readonly memory: Registers = {
    read: (offset: number): number => this.#memory.read(offset, this.#f, this.#vbe.window),
    write: (offset: number, _size: Width, value: number): void => {
      const { window } = this.#vbe;
      if (this.#memory.write(offset, value & 0xff, this.#f, window)) this.#revision++;
    },
  };

  /** A card in mode 3, with the extension whose memory it has. */
  constructor(options: { clock: Clock; vbe?: BochsVbe }) {
    this.#clock = options.clock;
    this.#vbe = options.vbe ?? new BochsVbe();
    this.#memory = new VgaMemory(this.#vbe.memory);
  }

  /** Changes whenever something on the screen may have changed. */
  get revision(): number {
    return this.#revision;
  }

  reset(): void {
    this.#f = powerOn();
    this.#memory.latches = this.#f.latches;
    this.#vbe.memory.clear(0, PLANES_BYTES);
    this.#revision++;
  }

  save(): Saved {
    const planes = this.#vbe.memory.save(0, PLANES_BYTES);
    return saveFields(NAME, 1, { ...this.#f, latches: this.#memory.latches, planes });
  }

  restore(saved: Saved): void {
    const pattern = { ...powerOn(), planes: [] as number[] };
    const { planes, ...fields } = restoreFields(NAME, 1, pattern, saved);
    for (const name of ["sequencer", "crtc", "graphics", "attributes", "dac", "latches"] as const) {
      if (fields[name].length !== pattern[name].length) {
        throw new TypeError(`Cannot restore "${NAME}": "${name}" has another length`);
      }
    }
    this.#f = fields;
    this.#memory.latches = fields.latches;
    this.#vbe.memory.restore(0, PLANES_BYTES, planes);
    this.#revision++;
  }

  /** The picture on the screen, in any mode. Text has the font that a VGA's BIOS has loaded. */
  image(): DisplayImage {
    const f = this.#f;
    const { mode, dacBits, memory } = this.#vbe;
    if (mode === undefined) return scanOut(f, memory.bytes, dacBits);
    const colours = dacPalette(f, dacBits);
    // Four bits go through the attribute controller's palette, eight do not.
    const number = (pixel: number): number => mode.bits === 4 ? f.attributes[pixel] & 0x3f : pixel;
    return vbeImage(mode, memory.bytes, (pixel) => colours[number(pixel)]);
  }

  /** The text on the screen, lines without trailing blanks; empty in a graphics mode. */
  text(): string {
    const screen = this.screen();
    return screen === undefined ? "" : screenText(screen);
  }

  /** The screen in a text mode; `undefined` in a graphics mode. */
  screen(): TextScreen | undefined {
    const { crtc, graphics, attributes } = this.#f;
    if ((graphics[6] & 1) !== 0 || this.#vbe.mode !== undefined) return undefined;
    const columns = Math.min(crtc[1] + 1, 256);
    const lines = (crtc[0x12] | ((crtc[7] & 2) << 7) | ((crtc[7] & 0x40) << 3)) + 1;
    const rows = Math.max(1, Math.floor(lines / ((crtc[9] & 0x1f) + 1)));
    const start = (crtc[12] << 8) | crtc[13];
    const pitch = crtc[0x13] * 2;
    const characters = new Uint8Array(columns * rows);
    const colours = new Uint8Array(columns * rows);
    const planes = this.#memory.planes;
    for (let i = 0; i < columns * rows; i++) {
      // Odd/even: a cell's address is doubled on the way to the planes.
      const cell = start + Math.floor(i / columns) * pitch + i % columns;
      const at = ((cell * 2) & 0xffff) * 4;
      characters[i] = planes[at];
      colours[i] = planes[at + 1];
    }
    const palette: number[] = [];
    for (let i = 0; i < 16; i++) {
      const colour = (attributes[i] & 0x3f) * 3;
      const [r, g, b] = this.#f.dac.slice(colour, colour + 3).map((v) => Math.round(v * 255 / 63));
      palette.push((r << 16) | (g << 8) | b);
    }
    const cursor = this.#cursor(columns, rows, start, pitch);
    return { columns, rows, characters, attributes: colours, cursor, palette };
  }

  #cursor(columns: number, rows: number, start: number, pitch: number): TextScreen["cursor"] {
    const { crtc } = this.#f;
    if ((crtc[10] & 0x20) !== 0 || (crtc[10] & 0x1f) > (crtc[11] & 0x1f)) return undefined;
    const at = ((crtc[14] << 8) | crtc[15]) - start;
    if (at < 0 || pitch === 0) return undefined;
    const row = Math.floor(at / pitch);
    const column = at % pitch;
    return row < rows && column < columns ? { column, row } : undefined;
  }

  /** Offsets from port 3B0h. The CRTC answers at 3B4h or 3D4h as the miscellaneous register says. */
  read(offset: number, _size: Width = 1): number {
    const f = this.#f;
    const colour = (f.miscellaneous & 1) !== 0;
    const mono = offset < 0x10;
    if (mono || offset >= 0x20) {
      if (mono === colour) return 0xff;
      switch (offset & 15) {
        case 4:
          return f.crtcIndex;
        case 5:
          return f.crtc[f.crtcIndex & 0x1f];
        case 10:
          return this.#inputStatus1();
        default:
          return 0xff;
      }
    }
    switch (offset) {
      case 0x10:
        return f.attributeIndex;
      case 0x11:
        return f.attributes[f.attributeIndex & 0x1f];
      case 0x12: // input status 0: the switch sense says a colour monitor
        return 0x10;
      case 0x13: // video subsystem enable
        return 0x01;
      case 0x14:
        return f.sequencerIndex;
      case 0x15:
        return f.sequencer[f.sequencerIndex & 7];
      case 0x16:
        return f.dacMask;
      case 0x17:
        return f.dacReading ? 3 : 0;
      case 0x18:
        return f.dacWrite;
      case 0x19:
        return this.#readDac();
      case 0x1a:
        return f.feature;
      case 0x1c:
        return f.miscellaneous;
      case 0x1e:
        return f.graphicsIndex;
      case 0x1f:
        return f.graphics[f.graphicsIndex & 15];
      default:
        return 0xff;
    }
  }

  write(offset: number, _size: Width, value: number): void {
    const f = this.#f;
    const byte = value & 0xff;
    const colour = (f.miscellaneous & 1) !== 0;
    const mono = offset < 0x10;
    this.#revision++;
    if (mono || offset >= 0x20) {
      if (mono === colour) return;
      if ((offset & 15) === 4) f.crtcIndex = byte;
      else if ((offset & 15) === 5) this.#writeCrtc(byte);
      else if ((offset & 15) === 10) f.feature = byte;
      return;
    }
    switch (offset) {
      case 0x10:
        this.#writeAttribute(byte);
        return;
      case 0x12:
        f.miscellaneous = byte;
        return;
      case 0x14:
        f.sequencerIndex = byte;
        return;
      case 0x15:
        f.sequencer[f.sequencerIndex & 7] = byte;
        return;
      case 0x16:
        f.dacMask = byte;
        return;
      case 0x17:
        f.dacRead = byte;
        f.dacComponent = 0;
        f.dacReading = true;
        return;
      case 0x18:
        f.dacWrite = byte;
        f.dacComponent = 0;
        f.dacReading = false;
        return;
      case 0x19:
        f.dac[f.dacWrite * 3 + f.dacComponent] = this.#vbe.dacBits === 8 ? byte : byte & 0x3f;
        f.dacComponent = (f.dacComponent + 1) % 3;
        if (f.dacComponent === 0) f.dacWrite = (f.dacWrite + 1) & 0xff;
        return;
      case 0x1e:
        f.graphicsIndex = byte;
        return;
      case 0x1f:
        f.graphics[f.graphicsIndex & 15] = byte;
        return;
      default:
    }
  }

  #readDac(): number {
    const f = this.#f;
    const value = f.dac[f.dacRead * 3 + f.dacComponent];
    f.dacComponent = (f.dacComponent + 1) % 3;
    if (f.dacComponent === 0) f.dacRead = (f.dacRead + 1) & 0xff;
    return value;
  }

  #writeCrtc(byte: number): void {
    const f = this.#f;
    const index = f.crtcIndex & 0x1f;
    // CR11 bit 7 protects CR0–7, less the line compare bit of CR7.
    if ((f.crtc[0x11] & 0x80) !== 0 && index < 8) {
      if (index === 7) f.crtc[7] = (f.crtc[7] & ~0x10) | (byte & 0x10);
      return;
    }
    f.crtc[index] = byte;
  }

  #writeAttribute(byte: number): void {
    const f = this.#f;
    if (!f.attributeData) f.attributeIndex = byte & 0x3f;
    else if ((f.attributeIndex & 0x1f) < 0x15) {
      // The palette is the screen's while bit 5 (PAS) is set.
      const index = f.attributeIndex & 0x1f;
      if (index >= 16 || (f.attributeIndex & 0x20) === 0) {
        f.attributes[index] = index < 16 ? byte & 0x3f : byte;
      }
    }
    f.attributeData = !f.attributeData;
  }

  /** Input status 1: bit 0 not displaying, bit 3 vertical retrace. Reading resets 3C0h to the index. */
  #inputStatus1(): number {
    this.#f.attributeData = false;
    const now = this.#clock.now();
    const line = ticksIn(now, LINE_HZ) % LINES;
    if (line >= 412 && line < 414) return 0x09;
    if (line >= VISIBLE_LINES) return 0x01;
    // The last fifth of each line is blank.
    return ticksIn(now, LINE_HZ * 5) % 5 === 4 ? 0x01 : 0x00;
  }
}
