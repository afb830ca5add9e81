/** Terminals. @module */
export {
  RAW_BREAK,
  RAW_FRAME,
  RAW_OVERRUN,
  RAW_PARITY,
  Tty,
  ttyCreate,
  TtyDriver,
  ttyOutputCount,
  ttyOutputTake,
  ttyRawPut,
  ttyRawRoom,
} from "./tty.ts";
export { ttyDiscipline, ttySent, ttyWorkerInit } from "./worker.ts";
