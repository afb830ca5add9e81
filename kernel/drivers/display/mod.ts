/** The screen. @module */
export { vgaConsole, vgaInit, vgaKeyModes, vgaTty } from "./vga.ts";
