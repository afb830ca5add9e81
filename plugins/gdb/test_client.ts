/**
 * A client of the remote protocol for tests, packet by packet.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Machine } from "../../devices/mod.ts";
import { PluginManager } from "../mod.ts";
import { pluginTarget } from "../test_machine.ts";
import { GdbServer, type StubOptions } from "./mod.ts";
import { encodePacket, fromBinary, toBinary } from "./packets.ts";

/** A client of a machine that runs `kernel`, and waits before its first instruction. */
export class Client {
  readonly machine: Machine;
  /** The status with which the guest ends the run; −1 for another end. */
  readonly ended: Promise<number>;
  readonly #served: Promise<void>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #received: string[] = [];
  #text = "";
  #wake: (() => void) | undefined;

  constructor(kernel: Uint8Array, options: StubOptions = {}, translateAfter = 2000) {
    const machine = new Machine({
      ramBytes: 8 << 20,
      translateAfter,
      host: {
        nowMs: () => 0,
        pause: (ms) => new Promise((done) => setTimeout(done, ms)),
      },
    });
    this.machine = machine;
    machine.loadKernel(kernel, "");
    const server = new GdbServer({ ...options, wait: true });
    const manager = new PluginManager(pluginTarget(machine), {
      text: () => {},
      failure: (message) => assert.fail(message),
    });
    manager.install({ definition: server.plugin, options: {} });
    const up = new TransformStream<Uint8Array, Uint8Array>();
    const down = new TransformStream<Uint8Array, Uint8Array>();
    this.#writer = up.writable.getWriter();
    this.#served = server.serve({ readable: up.readable, writable: down.writable });
    void this.#read(down.readable);
    this.ended = machine.run().then((reason) => {
      const status = reason.type === "exit" ? reason.status : -1;
      server.exited(status);
      return status;
    });
  }
  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const bytes of stream) {
      this.#text += toBinary(bytes);
      for (let match; (match = /^\+*\$([^#]*)#..|^\+*-/s.exec(this.#text)) !== null;) {
        this.#received.push(match[1] ?? "-");
        this.#text = this.#text.slice(match[0].length);
      }
      this.#wake?.();
    }
  }
  /** The next packet's body, as it is on the wire; `-` when one is asked for again. */
  async receive(): Promise<string> {
    while (this.#received.length === 0) await new Promise<void>((done) => this.#wake = done);
    return this.#received.shift() as string;
  }
  /** Sends bytes. */
  raw(text: string): Promise<void> {
    return this.#writer.write(fromBinary(text));
  }
  /** Sends a packet and returns the answer's body, as it is on the wire. */
  async ask(body: string): Promise<string> {
    await this.#writer.write(encodePacket(body));
    return await this.receive();
  }
  /** Sends a packet that is answered by a stop: EIP, and the reply without registers and thread. */
  async stop(body: string): Promise<{ eip: number; reason: string }> {
    const answer = await this.ask(body);
    const [, eip = ""] = /08:([0-9a-f]{8});/.exec(answer) ?? [];
    const swapped = eip.match(/../g)?.reverse().join("") ?? "";
    return {
      eip: Number.parseInt(swapped, 16),
      reason: answer.replace(/..:[0-9a-f]{8};/g, "").replace("thread:p1.1;", ""),
    };
  }
  /** Ends the connection. */
  async close(): Promise<void> {
    await this.#writer.close();
    await this.#served;
  }
}
