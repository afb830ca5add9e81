/**
 * What commands say: data on standard output, talk on standard error, colour and redrawn lines only on a
 * terminal, one sentence for an error.
 *
 * @module
 */

import { TRANSLATE_AFTER } from "../devices/mod.ts";

/** A mistake of the user's, or of a file that the user gave: one sentence, exit code 1. */
export class UserError extends Error {
  override name = "UserError";
}

const encoder = new TextEncoder();

/** Writes text to standard error at once. */
export function say(text: string): void {
  Deno.stderr.writeSync(encoder.encode(text));
}

/** Writes text to standard output at once. */
export function print(text: string): void {
  Deno.stdout.writeSync(encoder.encode(text));
}

/** Progress of a long piece of work: one line that is redrawn on a terminal, nothing elsewhere. */
export class Progress {
  readonly #label: string;
  readonly #terminal = Deno.stderr.isTerminal();
  #last = 0;

  constructor(label: string) {
    this.#label = label;
  }

  /** Shows how far the work is. */
  update(done: number, total: number, what = ""): void {
    if (!this.#terminal) return;
    const now = Date.now();
    if (done < total && now - this.#last < 50) return;
    this.#last = now;
    const percent = total === 0 ? 100 : Math.floor((100 * done) / total);
    say(`\r\x1b[K${this.#label} ${String(percent).padStart(3)}% ${what}`);
  }

  /** Clears the line and says `text`, if any. */
  end(text = ""): void {
    if (this.#terminal) say("\r\x1b[K");
    if (text !== "") say(`${text}\n`);
  }
}

/** Parses sizes such as `64M`, `1G`, `4096`, `512K` into bytes. */
export function parseSize(text: string): number {
  const match = /^(\d+)([KMG]?)$/i.exec(text);
  if (match === null) {
    throw new UserError(`"${text}" is not a size: write 128M, 1G or a number of bytes`);
  }
  const unit = { "": 1, K: 1 << 10, M: 1 << 20, G: 1 << 30 }[match[2]!.toUpperCase()]!;
  return Number(match[1]) * unit;
}

/** Parses `--translate`: entries of a block until it is translated, 0 for never. */
export function parseTranslate(text: string): number {
  if (text === "off") return 0;
  if (text === "on") return TRANSLATE_AFTER;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UserError(`--translate is "off", "on" or a number of entries from 1 on, not "${text}"`);
}

/** The first line of an error's message, for the user. */
export function messageOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
    return error.message.split("\n")[0]!;
  }
  return error instanceof Error ? error.message : String(error);
}
