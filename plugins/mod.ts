/**
 * Plugins: scripts that hook any instruction, memory access, interrupt or function of the guest.
 *
 * @module
 */
export {
  type AnyPlugin,
  type Block,
  type Counter,
  definePlugin,
  type Discontinuity,
  type GuestProcess,
  type Instruction,
  type MemoryAccess,
  type MemoryAccessKind,
  type OptionSpec,
  type OptionType,
  type OptionValue,
  type OptionValues,
  type PluginDefinition,
  type PluginHost,
  type PortAccess,
  type RegisterDescriptor,
  type StackFrame,
  type SymbolAt,
  type Symbols,
  type Vcpu,
} from "./api.ts";
export { type LoadedPlugin, loadPlugin, PluginError } from "./loader.ts";
export { PluginManager, type PluginOutput, type PluginTarget } from "./manager.ts";
export { type SymbolRange, SymbolTable } from "./symbols.ts";
