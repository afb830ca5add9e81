/**
 * Packets of gdb's remote serial protocol: framing, checksums, escapes. Bodies are binary strings, a character a byte,
 * as most of what is in them is text.
 * Source: "Debugging with GDB", appendix E.1 (Overview), E.6 (Interrupts).
 *
 * @module
 */

/** What a client sends. */
export type Incoming =
  /** A packet whose checksum is right, its escapes undone. */
  | { readonly type: "packet"; readonly body: string }
  /** A packet whose checksum is wrong. */
  | { readonly type: "damaged" }
  /** Ctrl-C. */
  | { readonly type: "interrupt" }
  /** What was sent last arrived, or did not. */
  | { readonly type: "ack" }
  | { readonly type: "nak" };

const CTRL_C = 0x03;
const ESCAPE = 0x7d;
const ESCAPED_BY = 0x20;
/** Behind this no client goes: what is longer is no packet. */
const MAX_BODY = 1 << 22;

const DOLLAR = code("$");
const HASH = code("#");

/** Puts packets together from what arrives. */
export class PacketParser {
  /** Bytes of a packet that has begun; undefined between packets. */
  #body: number[] | undefined;
  /** The checksum's digits, once `#` was seen. */
  #digits: string | undefined;

  /** Takes bytes; returns what is complete with them, in order. Noise between packets is dropped. */
  feed(bytes: Uint8Array): Incoming[] {
    const complete: Incoming[] = [];
    for (const byte of bytes) {
      const one = this.#take(byte);
      if (one !== undefined) complete.push(one);
    }
    return complete;
  }

  #take(byte: number): Incoming | undefined {
    const body = this.#body;
    if (byte === DOLLAR) {
      // A packet that was cut off: the client begins anew.
      this.#body = [];
      this.#digits = undefined;
    } else if (body === undefined) {
      if (byte === CTRL_C) return { type: "interrupt" };
      if (byte === code("+")) return { type: "ack" };
      if (byte === code("-")) return { type: "nak" };
    } else if (this.#digits === undefined) {
      if (byte === HASH) this.#digits = "";
      else if (body.length < MAX_BODY) body.push(byte);
      else this.#body = undefined;
    } else {
      this.#digits += String.fromCharCode(byte);
      if (this.#digits.length === 2) return this.#end(body, this.#digits);
    }
    return undefined;
  }

  #end(body: readonly number[], digits: string): Incoming {
    this.#body = undefined;
    this.#digits = undefined;
    if (checksum(body) !== Number.parseInt(digits, 16)) return { type: "damaged" };
    let text = "";
    for (let i = 0; i < body.length; i++) {
      const byte = body[i] as number;
      text += String.fromCharCode(byte === ESCAPE ? (body[++i] ?? 0) ^ ESCAPED_BY : byte);
    }
    return { type: "packet", body: text };
  }
}

/** A packet to send. Its body may have any characters up to FFh. */
export function encodePacket(body: string): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [DOLLAR];
  for (let i = 0; i < body.length; i++) {
    const byte = body.charCodeAt(i);
    // `*` begins a run length in what the client receives.
    if (byte === DOLLAR || byte === HASH || byte === ESCAPE || byte === code("*")) {
      bytes.push(ESCAPE, byte ^ ESCAPED_BY);
    } else bytes.push(byte);
  }
  const sum = checksum(bytes.slice(1)).toString(16).padStart(2, "0");
  bytes.push(HASH, sum.charCodeAt(0), sum.charCodeAt(1));
  return new Uint8Array(bytes);
}

function checksum(bytes: readonly number[]): number {
  return bytes.reduce((sum, byte) => (sum + byte) & 0xff, 0);
}
function code(character: string): number {
  return character.charCodeAt(0);
}

/** The bytes that hexadecimal digits stand for; undefined when they are none. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> | undefined {
  return text.length % 2 === 0 && /^[0-9a-fA-F]*$/.test(text)
    ? Uint8Array.fromHex(text)
    : undefined;
}
/** Bytes as a binary string. */
export function toBinary(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
/** A binary string's bytes. */
export function fromBinary(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, code);
}
