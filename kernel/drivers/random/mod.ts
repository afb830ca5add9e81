/** Random numbers. @module */
export { entropyAdd, entropyEvents, entropyInterrupt } from "./entropy.ts";
export { randomBytes, randomReseed, randomTransfer, randomWord } from "./random.ts";
