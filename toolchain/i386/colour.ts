/**
 * Register allocation by iterated register coalescing: George and Appel, ACM TOPLAS 18 (1996) 300, also
 * Appel, Modern Compiler Implementation, §11.4. Names follow the paper.
 *
 * Six colours. Registers whose low byte is used interfere with esi and edi. Spill costs are uses weighted by
 * loop depth, over degree.
 *
 * @module
 */

import { computeLiveness, RegisterSet } from "./liveness.ts";
import { type MachineFunction, visitRegisters } from "./machine.ts";
import { ALLOCATABLE, EBP, EDI, ESI, FIRST_VIRTUAL } from "./registers.ts";

const COLOURS = ALLOCATABLE.length;
const UNCOLOURED = -1;
const INFINITE_DEGREE = 1 << 28;
/** A full bit matrix up to this many registers, a hash set above. */
const MATRIX_LIMIT = 8192;
const DEPTH_FACTOR = 10;
const DEPTH_LIMIT = 6;
const UNSPILLABLE_COST = 1e30;

/** Where a register stands in the algorithm. */
const STATE = {
  initial: 0,
  simplify: 1,
  freeze: 2,
  spill: 3,
  selected: 4,
  coalesced: 5,
  precoloured: 6,
  spilled: 7,
  coloured: 8,
} as const;

/** State of a move between two registers. */
const MOVE = { pending: 0, active: 1, done: 2 } as const;

/** Outcome: either a colour for each register, or the registers to spill. */
export class Colouring {
  readonly #function: MachineFunction;
  readonly #count: number;
  readonly #neighbours: number[][];
  readonly #matrix: Uint32Array | undefined;
  readonly #edges = new Set<number>();
  readonly #degree: Int32Array;
  readonly #alias: Int32Array;
  readonly #colour: Int32Array;
  readonly #cost: Float64Array;
  readonly #state: Uint8Array;
  readonly #present: Uint8Array;
  readonly #unspillable: Set<number>;
  // Moves by number: both registers, weight, state; and the moves of each register.
  readonly #moveTo: number[] = [];
  readonly #moveFrom: number[] = [];
  readonly #moveWeight: number[] = [];
  readonly #moveState: number[] = [];
  readonly #moves: number[][];
  // Work lists.
  readonly #pendingMoves: number[] = [];
  readonly #simplify: number[] = [];
  readonly #freeze = new Set<number>();
  readonly #spill = new Set<number>();
  readonly #stack: number[] = [];
  /** Registers that got no colour. */
  readonly spilled: number[] = [];

  constructor(func: MachineFunction) {
    const count = func.registerCount;
    this.#function = func;
    this.#count = count;
    this.#neighbours = Array.from({ length: count }, () => []);
    this.#matrix = count <= MATRIX_LIMIT ? new Uint32Array((count * count + 31) >> 5) : undefined;
    this.#degree = new Int32Array(count);
    this.#alias = new Int32Array(count);
    this.#colour = new Int32Array(count).fill(UNCOLOURED);
    this.#cost = new Float64Array(count);
    this.#state = new Uint8Array(count);
    this.#present = new Uint8Array(count);
    this.#moves = Array.from({ length: count }, () => []);
    this.#unspillable = new Set(func.unspillable);
    for (const register of ALLOCATABLE) {
      this.#state[register] = STATE.precoloured;
      this.#colour[register] = register;
      this.#degree[register] = INFINITE_DEGREE;
    }
    this.#build();
    this.#makeWorkLists();
    this.#run();
    this.#assignColours();
  }

