/**
 * The host's terminal as the guest's console: raw mode, and the escape key Ctrl-A.
 *
 * @module
 */

/** Ctrl-A. */
const ESCAPE = 0x01;

/** What a person asked of the machine with Ctrl-A. */
export interface TerminalActions {
  /** Keys for the guest. */
  input(bytes: Uint8Array): void;
  /** Ctrl-A X. */
  leave(): void;
  /** Ctrl-A H, or an unknown key. */
  help(): void;
}

/** Takes Ctrl-A commands out of what a person types. */
export class EscapeFilter {
  readonly #actions: TerminalActions;
  #escaped = false;

  /** A filter that has seen nothing yet. */
  constructor(actions: TerminalActions) {
    this.#actions = actions;
  }

  /** Feeds typed bytes; Ctrl-A Ctrl-A gives the guest one Ctrl-A. */
  feed(bytes: Uint8Array): void {
    const plain: number[] = [];
    const send = (): void => {
      if (plain.length > 0) this.#actions.input(Uint8Array.from(plain.splice(0)));
    };
    for (const byte of bytes) {
      if (!this.#escaped) {
        if (byte === ESCAPE) this.#escaped = true;
        else plain.push(byte);
        continue;
      }
      this.#escaped = false;
      const key = String.fromCharCode(byte).toLowerCase();
      if (byte === ESCAPE || key === "a") {
        plain.push(ESCAPE);
      } else {
        send();
        if (key === "x") this.#actions.leave();
        else this.#actions.help();
      }
    }
    send();
  }
}

/** What Ctrl-A H says. */
export const TERMINAL_HELP: string = "\r\nCtrl-A X  leave the machine\r\n" +
  "Ctrl-A A  send Ctrl-A to the guest\r\nCtrl-A H  this help\r\n";

/** Standard input in raw mode until it is disposed of. */
export class RawInput implements Disposable {
  readonly #terminal: boolean;

  /** Sets raw mode when standard input is a terminal. */
  constructor() {
    this.#terminal = Deno.stdin.isTerminal();
    if (this.#terminal) Deno.stdin.setRaw(true);
  }

  /** Whether standard input is a terminal. */
  get isTerminal(): boolean {
    return this.#terminal;
  }

  /** Reads until the end of the input or until `signal` is aborted. */
  async pump(onBytes: (bytes: Uint8Array) => void, signal: AbortSignal): Promise<void> {
    const buffer = new Uint8Array(4096);
    while (!signal.aborted) {
      const count = await Deno.stdin.read(buffer);
      if (count === null || signal.aborted) return;
      onBytes(buffer.slice(0, count));
    }
  }

  /** Gives the terminal back its mode. */
  [Symbol.dispose](): void {
    if (this.#terminal) Deno.stdin.setRaw(false);
  }
}

/** Writes bytes to standard output at once and whole. */
export function writeStandardOutput(bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
}
