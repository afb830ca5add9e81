/**
 * `--gdb`: where gdb finds the machine.
 *
 * @module
 */
import type { Machine } from "../devices/mod.ts";
import { type GdbConnection, GdbServer, type MonitorCommand } from "../plugins/gdb/mod.ts";
import { say, UserError } from "./report.ts";
import type { Session } from "./session.ts";

const LOOPBACK = "127.0.0.1";
const MAX_PORT = 65535;

/** Where to listen. */
export type GdbAddress =
  | { readonly transport: "tcp"; readonly hostname: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string };

/**
 * `[HOST:]PORT` or `unix:PATH`; an IPv6 host may stand in brackets. Without a host it is this machine's own: who can
 * debug can do everything.
 *
 * @throws {UserError} when it is neither.
 */
export function parseGdbAddress(text: string): GdbAddress {
  if (text.startsWith("unix:") && text.length > "unix:".length) {
    return { transport: "unix", path: text.slice("unix:".length) };
  }
  const [, bracketed, plain, digits] = /^(?:\[(.*)\]:|(.*):)?(\d+)$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits ?? NaN);
  if (!(port <= MAX_PORT)) {
    throw new UserError(`--gdb takes [HOST:]PORT or unix:PATH, like 1234, not "${text}"`);
  }
  return { transport: "tcp", hostname: host === undefined || host === "" ? LOOPBACK : host, port };
}

/** An address as gdb's `target remote` takes it. */
export function gdbPlace(address: GdbAddress): string {
  if (address.transport === "unix") return address.path;
  const { hostname, port } = address;
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

/** A server at an address. Its plugin goes into the session; dispose of it when the run has ended. */
export class GdbListener implements AsyncDisposable {
  readonly server: GdbServer;
  readonly #address: GdbAddress;
  readonly #wait: boolean;
  #listener: Deno.Listener | undefined;

  constructor(
    address: GdbAddress,
    options: {
      readonly wait: boolean;
      /** The session, once it is there. */
      readonly session: () => Session | undefined;
    },
  ) {
    this.#address = address;
    this.#wait = options.wait;
    this.server = new GdbServer({
      wait: options.wait,
      program: () => options.session()?.program,
      commands: chipCommands(() => options.session()?.machine),
    });
  }

  /**
   * Listens; clients are served one after the other.
   *
   * @throws {UserError} when the address cannot be had.
   */
  async start(): Promise<void> {
    const address = this.#address;
    try {
      if (address.transport === "unix") await removeDeadSocket(address.path);
      this.#listener = address.transport === "unix"
        ? Deno.listen({ transport: "unix", path: address.path })
        : Deno.listen(address);
    } catch (error) {
      throw new UserError(
        `Cannot listen for gdb at ${gdbPlace(address)}: ${(error as Error).message}`,
      );
    }
    // Port 0 stands for one that is free.
    const { addr } = this.#listener;
    const place = gdbPlace(addr.transport === "tcp" ? { ...addr, transport: "tcp" } : address);
    say(
      `overture: gdb can come: target remote ${place}${
        this.#wait ? "; the machine waits for it" : ""
      }\n`,
    );
    void this.#accept(this.#listener);
  }

  async #accept(listener: Deno.Listener): Promise<void> {
    for await (const connection of listener) {
      await this.server.serve(connection as GdbConnection);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener?.close();
    if (this.#address.transport === "unix") await Deno.remove(this.#address.path).catch(() => {});
  }
}

/** A socket that nobody listens at is what a run left that was killed. Other files stay, and so do their errors. */
async function removeDeadSocket(path: string): Promise<void> {
  const isSocket = await Deno.stat(path).then((file) => file.isSocket === true, () => false);
  if (!isSocket) return;
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) await Deno.remove(path);
  }
}

/** What a user may ask of the chips. */
function chipCommands(machine: () => Machine | undefined): MonitorCommand[] {
  return [
    {
      name: "chip",
      help: "NAME: a chip's state (pic, pit, localApic, …); without a name the names",
      run: ([name = ""]) => {
        const saved = machine()?.saveChips();
        const chips: Readonly<Record<string, unknown>> = { ...saved?.board, clock: saved?.clock };
        if (Object.hasOwn(chips, name)) return `${Deno.inspect(chips[name], { depth: 8 })}\n`;
        return `${name === "" ? "" : `There is no chip "${name}". `}Chips: ${
          Object.keys(chips).sort().join(", ")
        }\n`;
      },
    },
    {
      name: "nmi",
      help: "press the NMI button",
      run: () => {
        machine()?.nmiButton();
        return "The guest will have an NMI.\n";
      },
    },
  ];
}