  /** The machine register of every register. */
  colours(): Int32Array {
    return Int32Array.from(
      { length: this.#count },
      (_, register) =>
        register < FIRST_VIRTUAL ? register : this.#colour[this.representative(register)]!,
    );
  }

  /** The register that a coalesced one was merged into. */
  representative(register: number): number {
    while (this.#state[register] === STATE.coalesced) register = this.#alias[register]!;
    return register;
  }

  #interferes(a: number, b: number): boolean {
    const bit = a * this.#count + b;
    if (this.#matrix === undefined) return this.#edges.has(bit);
    return (this.#matrix[bit >> 5]! >>> (bit & 31) & 1) !== 0;
  }

  #mark(a: number, b: number): void {
    const bit = a * this.#count + b;
    if (this.#matrix === undefined) this.#edges.add(bit);
    else this.#matrix[bit >> 5]! |= 1 << (bit & 31);
  }

  #addEdge(a: number, b: number): void {
    if (a === b || this.#interferes(a, b)) return;
    this.#mark(a, b);
    this.#mark(b, a);
    if (this.#state[a] !== STATE.precoloured) {
      this.#neighbours[a]!.push(b);
      this.#degree[a]!++;
    }
    if (this.#state[b] !== STATE.precoloured) {
      this.#neighbours[b]!.push(a);
      this.#degree[b]!++;
    }
  }

  #build(): void {
    const { atEnd } = computeLiveness(this.#function);
    const [live] = RegisterSet.create(1, this.#count) as [RegisterSet];
    this.#function.blocks.forEach((block, index) => {
      live.copyFrom(atEnd[index] as RegisterSet);
      const weight = DEPTH_FACTOR ** Math.min(block.depth, DEPTH_LIMIT);
      for (let i = block.instructions.length - 1; i >= 0; i--) {
        const instruction = block.instructions[i]!;
        const reads: number[] = [];
        const writes: number[] = [];
        visitRegisters(
          instruction,
          (register) => {
            if (register !== EBP) reads.push(register);
          },
          (register) => {
            if (register !== EBP) writes.push(register);
          },
        );
        const { operation, source, destination } = instruction;
        if (
          operation === "mov" && source?.kind === "register" && destination?.kind === "register" &&
          source.register !== EBP && destination.register !== EBP
        ) {
          // A move does not make its operands interfere.
          live.delete(source.register);
          this.#addMove(destination.register, source.register, weight);
        }
        for (const register of writes) live.add(register);
        for (const register of writes) live.forEach((other) => this.#addEdge(register, other));
        for (const register of writes) {
          live.delete(register);
          this.#countUse(register, weight);
        }
        for (const register of reads) {
          live.add(register);
          this.#countUse(register, weight);
        }
      }
    });
    for (const register of this.#function.byteRegisters) {
      if (this.#present[register] === 0) continue;
      this.#addEdge(register, ESI);
      this.#addEdge(register, EDI);
    }
    // Taken from the end: moves in deep loops first.
    this.#pendingMoves.sort((a, b) => this.#moveWeight[a]! - this.#moveWeight[b]!);
  }

  #countUse(register: number, weight: number): void {
    this.#cost[register]! += weight;
    this.#present[register] = 1;
  }

  #addMove(to: number, from: number, weight: number): void {
    if (to === from) return;
    const move = this.#moveTo.length;
    this.#moveTo.push(to);
    this.#moveFrom.push(from);
    this.#moveWeight.push(weight);
    this.#moveState.push(MOVE.pending);
    this.#moves[from]!.push(move);
    this.#moves[to]!.push(move);
    this.#pendingMoves.push(move);
  }

  #makeWorkLists(): void {
    for (let register = FIRST_VIRTUAL; register < this.#count; register++) {
      if (this.#present[register] === 0) continue;
      if (this.#degree[register]! >= COLOURS) this.#toSpill(register);
      else if (this.#isMoveRelated(register)) this.#toFreeze(register);
      else this.#toSimplify(register);
    }
  }

  #toSpill(register: number): void {
    this.#state[register] = STATE.spill;
    this.#spill.add(register);
  }

  #toFreeze(register: number): void {
    this.#state[register] = STATE.freeze;
    this.#freeze.add(register);
  }

  #toSimplify(register: number): void {
    this.#state[register] = STATE.simplify;
    this.#simplify.push(register);
  }

  #isMoveRelated(register: number): boolean {
    return this.#moves[register]!.some((move) => this.#moveState[move]! < MOVE.done);
  }

