/**
 * What plugins run on, and where they speak.
 *
 * @module
 */
import type { Cpu } from "../../cpu/mod.ts";
import type { GuestBinary } from "../api/mod.ts";
import type { SymbolTable } from "./symbols.ts";

/** What plugins run on. */
export interface PluginTarget {
  /** The processor. */
  readonly cpu: Cpu;
  /** Virtual time since power-on in ns. */
  now(): number;
  /** Lets virtual time pass up to `ns`; timers that are due fire before the next instruction. */
  advanceTo(ns: number): void;
  /** Instructions that take one second of virtual time. */
  readonly instructionsPerSecond: number;
  /** Ends the run at the next instruction boundary. */
  stop(): void;
  /** Lets the machine stand still from the next instruction boundary until the promise settles. */
  hold(until: Promise<unknown>): void;
  /** Name of the device at a physical address that is no RAM. */
  device(physical: number): string | undefined;
  /** Name of the device at a port. */
  port(port: number): string | undefined;
  /** The kernel's symbols, if its file has any. */
  readonly kernel: SymbolTable | undefined;
  /** The kernel's file. */
  readonly binary?: GuestBinary | undefined;
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
