/**
 * Runs plugins on a machine: gives each its host, isolates their failures (a plugin that throws is named
 * and switched off, the machine goes on) and tells them about the end of the run.
 *
 * @module
 */
import type { Cpu, TranslatedInstruction, TranslationBlock } from "../cpu/mod.ts";
import type {
  AnyPlugin,
  Block,
  Counter,
  Discontinuity,
  GuestProcess,
  Instruction,
  MemoryAccess,
  PluginHost,
  PortAccess,
  RegisterDescriptor,
  StackFrame,
  SymbolAt,
  Symbols,
  Vcpu,
} from "./api.ts";
import { disassemble, type Disassembly } from "./disassembler.ts";
import { currentProcess, type GuestMemory } from "./guest_process.ts";
import type { LoadedPlugin } from "./loader.ts";
import { oneLine, PluginError } from "./loader.ts";
import { walkStack } from "./stack.ts";
import type { SymbolTable } from "./symbols.ts";

/** What plugins run on. */
export interface PluginTarget {
  /** The processor. */
  readonly cpu: Cpu;
  /** Virtual time since power-on in ns. */
  now(): number;
  /** Instructions that take one second of virtual time. */
  readonly instructionsPerSecond: number;
  /** Ends the run at the next instruction boundary. */
  stop(): void;
  /** Lets the machine stand still from the next instruction boundary until the promise settles. */
  hold(until: Promise<unknown>): void;
  /** The kernel's symbols, if its file has any. */
  readonly kernel: SymbolTable | undefined;
  /** The symbols of a program of the guest by its path, if there are any. */
  program(path: string): SymbolTable | undefined;
}

/** Where plugins' output and the reports of their failures go. */
export interface PluginOutput {
  /** Text that a plugin prints. */
  text(plugin: string, text: string): void;
  /** A sentence about a plugin that failed. */
  failure(message: string): void;
}

const VCPU: Vcpu = { index: 0 };
const MAX_FRAMES = 127;
const USER_RPL = 3;

/** The plugins of one machine. */
export class PluginManager {
  readonly #target: PluginTarget;
  readonly #output: PluginOutput;
  readonly #plugins: RunningPlugin[] = [];

  /** The plugins of `target`; what they say goes to `output`. */
  constructor(target: PluginTarget, output: PluginOutput) {
    this.#target = target;
    this.#output = output;
  }

