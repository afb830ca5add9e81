/**
 * Regions: which decoded blocks are translated together, and their control-flow graph.
 *
 * A region is what direct jumps reach from one entry: a function or a loop nest. Calls are not followed, but
 * the code behind a call is part of the region, and a function's call of itself is a jump. Only blocks that have been executed (so decoded) are taken:
 * what never ran stays an exit. Size is limited, because the optimising compiler's time grows faster than
 * the function.
 * @module
 */
import * as L from "../state/layout.ts";
import type { Core } from "../execute/core.ts";
import type { Blocks } from "../execute/blocks.ts";
import { type Handlers, SPECIAL } from "../execute/handlers.ts";
import type { IndirectJumps } from "./indirect.ts";
import { structure } from "./structure.ts";
import { isTraced } from "./traced.ts";

/** Most blocks and instructions of a region. */
const MAX_BLOCKS = 64;
const MAX_INSTRUCTIONS = 150;
/** Most blocks and instructions of a function that becomes part of its caller. */
const MAX_INLINE_BLOCKS = 8;
const MAX_INLINE_INSTRUCTIONS = 40;
/** Most calls of itself that a function's region has as jumps: each return compares where it leads. */
const MAX_RETURNS = 4;

/** A call whose callee is part of the region. */
export interface Inlined {
  /** Where the call returns to. */
  readonly returnEip: number;
  /** The caller's own call, if it is part of the region too. */
  readonly outer: Inlined | undefined;
  readonly id: number;
}

/** A block of a region: a node of its graph. */
export interface Node {
  /** The decoded block that it was made from. */
  readonly source: number;
  /** The region's own copy: header and records. */
  copy: number;
  readonly eip: number;
  /** Offset of its first byte in its page, which is that of the linear and of the physical one. */
  readonly offset: number;
  /** The call that it belongs to, unless to the region's own function. */
  readonly call: Inlined | undefined;
  /** Operation of the last record; empty for those that are none. */
  readonly operation: string;
  /** Instructions. */
  readonly length: number;
  /** Last record, as an offset from the block's address. */
  readonly last: number;
  /** Node that link A, link B and the code behind a call or assist lead to, if it is in the region. */
  taken: Node | undefined;
  next: Node | undefined;
  /** Targets of an indirect jump or return that are in the region; of a jump the most frequent first. */
  others: Node[];
  /** EIP of these, −1 where there is none. */
  readonly takenEip: number;
  readonly nextEip: number;
  readonly predecessors: Node[];
  /** The decoded blocks behind links A and B, or 0: where they lead out of the region. */
  takenBlock: number;
  nextBlock: number;
  /** Position in reverse postorder. */
  order: number;
  dominator: Node | undefined;
  readonly children: Node[];
  /** What edges to this node go through, since several nodes are ways into its loop: see structure.ts. */
  dispatcher: Node | undefined;
  /** Of a dispatcher, which has no code: the nodes that it leads to. */
  readonly entries: readonly Node[];
  /** Has a back edge. */
  isLoop: boolean;
  /** Forward edges into it. */
  forward: number;
}

/** A region, its entry first in `nodes`, which are in reverse postorder. */
export interface Region {
  readonly nodes: readonly Node[];
  readonly mode: number;
  /** Base of CS, which the region is only for. */
  readonly base: number;
  readonly instructions: number;
  /** Address of a word that is 1 until a block of the region is dropped. */
  alive: number;
}

/** Operations that end a block, and where they lead. */
const TAKEN_AND_NEXT = /^(j\.\d+|loop|loope|loopne|jcxz)$/;
const NEXT_ONLY = /^(callE|sti|movToSegment|popSegment)$/;

/** Forms the region of an entry. */
export class RegionFinder {
  readonly #core: Core;
  readonly #blocks: Blocks;
  readonly #handlers: Handlers;
  readonly #jumps: IndirectJumps;

  readonly #unstable: (physical: number) => boolean;

  /** `unstable`: whether the block at a physical address should not be part of others' regions. */
  constructor(
    core: Core,
    blocks: Blocks,
    handlers: Handlers,
    jumps: IndirectJumps,
    unstable: (physical: number) => boolean,
  ) {
    this.#jumps = jumps;
    this.#unstable = unstable;
    this.#core = core;
    this.#blocks = blocks;
    this.#handlers = handlers;
  }

