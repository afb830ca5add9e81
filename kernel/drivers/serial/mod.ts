/** Serial ports. @module */
export { serialConsole, serialInit, serialTty } from "./uart.ts";
