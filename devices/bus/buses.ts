/**
 * The buses: 65,536 I/O ports and the physical addresses that are no RAM. Both route an access by its
 * first address, split what is wider than the target takes, and read all ones where nothing answers
 * (ISA: pulled-up data lines).
 *
 * @module
 */
import type { Registers, Width } from "./device.ts";

/** A range of a bus. */
export interface Mapping {
  /** For messages. */
  readonly name: string;
  /** First port or physical address. */
  readonly first: number;
  /** Number of ports or bytes, at least 1. */
  readonly count: number;
  /** What answers there; offsets count from `first`. */
  readonly registers: Registers;
  /** The widest access that it takes whole. Wider ones come as several, as an 8-bit ISA card sees them. */
  readonly widest: Width;
  /** Takes unaligned accesses whole too; default false. */
  readonly unaligned?: boolean;
}

const PORTS = 0x10000;

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function ones(size: Width): number {
  return size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff;
}

function last(mapping: Mapping): number {
  return mapping.first + mapping.count - 1;
}

/**
 * A mapping as the bus calls it: objects of one shape, and methods that were looked up before. Looking up `read` of
 * whatever chip it is at each access took the host as long as many a chip takes for its answer.
 */
class Route {
  readonly mapping: Mapping | undefined;
  readonly first: number;
  /** Widest access, and whether unaligned ones are taken whole. */
  readonly widest: number;
  readonly unaligned: boolean;
  readonly registers: Registers;
  readonly read: Registers["read"];
  readonly write: Registers["write"];

  constructor(mapping: Mapping | undefined) {
    const registers = mapping?.registers ?? NOTHING;
    this.mapping = mapping;
    this.first = mapping?.first ?? 0;
    // Where nothing answers at the first port, an 8-bit card may still answer at the next.
    this.widest = mapping?.widest ?? 1;
    this.unaligned = mapping?.unaligned === true;
    this.registers = registers;
    this.read = registers.read;
    this.write = registers.write;
  }
}

const NOTHING: Registers = { read: () => 0xff, write: () => {} };
const NO_ROUTE = new Route(undefined);

/** The I/O ports. */
export class PortBus {
  /** Index into `#routes` by port; 0 is nothing. */
  readonly #index = new Uint16Array(PORTS);
  readonly #routes: Route[] = [NO_ROUTE];

  /**
   * Maps registers.
   *
   * @throws {RangeError} when a port is outside 0..0xffff or taken.
   */
  insert(mapping: Mapping): void {
    const { first, count, name } = mapping;
    if (!(first >= 0 && count >= 1 && first + count <= PORTS)) {
      throw new RangeError(`Cannot map "${name}" at ${hex(first)}: ports are 0x0-0xffff`);
    }
    for (let port = first; port < first + count; port++) {
      const other = this.at(port);
      if (other !== undefined) {
        throw new RangeError(
          `Cannot map "${name}" at ${hex(first)}: ports ${hex(other.first)}-${
            hex(last(other))
          } belong to "${other.name}"`,
        );
      }
    }
    this.#fill(mapping);
  }

  /**
   * Maps registers where the guest asked for them (PCI base address registers): ports outside the range
   * or taken by others stay as they are. Returns what takes the mapping away again.
   */
  overlay(mapping: Mapping): () => void {
    const index = this.#fill(mapping);
    return () => {
      this.#routes[index] = NO_ROUTE;
      for (let port = 0; port < PORTS; port++) {
        if (this.#index[port] === index) this.#index[port] = 0;
      }
    };
  }

  #fill(mapping: Mapping): number {
    const free = this.#routes.indexOf(NO_ROUTE, 1);
    const index = free < 0 ? this.#routes.length : free;
    this.#routes[index] = new Route(mapping);
    const end = Math.min(PORTS, mapping.first + mapping.count);
    for (let port = mapping.first; port < end; port++) {
      if (this.#index[port] === 0) this.#index[port] = index;
    }
    return index;
  }

  /** What is mapped at `port`. */
  at(port: number): Mapping | undefined {
    return this.#route(port & 0xffff).mapping;
  }
  #route(port: number): Route {
    return this.#routes[this.#index[port] as number] as Route;
  }

  /** Reads `size` bytes at `port`; unsigned. */
  read(port: number, size: Width): number {
    const route = this.#route(port);
    if (size === 1) return route.read.call(route.registers, port - route.first, 1) & 0xff;
    if (((port & (size - 1)) === 0 || route.unaligned) && route.widest >= size) {
      return (route.read.call(route.registers, port - route.first, size) & ones(size)) >>> 0;
    }
    const half = size === 4 ? 2 : 1;
    const low = this.read(port, half);
    const high = this.read((port + half) & 0xffff, half);
    return (low | (high << (half * 8))) >>> 0;
  }

