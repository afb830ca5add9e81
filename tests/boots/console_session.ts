/**
 * A conversation with a guest over its serial console: type, wait for text. The guest may be any
 * emulator; QEMU is the one that starts from here.
 *
 * @module
 */

/** A machine that boots and talks over a serial line. */
export interface GuestConsole {
  /** What the guest sends, until it stops. */
  readonly output: ReadableStream<Uint8Array>;
  send(bytes: Uint8Array): Promise<void>;
  /** Ends the machine, if it still runs. */
  stop(): Promise<void>;
}

/** Expects and types. */
export class ConsoleSession {
  /** Everything that the guest has sent, decoded as UTF-8. */
  transcript = "";
  readonly #guest: GuestConsole;
  #position = 0;
  #ended = false;
  #wake: (() => void) | undefined;
  readonly #reading: Promise<void>;

  constructor(guest: GuestConsole) {
    this.#guest = guest;
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#guest.output) {
      this.transcript += decoder.decode(chunk, { stream: true });
      this.#wake?.();
    }
    this.#ended = true;
    this.#wake?.();
  }

  /**
   * Waits until `pattern` comes after what was matched before; returns the text up to its end.
   * @throws {Error} with the end of the transcript, when it does not come in `timeoutMs`.
   */
  async expect(pattern: string | RegExp, timeoutMs = 20_000): Promise<string> {
    const deadline = Date.now() + timeoutMs;
    while (true) {
      const rest = this.transcript.slice(this.#position);
      const end = typeof pattern === "string" ? find(rest, pattern) : match(rest, pattern);
      if (end >= 0) {
        this.#position += end;
        return rest.slice(0, end);
      }
      const left = deadline - Date.now();
      if (this.#ended || left <= 0) {
        const reason = this.#ended ? "the guest stopped" : `${timeoutMs} ms passed`;
        throw new Error(
          `Expected ${JSON.stringify(String(pattern))}, but ${reason} after:\n${rest.slice(-3000)}`,
        );
      }
      await this.#change(left);
    }
  }

  #change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Sends text as typed. */
  async type(text: string): Promise<void> {
    await this.#guest.send(new TextEncoder().encode(text));
  }

  /** Waits until the guest has stopped by itself. */
  async ended(timeoutMs = 20_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!this.#ended) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`The guest still runs after ${timeoutMs} ms`);
      await this.#change(left);
    }
  }

  /** Stops the guest. */
  async close(): Promise<void> {
    await this.#guest.stop();
    await this.#reading;
  }
}

function find(text: string, part: string): number {
  const at = text.indexOf(part);
  return at < 0 ? -1 : at + part.length;
}

function match(text: string, pattern: RegExp): number {
  const found = pattern.exec(text);
  return found === null ? -1 : found.index + found[0].length;
}

/** What QEMU is to boot. */
export interface QemuOptions {
  readonly kernel: string;
  /** Raw image; the guest writes to it. */
  readonly disk: string;
  readonly commandLine: string;
  /** Processor model of QEMU. */
  readonly cpu?: string;
  /** MiB, default 128. */
  readonly ram?: number;
}

/** Boots QEMU with its first serial port as the console; Multiboot kernels. */
export function qemuConsole(options: QemuOptions): GuestConsole {
  const child = new Deno.Command("qemu-system-i386", {
    args: [
      ...["-kernel", options.kernel, "-append", options.commandLine, "-m", `${options.ram ?? 128}`],
      ...["-drive", `file=${options.disk},format=raw`, "-net", "none"],
      ...(options.cpu === undefined ? [] : ["-cpu", options.cpu]),
      ...["-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot"],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  return {
    output: child.stdout,
    send: (bytes) => writer.write(bytes),
    async stop() {
      await writer.close().catch(() => {});
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      await child.status;
    },
  };
}