  /**
   * Installs a plugin.
   *
   * @throws {PluginError} when its `install` throws; none of its hooks stay.
   */
  install(plugin: LoadedPlugin): void {
    const running = new RunningPlugin(plugin.definition, this.#target, this.#output);
    try {
      plugin.definition.install(running.host, plugin.options);
    } catch (error) {
      running.switchOff();
      throw new PluginError(
        `Cannot install plugin "${plugin.definition.name}": ${oneLine(error)}`,
      );
    }
    this.#plugins.push(running);
    running.start();
  }

  /** Calls the plugins' exit callbacks, in the order of installation. Call it once. */
  exit(): void {
    for (const plugin of this.#plugins) plugin.exit();
  }

  /** Names of the plugins that failed and were switched off. */
  get failed(): string[] {
    return this.#plugins.filter((plugin) => plugin.off).map((plugin) => plugin.name);
  }
}

class RunningPlugin {
  readonly name: string;
  readonly host: PluginHost;
  off = false;
  readonly #target: PluginTarget;
  readonly #output: PluginOutput;
  readonly #subscriptions = new Set<Disposable>();
  readonly #initCallbacks: ((vcpu: Vcpu) => void)[] = [];
  readonly #exitCallbacks: (() => void)[] = [];

  constructor(definition: AnyPlugin, target: PluginTarget, output: PluginOutput) {
    this.name = definition.name;
    this.#target = target;
    this.#output = output;
    this.host = this.#makeHost();
  }

  start(): void {
    for (const callback of this.#initCallbacks) this.guard("vcpu init", callback)(VCPU);
  }

  exit(): void {
    for (const callback of this.#exitCallbacks) this.guard("exit", callback)();
    this.#dispose();
  }

  switchOff(): void {
    this.off = true;
    this.#dispose();
  }

  #dispose(): void {
    const subscriptions = [...this.#subscriptions];
    this.#subscriptions.clear();
    for (const subscription of subscriptions) subscription[Symbol.dispose]();
  }

  /** Wraps a callback: an exception names the plugin and switches it off. */
  guard<A extends unknown[]>(
    what: string,
    callback: (...values: A) => void,
  ): (...values: A) => void {
    return (...values) => {
      if (this.off) return;
      try {
        callback(...values);
      } catch (error) {
        this.off = true;
        this.#output.failure(
          `Plugin "${this.name}" failed in its ${what} callback and is switched off: ${
            oneLine(error)
          }`,
        );
        this.#dispose();
      }
    };
  }

  #makeHost(): PluginHost {
    const target = this.#target;
    const { cpu } = target;
    const { hooks } = cpu;
    const memory = guestMemory(cpu);
    const keep = (subscription: Disposable): void => void this.#subscriptions.add(subscription);
    const symbols = new TargetSymbols(target, () => process());
    const process = (): GuestProcess | undefined => {
      const record = target.kernel?.find("kernel_introspection");
      return record === undefined ? undefined : currentProcess(memory, record);
    };
    const discontinuity = (
      wanted: readonly Discontinuity["type"][],
      callback: (event: Discontinuity, vcpu: Vcpu) => void,
    ): Disposable => {
      const guarded = this.guard("discontinuity", callback);
      return this.#kept(hooks.onDiscontinuity((event) => {
        if (wanted.includes(event.type)) guarded(event, VCPU);
      }));
    };
    return {
      info: {
        targetName: "i386",
        systemEmulation: true,
        vcpus: 1,
        ramBytes: cpu.memory.size,
        instructionsPerSecond: target.instructionsPerSecond,
      },
      get instructions() {
        return cpu.instructions;
      },
      get timeNs() {
        return target.now();
      },
      onVcpuInit: (callback) => void this.#initCallbacks.push(callback),
      onVcpuIdle: (callback) => {
        const guarded = this.guard("idle", callback);
        keep(hooks.onIdle(() => guarded(VCPU)));
      },
      onVcpuResume: (callback) => {
        const guarded = this.guard("resume", callback);
        keep(hooks.onResume(() => guarded(VCPU)));
      },
      onTranslate: (callback, range) => {
        const guarded = this.guard("translation", callback);
        const subscription = hooks.onTranslate(
          (block) => guarded(new TranslatingBlock(block, this, symbols, cpu)),
          range,
        );
        return this.#kept(subscription);
      },
      onDiscontinuity: (callback) =>
        discontinuity(["interrupt", "exception", "software", "iret"], callback),
      onInterrupt: (callback) => discontinuity(["interrupt"], callback),
      onException: (callback) => discontinuity(["exception"], callback),
      onPort: (callback) => {
        const guarded = this.guard("port", callback);
        keep(hooks.onPort((access: PortAccess) => guarded(access, VCPU)));
      },
      onControlRegister: (callback) => {
        const guarded = this.guard("control register", callback);
        keep(hooks.onControlRegister((event) => guarded(event, VCPU)));
      },
      at: (instructions, callback) => {
        const guarded = this.guard("instruction count", callback);
        const subscription = hooks.at(instructions, () => {
          this.#subscriptions.delete(subscription);
          guarded();
        });
        return this.#kept(subscription);
      },
      onAccess: (callback, range, kind) => {
        const guarded = this.guard("access", callback);
        return this.#kept(hooks.onAccess((access) => guarded(access, VCPU), range, kind));
      },
      atExit: (callback) => void this.#exitCallbacks.push(callback),
      counter: () => hooks.counter(),
      registers: () => registerDescriptors(cpu),
      readRegister: (name) => cpu.registers.get(name),
      writeRegister: (name, value) => cpu.registers.set(name, value),
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
      symbols,
      stack: (limit = MAX_FRAMES) => symbolisedStack(target, symbols, memory, limit),
      process,
      out: (text) => this.#output.text(this.name, text),
      stop: () => target.stop(),
      hold: (until) => target.hold(until),
    };
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
}

/** Symbols of the kernel, and of the running process's program. */
class TargetSymbols implements Symbols {
  readonly #target: PluginTarget;
  readonly #process: () => GuestProcess | undefined;

  constructor(target: PluginTarget, process: () => GuestProcess | undefined) {
    this.#target = target;
    this.#process = process;
  }

  table(address: number): SymbolTable | undefined {
    const { kernel } = this.#target;
    if (kernel?.covers(address)) return kernel;
    const program = this.#process()?.program ?? "";
    return program === "" ? undefined : this.#target.program(program);
  }

  at(address: number): SymbolAt | undefined {
    return this.table(address)?.at(address);
  }

  find(name: string): number | undefined {
    return this.#target.kernel?.find(name);
  }
}

class TranslatingBlock implements Block {
  readonly instructions: readonly Instruction[];
  readonly #block: TranslationBlock;
  readonly #plugin: RunningPlugin;

  constructor(block: TranslationBlock, plugin: RunningPlugin, symbols: Symbols, cpu: Cpu) {
    this.#block = block;
    this.#plugin = plugin;
    this.instructions = block.instructions.map((instruction) =>
      new TranslatingInstruction(instruction, plugin, symbols, cpu)
    );
  }

  get address(): number {
    return this.#block.address;
  }

  get physical(): number {
    return this.#block.physical;
  }

  onExecute(callback: (vcpu: Vcpu) => void): void {
    const guarded = this.#plugin.guard("block", callback);
    this.#block.onExecute(() => guarded(VCPU));
  }

  addInline(counter: Counter, amount: number): void {
    this.#block.addInline(counter as Parameters<TranslationBlock["addInline"]>[0], amount);
  }
}

