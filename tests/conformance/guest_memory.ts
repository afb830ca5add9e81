/**
 * The linear memory that a processor keeps to itself, for tests that compare whole states: guest RAM, and the words
 * of the state that no register's name reaches.
 *
 * @module
 */
import assert from "node:assert/strict";

/** What `make` returns, and the one memory that it made. */
export function withMemory<T>(make: () => T): { made: T; memory: WebAssembly.Memory } {
  const { Memory } = WebAssembly;
  const memories: WebAssembly.Memory[] = [];
  WebAssembly.Memory = class extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor);
      memories.push(this);
    }
  };
  try {
    const made = make();
    const [memory] = memories;
    assert.ok(memory !== undefined && memories.length === 1, "one processor was made");
    return { made, memory };
  } finally {
    WebAssembly.Memory = Memory;
  }
}
