/**
 * One plugin on a machine: its host, its subscriptions, and what becomes of its mistakes.
 *
 * @module
 */
import type {
  AnyPlugin,
  Discontinuity,
  Filter,
  GuestProcess,
  PluginHost,
  RegisterDescriptor,
  Syscall,
  SyscallAbi,
  TimeControl,
  Vcpu,
} from "../api/mod.ts";
import { oneLine } from "../loader.ts";
import { type CodeOwner, memoryAccess, TranslatingBlock, VCPU } from "./code.ts";
import { failurePlace } from "./failure.ts";
import { type Check, compilePlace, compileState } from "./filters.ts";
import { Functions } from "./functions.ts";
import { symbolisedStack, TargetSymbols } from "./guest.ts";
import { currentProcess } from "./guest_process.ts";
import { guestMemory, inRam, readLinear, writeLinear } from "./memory.ts";
import { Board } from "./scoreboards.ts";
import { LINUX_I386, type SyscallListener, Syscalls } from "./syscalls.ts";
import type { PluginOutput, PluginTarget } from "./target.ts";

const MAX_FRAMES = 127;
const NOTHING: Disposable = { [Symbol.dispose]: () => {} };

/** What plugins have of each other and in common. */
export interface Neighbours {
  /** What the plugin of that name exports. */
  exportsOf(name: string): object | undefined;
  /** Takes control of time; false when someone else has it. */
  takeTime(owner: RunningPlugin): boolean;
  /** Gives it back. */
  giveTime(owner: RunningPlugin): void;
}

/** An installed plugin. */
export class RunningPlugin {
  readonly name: string;
  readonly host: PluginHost;
  /** What its `install` returned. */
  exports: object | undefined = undefined;
  /** It has no hooks any more: it failed, was taken away, or the machine has ended. */
  off = false;
  failed = false;
  readonly #target: PluginTarget;
  readonly #output: PluginOutput;
  readonly #neighbours: Neighbours;
  readonly #subscriptions = new Set<Disposable>();
  readonly #boards = new Set<Disposable>();
  readonly #initCallbacks = new Set<(vcpu: Vcpu) => void>();
  readonly #vcpuExitCallbacks = new Set<(vcpu: Vcpu) => void>();
  readonly #exitCallbacks = new Set<() => void>();
  readonly #memory;
  readonly #symbols: TargetSymbols;
  readonly #syscalls: Syscalls;
  readonly #functions: Functions;

  constructor(
    definition: AnyPlugin,
    target: PluginTarget,
    output: PluginOutput,
    neighbours: Neighbours,
  ) {
    this.name = definition.name;
    this.#target = target;
    this.#output = output;
    this.#neighbours = neighbours;
    this.#memory = guestMemory(target.cpu);
    this.#symbols = new TargetSymbols(target, () => this.#process());
    this.#syscalls = new Syscalls(target.cpu, this.#memory);
    this.#functions = new Functions(target, this.#memory, this.#symbols);
    this.host = this.#makeHost();
  }

  /** The processor is there. */
  start(): void {
    for (const callback of this.#initCallbacks) this.guard("vcpu init", callback)(VCPU);
  }

  /** The machine ends. */
  exit(): void {
    for (const callback of this.#vcpuExitCallbacks) this.guard("vcpu exit", callback)(VCPU);
    for (const callback of this.#exitCallbacks) this.guard("exit", callback)();
    this.#end();
  }

  /** Takes everything away. */
  switchOff(): void {
    this.off = true;
    this.#end();
  }

  #end(): void {
    this.#dispose();
    for (const board of this.#boards) board[Symbol.dispose]();
    this.#boards.clear();
  }

  /** Takes the hooks away; scoreboards stay. */
  #dispose(): void {
    const subscriptions = [...this.#subscriptions];
    this.#subscriptions.clear();
    for (const subscription of subscriptions) subscription[Symbol.dispose]();
    this.#functions.forget();
    this.#initCallbacks.clear();
    this.#vcpuExitCallbacks.clear();
    this.#exitCallbacks.clear();
    this.#neighbours.giveTime(this);
  }

  /** Wraps a callback: an exception names the plugin and switches it off. */
  guard<A extends unknown[], R>(
    what: string,
    callback: (...values: A) => R,
  ): (...values: A) => R | undefined {
    return (...values) => {
      if (this.off) return undefined;
      try {
        return callback(...values);
      } catch (error) {
        this.failed = true;
        this.#output.failure(
          `Plugin "${this.name}" failed in its ${what} callback${
            failurePlace(error)
          } and is switched off: ${oneLine(error)}`,
        );
        this.switchOff();
        return undefined;
      }
    };
  }

  #process(): GuestProcess | undefined {
    const record = this.#target.kernel?.find("kernel_introspection");
    return record === undefined ? undefined : currentProcess(this.#memory, record);
  }

  /** EIP as a linear address. */
  #pc(): number {
    const { registers } = this.#target.cpu;
    return (registers.get("eip") + registers.get("cs_base")) >>> 0;
  }

  /** A subscription that the plugin may end before the plugin ends. */
  #kept(subscription: Disposable): Disposable {
    this.#subscriptions.add(subscription);
    return {
      [Symbol.dispose]: () => {
        this.#subscriptions.delete(subscription);
        subscription[Symbol.dispose]();
      },
    };
  }

