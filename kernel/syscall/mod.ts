/**
 * System calls.
 *
 * @module
 */
export { dispatch, syscallCount, syscallExists, syscallRegister } from "./table.ts";
export { hostname, RELEASE, VERSION } from "./system.ts";
