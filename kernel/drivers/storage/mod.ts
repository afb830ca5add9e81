/** Disks. @module */
export { disksInit } from "./disks.ts";
