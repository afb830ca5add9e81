/**
 * Filters as functions: what is known of the code is decided once, the rest before each call.
 *
 * @module
 */
import type { Cpu } from "../../cpu/mod.ts";
import { type Filter, type GuestProcess, type Symbols, wildcard } from "../api/mod.ts";
import { compileCondition } from "./scoreboards.ts";

/** What filters ask. */
export interface FilterGuest {
  readonly cpu: Cpu;
  readonly symbols: Symbols;
  process(): GuestProcess | undefined;
}

/** Whether an event at a linear address, with a vector if it has one, is wanted. */
export type Check = (address: number, vector: number | undefined) => boolean;

const END = 2 ** 32;

/** Whether code at a linear address is wanted, by range and symbol; undefined: all is. */
export function compilePlace(
  { range, symbol }: Filter,
  symbols: Symbols,
): ((address: number) => boolean) | undefined {
  if (range !== undefined && !(range.start >= 0 && range.start < range.end && range.end <= END)) {
    throw new RangeError(
      `Cannot filter addresses from ${range.start} to ${range.end}: not a range`,
    );
  }
  const named = symbol === undefined ? undefined : wildcard(symbol);
  if (range === undefined && named === undefined) return undefined;
  return (address) => {
    if (range !== undefined && !(address >= range.start && address < range.end)) return false;
    if (named === undefined) return true;
    const name = symbols.at(address)?.name;
    return name !== undefined && named(name);
  };
}

/** Everything of a filter but the place; undefined: all is wanted. `once` is the caller's. */
export function compileState(filter: Filter, guest: FilterGuest): Check | undefined {
  const { cpl, cr3, pid, comm, vector, condition, when, every } = filter;
  const checks: Check[] = [];
  const { registers } = guest.cpu;
  if (vector !== undefined) {
    const wanted = new Set([vector].flat());
    checks.push((_address, found) => found !== undefined && wanted.has(found));
  }
  if (cpl !== undefined) checks.push(() => registers.get("cpl") === cpl);
  if (cr3 !== undefined) checks.push(() => registers.get("cr3") === cr3);
  if (pid !== undefined) checks.push(() => guest.process()?.pid === pid);
  if (comm !== undefined) {
    const matches = wildcard(comm);
    checks.push(() => {
      const name = guest.process()?.name;
      return name !== undefined && matches(name);
    });
  }
  const compared = condition === undefined ? undefined : compileCondition(condition);
  if (compared !== undefined) checks.push(compared);
  if (when !== undefined) checks.push(() => when());
  if (every !== undefined) {
    if (!Number.isInteger(every) || every < 1) {
      throw new RangeError(`Cannot take every ${every} events: not a positive integer`);
    }
    let left = every;
    checks.push(() => {
      left--;
      if (left > 0) return false;
      left = every;
      return true;
    });
  }
  if (checks.length === 0) return undefined;
  return (address, found) => checks.every((check) => check(address, found));
}
