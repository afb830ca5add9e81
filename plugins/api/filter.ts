/**
 * Filters: which of the events that a subscription is about are the plugin's. Addresses and symbols of code are
 * decided when code is translated, so what does not match costs nothing; everything else is asked before the
 * plugin's function is called. All parts that are given have to hold.
 *
 * @module
 */
import type { Condition } from "./scoreboard.ts";

/** Linear addresses. */
export interface AddressRange {
  /** The first, 0..2^32-1. */
  readonly start: number;
  /** Behind the last, up to 2^32. */
  readonly end: number;
}

/** Which events a subscription wants. */
export interface Filter {
  /** The instruction (for an interrupt, exception or return: where it came from) lies in it. */
  readonly range?: AddressRange;
  /** The instruction lies in a function whose name matches; `*` stands for any characters. */
  readonly symbol?: string;
  /** The processor's privilege level, 0..3. */
  readonly cpl?: number;
  /** The address space: CR3. */
  readonly cr3?: number;
  /** The process by number. */
  readonly pid?: number;
  /** The process by name; `*` stands for any characters. */
  readonly comm?: string;
  /** The vector of an interrupt or exception, the port, or the number of a system call: one or some. */
  readonly vector?: number | readonly number[];
  /** A scoreboard's field compares so (QEMU's conditional callbacks). */
  readonly condition?: Condition;
  /** Anything else. */
  readonly when?: () => boolean;
  /** Of the events that match so far each `every`-th only, a positive integer. */
  readonly every?: number;
  /** Only the first that matches; then the subscription ends. */
  readonly once?: boolean;
}

/**
 * Whether a name matches a pattern, in which `*` stands for any characters.
 *
 * @example
 * ```ts
 * import { wildcard } from "@overture/overture/plugins";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(["ext2_read", "ext2"].map(wildcard("ext2_*")), [true, false]);
 * ```
 */
export function wildcard(pattern: string): (name: string) => boolean {
  if (!pattern.includes("*")) return (name) => name === pattern;
  const source = pattern.split("*").map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  const expression = new RegExp(`^${source.join(".*")}$`, "s");
  return (name) => expression.test(name);
}
