/** Terminals. @module */
export { ttyConsole, ttyDevicesInit, ttyRegister } from "./device.ts";
export { ttyHangup, ttySessionExit } from "./job.ts";
export { ptyInit } from "./pty.ts";
export {
  RAW_BREAK,
  RAW_FRAME,
  RAW_OVERRUN,
  RAW_PARITY,
  Tty,
  ttyCreate,
  ttyDevice,
  TtyDriver,
  ttyOutputCount,
  ttyOutputTake,
  ttyRawPut,
  ttyRawRoom,
} from "./tty.ts";
export { ttyDiscipline, ttySent, ttyWorkerInit } from "./worker.ts";