  /** Neighbours that are still in the graph. */
  #forAdjacent(register: number, callback: (neighbour: number) => void): void {
    for (const neighbour of this.#neighbours[register]!) {
      const state = this.#state[neighbour];
      if (state !== STATE.selected && state !== STATE.coalesced) callback(neighbour);
    }
  }

  #run(): void {
    for (;;) {
      const simple = this.#simplify.pop();
      if (simple !== undefined) {
        if (this.#state[simple] !== STATE.simplify) continue;
        this.#state[simple] = STATE.selected;
        this.#stack.push(simple);
        this.#forAdjacent(simple, (neighbour) => this.#decrementDegree(neighbour));
        continue;
      }
      const move = this.#pendingMoves.pop();
      if (move !== undefined) this.#coalesce(move);
      else if (this.#freeze.size > 0) {
        const register = cheapest(this.#freeze, (candidate) => this.#cost[candidate]!);
        this.#freeze.delete(register);
        this.#toSimplify(register);
        this.#freezeMoves(register);
      } else if (this.#spill.size > 0) {
        const register = cheapest(
          this.#spill,
          (candidate) =>
            this.#unspillable.has(candidate)
              ? UNSPILLABLE_COST + this.#cost[candidate]!
              : this.#cost[candidate]! / this.#degree[candidate]!,
        );
        this.#spill.delete(register);
        this.#toSimplify(register);
        this.#freezeMoves(register);
      } else return;
    }
  }

  #decrementDegree(register: number): void {
    if (this.#state[register] === STATE.precoloured) return;
    if (this.#degree[register]!-- !== COLOURS) return;
    this.#enableMoves(register);
    this.#forAdjacent(register, (neighbour) => this.#enableMoves(neighbour));
    this.#spill.delete(register);
    if (this.#isMoveRelated(register)) this.#toFreeze(register);
    else this.#toSimplify(register);
  }

  #enableMoves(register: number): void {
    for (const move of this.#moves[register]!) {
      if (this.#moveState[move] !== MOVE.active) continue;
      this.#moveState[move] = MOVE.pending;
      this.#pendingMoves.push(move);
    }
  }

  #addWorkList(register: number): void {
    if (this.#state[register] !== STATE.freeze || this.#isMoveRelated(register)) return;
    if (this.#degree[register]! >= COLOURS) return;
    this.#freeze.delete(register);
    this.#toSimplify(register);
  }

  #coalesce(move: number): void {
    if (this.#moveState[move] !== MOVE.pending) return;
    let u = this.representative(this.#moveTo[move]!);
    let v = this.representative(this.#moveFrom[move]!);
    if (this.#state[v] === STATE.precoloured) [u, v] = [v, u];
    if (u === v) {
      this.#moveState[move] = MOVE.done;
      this.#addWorkList(u);
    } else if (this.#state[v] === STATE.precoloured || this.#interferes(u, v)) {
      this.#moveState[move] = MOVE.done;
      this.#addWorkList(u);
      this.#addWorkList(v);
    } else if (this.#canCombine(u, v)) {
      this.#moveState[move] = MOVE.done;
      this.#combine(u, v);
      this.#addWorkList(u);
    } else this.#moveState[move] = MOVE.active;
  }

  /** George's test for a machine register; Briggs's, or else George's, for two virtual ones. */
  #canCombine(u: number, v: number): boolean {
    if (this.#state[u] !== STATE.precoloured) {
      const seen = new Set<number>();
      let significant = 0;
      this.#forAdjacent(u, (neighbour) => {
        seen.add(neighbour);
        if (this.#degree[neighbour]! >= COLOURS) significant++;
      });
      this.#forAdjacent(v, (neighbour) => {
        if (!seen.has(neighbour) && this.#degree[neighbour]! >= COLOURS) significant++;
      });
      if (significant < COLOURS) return true;
    }
    let allowed = true;
    this.#forAdjacent(v, (neighbour) => {
      const state = this.#state[neighbour];
      const fixed = state === STATE.precoloured && this.#state[u] === STATE.precoloured;
      if (this.#degree[neighbour]! >= COLOURS && !fixed && !this.#interferes(neighbour, u)) {
        allowed = false;
      }
    });
    return allowed;
  }

  #combine(u: number, v: number): void {
    this.#freeze.delete(v);
    this.#spill.delete(v);
    this.#state[v] = STATE.coalesced;
    this.#alias[v] = u;
    this.#moves[u]!.push(...this.#moves[v]!);
    this.#cost[u]! += this.#cost[v]!;
    this.#enableMoves(v);
    if (!this.#unspillable.has(v)) this.#unspillable.delete(u);
    this.#forAdjacent(v, (neighbour) => {
      this.#addEdge(neighbour, u);
      this.#decrementDegree(neighbour);
    });
    if (this.#state[u] === STATE.freeze && this.#degree[u]! >= COLOURS) {
      this.#freeze.delete(u);
      this.#toSpill(u);
    }
  }

  #freezeMoves(register: number): void {
    for (const move of this.#moves[register]!) {
      if (this.#moveState[move] === MOVE.done) continue;
      const to = this.representative(this.#moveTo[move]!);
      const from = this.representative(this.#moveFrom[move]!);
      const other = from === this.representative(register) ? to : from;
      this.#moveState[move] = MOVE.done;
      this.#addWorkList(other);
    }
  }

  #isColoured(register: number): boolean {
    const state = this.#state[register];
    return state === STATE.coloured || state === STATE.precoloured;
  }

  #assignColours(): void {
    for (let register = this.#stack.pop(); register !== undefined; register = this.#stack.pop()) {
      let used = 0;
      for (const neighbour of this.#neighbours[register]!) {
        const other = this.representative(neighbour);
        if (this.#isColoured(other)) used |= 1 << this.#colour[other]!;
      }
      const colour = this.#preferred(register, used) ??
        ALLOCATABLE.find((candidate) => (used >> candidate & 1) === 0);
      if (colour === undefined) {
        this.spilled.push(register);
        this.#state[register] = STATE.spilled;
      } else {
        this.#colour[register] = colour;
        this.#state[register] = STATE.coloured;
      }
    }
  }

  /** The colour of a register that this one is moved to or from, if it is free. */
  #preferred(register: number, used: number): number | undefined {
    for (const move of this.#moves[register]!) {
      const to = this.representative(this.#moveTo[move]!);
      const other = to === register ? this.representative(this.#moveFrom[move]!) : to;
      const colour = this.#colour[other]!;
      if (colour >= 0 && this.#isColoured(other) && (used >> colour & 1) === 0) return colour;
    }
    return undefined;
  }
}

/** The member with the least cost; the first one where several have it. */
function cheapest(candidates: ReadonlySet<number>, cost: (candidate: number) => number): number {
  let best = -1;
  let least = Infinity;
  for (const candidate of candidates) {
    const own = cost(candidate);
    if (own < least || best < 0) {
      least = own;
      best = candidate;
    }
  }
  return best;
}
