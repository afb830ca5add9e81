/**
 * The plugin API: QEMU's TCG plugin concepts and names in JavaScript's idiom. A plugin is a module that
 * exports `plugin`, made by {@linkcode definePlugin}; everything it may ask or hook is on the
 * {@linkcode PluginHost} that `install` receives.
 *
 * Semantics follow QEMU's plugin API version 7: execution callbacks run before their instruction, which may
 * still fault; memory callbacks run after a successful access; not every instruction of a block runs;
 * registers and memory are exact inside every callback. Beyond QEMU: interrupt vectors and error codes,
 * port accesses, control-register writes, symbols with stacks, hooks at an instruction count, filters.
 *
 * @module
 */
export type { Block, Instruction, MemoryAccess, MemoryAccessKind } from "./code.ts";
export {
  type AnyPlugin,
  boolParse,
  definePlugin,
  type OptionSpec,
  type OptionType,
  type OptionValue,
  type OptionValues,
  type PluginDefinition,
} from "./definition.ts";
export type {
  ControlRegisterWrite,
  Discontinuity,
  DiscontinuityType,
  PortAccess,
  Syscall,
  SyscallAbi,
  SyscallReturn,
} from "./events.ts";
export { type AddressRange, type Filter, wildcard } from "./filter.ts";
export type { CallFilter, CallingConvention, FunctionCall, FunctionReturn } from "./functions.ts";
export type {
  GuestBinary,
  GuestProcess,
  RegisterDescriptor,
  StackFrame,
  SymbolAt,
  Symbols,
} from "./guest.ts";
export type { PluginHost, TargetInfo, TimeControl } from "./host.ts";
export type { Comparison, Condition, InlineOperation, Scoreboard, U64 } from "./scoreboard.ts";
export type { Vcpu } from "./vcpu.ts";
