/** Memory devices. @module */
export { memoryDevicesInit } from "./memory.ts";
