/**
 * The debugger as a plugin: a machine that waits for a client on a stream of bytes and serves one after the other.
 *
 * @module
 */
import type { AnyPlugin, PluginHost } from "../api/mod.ts";
import { definePlugin } from "../api/mod.ts";
import { Debugger } from "./debugger.ts";
import { encodePacket, PacketParser } from "./packets.ts";
import { GdbStub, type StubOptions } from "./stub.ts";

/** A client's connection, of whatever kind. */
export interface GdbConnection {
  /** What the client sends. */
  readonly readable: ReadableStream<Uint8Array>;
  /** What it is sent. */
  readonly writable: WritableStream<Uint8Array>;
}

/**
 * gdb's side of a machine. Install {@linkcode plugin}, then {@linkcode serve} connections.
 *
 * @example
 * ```ts ignore
 * const server = new GdbServer({ wait: true });
 * manager.install({ definition: server.plugin, options: {} });
 * for await (const connection of Deno.listen({ hostname: "127.0.0.1", port: 1234 })) await server.serve(connection);
 * ```
 */
export class GdbServer {
  /** The plugin to install; once. */
  readonly plugin: AnyPlugin;
  readonly #options: StubOptions;
  #host: PluginHost | undefined;
  #debugger: Debugger | undefined;
  #stub: GdbStub | undefined;

  /** `wait`: the machine stands still until the first client lets it go. */
  constructor(options: StubOptions & { readonly wait?: boolean } = {}) {
    this.#options = options;
    this.plugin = definePlugin({
      name: "gdb",
      description: "serves gdb's remote protocol",
      install: (host) => {
        this.#host = host;
        this.#debugger = new Debugger(host, (reason) => this.#stub?.stopped(reason));
        if (options.wait === true) this.#debugger.stop();
      },
    });
  }

  /** The run has ended: a client that waits is told. */
  exited(status: number): void {
    this.#stub?.exited(status);
  }

  /**
   * Serves a client until it goes; the machine goes on then without breakpoints.
   *
   * @throws {TypeError} before the plugin is installed.
   */
  async serve({ readable, writable }: GdbConnection): Promise<void> {
    const host = this.#host;
    const debug = this.#debugger;
    if (host === undefined || debug === undefined) {
      throw new TypeError("Cannot serve a client before the plugin is installed");
    }
    const writer = writable.getWriter();
    const send = (bytes: Uint8Array): void => void writer.write(bytes).catch(() => {});
    let last = new Uint8Array();
    const sendBody = (body: string): void => send(last = encodePacket(body));
    const stub = new GdbStub(host, debug, this.#options, sendBody);
    this.#stub = stub;
    debug.stop();
    const parser = new PacketParser();
    try {
      for await (const bytes of readable) {
        for (const incoming of parser.feed(bytes)) {
          const { noAck } = stub;
          if (incoming.type === "interrupt") debug.stop();
          else if (incoming.type === "nak") send(last);
          else if (incoming.type === "damaged") send(NAK);
          else if (incoming.type === "packet") {
            if (!noAck) send(ACK);
            const answer = answerTo(stub, incoming.body);
            if (answer !== undefined) sendBody(answer);
          }
        }
      }
    } catch {
      // The client has gone without a word: as if it had ended the connection.
    } finally {
      this.#stub = undefined;
      debug.detach();
      await writer.close().catch(() => {});
    }
  }
}

/** A mistake of ours is the client's user's to read, and no end of the session. */
function answerTo(stub: GdbStub, packet: string): string | undefined {
  try {
    return stub.handle(packet);
  } catch (error) {
    return `E.${(error as Error).message}`;
  }
}

const ACK = new TextEncoder().encode("+");
const NAK = new TextEncoder().encode("-");