  /** The region that begins with a decoded block; undefined: not now, CS has another base. */
  find(entry: number): Region | undefined {
    const { i32 } = this.#core;
    const mode = i32[(entry + L.BLOCK.MODE) >> 2] as number;
    const base = this.#base(entry, mode);
    if (base === undefined) return undefined;
    const nodes = new Map<string, Node>();
    let calls = 0;
    const first = this.#node(entry, undefined);
    const queue = [first];
    nodes.set(key(undefined, first.eip), first);
    let instructions = first.length;
    const reach = (from: Node, eip: number, call: Inlined | undefined): Node | undefined => {
      let target = nodes.get(key(call, eip));
      if (target !== undefined) return target;
      if (nodes.size >= MAX_BLOCKS) return undefined;
      const block = this.#find(from, eip, mode, base);
      if (block === 0) return undefined;
      if (this.#unstable(i32[(block + L.BLOCK.PHYSICAL) >> 2] as number)) return undefined;
      target = this.#node(block, call);
      if (instructions + target.length > MAX_INSTRUCTIONS) return undefined;
      instructions += target.length;
      nodes.set(key(call, eip), target);
      queue.push(target);
      return target;
    };
    // Where the function's calls of itself return to, and its returns.
    const sites: number[] = [];
    const returns: Node[] = [];
    const returnTo = (from: Node, eip: number): void => {
      const site = reach(from, eip, undefined);
      if (site !== undefined) from.others.push(site);
    };
    for (let at = 0; at < queue.length; at++) {
      const node = queue[at] as Node;
      const { call, takenEip, nextEip } = node;
      if (node.operation === "ret") {
        if (call !== undefined) node.next = reach(node, call.returnEip, call.outer);
        else {
          returns.push(node);
          for (const eip of sites) returnTo(node, eip);
        }
        continue;
      }
      if (node.operation === "call") {
        if (call === undefined && takenEip === first.eip && sites.length < MAX_RETURNS) {
          node.taken = first;
          sites.push(nextEip);
          for (const from of returns) returnTo(from, nextEip);
          continue;
        }
        const size = call === undefined ? this.#inlineSize(node, takenEip, mode, base) : 0;
        if (size > 0 && instructions + size <= MAX_INSTRUCTIONS && nodes.size + 8 <= MAX_BLOCKS) {
          const inlined = { returnEip: nextEip, outer: call, id: ++calls };
          node.taken = reach(node, takenEip, inlined);
          if (node.taken !== undefined) continue;
        }
        node.next = reach(node, nextEip, call);
        continue;
      }
      if (node.operation === "jmpE") {
        for (const eip of this.#jumps.targets(this.physical(node), node.eip)) {
          const target = reach(node, eip, call);
          if (target !== undefined) node.others.push(target);
        }
        continue;
      }
      if (takenEip !== NONE) node.taken = reach(node, takenEip, call);
      if (nextEip !== NONE) node.next = reach(node, nextEip, call);
    }
    for (const node of queue) {
      if (node.takenEip !== NONE) node.takenBlock = this.#find(node, node.takenEip, mode, base);
      if (node.nextEip !== NONE) node.nextBlock = this.#find(node, node.nextEip, mode, base);
    }
    const nodesInOrder = structure(first).filter(({ entries }) => entries.length === 0);
    return { nodes: nodesInOrder, mode, base, instructions, alive: 0 };
  }

  /** Physical address of a node's first byte. */
  physical(node: Node): number {
    return this.#core.i32[(node.source + L.BLOCK.PHYSICAL) >> 2] as number;
  }

  /** Instructions of the function at an address if it is small, calls nothing, and is decoded whole; else 0. */
  #inlineSize(from: Node, eip: number, mode: number, base: number): number {
    const seen = new Set<number>([eip]);
    const queue = [eip];
    let instructions = 0;
    let returns = false;
    for (let at = 0; at < queue.length; at++) {
      const block = this.#find(from, queue[at] as number, mode, base);
      if (block === 0) continue;
      const node = this.#node(block, undefined);
      instructions += node.length;
      if (instructions > MAX_INLINE_INSTRUCTIONS || queue.length > MAX_INLINE_BLOCKS) return 0;
      if (node.operation === "ret") {
        returns = true;
        continue;
      }
      if (node.takenEip === NONE || node.operation === "call") return 0;
      for (const to of [node.takenEip, node.nextEip]) {
        if (to === NONE || seen.has(to)) continue;
        seen.add(to);
        queue.push(to);
      }
    }
    return returns ? instructions : 0;
  }

