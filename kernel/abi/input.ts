/**
 * Key codes as Linux's input layer numbers them (linux/input-event-codes.h). For the keys of the
 * AT keyboard they are the make codes of scan code set 1; extended keys (prefix E0) have their own.
 *
 * @module
 */

export const KEY_ESC: u32 = 1;
export const KEY_BACKSPACE: u32 = 14;
export const KEY_TAB: u32 = 15;
export const KEY_ENTER: u32 = 28;
export const KEY_LEFTCTRL: u32 = 29;
export const KEY_LEFTSHIFT: u32 = 42;
export const KEY_RIGHTSHIFT: u32 = 54;
export const KEY_KPASTERISK: u32 = 55;
export const KEY_LEFTALT: u32 = 56;
export const KEY_SPACE: u32 = 57;
export const KEY_CAPSLOCK: u32 = 58;
export const KEY_F1: u32 = 59;
export const KEY_F10: u32 = 68;
export const KEY_NUMLOCK: u32 = 69;
export const KEY_SCROLLLOCK: u32 = 70;
export const KEY_KP7: u32 = 71;
export const KEY_KPDOT: u32 = 83;
export const KEY_102ND: u32 = 86;
export const KEY_F11: u32 = 87;
export const KEY_F12: u32 = 88;
export const KEY_KPENTER: u32 = 96;
export const KEY_RIGHTCTRL: u32 = 97;
export const KEY_KPSLASH: u32 = 98;
export const KEY_SYSRQ: u32 = 99;
export const KEY_RIGHTALT: u32 = 100;
export const KEY_HOME: u32 = 102;
export const KEY_UP: u32 = 103;
export const KEY_PAGEUP: u32 = 104;
export const KEY_LEFT: u32 = 105;
export const KEY_RIGHT: u32 = 106;
export const KEY_END: u32 = 107;
export const KEY_DOWN: u32 = 108;
export const KEY_PAGEDOWN: u32 = 109;
export const KEY_INSERT: u32 = 110;
export const KEY_DELETE: u32 = 111;
export const KEY_PAUSE: u32 = 119;
export const KEY_LEFTMETA: u32 = 125;
export const KEY_RIGHTMETA: u32 = 126;
export const KEY_COMPOSE: u32 = 127;
