/** Power. @module */
export { powerHalt, powerInit, powerOff, powerRestart } from "./power.ts";