  #inSet<T>(set: Set<T>, callback: T): Disposable {
    set.add(callback);
    return { [Symbol.dispose]: () => void set.delete(callback) };
  }

  /** A filter as one question; undefined: everything is wanted. */
  #compile(filter: Filter): Check | undefined {
    const place = compilePlace(filter, this.#symbols);
    const guest = {
      cpu: this.#target.cpu,
      symbols: this.#symbols,
      process: () => this.#process(),
    };
    const state = compileState(filter, guest);
    if (place === undefined) return state;
    return (address, vector) => place(address) && (state === undefined || state(address, vector));
  }

  /** Subscribes to an event. `facts`: where it is, and its vector, for the filter. */
  #event<A extends unknown[], R>(
    what: string,
    callback: (...values: A) => R,
    filter: Filter | undefined,
    facts: (...values: A) => { readonly at: number; readonly vector?: number },
    subscribe: (call: (...values: A) => R | undefined) => Disposable,
  ): Disposable {
    if (filter?.condition?.is === "never") return NOTHING;
    const check = filter === undefined ? undefined : this.#compile(filter);
    const guarded = this.guard(what, (...values: A): R | undefined => {
      if (check !== undefined) {
        const { at, vector } = facts(...values);
        if (!check(at, vector)) return undefined;
      }
      if (filter?.once === true) kept[Symbol.dispose]();
      return callback(...values);
    });
    const kept = this.#kept(subscribe(guarded));
    return kept;
  }

  readonly #owner: CodeOwner = (() => {
    // deno-lint-ignore no-this-alias
    const plugin = this;
    return {
      get cpu() {
        return plugin.#target.cpu;
      },
      get symbols() {
        return plugin.#symbols;
      },
      device: (physical) => plugin.#target.device(physical),
      hooked: (what, callback, filter, address, once) => {
        if (filter === undefined) return plugin.guard(what, callback);
        const key = filter.once === true ? once.key() : "";
        if (once.done.has(key) || filter.condition?.is === "never") return undefined;
        if (compilePlace(filter, plugin.#symbols)?.(address) === false) return undefined;
        const check = compileState(filter, {
          cpu: plugin.#target.cpu,
          symbols: plugin.#symbols,
          process: () => plugin.#process(),
        });
        return plugin.guard(what, (...values) => {
          if (filter.once === true && once.done.has(key)) return;
          if (check !== undefined && !check(address, undefined)) return;
          if (filter.once === true) {
            once.done.add(key);
            plugin.#translateAnew(address);
          }
          callback(...values);
        });
      },
    } satisfies CodeOwner;
  })();

  /** Code at an address gets its hooks anew, those that have had their one event left out. */
  #translateAnew(address: number): void {
    const range = { start: address, end: address + 1 };
    this.#target.cpu.hooks.onTranslate(() => {}, range)[Symbol.dispose]();
  }

  #timeControl(): TimeControl | undefined {
    if (!this.#neighbours.takeTime(this)) return undefined;
    let mine = true;
    return {
      updateNs: (ns) => {
        if (!mine) throw new TypeError("Cannot set the time: control of it was given back");
        this.#target.advanceTo(ns);
      },
      [Symbol.dispose]: () => {
        if (mine) this.#neighbours.giveTime(this);
        mine = false;
      },
    };
  }

  /** Takes all hooks away at once: no callback comes any more. */
  #leave(callback: (() => void) | undefined, forGood: boolean): void {
    this.#dispose();
    const call = callback === undefined ? undefined : this.guard("end", callback);
    call?.();
    if (forGood) this.switchOff();
  }

  #makeHost(): PluginHost {
    const target = this.#target;
    const { cpu } = target;
    const { hooks } = cpu;
    const here = (): { at: number } => ({ at: this.#pc() });
    const discontinuity = (
      types: readonly Discontinuity["type"][] | undefined,
      callback: (event: Discontinuity, vcpu: Vcpu) => void,
      filter: Filter | undefined,
    ): Disposable =>
      this.#event(
        "discontinuity",
        callback,
        filter,
        (event) => ({ at: event.from, vector: event.vector }),
        (call) =>
          hooks.onDiscontinuity((event) => {
            if (types === undefined || types.includes(event.type)) call(event, VCPU);
          }),
      );
    /** Subscribes to something about system calls; `callOf`: which one an event is about. */
    const syscall = <E, R>(
      what: string,
      callback: (event: E, vcpu: Vcpu) => R,
      filter: (Filter & { readonly abi?: SyscallAbi }) | undefined,
      callOf: (event: E) => Syscall,
      listen: (call: (event: E) => R | undefined) => Omit<SyscallListener, "abi">,
      isFilter = false,
    ): Disposable =>
      this.#event(
        what,
        callback,
        filter,
        (event) => ({ at: callOf(event).address, vector: callOf(event).number }),
        (call) =>
          this.#syscalls.add({
            abi: filter?.abi ?? LINUX_I386,
            ...listen((event) => call(event, VCPU)),
          }, isFilter),
      );
    return {
      info: {
        apiVersion: 7,
        targetName: "i386",
        systemEmulation: true,
        vcpus: 1,
        maxVcpus: 1,
        ramBytes: cpu.memory.size,
        instructionsPerSecond: target.instructionsPerSecond,
      },
      vcpus: [VCPU],
      binary: target.binary,
      get instructions() {
        return cpu.instructions;
      },
      get timeNs() {
        return target.now();
      },
      onVcpuInit: (callback) => this.#inSet(this.#initCallbacks, callback),
      onVcpuExit: (callback) => this.#inSet(this.#vcpuExitCallbacks, callback),
      onVcpuIdle: (callback, filter) =>
        this.#event("idle", callback, filter, here, (call) => hooks.onIdle(() => call(VCPU))),
      onVcpuResume: (callback, filter) =>
        this.#event("resume", callback, filter, here, (call) => hooks.onResume(() => call(VCPU))),
      onTranslate: (callback, filter) => {
        const guarded = this.guard("translation", callback);
        const { range } = filter ?? {};
        const wanted = filter?.symbol === undefined
          ? undefined
          : compilePlace({ symbol: filter.symbol }, this.#symbols);
        const done = new Set<string>();
        return this.#kept(hooks.onTranslate((found) => {
          const block = new TranslatingBlock(found, this.#owner, done, wanted);
          if (block.instructions.length > 0) guarded(block);
        }, range));
      },
      onFlush: (callback) => this.#kept(hooks.onFlush(this.guard("flush", callback))),
      onDiscontinuity: (callback, filter) => discontinuity(filter?.types, callback, filter),
      onInterrupt: (callback, filter) => discontinuity(["interrupt"], callback, filter),
      onException: (callback, filter) => discontinuity(["exception"], callback, filter),
      onPort: (callback, filter) =>
        this.#event(
          "port",
          callback,
          filter,
          (access) => ({ at: this.#pc(), vector: access.port }),
          (call) =>
            hooks.onPort((event) =>
              call({ ...event, device: target.port(event.port) ?? "" }, VCPU)
            ),
        ),
      onControlRegister: (callback, filter) =>
        this.#event(
          "control register",
          callback,
          filter,
          here,
          (call) => hooks.onControlRegister((event) => void call(event, VCPU)),
        ),
      onAccess: (callback, range, kind, filter) =>
        this.#event(
          "access",
          callback,
          filter,
          here,
          (call) =>
            hooks.onAccess((event) => call(memoryAccess(event, this.#owner), VCPU), range, kind),
        ),
      onReset: (callback) => this.#kept(hooks.onReset(this.guard("reset", callback))),
      onSyscall: (callback, filter) =>
        syscall("system call", callback, filter, (call) => call, (call) => ({
          enter: (event) => {
            call(event);
            return undefined;
          },
        })),
      onSyscallFilter: (callback, filter) =>
        syscall(
          "system call filter",
          callback,
          filter,
          (call) => call,
          (call) => ({ enter: call }),
          true,
        ),
      onSyscallReturn: (callback, filter) =>
        syscall(
          "system call return",
          callback,
          filter,
          ({ call }) => call,
          (call) => ({ leave: (event) => void call(event) }),
        ),
      onCall: (symbol, callback, filter) =>
        this.#event(
          "call",
          callback,
          filter,
          (call) => ({ at: call.address }),
          (told) =>
            this.#functions.listen({
              pattern: symbol,
              convention: filter?.convention ?? "cdecl",
              called: (call) => {
                told(call, VCPU);
                return false;
              },
            }),
        ),
      onReturn: (symbol, callback, filter) => {
        const wanted = filter === undefined ? undefined : this.#compile(filter);
        const returned = this.guard("return", callback);
        let done = false;
        return this.#kept(this.#functions.listen({
          pattern: symbol,
          convention: filter?.convention ?? "cdecl",
          called: (call) => {
            if (done || (wanted !== undefined && !wanted(call.address, undefined))) return false;
            done = filter?.once === true;
            return true;
          },
          returned: (event) => void returned(event, VCPU),
        }));
      },
      at: (instructions, callback) => {
        const guarded = this.guard("instruction count", callback);
        const subscription = hooks.at(instructions, () => {
          this.#subscriptions.delete(subscription);
          guarded();
        });
        return this.#kept(subscription);
      },
      atExit: (callback) => this.#inSet(this.#exitCallbacks, callback),
      scoreboard: (...names) => {
        const board = new Board(hooks, names);
        this.#boards.add(board);
        return board;
      },
      registers: () => registerDescriptors(target),
      readRegister: (name) => cpu.registers.get(name),
      writeRegister: (name, value) => cpu.registers.set(name, value),
      setPc: (eip) => cpu.registers.set("eip", eip),
      readRegisterBytes: (name) => cpu.registers.getBytes(name),
      writeRegisterBytes: (name, bytes) => cpu.registers.setBytes(name, bytes),
      readMemory: (address, length) => readLinear(cpu, address, length),
      writeMemory: (address, bytes) => writeLinear(cpu, address, bytes),
      readPhysical: (address, length) =>
        inRam(cpu, address, length) ? cpu.memory.read(address, length) : undefined,
      writePhysical: (address, bytes) => {
        if (!inRam(cpu, address, bytes.length)) return false;
        cpu.memory.write(address, bytes);
        return true;
      },
      translate: (address) => cpu.translate(address),
      symbols: this.#symbols,
      stack: (limit = MAX_FRAMES) => symbolisedStack(target, this.#symbols, this.#memory, limit),
      process: () => this.#process(),
      requestTimeControl: () => this.#timeControl(),
      plugin: <T extends object>(name: string): T => {
        const exported = this.#neighbours.exportsOf(name);
        if (exported === undefined) {
          throw new RangeError(`No plugin "${name}" that exports anything is installed`);
        }
        // The caller names the type of what it asks for by name.
        return exported as T;
      },
      reset: (callback) => this.#leave(callback, false),
      uninstall: (callback) => this.#leave(callback, true),
      out: (text) => this.#output.text(this.name, text),
      stop: () => target.stop(),
      hold: (until) => target.hold(until),
    };
  }
}

function registerDescriptors({ cpu }: PluginTarget): RegisterDescriptor[] {
  const { registers } = cpu;
  return registers.names.map((name) => ({
    name,
    feature: registers.feature(name),
    bytes: registers.size(name),
    readOnly: registers.isReadOnly(name),
  }));
}
