/**
 * The structure of a region's graph: order, dominators, loops, and ways into loops that have several.
 *
 * A loop that is entered in one place is a loop of Wasm. One with several entries (irreducible: a jump into the middle
 * of a loop, coroutines made of jumps) gets a dispatcher: a node without code that all edges to its entries go
 * through, so that it is the only way in; a number says which entry is meant.
 * Sources: N. Ramsey, "Beyond Relooper" (2022); Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm" (2001).
 * @module
 */
import type { Node } from "./region.ts";

/** Most dispatchers of a region: where there would be more, edges become exits. */
const MAX_DISPATCHERS = 4;

/** Nodes that a node's edges lead to. */
export function successors(node: Node): Node[] {
  const out: Node[] = [];
  if (node.taken !== undefined) out.push(node.taken);
  if (node.next !== undefined && node.next !== node.taken) out.push(node.next);
  return node.others.length === 0 ? out : [...out, ...node.others];
}
/** The edges of a node as control flows in Wasm: where two lead to the same node, that is in it twice. */
function edges(node: Node): Node[] {
  if (node.entries.length > 0) return [...node.entries];
  return [node.taken, node.next, ...node.others]
    .filter((to) => to !== undefined).map((to) => to.dispatcher ?? to);
}

/**
 * Orders the nodes that are reached from the first one, its dispatchers among them, and finds dominators, loops and
 * joins.
 */
export function structure(entry: Node): Node[] {
  let dispatchers = 0;
  for (;;) {
    const nodes = reversePostorder(entry);
    for (const node of nodes) {
      node.predecessors.length = 0;
      node.children.length = 0;
      node.dominator = undefined;
      node.isLoop = false;
      node.forward = 0;
    }
    for (const node of nodes) for (const to of new Set(edges(node))) to.predecessors.push(node);
    dominators(nodes);
    const wrong = sidewaysEdge(nodes);
    if (wrong === undefined) {
      for (const node of nodes) {
        for (const to of edges(node)) {
          if (to.order > node.order) to.forward++;
          else to.isLoop = true;
        }
        // The dispatcher's jump is for each of them.
        if (node.dispatcher !== undefined) node.forward = 2;
      }
      for (const node of nodes) if (node !== entry) node.dominator?.children.push(node);
      return nodes;
    }
    const { from, to } = wrong;
    if (dispatchers >= MAX_DISPATCHERS || !dispatch(nodes, from, to)) {
      for (const target of to.entries.length > 0 ? to.entries : [to]) {
        if (from.taken === target) from.taken = undefined;
        if (from.next === target) from.next = undefined;
        from.others = from.others.filter((other) => other !== target);
      }
    } else dispatchers++;
  }
}

/** An edge back to a node that is not the only way to where it comes from. */
function sidewaysEdge(
  nodes: readonly Node[],
): { readonly from: Node; readonly to: Node } | undefined {
  for (const from of nodes) {
    for (const to of edges(from)) {
      if (to.order <= from.order && !dominates(to, from)) return { from, to };
    }
  }
  return undefined;
}

/** Makes the dispatcher of the loop that such an edge closes; false: one of its entries is a dispatcher. */
function dispatch(nodes: readonly Node[], from: Node, to: Node): boolean {
  const outside = intersect(from, to);
  const inside = new Set(nodes.filter((node) => node !== outside && dominates(outside, node)));
  const loop = intersection(
    reached(to, (node) => edges(node), inside),
    reached(from, (node) => node.predecessors, inside),
  );
  const entries = nodes.filter((node) =>
    loop.has(node) && node.predecessors.some((before) => !loop.has(before))
  );
  if (entries.some((node) => node.entries.length > 0)) return false;
  const dispatcher: Node = {
    ...to,
    operation: "",
    length: 0,
    taken: undefined,
    next: undefined,
    others: [],
    predecessors: [],
    children: [],
    call: undefined,
    entries,
  };
  for (const node of entries) node.dispatcher = dispatcher;
  return true;
}
function reached(
  from: Node,
  next: (node: Node) => readonly Node[],
  inside: ReadonlySet<Node>,
): Set<Node> {
  const seen = new Set([from]);
  for (const node of seen) for (const to of next(node)) if (inside.has(to)) seen.add(to);
  return seen;
}
function intersection(a: ReadonlySet<Node>, b: ReadonlySet<Node>): Set<Node> {
  return new Set([...a].filter((node) => b.has(node)));
}

function reversePostorder(entry: Node): Node[] {
  const seen = new Set<Node>([entry]);
  const out: Node[] = [];
  const stack: { node: Node; rest: Node[] }[] = [{ node: entry, rest: edges(entry) }];
  for (;;) {
    const top = stack.at(-1);
    if (top === undefined) break;
    const to = top.rest.pop();
    if (to === undefined) {
      out.push(top.node);
      stack.pop();
    } else if (!seen.has(to)) {
      seen.add(to);
      stack.push({ node: to, rest: edges(to) });
    }
  }
  out.reverse();
  for (const [order, node] of out.entries()) node.order = order;
  return out;
}

function dominators(nodes: readonly Node[]): void {
  const [entry] = nodes;
  if (entry === undefined) return;
  entry.dominator = entry;
  for (let changed = true; changed;) {
    changed = false;
    for (const node of nodes) {
      if (node === entry) continue;
      let best: Node | undefined;
      for (const from of node.predecessors) {
        if (from.dominator === undefined) continue;
        best = best === undefined ? from : intersect(best, from);
      }
      if (node.dominator !== best) {
        node.dominator = best;
        changed = true;
      }
    }
  }
}
function intersect(a: Node, b: Node): Node {
  let [x, y] = [a, b];
  while (x !== y) {
    while (x.order > y.order) x = x.dominator as Node;
    while (y.order > x.order) y = y.dominator as Node;
  }
  return x;
}
function dominates(a: Node, b: Node): boolean {
  let x = b;
  while (x.order > a.order) x = x.dominator as Node;
  return x === a;
}
