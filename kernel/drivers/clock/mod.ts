/** The clock chip. @module */
export { rtcRead } from "./rtc.ts";
