/**
 * gdb's remote serial protocol: answers a client's packets for one machine.
 *
 * Sources: "Debugging with GDB", appendix E (packets), E.2 (`g`, `m`, `Z`, `vCont`), E.3 (stop replies), E.4 (`q`).
 *
 * @module
 */
import type { PluginHost, RegisterDescriptor } from "../api/mod.ts";
import { AgentError, evaluate } from "./agent_expression.ts";
import { Debugger, type StopPoint, type StopReason } from "./debugger.ts";
import { HostFiles } from "./files.ts";
import { type MonitorCommand, runMonitor } from "./monitor.ts";
import { fromBinary, fromHex, toBinary } from "./packets.ts";
import { describeTarget, type TargetDescription } from "./target_description.ts";

/** What the embedding program adds. */
export interface StubOptions {
  /** The program that runs first, usually the kernel: a client that has no file reads its symbols from here. */
  readonly program?: () => { readonly name: string; readonly bytes: Uint8Array } | undefined;
  /** More of `monitor`'s commands. */
  readonly commands?: readonly MonitorCommand[];
}

/** Bytes of the largest packet. */
const PACKET_SIZE = 0x20000;
const SIGINT = 2;
const SIGTRAP = 5;
/** The one thread: the processor. */
const THREAD = "p1.1";
const OK = "OK";
/** Error numbers are the client's business only as text; these are errno's. */
const ERROR = { PARAMETER: "E16", MEMORY: "E0e", REGISTER: "E16" } as const;
const POINT_KINDS = ["software", "hardware", "write", "read", "access"] as const;
/** Reported with each stop, so that a client need not ask. */
const EXPEDITED: ReadonlySet<string> = new Set(["eip", "esp", "ebp"]);

/** Protocol state of one connection. */
export class GdbStub {
  readonly #host: PluginHost;
  readonly #options: StubOptions;
  readonly #debugger: Debugger;
  readonly #description: TargetDescription;
  readonly #send: (body: string) => void;
  readonly #files: HostFiles;
  /** EIP is told as a linear address, so that code of real mode is found where it is. */
  #linearPc = true;
  #noAck = false;
  #stop: StopReason | undefined;
  /** The client waits for a stop. */
  #running = false;

  /** `send` takes bodies of packets. The machine is stopped at once; the client is told when it asks. */
  constructor(
    host: PluginHost,
    debug: Debugger,
    options: StubOptions,
    send: (body: string) => void,
  ) {
    this.#host = host;
    this.#debugger = debug;
    this.#options = options;
    this.#send = send;
    this.#files = new HostFiles(options.program?.());
    const realMode = (host.readRegister("cr0") & 1) === 0;
    this.#description = describeTarget(host.registers(), realMode ? 16 : 32);
  }

  /** Packets are not acknowledged any more. */
  get noAck(): boolean {
    return this.#noAck;
  }

