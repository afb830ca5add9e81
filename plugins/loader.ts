/**
 * Finds and loads plugins: `FILE.ts[,option=value]…` as QEMU's `-plugin` writes it, or a bundled plugin's
 * name. A plugin that cannot be loaded gives one sentence and an error, before the machine starts.
 *
 * @module
 */
import { isAbsolute, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type AnyPlugin, boolParse, type OptionSpec } from "./api/mod.ts";
import { BUNDLED } from "./bundled/mod.ts";

/** A plugin with the values of its options. */
export interface LoadedPlugin {
  /** The plugin that the file exports. */
  readonly definition: AnyPlugin;
  /** Its options, checked and with defaults. */
  readonly options: Readonly<Record<string, string | number | boolean>>;
}

/** Thrown when a plugin cannot be loaded; the message is one sentence for the user. */
export class PluginError extends Error {
  /** The class's name. */
  override name = "PluginError";
}

/** Splits `FILE[,name=value]…`; a name without value means `on`. */
export function parsePluginArgument(argument: string): {
  file: string;
  options: Map<string, string>;
} {
  const [file, ...rest] = argument.split(",");
  const options = new Map<string, string>();
  for (const part of rest) {
    const equals = part.indexOf("=");
    if (equals < 0) options.set(part, "on");
    else options.set(part.slice(0, equals), part.slice(equals + 1));
  }
  return { file: file!, options };
}

/**
 * Loads the plugin that a command-line argument names.
 *
 * @param argument `FILE[,option=value]…`, or the name of a bundled plugin for the file; relative paths are relative to
 *   `directory`.
 * @throws {PluginError} when the file is missing or fails, exports no `plugin`, or an option is wrong.
 */
export async function loadPlugin(argument: string, directory: string): Promise<LoadedPlugin> {
  const { file, options } = parsePluginArgument(argument);
  const bundled = BUNDLED.get(file);
  if (bundled !== undefined) return { definition: bundled, options: readOptions(bundled, options) };
  const path = isAbsolute(file) ? file : resolve(directory, file);
  let module: Record<string, unknown>;
  try {
    module = await import(pathToFileURL(path).href);
  } catch (error) {
    // A bare name is none of a file.
    const names = /^[\w-]+$/.test(file)
      ? `; give a file, or one of: ${[...BUNDLED.keys()].join(", ")}`
      : "";
    throw new PluginError(`Cannot load plugin "${file}": ${oneLine(error)}${names}`);
  }
  const definition = module["plugin"];
  if (!isDefinition(definition)) {
    throw new PluginError(
      `Cannot load plugin "${file}": it exports no "plugin"; ` +
        `write: export const plugin = definePlugin({ name, description, install })`,
    );
  }
  return { definition, options: readOptions(definition, options) };
}

/**
 * Checks and converts the options of a plugin.
 *
 * @throws {PluginError} naming the option that is unknown, missing or of the wrong type.
 */
export function readOptions(
  definition: AnyPlugin,
  given: ReadonlyMap<string, string>,
): Record<string, string | number | boolean> {
  const specs = (definition.options ?? {}) as Readonly<Record<string, OptionSpec>>;
  for (const name of given.keys()) {
    if (!(name in specs)) {
      const known = Object.keys(specs);
      throw new PluginError(
        `Plugin "${definition.name}" has no option "${name}"; ` +
          (known.length === 0 ? "it has none" : `it has: ${known.join(", ")}`),
      );
    }
  }
  const values: Record<string, string | number | boolean> = {};
  for (const [name, spec] of Object.entries(specs)) {
    const text = given.get(name);
    if (text !== undefined) values[name] = convert(definition.name, name, spec, text);
    else if (spec.default !== undefined) values[name] = spec.default;
    else {
      throw new PluginError(`Plugin "${definition.name}" needs the option "${name}": ${spec.help}`);
    }
  }
  return values;
}

function convert(
  plugin: string,
  name: string,
  spec: OptionSpec,
  text: string,
): string | number | boolean {
  if (spec.type === "string") return text;
  if (spec.type === "boolean") {
    const value = boolParse(text);
    if (value !== undefined) return value;
    throw new PluginError(`Option "${name}" of plugin "${plugin}" is on or off, not "${text}"`);
  }
  const value = text === "" ? NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw new PluginError(`Option "${name}" of plugin "${plugin}" is a number, not "${text}"`);
}

function isDefinition(value: unknown): value is AnyPlugin {
  return typeof value === "object" && value !== null &&
    typeof (value as AnyPlugin).name === "string" &&
    typeof (value as AnyPlugin).install === "function";
}

/** The first line of what was thrown, which may be anything. */
export function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n")[0]!;
}