  /** As many of `count` reads of `size` bytes at `port` as its chip does as a block: see `Registers.readBlock`. */
  readBlock(port: number, size: Width, count: number, into: Uint8Array, at: number): number {
    const { widest, registers, first } = this.#route(port);
    if (widest < size || (port & (size - 1)) !== 0) return 0;
    return registers.readBlock?.(port - first, size, count, into, at) ?? 0;
  }
  /** The same of writes. */
  writeBlock(port: number, size: Width, count: number, from: Uint8Array, at: number): number {
    const { widest, registers, first } = this.#route(port);
    if (widest < size || (port & (size - 1)) !== 0) return 0;
    return registers.writeBlock?.(port - first, size, count, from, at) ?? 0;
  }

  /** Writes the low `size` bytes of `value` to `port`. */
  write(port: number, size: Width, value: number): void {
    const route = this.#route(port);
    if (size === 1) {
      route.write.call(route.registers, port - route.first, 1, value & 0xff);
      return;
    }
    if (((port & (size - 1)) === 0 || route.unaligned) && route.widest >= size) {
      route.write.call(route.registers, port - route.first, size, (value & ones(size)) >>> 0);
      return;
    }
    const half = size === 4 ? 2 : 1;
    this.write(port, half, value & ones(half));
    this.write((port + half) & 0xffff, half, (value >>> (half * 8)) & ones(half));
  }
}

/** Physical addresses that are no RAM. */
export class MemoryBus {
  readonly #mappings: Mapping[] = [];

  /**
   * Maps registers or memory of a chip.
   *
   * @throws {RangeError} when an address is outside 32 bits or taken.
   */
  insert(mapping: Mapping): void {
    const { first, count, name } = mapping;
    if (!(first >= 0 && count >= 1 && first + count <= 0x100000000)) {
      throw new RangeError(`Cannot map "${name}" at ${hex(first)}: addresses have 32 bits`);
    }
    const other = this.#mappings.find((m) => first <= last(m) && m.first <= last(mapping));
    if (other !== undefined) {
      throw new RangeError(
        `Cannot map "${name}" at ${hex(first)}: addresses ${hex(other.first)}-${
          hex(last(other))
        } belong to "${other.name}"`,
      );
    }
    this.#mappings.push(mapping);
  }

  /**
   * Maps registers where the guest asked for them: before all that is there, or behind it. Returns what takes the
   * mapping away again. The range is cut at 4 GiB.
   */
  overlay(mapping: Mapping, place: "before" | "behind" = "before"): () => void {
    if (place === "before") this.#mappings.unshift(mapping);
    else this.#mappings.push(mapping);
    return () => {
      const index = this.#mappings.indexOf(mapping);
      if (index >= 0) this.#mappings.splice(index, 1);
    };
  }

  /** What is mapped at a physical address. */
  at(physical: number): Mapping | undefined {
    for (const m of this.#mappings) {
      if (physical >= m.first && physical < m.first + m.count) return m;
    }
    return undefined;
  }

  /** Reads `size` bytes; unsigned. */
  read(physical: number, size: Width): number {
    const mapping = this.at(physical);
    if (mapping === undefined && size === 1) return 0xff;
    if (mapping !== undefined && this.#whole(mapping, physical, size)) {
      return (mapping.registers.read(physical - mapping.first, size) & ones(size)) >>> 0;
    }
    const half = size === 4 ? 2 : 1;
    const low = this.read(physical, half);
    const high = this.read((physical + half) % 0x100000000, half);
    return (low | (high << (half * 8))) >>> 0;
  }

  /** Writes the low `size` bytes of `value`. */
  write(physical: number, size: Width, value: number): void {
    const mapping = this.at(physical);
    if (mapping === undefined && size === 1) return;
    if (mapping !== undefined && this.#whole(mapping, physical, size)) {
      mapping.registers.write(physical - mapping.first, size, (value & ones(size)) >>> 0);
      return;
    }
    const half = size === 4 ? 2 : 1;
    this.write(physical, half, value & ones(half));
    this.write((physical + half) % 0x100000000, half, (value >>> (half * 8)) & ones(half));
  }

  #whole(mapping: Mapping, physical: number, size: Width): boolean {
    if (size === 1) return true;
    return mapping.widest >= size && (physical & (size - 1)) === 0;
  }
}