  /** The machine has stopped. */
  stopped(reason: StopReason): void {
    this.#stop = reason;
    if (!this.#running) return;
    this.#running = false;
    this.#send(this.#stopReply());
  }
  /** The run has ended. */
  exited(status: number): void {
    if (this.#running) this.#send(`W${hex(status & 0xff, 2)};process:1`);
    this.#running = false;
  }

  /** Answers a packet; undefined: the answer comes later, with {@link stopped}, or there is none. */
  handle(packet: string): string | undefined {
    const rest = packet.slice(1);
    switch (packet[0]) {
      case "?":
        return this.#stopReply();
      case "!":
        return OK;
      case "g":
        return this.#registers.map((register) => this.#readRegister(register)).join("");
      case "G":
        return this.#writeAll(rest);
      case "p":
        return this.#readOne(rest);
      case "P":
        return this.#writeOne(rest);
      case "m":
        return this.#readMemory(rest, (bytes) => bytes.toHex());
      case "x":
        return this.#readMemory(rest, (bytes) => `b${toBinary(bytes)}`);
      case "M":
        return this.#writeMemory(rest, fromHex);
      case "X":
        return this.#writeMemory(rest, fromBinary);
      case "c":
        return this.#resume(rest, { type: "continue" });
      case "C":
        return this.#resume(rest.split(";")[1] ?? "", { type: "continue" });
      case "s":
        return this.#resume(rest, { type: "step" });
      case "S":
        return this.#resume(rest.split(";")[1] ?? "", { type: "step" });
      case "Z":
        return this.#addPoint(rest);
      case "z":
        return this.#removePoint(rest);
      case "H":
      case "T":
        return OK;
      case "D":
        this.#debugger.detach();
        return OK;
      case "k":
        this.#host.stop();
        this.#debugger.detach();
        return undefined;
      case "v":
        return this.#verbose(packet);
      case "q":
      case "Q":
        return this.#query(packet);
      default:
        return "";
    }
  }

  // ---- stopping and going on -------------------------------------------------------------------------

  #stopReply(): string {
    const stop = this.#stop ?? { type: "interrupt" };
    const signal = stop.type === "interrupt" ? SIGINT : SIGTRAP;
    const expedited = this.#registers.flatMap((register, number) =>
      EXPEDITED.has(register.name) ? [`${hex(number, 2)}:${this.#readRegister(register)};`] : []
    );
    let reason = "";
    if (stop.type === "breakpoint") reason = stop.kind === "hardware" ? "hwbreak:;" : "swbreak:;";
    else if (stop.type === "watchpoint") {
      const name = { write: "watch", read: "rwatch", access: "awatch" }[stop.kind];
      reason = `${name}:${hex(stop.address)};`;
    }
    return `T${hex(signal, 2)}${expedited.join("")}thread:${THREAD};${reason}`;
  }
  #resume(address: string, how: Parameters<Debugger["resume"]>[0]): undefined {
    if (address !== "") this.#setPc(number(address) ?? 0);
    this.#running = true;
    this.#debugger.resume(how);
    return undefined;
  }
  #verbose(packet: string): string | undefined {
    if (packet === "vCont?") return "vCont;c;C;s;S;t;r";
    if (packet.startsWith("vCont;")) return this.#continue(packet.slice("vCont;".length));
    if (packet.startsWith("vFile:")) return this.#files.handle(packet.slice("vFile:".length));
    if (packet.startsWith("vAttach;")) return this.#stopReply();
    if (packet.startsWith("vKill")) {
      this.#host.stop();
      this.#debugger.detach();
      return OK;
    }
    return "";
  }
  /** `vCont`: there is one thread, so the first action is its. */
  #continue(actions: string): string | undefined {
    const [action = ""] = (actions.split(";")[0] ?? "").split(":");
    switch (action[0]) {
      case "c":
      case "C":
        return this.#resume("", { type: "continue" });
      case "s":
      case "S":
        return this.#resume("", { type: "step" });
      case "r": {
        const [start, end] = action.slice(1).split(",").map(number);
        if (start === undefined || end === undefined) return ERROR.PARAMETER;
        return this.#resume("", { type: "step", range: { start, end } });
      }
      case "t":
        this.#debugger.stop();
        return OK;
      default:
        return ERROR.PARAMETER;
    }
  }

  // ---- breakpoints -------------------------------------------------------------------------------------

  #addPoint(text: string): string {
    const [place = "", ...conditions] = text.split(";");
    const point = stopPoint(place);
    if (point === undefined) return ERROR.PARAMETER;
    const programs: Uint8Array[] = [];
    for (const condition of conditions) {
      // X and the length, a comma, the code. Commands (`cmds:`) are the client's to run: not offered.
      const [, code = ""] = /^X[0-9a-f]+,([0-9a-fA-F]*)$/.exec(condition) ?? [];
      const bytes = fromHex(code);
      if (bytes === undefined || bytes.length === 0) return ERROR.PARAMETER;
      programs.push(bytes);
    }
    this.#debugger.add(point, programs.map((program) => () => this.#isTrue(program)));
    return OK;
  }
  #removePoint(text: string): string {
    const point = stopPoint(text);
    if (point === undefined) return ERROR.PARAMETER;
    this.#debugger.remove(point);
    return OK;
  }
  /** What cannot be evaluated stops: the client looks for itself. */
  #isTrue(program: Uint8Array): boolean {
    try {
      return evaluate(program, {
        register: (index) => {
          const register = this.#registers[index];
          if (register === undefined) return undefined;
          const bytes = this.#registerBytes(register);
          return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
        },
        memory: (address, length) => this.#host.readMemory(address, length),
      }) !== 0n;
    } catch (error) {
      if (error instanceof AgentError) return true;
      throw error;
    }
  }

  // ---- registers and memory ----------------------------------------------------------------------------

  get #registers(): readonly RegisterDescriptor[] {
    return this.#description.registers;
  }
  get #base(): number {
    return this.#linearPc ? this.#host.readRegister("cs_base") : 0;
  }
  #setPc(address: number): void {
    this.#host.writeRegister("eip", (address - this.#base) >>> 0);
  }
  #registerBytes({ name }: RegisterDescriptor): Uint8Array {
    const bytes = this.#host.readRegisterBytes(name);
    if (name === "eip" && this.#linearPc) {
      const view = new DataView(bytes.buffer);
      view.setUint32(0, (view.getUint32(0, true) + this.#base) >>> 0, true);
    }
    return bytes;
  }
  #readRegister(register: RegisterDescriptor): string {
    return this.#registerBytes(register).toHex();
  }
  #readOne(text: string): string {
    const register = this.#registers[number(text) ?? -1];
    return register === undefined ? ERROR.REGISTER : this.#readRegister(register);
  }
  #writeOne(text: string): string {
    const [index = "", value = ""] = text.split("=");
    const register = this.#registers[number(index) ?? -1];
    const bytes = fromHex(value);
    if (register === undefined || bytes === undefined) return ERROR.REGISTER;
    return this.#writeRegister(register, bytes) ? OK : ERROR.REGISTER;
  }
  /** What the guest alone can change (CR0 …) stays, if it is told as it was. */
  #writeAll(text: string): string {
    let at = 0;
    let done = true;
    for (const register of this.#registers) {
      const digits = text.slice(at, at += 2 * register.bytes);
      if (digits.length < 2 * register.bytes) break;
      if (digits.startsWith("x") || digits.toLowerCase() === this.#readRegister(register)) continue;
      const bytes = fromHex(digits);
      if (bytes === undefined || !this.#writeRegister(register, bytes)) done = false;
    }
    return done ? OK : ERROR.REGISTER;
  }
  #writeRegister(register: RegisterDescriptor, bytes: Uint8Array<ArrayBuffer>): boolean {
    if (bytes.length !== register.bytes) return false;
    if (register.name === "eip") {
      this.#setPc(new DataView(bytes.buffer).getUint32(0, true));
      return true;
    }
    try {
      this.#host.writeRegisterBytes(register.name, bytes);
      return true;
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  }
  #readMemory(text: string, encode: (bytes: Uint8Array) => string): string {
    const [address, length] = text.split(",").map(number);
    if (address === undefined || length === undefined) return ERROR.PARAMETER;
    const bytes = this.#readable(address, Math.min(length, PACKET_SIZE / 2 - 1));
    return bytes.length === 0 && length > 0 ? ERROR.MEMORY : encode(bytes);
  }
  /** As much of a range as there is, from its start. */
  #readable(address: number, length: number): Uint8Array {
    const whole = this.#host.readMemory(address, length);
    if (whole !== undefined) return whole;
    const toPageEnd = PAGE - (address & (PAGE - 1));
    const parts: Uint8Array[] = [];
    for (let at = 0; at < length;) {
      const count = Math.min(length - at, at === 0 ? toPageEnd : PAGE);
      const part = this.#host.readMemory((address + at) >>> 0, count);
      if (part === undefined) break;
      parts.push(part);
      at += count;
    }
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
  #writeMemory(text: string, decode: (text: string) => Uint8Array | undefined): string {
    const colon = text.indexOf(":");
    const [address, length] = text.slice(0, colon).split(",").map(number);
    const bytes = decode(text.slice(colon + 1));
    if (address === undefined || bytes === undefined || bytes.length !== length) {
      return ERROR.PARAMETER;
    }
    return this.#host.writeMemory(address, bytes) ? OK : ERROR.MEMORY;
  }

  // ---- queries -------------------------------------------------------------------------------------------

  #query(packet: string): string {
    const [name = ""] = packet.split(/[:,]/);
    switch (name) {
      case "qSupported":
        return [
          `PacketSize=${hex(PACKET_SIZE)}`,
          "QStartNoAckMode+",
          "qXfer:features:read+",
          ...(this.#files.name === undefined ? [] : ["qXfer:exec-file:read+"]),
          "swbreak+",
          "hwbreak+",
          "vContSupported+",
          "multiprocess+",
          "ConditionalBreakpoints+",
          "binary-upload+",
        ].join(";");
      case "QStartNoAckMode":
        this.#noAck = true;
        return OK;
      case "qXfer":
        return this.#transfer(packet);
      case "qAttached":
        return "1";
      case "qC":
        return `QC${THREAD}`;
      case "qfThreadInfo":
        return `m${THREAD}`;
      case "qsThreadInfo":
        return "l";
      case "qThreadExtraInfo":
        return new TextEncoder().encode(this.#threadInfo()).toHex();
      case "qRcmd":
        return this.#monitor(packet.slice("qRcmd,".length));
      case "qSymbol":
        return OK;
      default:
        return "";
    }
  }
  #threadInfo(): string {
    const process = this.#host.process();
    const cpl = this.#host.readRegister("cs") & 3;
    return `CPU 0, ring ${cpl}${process === undefined ? "" : `, ${process.name} (${process.pid})`}`;
  }
  #transfer(packet: string): string {
    const [, object, operation, annex = "", range = ""] = packet.split(":");
    const [offset, length] = range.split(",").map(number);
    if (operation !== "read" || offset === undefined || length === undefined) return "";
    let text: string;
    if (object === "features" && annex === "target.xml") text = this.#description.xml;
    else if (object === "exec-file" && this.#files.name !== undefined) text = this.#files.name;
    else return "";
    const part = text.slice(offset, offset + length);
    return `${offset + length < text.length ? "m" : "l"}${part}`;
  }
  #monitor(text: string): string {
    const bytes = fromHex(text);
    if (bytes === undefined) return ERROR.PARAMETER;
    const answer = runMonitor(new TextDecoder().decode(bytes).trim(), [
      {
        name: "linear-pc",
        help: "on|off: tell EIP as a linear address, also where CS has a base (real mode)",
        run: (words) => {
          if (words[0] === "on" || words[0] === "off") this.#linearPc = words[0] === "on";
          return `linear-pc is ${this.#linearPc ? "on" : "off"}\n`;
        },
      },
      ...(this.#options.commands ?? []),
    ], this.#host);
    return answer === "" ? OK : new TextEncoder().encode(answer).toHex();
  }
}

const PAGE = 4096;

/** A number in hexadecimal digits; undefined when it is none. */
function number(text: string): number | undefined {
  return /^[0-9a-fA-F]{1,8}$/.test(text) ? Number.parseInt(text, 16) : undefined;
}
function hex(value: number, digits = 1): string {
  return value.toString(16).padStart(digits, "0");
}
/** `kind,address,length`; watching what is not there is refused. */
function stopPoint(text: string): StopPoint | undefined {
  const [type = "", ...rest] = text.split(",");
  const [address, length] = rest.map(number);
  const kind = POINT_KINDS[number(type) ?? -1];
  if (kind === undefined || address === undefined || length === undefined) return undefined;
  if (address + length > 2 ** 32) return undefined;
  return { kind, address, length };
}
