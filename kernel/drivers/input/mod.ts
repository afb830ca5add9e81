/** Keyboard. @module */
export { keyboardInit } from "./i8042.ts";
