/**
 * Profiles in words: how much each function has, of its own and with what it calls; limits for it; and what two profiles
 * differ by.
 *
 * @module
 */
import { wildcard } from "../api/mod.ts";
import type { StackCounts } from "./folded.ts";

/** A function's part of a profile. */
export interface FunctionShare {
  /** Its name. */
  readonly name: string;
  /** Samples in it. */
  readonly self: number;
  /** Samples in it and in what it calls. */
  readonly total: number;
}

/** Every function's part, those with most of their own first, then by name. */
export function functionShares(stacks: StackCounts): FunctionShare[] {
  const shares = new Map<string, { self: number; total: number }>();
  for (const { stack, count } of stacks.entries()) {
    const frames = stack.split(";");
    // A function that calls itself counts once.
    for (const name of new Set(frames)) {
      const share = shares.get(name) ?? { self: 0, total: 0 };
      share.total += count;
      if (name === frames.at(-1)) share.self += count;
      shares.set(name, share);
    }
  }
  return [...shares].map(([name, share]) => ({ name, ...share }))
    .sort((a, b) => b.self - a.self || b.total - a.total || (a.name < b.name ? -1 : 1));
}

/** A table of the `top` functions with most samples of their own. */
export function reportTable(stacks: StackCounts, top: number): string {
  const percent = (part: number): string =>
    `${((100 * part) / Math.max(1, stacks.total)).toFixed(2)}%`.padStart(8);
  const rows = functionShares(stacks).slice(0, top)
    .map(({ name, self, total }) =>
      `${percent(self)} ${percent(total)} ${String(self).padStart(8)}  ${name}\n`
    );
  return `    self    total  samples  function\n${rows.join("")}`;
}

const COMPARISONS = {
  ">": (share: number, percent: number) => share > percent,
  ">=": (share: number, percent: number) => share >= percent,
  "<": (share: number, percent: number) => share < percent,
  "<=": (share: number, percent: number) => share <= percent,
} as const;

/** A limit on a function's part: `symbol > 5%`, which fails a run that is beyond it. */
export interface ShareLimit {
  /** What was written. */
  readonly text: string;
  /** The function; `*` stands for any characters. */
  readonly symbol: string;
  /** Of its own, or with what it calls. */
  readonly of: "self" | "total";
  /** What fails. */
  readonly is: ">" | ">=" | "<" | "<=";
  /** In percent of all samples. */
  readonly percent: number;
}

const LIMIT = /^\s*(?:(self|total)\((.+)\)|(.+?))\s*(>=|<=|>|<)\s*(\d+(?:\.\d+)?)\s*%\s*$/;

/**
 * Reads a limit: `symbol > 5%`, `self(symbol) >= 2.5%`, `total(ext2_*) < 1%`. A bare symbol's is its total.
 *
 * @throws {SyntaxError} when it is none.
 *
 * @example
 * ```ts
 * import { parseFolded, parseShareLimit, shareBeyond } from "@overture/overture/plugins/profiler";
 * import assert from "node:assert/strict";
 *
 * const stacks = parseFolded("main;copy 3\nmain;read 1\n");
 * assert.equal(shareBeyond(stacks, parseShareLimit("copy > 50%")), 75);
 * assert.equal(shareBeyond(stacks, parseShareLimit("self(main) > 0%")), undefined);
 * ```
 */
export function parseShareLimit(text: string): ShareLimit {
  const [, of, inner, bare, is, percent] = LIMIT.exec(text) ?? [];
  const symbol = inner ?? bare;
  if (symbol === undefined || percent === undefined) {
    throw new SyntaxError(
      `"${text}" is no limit: write one like "memcpy > 5%" or "self(memcpy) > 5%"`,
    );
  }
  return {
    text: text.trim(),
    symbol,
    of: of === "self" ? "self" : "total",
    is: is as ShareLimit["is"],
    percent: Number(percent),
  };
}

/** The part in percent, if it is one that the limit fails; else undefined. */
export function shareBeyond(stacks: StackCounts, limit: ShareLimit): number | undefined {
  const wanted = wildcard(limit.symbol);
  let samples = 0;
  for (const { stack, count } of stacks.entries()) {
    const frames = stack.split(";");
    const asked = limit.of === "self" ? frames.slice(-1) : frames;
    if (asked.some(wanted)) samples += count;
  }
  const share = (100 * samples) / Math.max(1, stacks.total);
  return COMPARISONS[limit.is](share, limit.percent) ? share : undefined;
}

/** A stack in two profiles. */
export interface StackDifference {
  /** Frames from the root, joined by `;`. */
  readonly stack: string;
  /** Samples before. */
  readonly before: number;
  /** Samples after. */
  readonly after: number;
}

/**
 * The stacks of both profiles, in the order of their text. With `normalise` the counts before are scaled so that both profiles have as
 * many samples, rounded.
 */
export function stackDifferences(
  before: StackCounts,
  after: StackCounts,
  normalise = false,
): StackDifference[] {
  const scale = normalise && before.total > 0 ? after.total / before.total : 1;
  const old = new Map(
    before.entries().map(({ stack, count }) => [stack, Math.round(count * scale)]),
  );
  const now = new Map(after.entries().map(({ stack, count }) => [stack, count]));
  return [...new Set([...old.keys(), ...now.keys()])]
    .map((stack) => ({ stack, before: old.get(stack) ?? 0, after: now.get(stack) ?? 0 }))
    .filter((one) => one.before + one.after > 0)
    .sort((a, b) => a.stack < b.stack ? -1 : 1);
}

/** Differential folded stacks: `stack BEFORE AFTER` lines, as difffolded.pl writes them. */
export function differenceFolded(differences: readonly StackDifference[]): string {
  return differences.map(({ stack, before, after }) => `${stack} ${before} ${after}\n`).join("");
}
