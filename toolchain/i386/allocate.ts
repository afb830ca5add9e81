// Iterated register coalescing (George & Appel) for 6 i386 registers; spilled vregs become [ebp-x] memory operands where the instruction allows.
import {
  EAX,
  EBP,
  EBX,
  ECX,
  EDI,
  EDX,
  ESI,
  imm,
  type MB,
  mem,
  type MFn,
  type MI,
  type Op,
  reg,
  visit,
} from "./select.ts";
const PHYS = [EAX, ECX, EDX, EBX, ESI, EDI], K = 6;
export function liveness(f: MFn, N: number) {
  const W = (N + 31) >> 5, n = f.blocks.length;
  const use: Uint32Array[] = [],
    def: Uint32Array[] = [],
    lin: Uint32Array[] = [],
    lout: Uint32Array[] = [];
  f.blocks.forEach((b, i) => {
    b.id = i;
    const u = new Uint32Array(W), d = new Uint32Array(W);
    for (const m of b.ins) {
      const defs: number[] = [];
      visit(m, (r) => {
        if (!(d[r >> 5] >>> (r & 31) & 1)) u[r >> 5] |= 1 << (r & 31);
      }, (r) => defs.push(r));
      for (const r of defs) d[r >> 5] |= 1 << (r & 31);
    }
    use.push(u);
    def.push(d);
    lin.push(u.slice());
    lout.push(new Uint32Array(W));
  });
  for (let ch = true; ch;) {
    ch = false;
    for (let i = n - 1; i >= 0; i--) {
      const o = lout[i], li = lin[i], u = use[i], d = def[i];
      for (const s of f.blocks[i].succ) {
        const ls = lin[s.id];
        for (let w = 0; w < W; w++) o[w] |= ls[w];
      }
      for (let w = 0; w < W; w++) {
        const v = u[w] | (o[w] & ~d[w]);
        if (v !== (li[w] | 0)) {
          if ((v >>> 0) !== li[w]) {
            li[w] = v;
            ch = true;
          }
        }
      }
    }
  }
  return { lin, lout, W };
}
const PURE = new Set([
  "mov",
  "movzx",
  "movsx",
  "lea",
  "setcc",
  "imul3",
  "bsr",
  "bsf",
  "add",
  "sub",
  "and",
  "or",
  "xor",
  "shl",
  "sar",
  "shr",
  "rol",
  "ror",
  "neg",
  "not",
  "imul",
  "cmov",
  "shld",
  "shrd",
  "bswap",
  "zero",
]);
export function dce(f: MFn) {
  for (let again = true; again;) {
    again = false;
    const { lout, W } = liveness(f, f.nv);
    const live = new Uint32Array(W);
    for (const b of f.blocks) {
      live.set(lout[b.id]);
      let flags = false;
      const keep: MI[] = [];
      for (let i = b.ins.length; i--;) {
        const m = b.ins[i];
        if (
          PURE.has(m.o) && !m.pinned && m.d!.t === "r" && m.d!.r >= 8 &&
          !(live[m.d!.r >> 5] >>> (m.d!.r & 31) & 1) &&
          !(flags && m.o !== "mov" && m.o !== "lea" && m.o !== "movzx" && m.o !== "movsx")
        ) {
          again = true;
          continue;
        }
        if (m.o === "adc" || m.o === "sbb" || m.o === "jcc" || m.o === "setcc" || m.o === "cmov") {
          flags = true;
        } else if (["add", "sub", "cmp", "test"].includes(m.o)) flags = false;
        const us: number[] = [];
        visit(m, (r) => us.push(r), (r) => {
          live[r >> 5] &= ~(1 << (r & 31));
        });
        for (const r of us) live[r >> 5] |= 1 << (r & 31);
        keep.push(m);
      }
      b.ins = keep.reverse();
    }
  }
}
/** Split each virtual register into webs (disjoint def-use chains): undoes Binaryen's coalesce-locals. */
export function webs(f: MFn) {
  const N = f.nv, { lin } = liveness(f, N);
  const par: number[] = [];
  const orig: number[] = [];
  const node = (r: number) => {
    par.push(par.length);
    orig.push(r);
    return par.length - 1;
  };
  const find = (x: number): number => {
    while (par[x] !== x) {
      par[x] = par[par[x]];
      x = par[x];
    }
    return x;
  };
  const uni = (a: number, b: number) => {
    a = find(a);
    b = find(b);
    if (a !== b) par[a] = b;
  };
  const entry: Map<number, number>[] = f.blocks.map((b) => {
    const m = new Map<number, number>();
    const l = lin[b.id];
    for (let w = 0; w < l.length; w++) {
      let v = l[w];
      while (v) {
        const t = 31 - Math.clz32(v & -v);
        v &= v - 1;
        const r = w * 32 + t;
        if (r >= 8) m.set(r, node(r));
      }
    }
    return m;
  });
  const fix: (() => void)[] = [];
  for (const b of f.blocks) {
    const cur = new Map(entry[b.id]);
    const edge = (t: MB) => {
      for (const [r, n] of entry[t.id]) {
        const c = cur.get(r);
        if (c !== undefined) uni(c, n);
      }
    };
    for (const m of b.ins) {
      const usesR: number[] = [], defsR: number[] = [];
      visit(m, (r) => {
        if (r >= 8) usesR.push(r);
      }, (r) => {
        if (r >= 8) defsR.push(r);
      });
      const before = new Map<number, number>();
      for (const r of usesR) {
        let c = cur.get(r);
        if (c === undefined) {
          c = node(r);
          cur.set(r, c);
        }
        before.set(r, c);
      }
      for (const r of defsR) {
        const n = node(r);
        if (
          usesR.includes(r) && m.d && m.d.t === "r" && m.d.r === r &&
          !["mov", "movzx", "movsx", "lea", "imul3", "bsr", "bsf", "setcc"].includes(m.o)
        ) uni(n, before.get(r)!);
        cur.set(r, n);
      }
      const after = new Map(defsR.map((r) => [r, cur.get(r)!]));
      fix.push(() => {
        const nu = (r: number) => r >= 8 && before.has(r) ? names(before.get(r)!) : r;
        const cp = (o: Op | undefined): Op | undefined => {
          if (!o) return o;
          if (o.t === "r") return reg(nu(o.r));
          if (o.t === "m") return { ...o, b: nu(o.b), x: nu(o.x) };
          return o;
        };
        m.s = cp(m.s);
        if (m.d && m.d.t === "r") m.d = after.has(m.d.r) ? reg(names(after.get(m.d.r)!)) : cp(m.d);
        else m.d = cp(m.d);
      });
    }
    for (const t of b.succ) edge(t);
  }
  const nm = new Map<number, number>();
  let next = N;
  const first = new Set<number>();
  const byte = new Set<number>();
  const names = (n: number) => {
    const r = find(n);
    let v = nm.get(r);
    if (v === undefined) {
      const o = orig[r];
      if (!first.has(o)) {
        first.add(o);
        v = o;
      } else v = next++;
      nm.set(r, v);
      if (f.byteRegs.has(o)) byte.add(v);
    }
    return v;
  };
  for (const x of fix) x();
  f.nv = next;
  for (const b of byte) f.byteRegs.add(b);
}
export interface RAStats {
  rounds: number;
  spills: number;
  moves: number;
}
export function allocate(f: MFn, st?: RAStats): number[] {
  dce(f);
  webs(f);
  for (let round = 0;; round++) {
    if (round > 30) throw Error("regalloc does not converge");
    const c = new IRC(f);
    c.run();
    if (st) st.rounds++;
    if (!c.spilled.length) return c.finish();
    if (st) st.spills += c.spilled.length;
    rewrite(f, c.spilled.map((x) => x), c);
  }
}
class IRC {
  N: number;
  adj: number[][];
  bits: Uint32Array | null;
  set: Set<number> | null = null;
  deg: Int32Array;
  alias: Int32Array;
  color: Int32Array;
  cost: Float64Array;
  moveList: number[][];
  movesA: number[] = [];
  movesB: number[] = [];
  mstate: number[] = []; // 0 worklist 1 active 2 done
  wlMoves: number[] = [];
  simp: number[] = [];
  state: Uint8Array; // 0 none(initial) 1 simplify 2 freeze 3 spill 4 selected 5 coalesced 6 precolored 7 spilled 8 colored
  freezeWL = new Set<number>();
  spillWL = new Set<number>();
  sel: number[] = [];
  spilled: number[] = [];
  present: Uint8Array;
  mweight: number[] = [];
  ns: Set<number>;
  constructor(public f: MFn) {
    this.ns = new Set(f.nospill);
    const N = this.N = f.nv;
    this.adj = Array.from({ length: N }, () => []);
    this.bits = N <= 8192 ? new Uint32Array((N * N + 31) >> 5) : null;
    if (!this.bits) this.set = new Set();
    this.deg = new Int32Array(N);
    this.alias = new Int32Array(N);
    this.color = new Int32Array(N).fill(-1);
    this.cost = new Float64Array(N);
    this.moveList = Array.from({ length: N }, () => []);
    this.state = new Uint8Array(N);
    this.present = new Uint8Array(N);
    for (const p of PHYS) {
      this.state[p] = 6;
      this.color[p] = p;
      this.deg[p] = 1 << 28;
    }
    this.build();
  }
  has(a: number, b: number) {
    if (this.bits) {
      const i = a * this.N + b;
      return (this.bits[i >> 5] >>> (i & 31)) & 1;
    }
    return this.set!.has(a * this.N + b) ? 1 : 0;
  }
  add(a: number, b: number) {
    if (a === b || this.has(a, b)) return;
    const N = this.N;
    if (this.bits) {
      let i = a * N + b;
      this.bits[i >> 5] |= 1 << (i & 31);
      i = b * N + a;
      this.bits[i >> 5] |= 1 << (i & 31);
    } else {
      this.set!.add(a * N + b);
      this.set!.add(b * N + a);
    }
    if (this.state[a] !== 6) {
      this.adj[a].push(b);
      this.deg[a]++;
    }
    if (this.state[b] !== 6) {
      this.adj[b].push(a);
      this.deg[b]++;
    }
  }
  build() {
    const { f, N } = this, { lout, W } = liveness(f, N);
    const live = new Uint32Array(W);
    for (const b of f.blocks) {
      live.set(lout[b.id]);
      const w = 10 ** Math.min(b.depth, 6);
      for (let i = b.ins.length; i--;) {
        const m = b.ins[i];
        const ds: number[] = [], us: number[] = [];
        visit(m, (r) => {
          if (r !== EBP) us.push(r);
        }, (r) => {
          if (r !== EBP) ds.push(r);
        });
        if (m.o === "mov" && m.d!.t === "r" && m.s!.t === "r" && m.d!.r !== EBP && m.s!.r !== EBP) {
          const x = m.s!.r, y = m.d!.r;
          live[x >> 5] &= ~(1 << (x & 31));
          if (x !== y) {
            const k = this.movesA.length;
            this.movesA.push(y);
            this.movesB.push(x);
            this.mstate.push(0);
            this.mweight.push(w);
            this.moveList[x].push(k);
            this.moveList[y].push(k);
            this.wlMoves.push(k);
          }
        }
        for (const d of ds) live[d >> 5] |= 1 << (d & 31);
        for (const d of ds) {
          for (let q = 0; q < W; q++) {
            let v = live[q];
            while (v) {
              const t = 31 - Math.clz32(v & -v);
              v &= v - 1;
              this.add(d, q * 32 + t);
            }
          }
        }
        for (const d of ds) {
          live[d >> 5] &= ~(1 << (d & 31));
          this.cost[d] += w;
          this.present[d] = 1;
        }
        for (const u of us) {
          live[u >> 5] |= 1 << (u & 31);
          this.cost[u] += w;
          this.present[u] = 1;
        }
      }
    }
    for (const r of f.byteRegs) {
      if (this.present[r]) {
        this.add(r, ESI);
        this.add(r, EDI);
      }
    }
    // note: wlMoves order: prefer deep-loop moves first
    this.wlMoves.sort((a, b) => this.mweight[a] - this.mweight[b]);
    for (let r = 8; r < N; r++) {
      if (this.present[r]) {
        if (this.deg[r] >= K) {
          this.state[r] = 3;
          this.spillWL.add(r);
        } else if (this.moveRelated(r)) {
          this.state[r] = 2;
          this.freezeWL.add(r);
        } else {
          this.state[r] = 1;
          this.simp.push(r);
        }
      }
    }
  }
  moveRelated(r: number) {
    for (const m of this.moveList[r]) if (this.mstate[m] < 2) return true;
    return false;
  }
  forAdj(r: number, fn: (x: number) => void) {
    for (const x of this.adj[r]) if (this.state[x] !== 4 && this.state[x] !== 5) fn(x);
  }
  get(r: number): number {
    while (this.state[r] === 5) r = this.alias[r];
    return r;
  }
  enableMoves(r: number) {
    for (const m of this.moveList[r]) {
      if (this.mstate[m] === 1) {
        this.mstate[m] = 0;
        this.wlMoves.push(m);
      }
    }
  }
  dec(r: number) {
    if (this.state[r] === 6) return;
    const d = this.deg[r]--;
    if (d === K) {
      this.enableMoves(r);
      this.forAdj(r, (x) => this.enableMoves(x));
      this.spillWL.delete(r);
      if (this.moveRelated(r)) {
        this.state[r] = 2;
        this.freezeWL.add(r);
      } else {
        this.state[r] = 1;
        this.simp.push(r);
      }
    }
  }
  addWork(r: number) {
    if (this.state[r] !== 6 && !this.moveRelated(r) && this.deg[r] < K && this.state[r] === 2) {
      this.freezeWL.delete(r);
      this.state[r] = 1;
      this.simp.push(r);
    }
  }
  combine(u: number, v: number) {
    this.freezeWL.delete(v);
    this.spillWL.delete(v);
    this.state[v] = 5;
    this.alias[v] = u;
    this.moveList[u].push(...this.moveList[v]);
    this.cost[u] += this.cost[v];
    this.enableMoves(v);
    if (!this.ns.has(v)) this.ns.delete(u);
    this.forAdj(v, (t) => {
      this.add(t, u);
      this.dec(t);
    });
    if (this.state[u] === 2 && this.deg[u] >= K) {
      this.freezeWL.delete(u);
      this.state[u] = 3;
      this.spillWL.add(u);
    }
  }
  coalesce() {
    const m = this.wlMoves.pop()!;
    if (this.mstate[m] !== 0) return;
    const x = this.get(this.movesA[m]), y = this.get(this.movesB[m]);
    let u = x, v = y;
    if (this.state[y] === 6) {
      u = y;
      v = x;
    }
    if (u === v) {
      this.mstate[m] = 2;
      this.addWork(u);
      return;
    }
    if (this.state[v] === 6 || this.has(u, v)) {
      this.mstate[m] = 2;
      this.addWork(u);
      this.addWork(v);
      return;
    }
    let ok: boolean;
    if (this.state[u] === 6) {
      ok = true;
      for (const t of this.adj[v]) {
        if (this.state[t] === 4 || this.state[t] === 5) continue;
        if (!(this.deg[t] < K || this.state[t] === 6 || this.has(t, u))) {
          ok = false;
          break;
        }
      }
    } else {
      let k = 0;
      const seen = new Set<number>();
      this.forAdj(u, (t) => {
        seen.add(t);
        if (this.deg[t] >= K) k++;
      });
      this.forAdj(v, (t) => {
        if (!seen.has(t) && this.deg[t] >= K) k++;
      });
      ok = k < K;
      if (!ok) {
        /* neighbours of v subset test (extended George) */ let all = true;
        this.forAdj(v, (t) => {
          if (!(this.deg[t] < K || this.has(t, u))) all = false;
        });
        ok = all;
      }
    }
    if (ok) {
      this.mstate[m] = 2;
      this.combine(u, v);
      this.addWork(u);
    } else this.mstate[m] = 1;
  }
  freezeMoves(u: number) {
    for (const m of this.moveList[u]) {
      if (this.mstate[m] < 2) {
        const a = this.get(this.movesA[m]), b = this.get(this.movesB[m]);
        const v = b === this.get(u) ? a : b;
        this.mstate[m] = 2;
        if (this.state[v] === 2 && !this.moveRelated(v) && this.deg[v] < K) {
          this.freezeWL.delete(v);
          this.state[v] = 1;
          this.simp.push(v);
        }
      }
    }
  }
  run() {
    for (;;) {
      if (this.simp.length) {
        const r = this.simp.pop()!;
        if (this.state[r] !== 1) continue;
        this.state[r] = 4;
        this.sel.push(r);
        for (const x of this.adj[r]) if (this.state[x] !== 4 && this.state[x] !== 5) this.dec(x);
      } else if (this.wlMoves.length) this.coalesce();
      else if (this.freezeWL.size) {
        let r = -1, bc = Infinity;
        for (const x of this.freezeWL) {
          if (this.cost[x] < bc) {
            bc = this.cost[x];
            r = x;
          }
        }
        this.freezeWL.delete(r);
        this.state[r] = 1;
        this.simp.push(r);
        this.freezeMoves(r);
      } else if (this.spillWL.size) {
        let r = -1, bc = Infinity;
        for (const x of this.spillWL) {
          const c = this.ns.has(x) ? 1e30 + this.cost[x] : this.cost[x] / this.deg[x];
          if (c < bc || r < 0) {
            bc = c;
            r = x;
          }
        }
        this.spillWL.delete(r);
        this.state[r] = 1;
        this.simp.push(r);
        this.freezeMoves(r);
      } else break;
    }
    while (this.sel.length) {
      const r = this.sel.pop()!;
      let used = 0;
      for (const x of this.adj[r]) {
        const a = this.get(x);
        if (this.color[a] >= 0 && (this.state[a] === 8 || this.state[a] === 6)) {
          used |= 1 << this.color[a];
        }
      }
      let c = -1;
      for (const m of this.moveList[r]) {
        const a = this.get(this.movesA[m]),
          b = this.get(this.movesB[m]),
          q = a === r ? b : a,
          k = this.color[q];
        if (k >= 0 && (this.state[q] === 8 || this.state[q] === 6) && !(used >> k & 1)) {
          c = k;
          break;
        }
      }
      if (c < 0) {
        for (const p of PHYS) {
          if (!(used >> p & 1)) {
            c = p;
            break;
          }
        }
      }
      if (c < 0) {
        this.spilled.push(r);
        this.state[r] = 7;
      } else {
        this.color[r] = c;
        this.state[r] = 8;
      }
    }
  }
  finish(): number[] {
    const out: number[] = new Array(this.N);
    for (let r = 0; r < this.N; r++) {
      const a = this.get(r);
      out[r] = r < 8 ? r : this.color[a];
    }
    return out;
  }
}
const MEMD = new Set([
  "add",
  "sub",
  "and",
  "or",
  "xor",
  "adc",
  "sbb",
  "cmp",
  "shl",
  "sar",
  "shr",
  "rol",
  "ror",
  "neg",
  "not",
  "test",
]);
const MEMS = new Set([
  "add",
  "sub",
  "and",
  "or",
  "xor",
  "adc",
  "sbb",
  "cmp",
  "imul",
  "imul3",
  "cmov",
  "push",
  "mul",
  "imul1",
  "div",
  "idiv",
  "mov",
  "call",
  "movzx",
  "movsx",
  "bsr",
  "bsf",
]);
function rewrite(f: MFn, list: number[], c: IRC) {
  const slot = new Map<number, number>();
  const remat = new Map<number, Op>();
  const sp = new Set(list);
  const rep = (r: number) => r < 8 ? r : c.get(r); // coalesced members share the spill slot
  // rematerialisable: all members defined only by the same constant
  const cand = new Map<number, Op | null>();
  for (const b of f.blocks) {
    for (const m of b.ins) {
      visit(m, () => {}, (r) => {
        const q = rep(r);
        if (!sp.has(q)) return;
        if (
          m.o === "mov" && m.d!.t === "r" && m.d!.r === r && m.s!.t === "r" && rep(m.s!.r) === q
        ) return;
        if (m.o === "mov" && m.d!.t === "r" && m.d!.r === r && m.s!.t === "i") {
          const p = cand.get(q), s = m.s!;
          if (p === undefined) cand.set(q, s);
          else if (p && (p as any).v === s.v && (p as any).sym === s.sym) { /* same */ }
          else cand.set(q, null);
        } else cand.set(q, null);
      });
    }
  }
  for (const r of list) {
    const k = cand.get(r);
    if (k) remat.set(r, k);
    else slot.set(r, f.slots++);
  }
  const M = (r: number): Op => ({ t: "m", b: EBP, x: -1, sc: 1, d: slot.get(r)!, fr: true });
  for (const b of f.blocks) {
    const out: MI[] = [];
    for (const m of b.ins) {
      const S = (o: Op | undefined) =>
        o && o.t === "r" && o.r >= 8 && sp.has(rep(o.r)) ? rep(o.r) : -1;
      const hasMem = (m.d && m.d.t === "m") || (m.s && m.s.t === "m");
      let ds = S(m.d), ss = S(m.s);
      const mm = [m.d, m.s].find((o) => o && o.t === "m") as any;
      const pos = m.pos;
      const pre: MI[] = [], post: MI[] = [];
      const tmp = () => {
        const v = f.nv++;
        f.nospill.add(v);
        return v;
      };
      const loadT = (r: number) => {
        const v = tmp();
        pre.push({ o: "mov", d: reg(v), s: remat.get(r) ?? M(r), pos });
        return v;
      };
      if (m.o === "mov" && ds >= 0 && ss >= 0 && ds === ss) continue;
      if (ds >= 0 && remat.has(ds)) { if (m.o === "mov") continue; }
      if (mm) { // address registers
        const q = { ...mm };
        let b1 = -1;
        if (q.b >= 8 && sp.has(rep(q.b))) {
          b1 = rep(q.b);
          q.b = loadT(b1);
        }
        if (q.x >= 8 && sp.has(rep(q.x))) q.x = rep(q.x) === b1 ? q.b : loadT(rep(q.x));
        if (m.d === mm) m.d = q;
        else m.s = q;
      }
      if (ss >= 0 && ss === ds) { // op v,v
        const t = loadT(ss);
        if (f.byteRegs.has((m.s as any).r)) f.byteRegs.add(t);
        m.s = reg(t);
        m.d = reg(t);
        if (m.o !== "test" && m.o !== "cmp") post.push({ o: "mov", d: M(ds), s: reg(t), pos });
        ds = ss = -1;
      }
      if (ss >= 0) {
        const k = remat.get(ss);
        const byte = m.o === "mov" && m.sz === 8;
        if (
          k && k.t === "i" &&
          (["add", "sub", "and", "or", "xor", "cmp", "adc", "sbb", "mov", "push", "test"].includes(
            m.o,
          )) && !(hasMem && k.sym && m.sz)
        ) m.s = { ...k };
        else if (!k && MEMS.has(m.o) && !hasMem && !(ds >= 0 && (MEMD.has(m.o) || m.o === "mov"))) {
          m.s = M(ss);
        } else {
          const t = loadT(ss);
          if (byte || ((m.o === "movzx" || m.o === "movsx") && m.sz === 8)) f.byteRegs.add(t);
          m.s = reg(t);
        }
      }
      if (ds >= 0) {
        const isDefOnly = ["mov", "movzx", "movsx", "lea", "setcc", "imul3", "bsr", "bsf"].includes(
          m.o,
        );
        const memNow = m.s && m.s.t === "m";
        if (m.o === "mov" && !memNow) m.d = M(ds);
        else if (MEMD.has(m.o) && !memNow && !(m.o === "test" && m.s && m.s.t === "m")) {
          if (remat.has(ds)) {
            const t = loadT(ds);
            m.d = reg(t);
          } else m.d = M(ds);
        } else {
          const t = isDefOnly ? tmp() : loadT(ds);
          if (m.o === "setcc") f.byteRegs.add(t);
          m.d = reg(t);
          if (m.o !== "cmp" && m.o !== "test") post.push({ o: "mov", d: M(ds), s: reg(t), pos });
        }
      }
      out.push(...pre, m, ...post);
    }
    b.ins = out;
  }
}
void imm;
void mem;
