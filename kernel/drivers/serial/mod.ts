/** Serial ports. @module */
export { serialConsole, serialDrain, serialInit, serialTty } from "./uart.ts";
