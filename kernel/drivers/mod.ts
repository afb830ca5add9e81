/**
 * All drivers, in the order in which they start, and the choice of the console.
 *
 * @module
 */
import { printk, strncmp } from "../lib/mod.ts";
import { randomRegister, ttySessionExitRegister } from "../proc/services.ts";
import { realtimeSet } from "../time/mod.ts";
import {
  ptyInit,
  Tty,
  ttyDevicesInit,
  ttyRegister,
  ttySessionExit,
  ttyWorkerInit,
} from "../tty/mod.ts";
import { memoryDevicesInit } from "./char/mod.ts";
import { rtcRead } from "./clock/mod.ts";
import { vgaConsole, vgaInit, vgaTty } from "./display/mod.ts";
import { keyboardInit } from "./input/mod.ts";
import { pciInit } from "./pci/mod.ts";
import { powerInit } from "./power/mod.ts";
import { randomBytes } from "./random/mod.ts";
import { serialConsole, serialInit, serialTty } from "./serial/mod.ts";
import { disksInit } from "./storage/mod.ts";

export { entropyInterrupt } from "./random/mod.ts";
export { powerHalt, powerOff, powerRestart } from "./power/mod.ts";

const SERIAL_PORTS: u32 = 4;

let chosen: Tty | null = null;

/** Takes the console that `name` (up to a comma or blank) means. False for one that is not there. */
function addConsole(name: usize): bool {
  if (strncmp(name, c`ttyS`, 4) === 0) {
    const port: u32 = load<u8>(name, 4) - 0x30;
    const tty = port < SERIAL_PORTS ? serialTty(port) : null;
    if (tty === null || !serialConsole(port)) return false;
    chosen = tty;
  } else if (strncmp(name, c`tty`, 3) === 0) {
    vgaConsole();
    chosen = vgaTty();
  } else return false;
  return true;
}

/**
 * `console=` of the command line, which may come several times: each gets kernel messages, the last
 * is /dev/console. Without it: the first serial port, else the screen.
 */
function chooseConsoles(commandLine: usize): void {
  let at = commandLine;
  while (load<u8>(at) !== 0) {
    if (strncmp(at, c`console=`, 8) === 0 && !addConsole(at + 8)) {
      printk(c`console: no such device: %s\n`, <u32> (at + 8));
    }
    while (load<u8>(at) !== 0 && load<u8>(at) !== 0x20) at++;
    while (load<u8>(at) === 0x20) at++;
  }
  if (chosen === null && !addConsole(c`ttyS0`)) addConsole(c`tty0`);
}

/**
 * Everything that needs no sleeping: the bus, terminals, the clock. Call with the heap and the
 * interrupt controller up; kernel messages then reach the consoles.
 */
export function driversInit(commandLine: usize): void {
  randomRegister(randomBytes);
  ttySessionExitRegister(ttySessionExit);
  realtimeSet(rtcRead() * 1000000000);
  vgaInit();
  serialInit();
  chooseConsoles(commandLine);
  pciInit();
  powerInit();
  keyboardInit();
  memoryDevicesInit();
  const screen = vgaTty();
  ttyDevicesInit(screen, chosen);
  ttyRegister(screen, c`tty1`);
  for (let i: u32 = 0; i < SERIAL_PORTS; i++) {
    const tty = serialTty(i);
    if (tty !== null) ttyRegister(tty, serialName(i));
  }
  ptyInit();
}

function serialName(i: u32): usize {
  if (i === 0) return c`ttyS0`;
  if (i === 1) return c`ttyS1`;
  return i === 2 ? c`ttyS2` : c`ttyS3`;
}

/** The rest, in a kernel thread: disks and the terminals' thread. Sleeps. */
export function driversStart(): void {
  ttyWorkerInit();
  disksInit();
}