class TranslatingInstruction implements Instruction {
  readonly #instruction: TranslatedInstruction;
  readonly #plugin: RunningPlugin;
  readonly #symbols: Symbols;
  readonly #cpu: Cpu;
  #disassembly: Disassembly | undefined;

  constructor(
    instruction: TranslatedInstruction,
    plugin: RunningPlugin,
    symbols: Symbols,
    cpu: Cpu,
  ) {
    this.#instruction = instruction;
    this.#plugin = plugin;
    this.#symbols = symbols;
    this.#cpu = cpu;
  }

  get address(): number {
    return this.#instruction.address;
  }

  get physical(): number {
    return this.#instruction.physical;
  }

  get size(): number {
    return this.#instruction.size;
  }

  bytes(): Uint8Array {
    return this.#instruction.bytes();
  }

  disassembly(): string {
    return this.#disassembled().text;
  }

  mnemonic(): string {
    return this.#disassembled().mnemonic;
  }

  symbol(): string | undefined {
    return this.#symbols.at(this.address)?.name;
  }

  onExecute(callback: (vcpu: Vcpu) => void): void {
    const guarded = this.#plugin.guard("instruction", callback);
    this.#instruction.onExecute(() => guarded(VCPU));
  }

  addInline(counter: Counter, amount: number): void {
    this.#instruction.addInline(counter as Parameters<TranslationBlock["addInline"]>[0], amount);
  }

  onMemory(
    callback: (access: MemoryAccess, vcpu: Vcpu) => void,
    kind: "r" | "w" | "rw" = "rw",
  ): void {
    const guarded = this.#plugin.guard("memory", callback);
    this.#instruction.onMemory((access) => guarded(access, VCPU), kind);
  }

  #disassembled(): Disassembly {
    return this.#disassembly ??= disassemble(
      this.bytes(),
      this.address,
      this.#cpu.codeBits,
    );
  }
}

function symbolisedStack(
  target: PluginTarget,
  symbols: TargetSymbols,
  memory: GuestMemory,
  limit: number,
): StackFrame[] {
  const { registers } = target.cpu;
  const isKernel = (address: number): boolean => target.kernel?.covers(address) ?? false;
  const addresses = walkStack({
    eip: (registers.get("eip") + registers.get("cs_base")) >>> 0,
    esp: registers.get("esp"),
    ebp: registers.get("ebp"),
    word: memory.word,
    byte: memory.byte,
    functionStart: (address) => {
      const symbol = symbols.at(address);
      return symbol === undefined ? undefined : (address - symbol.offset) >>> 0;
    },
    isKernel,
  }, limit);
  const userNow = (registers.get("cs") & USER_RPL) === USER_RPL;
  return addresses.map((address, index) => {
    // A return address may be the first byte of the next function: the call stands before it.
    const site = index === 0 ? address : address - 1;
    return {
      address,
      symbol: symbols.at(site),
      user: index === 0 ? userNow : userNow || !isKernel(address),
    };
  });
}

const PAGE_MASK = 0xfff;

function inRam(cpu: Cpu, physical: number, length: number): boolean {
  return Number.isInteger(physical) && physical >= 0 && length >= 0 &&
    physical + length <= cpu.memory.size;
}

/** Calls `use` for each page's part of a linear range; false as soon as one is not RAM. */
function eachPage(
  cpu: Cpu,
  address: number,
  length: number,
  use: (physical: number, offset: number, count: number) => void,
): boolean {
  for (let offset = 0; offset < length;) {
    const linear = (address + offset) >>> 0;
    const count = Math.min(length - offset, PAGE_MASK + 1 - (linear & PAGE_MASK));
    const physical = cpu.translate(linear);
    if (physical === undefined || !inRam(cpu, physical, count)) return false;
    use(physical, offset, count);
    offset += count;
  }
  return true;
}

function readLinear(cpu: Cpu, address: number, length: number): Uint8Array | undefined {
  const bytes = new Uint8Array(length);
  const whole = eachPage(
    cpu,
    address,
    length,
    (physical, offset, count) => bytes.set(cpu.memory.read(physical, count), offset),
  );
  return whole ? bytes : undefined;
}

function writeLinear(cpu: Cpu, address: number, bytes: Uint8Array): boolean {
  if (!eachPage(cpu, address, bytes.length, () => {})) return false;
  return eachPage(
    cpu,
    address,
    bytes.length,
    (physical, offset, count) => cpu.memory.write(physical, bytes.subarray(offset, offset + count)),
  );
}

function guestMemory(cpu: Cpu): GuestMemory {
  return {
    byte: (address) => readLinear(cpu, address >>> 0, 1)?.[0],
    word: (address) => {
      const bytes = readLinear(cpu, address >>> 0, 4);
      return bytes === undefined ? undefined : new DataView(bytes.buffer).getUint32(0, true);
    },
  };
}

function registerDescriptors(cpu: Cpu): RegisterDescriptor[] {
  const { registers } = cpu;
  return registers.names.map((name) => ({
    name,
    feature: registers.feature(name),
    bytes: registers.size(name),
  }));
}
