/**
 * gdb's remote protocol for a machine, on the plugin API.
 *
 * @module
 */
export { type GdbConnection, GdbServer } from "./server.ts";
export type { MonitorCommand } from "./monitor.ts";
export type { StubOptions } from "./stub.ts";