  /** Base of the CS under which a block was found: that of now, if it is where that one would be. */
  #base(block: number, mode: number): number | undefined {
    if ((mode & L.MODE.FLAT_CODE) !== 0) return 0;
    const { i32, memory } = this.#core;
    const base = this.#core.segmentBase(L.CS);
    const linear = (base + (i32[(block + L.BLOCK.EIP) >> 2] as number)) | 0;
    const physical = i32[(block + L.BLOCK.PHYSICAL) >> 2] as number;
    if (!this.#foundAt(block, linear)) return undefined;
    return (memory.probe(linear) | 0) === physical ? base : undefined;
  }
  /** Whether the block was last found at a linear address: what its checks of the TLB look at. */
  #foundAt(block: number, linear: number): boolean {
    return this.#core.i32[(block + L.BLOCK.TLB_AT) >> 2] === ((linear >>> 10) & 0x3ffffc);
  }

  /** The decoded block at a branch's target, or 0. */
  #find(from: Node, eip: number, mode: number, base: number): number {
    const core = this.#core;
    const { i32 } = core;
    const physical = i32[(from.source + L.BLOCK.PHYSICAL) >> 2] as number;
    let target: number;
    if (!leavesPage(from, eip)) target = physical + ((eip - from.eip) | 0);
    else {
      target = core.memory.probe((base + eip) | 0);
      if (target === -1) return 0;
    }
    // Of a block that is a region's entry, the records are in the region's copy.
    const block = this.#blocks.find(target, eip, mode);
    if (block === 0 || !this.#foundAt(block, (base + eip) | 0)) return 0;
    return block;
  }
  #node(block: number, call: Inlined | undefined): Node {
    const { i32, u8 } = this.#core;
    const real = i32[(block + L.BLOCK.REAL) >> 2] as number;
    const source = real === 0 ? block : real;
    let record = source + L.BLOCK_BYTES;
    const length = i32[source >> 2] as number;
    while (!this.#isLast(record)) record += L.RECORD_BYTES;
    const handler = i32[record >> 2] as number;
    const immediate = i32[(record + L.RECORD.IMMEDIATE) >> 2] as number;
    const behind = (i32[(record + L.RECORD.EIP) >> 2] as number) +
        (u8[record + L.RECORD.LENGTH] as number) | 0;
    let takenEip = NONE;
    let nextEip = NONE;
    const operation = this.#isTraced(record, source)
      ? ""
      : this.#handlers.form(handler)?.form.operation ?? "";
    if (handler === SPECIAL.FALL_THROUGH) takenEip = immediate;
    else if (handler === SPECIAL.ASSIST_ENDS) nextEip = behind;
    else {
      // (A traced branch is the interpreter's, which goes on from there.)
      if (operation === "jmp" || operation === "call") takenEip = immediate;
      if (operation === "call") nextEip = behind;
      else if (TAKEN_AND_NEXT.test(operation)) {
        takenEip = immediate;
        nextEip = behind;
      } else if (NEXT_ONLY.test(operation)) nextEip = behind;
    }
    return {
      source: block,
      copy: source,
      eip: i32[(block + L.BLOCK.EIP) >> 2] as number,
      offset: (i32[(block + L.BLOCK.PHYSICAL) >> 2] as number) & 0xfff,
      call,
      operation,
      length,
      last: record - source,
      taken: undefined,
      next: undefined,
      others: [],
      takenEip,
      nextEip,
      predecessors: [],
      takenBlock: 0,
      nextBlock: 0,
      order: -1,
      dominator: undefined,
      children: [],
      dispatcher: undefined,
      entries: [],
      isLoop: false,
      forward: 0,
    };
  }
  #isTraced(record: number, block: number): boolean {
    return isTraced(this.#core.view, this.#handlers, record, block + L.BLOCK_BYTES);
  }
  #isLast(record: number): boolean {
    const handler = this.#core.i32[record >> 2] as number;
    if (
      handler === SPECIAL.FALL_THROUGH || handler === SPECIAL.ASSIST_ENDS ||
      handler === SPECIAL.RAISE
    ) return true;
    return this.#handlers.form(handler)?.semantics.ends === true;
  }
}

/** No EIP: not a number that a 32-bit one can be. */
export const NONE: number = 2 ** 40;

/** Whether the code at an EIP is in another page than the node: then the edge to it must be checked. */
export function leavesPage(from: Node, eip: number): boolean {
  const offset = from.offset + ((eip - from.eip) | 0);
  return offset < 0 || offset > 0xfff;
}

function key(call: Inlined | undefined, eip: number): string {
  return `${call?.id ?? 0}:${eip}`;
}
