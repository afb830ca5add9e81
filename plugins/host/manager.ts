/**
 * Runs plugins on a machine: gives each its host, isolates their failures (a plugin that throws is named
 * and switched off, the machine goes on) and tells them about the end of the run.
 *
 * @module
 */
import { type LoadedPlugin, oneLine, PluginError } from "../loader.ts";
import { RunningPlugin } from "./running_plugin.ts";
import type { PluginOutput, PluginTarget } from "./target.ts";

/** The plugins of one machine. */
export class PluginManager {
  readonly #target: PluginTarget;
  readonly #output: PluginOutput;
  readonly #plugins: RunningPlugin[] = [];
  #timeOwner: RunningPlugin | undefined;

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
    const running = new RunningPlugin(plugin.definition, this.#target, this.#output, {
      exportsOf: (name) => this.#plugins.find((each) => each.name === name && !each.off)?.exports,
      takeTime: (owner) => {
        if (this.#timeOwner !== undefined) return false;
        this.#timeOwner = owner;
        return true;
      },
      giveTime: (owner) => {
        if (this.#timeOwner === owner) this.#timeOwner = undefined;
      },
    });
    try {
      running.exports = plugin.definition.install(running.host, plugin.options) ?? undefined;
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
    return this.#plugins.filter((plugin) => plugin.failed).map((plugin) => plugin.name);
  }
}
