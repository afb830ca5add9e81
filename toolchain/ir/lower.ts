// Wasm function body -> CFG of expression-tree statements over (mutable) 32-bit virtual registers. i64 = pair of trees.
import { isIntrinsic } from "../i386/intrinsics.ts";
import { registerWords } from "../i386/registers.ts";
import { type Func, type FuncType, I32, I64, Module } from "./wasm.ts";

export type T =
  | { k: "c"; v: number; mem: boolean }
  | { k: "r"; r: number; mem: boolean }
  | { k: "b"; op: string; a: T; b: T; mem: boolean }
  | { k: "u"; op: string; a: T; mem: boolean }
  | { k: "cmp"; cc: string; a: T; b: T; mem: boolean }
  | { k: "cmp64"; cc: string; a: [T, T]; b: [T, T]; mem: boolean }
  | { k: "ld"; sz: number; sx: boolean; a: T; off: number; mem: boolean }
  | { k: "sym"; name: string; add: number; mem: boolean }
  | { k: "sel"; c: T; a: T; b: T; mem: boolean };
export type S =
  | { s: "set"; r: number; t: T; pos: number }
  | { s: "st"; sz: number; a: T; off: number; v: T; pos: number }
  | { s: "call"; ret: number[]; fn: string | T; args: T[]; inRegisters: number; pos: number }
  | { s: "op"; name: string; ret: number[]; args: T[]; pos: number };
export type Term =
  | { t: "br"; to: Blk }
  | { t: "if"; c: T; yes: Blk; no: Blk }
  | { t: "sw"; i: T; to: Blk[]; def: Blk }
  | { t: "ret"; v: T[] }
  | { t: "ud" };
export class Blk {
  stmts: S[] = [];
  term: Term | null = null;
  tpos = 0;
  constructor(public id: number, public depth: number) {}
}
export class Unsupported extends Error {
  offset?: number;
}

export const C = (v: number): T => ({ k: "c", v: v | 0, mem: false });
export const R = (r: number): T => ({ k: "r", r, mem: false });
export const SYM = (name: string, add = 0): T => ({ k: "sym", name, add, mem: false });
export const LD = (sz: number, sx: boolean, a: T, off: number): T => ({
  k: "ld",
  sz,
  sx,
  a,
  off: off | 0,
  mem: true,
});
const isC = (t: T, v: number) => t.k === "c" && t.v === v;
const NEG: Record<string, string> = {
  e: "ne",
  ne: "e",
  l: "ge",
  ge: "l",
  le: "g",
  g: "le",
  b: "ae",
  ae: "b",
  be: "a",
  a: "be",
};
const SWP: Record<string, string> = {
  e: "e",
  ne: "ne",
  l: "g",
  g: "l",
  le: "ge",
  ge: "le",
  b: "a",
  a: "b",
  be: "ae",
  ae: "be",
};
export { NEG, SWP };
const fold: Record<string, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: Math.imul,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  sar: (a, b) => a >> b,
  shr: (a, b) => a >>> b,
  rol: (a, b) => (a << b) | (a >>> (32 - (b & 31)) % 32 * +((b & 31) !== 0)),
  ror: (a, b) => (a >>> b) | ((b & 31) ? a << (32 - (b & 31)) : 0),
};
fold.rol = (a, b) => (b & 31) ? (a << (b & 31)) | (a >>> (32 - (b & 31))) : a;
export function B(op: string, a: T, b: T): T {
  if (a.k === "c" && b.k === "c") return C(fold[op](a.v, b.v));
  if (b.k === "c") {
    if (b.v === 0 && op !== "mul" && op !== "and") return a;
    if (b.v === 0 && !a.mem) return C(0);
    if (op === "mul" && b.v === 1) return a;
    if (op === "and" && b.v === -1) return a;
    if (op === "sub") return B("add", a, C(-b.v));
    if (op === "add" && a.k === "b" && a.op === "add" && a.b.k === "c") {
      return B("add", a.a, C(a.b.v + b.v));
    }
    if (op === "add" && a.k === "sym") return SYM(a.name, a.add + b.v);
    if (
      op === "shl" && a.k === "b" && a.op === "shl" && a.b.k === "c" &&
      (a.b.v & 31) + (b.v & 31) < 32
    ) return B("shl", a.a, C((a.b.v & 31) + (b.v & 31)));
  } else if (
    a.k === "c" && (op === "add" || op === "mul" || op === "and" || op === "or" || op === "xor")
  ) return B(op, b, a);
  return { k: "b", op, a, b, mem: a.mem || b.mem };
}
export function U(op: string, a: T): T {
  return { k: "u", op, a, mem: a.mem };
}
export function CMP(cc: string, a: T, b: T): T {
  if (a.k === "c" && b.k !== "c") return CMP(SWP[cc], b, a);
  return { k: "cmp", cc, a, b, mem: a.mem || b.mem };
}
export function NOT(c: T): T {
  if (c.k === "cmp") return { ...c, cc: NEG[c.cc] };
  if (c.k === "cmp64") return { ...c, cc: NEG[c.cc] };
  return CMP("e", c, C(0));
}
export interface Opts {
  memBase: number;
  checked: boolean;
  cmov: boolean;
}
interface V {
  t: number;
  lo: T;
  hi: T | null;
}
interface Frame {
  kind: string;
  params: number[];
  results: number[];
  regs: number[][];
  target: Blk;
  end: Blk;
  els: Blk | null;
  height: number;
  live: boolean;
  depth: number;
  pv: V[];
}
const words = (ts: number[]) => ts.reduce((n, t) => n + (t === I64 ? 2 : 1), 0);
export { words };

export class FnIR {
  blks: Blk[] = [];
  cur: Blk | null;
  st: V[] = [];
  nv = 8;
  locals: number[][] = [];
  params: number[] = [];
  frames: Frame[] = [];
  pos = 0;
  depth = 0;
  constructor(public m: Module, public f: Func, public o: Opts) {
    this.cur = this.blk();
    for (const t of f.type.params) {
      this.chk(t);
      const l = this.pair(t);
      this.locals.push(l);
      this.params.push(...l);
    }
    for (const t of f.locals) {
      const l = this.pair(t);
      this.locals.push(l);
      for (const r of l) this.emit({ s: "set", r, t: C(0), pos: f.start });
    }
    this.nloc = this.nv;
    this.build();
    this.cleanup();
  }
  chk(t: number) {
    if (t !== I32 && t !== I64) throw new Unsupported("type " + t.toString(16));
  }
  blk() {
    const b = new Blk(this.blks.length, this.depth);
    this.blks.push(b);
    return b;
  }
  vreg() {
    return this.nv++;
  }
  pair(t: number) {
    return t === I64 ? [this.vreg(), this.vreg()] : [this.vreg()];
  }
  emit(s: S) {
    this.cur!.stmts.push(s);
  }
  set(r: number, t: T) {
    if (t.k === "r" && t.r === r) return;
    this.emit({ s: "set", r, t, pos: this.pos });
  }
  force(t: T): T {
    if (t.k === "c" || t.k === "r" || t.k === "sym") return t;
    const r = this.vreg();
    this.set(r, t);
    return R(r);
  }
  nloc = 8;
  temp(t: T): T {
    if (t.k === "c" || t.k === "sym" || (t.k === "r" && t.r >= this.nloc)) return t;
    return this.copy(t);
  }
  copy(t: T): T {
    if (t.k === "c" || t.k === "sym") return t;
    const r = this.vreg();
    this.set(r, t);
    return R(r);
  }
  push(t: number, lo: T, hi: T | null = null) {
    this.st.push({ t, lo, hi });
  }
  pop() {
    return this.st.pop()!;
  }
  p32() {
    return this.st.pop()!.lo;
  }
  uses(t: T, r: number): boolean {
    switch (t.k) {
      case "r":
        return t.r === r;
      case "b":
      case "cmp":
        return this.uses(t.a, r) || this.uses(t.b, r);
      case "u":
      case "ld":
        return this.uses(t.a, r);
      case "sel":
        return this.uses(t.c, r) || this.uses(t.a, r) || this.uses(t.b, r);
      case "cmp64":
        return this.uses(t.a[0], r) || this.uses(t.a[1], r) || this.uses(t.b[0], r) ||
          this.uses(t.b[1], r);
    }
    return false;
  }
  spillUses(rs: number[]) {
    for (const v of this.st) {
      if (rs.some((r) => this.uses(v.lo, r))) v.lo = this.temp(v.lo);
      if (v.hi && rs.some((r) => this.uses(v.hi!, r))) v.hi = this.temp(v.hi);
    }
  }
  spillMem() {
    for (const v of this.st) {
      if (v.lo.mem) v.lo = this.temp(v.lo);
      if (v.hi?.mem) v.hi = this.temp(v.hi);
    }
  }
  flush() {
    for (const v of this.st) {
      v.lo = this.temp(v.lo);
      if (v.hi) v.hi = this.temp(v.hi);
    }
  }
  end(t: Term) {
    if (this.cur) {
      this.cur.term = t;
      this.cur.tpos = this.pos;
    }
    this.cur = null;
  }
  go(b: Blk) {
    this.cur = b;
  }
  trapIf(c: T) {
    const t = this.blk(), n = this.blk();
    t.term = { t: "ud" };
    this.end({ t: "if", c, yes: t, no: n });
    this.cur = n;
  }
  op(name: string, args: T[], nret: number): T[] {
    const ret = Array.from({ length: nret }, () => this.vreg());
    this.emit({ s: "op", name, ret, args, pos: this.pos });
    return ret.map(R);
  }
  callH(name: string, types: number[], args: T[], nret: number): T[] {
    const ret = Array.from({ length: nret }, () => this.vreg());
    this.emit({ s: "call", fn: name, ret, args, inRegisters: registerWords(types), pos: this.pos });
    return ret.map(R);
  }
  btype(): FuncType {
    const r = this.m.r, c = r.b[r.p];
    if (c === 0x40) {
      r.p++;
      return { params: [], results: [] };
    }
    if (c >= 0x70 && c <= 0x7f) {
      r.p++;
      this.chk(c);
      return { params: [], results: [c] };
    }
    const t = this.m.types[r.s32()];
    t.params.concat(t.results).forEach((x) => this.chk(x));
    return t;
  }
  frame(kind: string, ft: FuncType, target: Blk | null, els: Blk | null) {
    const end = this.blk();
    end.depth = this.depth;
    this.frames.push({
      kind,
      params: ft.params,
      results: ft.results,
      regs: ft.results.map((t) => this.pair(t)),
      target: target ?? end,
      end,
      els,
      height: this.st.length - ft.params.length,
      live: true,
      depth: this.depth,
      pv: [],
    });
    return this.frames[this.frames.length - 1];
  }
  assign(regs: number[][], vals: V[], safe: boolean) {
    const vs = safe
      ? vals.map((v) => ({ t: v.t, lo: this.copy(v.lo), hi: v.hi ? this.copy(v.hi) : null }))
      : vals;
    regs.forEach((rg, i) => {
      this.set(rg[0], vs[i].lo);
      if (rg[1] !== undefined) this.set(rg[1], vs[i].hi!);
    });
  }
  br(d: number) {
    const f = this.frames[this.frames.length - 1 - d];
    if (f.kind === "fn") {
      this.end({
        t: "ret",
        v: this.st.slice(this.st.length - f.results.length).flatMap((v) =>
          v.hi ? [v.lo, v.hi] : [v.lo]
        ),
      });
      return;
    }
    const n = f.kind === "loop" ? f.params.length : f.results.length;
    this.assign(
      f.regs,
      this.st.slice(this.st.length - n),
      f.kind === "loop" || n > 1 || (n === 1 && f.regs[0].length > 1),
    );
    this.end({ t: "br", to: f.target });
  }
  brIf(c: T, d: number) {
    const f = this.frames[this.frames.length - 1 - d],
      n = f.kind === "loop" ? f.params.length : f.results.length;
    if (n === 0 && f.kind !== "fn") {
      if (this.st.length) {
        c = this.temp(c);
        this.flush();
      }
      const no = this.blk();
      this.end({ t: "if", c, yes: f.target, no });
      this.cur = no;
      return;
    }
    c = this.temp(c);
    this.flush();
    const yes = this.blk(), no = this.blk();
    this.end({ t: "if", c, yes, no });
    this.cur = yes;
    this.br(d);
    this.cur = no;
  }
  build() {
    const { m, f } = this, r = m.r;
    r.p = f.start;
    f.type.results.forEach((t) => this.chk(t));
    if (f.type.results.length > 1) throw new Unsupported("multi-value function");
    this.frame("fn", { params: [], results: f.type.results }, null, null);
    while (this.frames.length) {
      this.pos = r.p;
      this.instr(r.u8());
    }
  }
  memarg() {
    const r = this.m.r;
    const al = r.u32();
    if (al & 64) r.u32();
    return r.u32();
  }
  addr(sz: number): { a: T; off: number } {
    const off = this.memarg();
    let a = this.p32();
    return this.addrOf(a, off, sz);
  }
  addrOf(a: T, off: number, sz: number) {
    if (this.o.checked) {
      a = this.temp(a);
      const lim = LD(32, false, SYM("__mem_bytes"), 0);
      if (off + sz > 0x7fffffff) {
        this.trapIf(CMP("e", C(0), C(0)));
        return { a, off: this.o.memBase };
      }
      const need = this.force(B("sub", lim, C(off + sz)));
      this.trapIf(CMP("l", need, C(0)));
      this.trapIf(CMP("a", a, need));
    }
    if (a.k === "b" && a.op === "add" && a.b.k === "c") {
      off = (off + a.b.v) | 0;
      a = a.a;
    }
    return { a, off: (off + this.o.memBase) | 0 };
  }
  store(a: T, off: number, sz: number, v: T) {
    this.emit({ s: "st", sz, a, off, v, pos: this.pos });
  }
  skipImm(op: number) {
    const r = this.m.r;
    if (op === 2 || op === 3 || op === 4) {
      const c = r.b[r.p];
      if (c === 0x40 || (c >= 0x60 && c <= 0x7f)) r.p++;
      else r.s32();
    } else if (
      op === 0xc || op === 0xd || op === 0x10 || (op >= 0x20 && op <= 0x26) || op === 0x3f ||
      op === 0x40 || op === 0xd2
    ) r.u32();
    else if (op === 0xd0) r.u8();
    else if (op === 0xe) { for (let n = r.u32() + 1; n--;) r.u32(); }
    else if (op === 0x11) {
      r.u32();
      r.u32();
    } else if (op === 0x1c) { for (let n = r.u32(); n--;) r.u8(); }
    else if (op >= 0x28 && op <= 0x3e) this.memarg();
    else if (op === 0x41) r.s32();
    else if (op === 0x42) r.s64();
    else if (op === 0x43) r.p += 4;
    else if (op === 0x44) r.p += 8;
    else if (op === 0xfc) {
      const s = r.u32();
      if (s < 8) return;
      if (s === 9 || s === 11 || s === 13 || s > 14) r.u32();
      else {
        r.u32();
        r.u32();
      }
    }
  }
  dead = 0;
  instr(op: number) {
    const { m, st } = this, r = m.r;
    if (!this.cur) {
      if (op === 2 || op === 3 || op === 4) {
        this.skipImm(op);
        this.dead++;
        return;
      }
      if (op === 0xb && this.dead) {
        this.dead--;
        return;
      }
      if (op === 5 && this.dead) return;
      if (op !== 5 && op !== 0xb) {
        this.skipImm(op);
        return;
      }
    }
    switch (op) {
      case 0:
        this.end({ t: "ud" });
        return;
      case 1:
        return;
      case 2:
      case 3:
      case 4: {
        const ft = this.btype();
        let c: T | null = null;
        if (op === 4) c = this.temp0(this.p32());
        if (op !== 2 || ft.params.length) this.flush();
        else if (st.length) this.flush();
        if (op === 2) this.frame("block", ft, null, null);
        else if (op === 3) {
          const f = this.frame("loop", ft, null, null);
          this.depth++;
          const h = this.blk();
          f.target = h;
          const ps = st.splice(st.length - ft.params.length);
          const regs = ft.params.map((t) => this.pair(t));
          this.assign(regs, ps, true);
          this.end({ t: "br", to: h });
          this.cur = h;
          ps.forEach((p, i) =>
            this.push(p.t, R(regs[i][0]), regs[i].length > 1 ? R(regs[i][1]) : null)
          );
          (f as any).res = f.regs;
          f.regs = regs;
        } else {
          const f = this.frame("if", ft, null, null);
          const y = this.blk(), n = this.blk();
          f.els = n;
          f.pv = st.slice(st.length - ft.params.length).map((v) => ({ ...v }));
          this.end({ t: "if", c: c!, yes: y, no: n });
          this.cur = y;
        }
        return;
      }
      case 5: {
        const f = this.frames[this.frames.length - 1];
        if (this.cur) {
          this.assign(f.regs, st.slice(st.length - f.results.length), true);
          this.end({ t: "br", to: f.end });
        }
        st.length = f.height;
        st.push(...f.pv);
        this.cur = f.els;
        f.els = null;
        return;
      }
      case 0xb: {
        const f = this.frames.pop()!;
        if (f.kind === "fn") {
          if (this.cur) this.end({ t: "ret", v: st.flatMap((v) => v.hi ? [v.lo, v.hi] : [v.lo]) });
          return;
        }
        const res: number[][] = f.kind === "loop" ? (f as any).res : f.regs;
        if (this.cur) {
          const vs = st.slice(st.length - f.results.length);
          this.assign(res, vs, vs.length > 1 || (vs.length === 1 && res[0].length > 1));
          this.end({ t: "br", to: f.end });
        }
        if (f.els) {
          this.cur = f.els;
          st.length = f.height;
          st.push(...f.pv);
          this.assign(res, f.pv, true);
          this.end({ t: "br", to: f.end });
        }
        st.length = f.height;
        this.depth = f.depth;
        this.cur = f.end;
        f.results.forEach((t, i) =>
          this.push(t, R(res[i][0]), res[i].length > 1 ? R(res[i][1]) : null)
        );
        return;
      }
      case 0xc:
        this.br(r.u32());
        return;
      case 0xd: {
        const d = r.u32();
        this.brIf(this.p32(), d);
        return;
      }
      case 0xe: {
        const n = r.u32(), ds: number[] = [];
        for (let i = 0; i <= n; i++) ds.push(r.u32());
        const idx = this.temp(this.p32());
        this.flush();
        const src = this.cur!;
        const save = st.map((v) => ({ ...v }));
        const map = new Map<number, Blk>();
        const tgt = (d: number) => {
          if (!map.has(d)) {
            const b = this.blk();
            map.set(d, b);
            this.cur = b;
            st.length = 0;
            st.push(...save.map((v) => ({ ...v })));
            this.br(d);
          }
          return map.get(d)!;
        };
        const to = ds.map(tgt);
        this.cur = src;
        this.end({ t: "sw", i: idx, to: to.slice(0, n), def: to[n] });
        return;
      }
      case 0xf:
        this.br(this.frames.length - 1);
        return;
      case 0x10: {
        const i = r.u32();
        this.call(m.funcs[i].type, i);
        return;
      }
      case 0x11: {
        const ti = r.u32();
        const tb = r.u32();
        this.callInd(m.types[ti], ti, tb);
        return;
      }
      case 0x1a: {
        const v = this.pop();
        if (v.lo.mem && this.o.checked) this.temp(v.lo);
        return;
      }
      case 0x1b:
      case 0x1c: {
        if (op === 0x1c) { for (let n = r.u32(); n--;) this.chk(r.u8()); }
        let c = this.p32();
        const b = this.pop(), a = this.pop();
        this.chk(a.t);
        if (a.hi) {
          c = this.force(c);
          this.push(a.t, this.sel(c, a.lo, b.lo), this.sel(c, a.hi, b.hi!));
        } else this.push(a.t, this.sel(c, a.lo, b.lo));
        return;
      }
      case 0x20: {
        const l = this.locals[r.u32()], t = l.length > 1 ? I64 : I32;
        this.push(t, R(l[0]), l.length > 1 ? R(l[1]) : null);
        return;
      }
      case 0x21:
      case 0x22: {
        const i = r.u32(), l = this.locals[i], v = this.pop();
        this.spillUses(l);
        if (l.length > 1) {
          let { lo, hi } = v;
          if (this.uses(hi!, l[0])) hi = this.temp(hi!);
          this.set(l[0], lo);
          this.set(l[1], hi!);
          if (op === 0x22) this.push(I64, R(l[0]), R(l[1]));
        } else {
          this.set(l[0], v.lo);
          if (op === 0x22) this.push(I32, R(l[0]));
        }
        return;
      }
      case 0x23: {
        const i = r.u32(), g = m.globals[i];
        this.chk(g.type);
        if (!g.mut && g.init.op === "const" && (!g.imp)) {
          const v = g.init.v;
          g.type === I64
            ? this.push(
              I64,
              C(Number(BigInt.asIntN(32, v))),
              C(Number(BigInt.asIntN(32, v >> 32n))),
            )
            : this.push(I32, C(Number(BigInt.asIntN(32, v))));
          return;
        }
        const a = SYM("$g" + i);
        this.push(g.type, LD(32, false, a, 0), g.type === I64 ? LD(32, false, a, 4) : null);
        return;
      }
      case 0x24: {
        const i = r.u32(), v = this.pop();
        this.chk(v.t);
        this.spillMem();
        let hi = v.hi ? this.temp(v.hi) : null;
        this.store(SYM("$g" + i), 0, 32, v.lo);
        if (hi) this.store(SYM("$g" + i), 4, 32, hi);
        return;
      }
      case 0x28: {
        const x = this.addr(4);
        this.push(I32, LD(32, false, x.a, x.off));
        return;
      }
      case 0x29: {
        const x = this.addr(8);
        const a = this.force(x.a);
        this.push(I64, LD(32, false, a, x.off), LD(32, false, a, x.off + 4));
        return;
      }
      case 0x2c:
      case 0x2d: {
        const x = this.addr(1);
        this.push(I32, LD(8, op === 0x2c, x.a, x.off));
        return;
      }
      case 0x2e:
      case 0x2f: {
        const x = this.addr(2);
        this.push(I32, LD(16, op === 0x2e, x.a, x.off));
        return;
      }
      case 0x30:
      case 0x31:
      case 0x32:
      case 0x33:
      case 0x34:
      case 0x35: {
        const sz = [8, 8, 16, 16, 32, 32][op - 0x30], sx = !(op & 1), x = this.addr(sz / 8);
        let lo = LD(sz, sx, x.a, x.off);
        if (sx) {
          lo = this.force(lo);
          this.push(I64, lo, B("sar", lo, C(31)));
        } else this.push(I64, lo, C(0));
        return;
      }
      case 0x36:
      case 0x3a:
      case 0x3b: {
        const v = this.p32();
        const sz = op === 0x36 ? 32 : op === 0x3a ? 8 : 16;
        const vv = this.o.checked ? this.temp(v) : v;
        const x = this.addr(sz / 8);
        this.spillMem();
        this.store(x.a, x.off, sz, vv);
        return;
      }
      case 0x37: {
        const v = this.pop();
        const vl = this.o.checked ? this.temp(v.lo) : v.lo,
          vh = this.o.checked || v.hi!.mem ? this.temp(v.hi!) : v.hi!;
        const x = this.addr(8);
        this.spillMem();
        const a = this.force(x.a);
        this.store(a, x.off, 32, vl);
        this.store(a, x.off + 4, 32, vh);
        return;
      }
      case 0x3c:
      case 0x3d:
      case 0x3e: {
        const v = this.pop();
        const sz = op === 0x3c ? 8 : op === 0x3d ? 16 : 32;
        const vl = this.o.checked ? this.temp(v.lo) : v.lo;
        const x = this.addr(sz / 8);
        this.spillMem();
        this.store(x.a, x.off, sz, vl);
        return;
      }
      case 0x3f:
        r.u8();
        this.push(I32, LD(32, false, SYM("__mem_pages"), 0));
        return;
      case 0x40: {
        r.u8();
        const n = this.p32();
        this.spillMem();
        this.push(I32, this.callH("__memory_grow", [I32], [n], 1)[0]);
        return;
      }
      case 0x41:
        this.push(I32, C(r.s32()));
        return;
      case 0x42: {
        const v = r.s64();
        this.push(I64, C(Number(BigInt.asIntN(32, v))), C(Number(BigInt.asIntN(32, v >> 32n))));
        return;
      }
      case 0x45: {
        this.push(I32, NOT(this.p32()));
        return;
      }
      case 0x46:
      case 0x47:
      case 0x48:
      case 0x49:
      case 0x4a:
      case 0x4b:
      case 0x4c:
      case 0x4d:
      case 0x4e:
      case 0x4f: {
        const b = this.p32(), a = this.p32();
        this.push(
          I32,
          CMP(["e", "ne", "l", "b", "g", "a", "le", "be", "ge", "ae"][op - 0x46], a, b),
        );
        return;
      }
      case 0x50: {
        const v = this.pop();
        this.push(I32, CMP("e", B("or", v.lo, v.hi!), C(0)));
        return;
      }
      case 0x51:
      case 0x52:
      case 0x53:
      case 0x54:
      case 0x55:
      case 0x56:
      case 0x57:
      case 0x58:
      case 0x59:
      case 0x5a: {
        let b = this.pop(),
          a = this.pop(),
          cc = ["e", "ne", "l", "b", "g", "a", "le", "be", "ge", "ae"][op - 0x51];
        if (cc === "e" || cc === "ne") {
          this.push(I32, CMP(cc, B("or", B("xor", a.lo, b.lo), B("xor", a.hi!, b.hi!)), C(0)));
          return;
        }
        if (isC(a.hi!, 0) && isC(b.hi!, 0)) {
          this.push(
            I32,
            CMP(({ l: "b", le: "be", g: "a", ge: "ae" } as any)[cc] ?? cc, a.lo, b.lo),
          );
          return;
        }
        if (cc === "g" || cc === "le" || cc === "a" || cc === "be") {
          const x = a;
          a = b;
          b = x;
          cc = SWP[cc];
        }
        const q = [a.lo, a.hi!, b.lo, b.hi!].map((t) => this.force(t)); // no loads left inside
        this.push(I32, { k: "cmp64", cc, a: [q[0], q[1]], b: [q[2], q[3]], mem: false });
        return;
      }
      case 0x67:
        this.push(I32, U("clz", this.p32()));
        return;
      case 0x68:
        this.push(I32, U("ctz", this.p32()));
        return;
      case 0x69:
        this.push(I32, this.popcnt(this.p32()));
        return;
      case 0x6a:
      case 0x6b:
      case 0x6c:
      case 0x71:
      case 0x72:
      case 0x73:
      case 0x74:
      case 0x75:
      case 0x76:
      case 0x77:
      case 0x78: {
        const b = this.p32(), a = this.p32();
        this.push(I32, B(OPS[op - 0x6a], a, b));
        return;
      }
      case 0x6d:
      case 0x6e:
      case 0x6f:
      case 0x70: {
        const b = this.p32(), a = this.p32();
        this.push(I32, this.div32(op - 0x6d, a, b));
        return;
      }
      case 0x79:
      case 0x7a: {
        const v = this.pop(), lo = this.force(v.lo), hi = this.force(v.hi!);
        this.push(
          I64,
          op === 0x79
            ? this.sel(hi, U("clz", hi), B("add", U("clz", lo), C(32)))
            : this.sel(lo, U("ctz", lo), B("add", U("ctz", hi), C(32))),
          C(0),
        );
        return;
      }
      case 0x7b: {
        const v = this.pop();
        this.push(I64, B("add", this.popcnt(v.lo), this.popcnt(v.hi!)), C(0));
        return;
      }
      case 0x7c:
      case 0x7d: {
        const b = this.pop(), a = this.pop();
        const [l, h] = this.op(op === 0x7c ? "add64" : "sub64", [a.lo, a.hi!, b.lo, b.hi!], 2);
        this.push(I64, l, h);
        return;
      }
      case 0x7e: {
        const b = this.pop(), a = this.pop();
        const al = this.force(a.lo),
          bl = this.force(b.lo),
          ah = this.force(a.hi!),
          bh = this.force(b.hi!);
        const [l, h] = this.op("mulw", [al, bl], 2);
        let hh: T = h;
        if (!isC(bh, 0)) hh = B("add", hh, B("mul", al, bh));
        if (!isC(ah, 0)) hh = B("add", hh, B("mul", ah, bl));
        this.push(I64, l, hh);
        return;
      }
      case 0x7f:
      case 0x80:
      case 0x81:
      case 0x82: {
        const b = this.pop(), a = this.pop();
        this.spillMem();
        if ((op === 0x80 || op === 0x82) && isC(a.hi!, 0) && isC(b.hi!, 0)) {
          this.push(I64, this.div32(op === 0x80 ? 1 : 3, a.lo, b.lo), C(0));
          return;
        }
        const [l, h] = this.callH(["__div64s", "__div64u", "__rem64s", "__rem64u"][op - 0x7f], [
          I64,
          I64,
        ], [
          a.lo,
          a.hi!,
          b.lo,
          b.hi!,
        ], 2);
        this.push(I64, l, h);
        return;
      }
      case 0x83:
      case 0x84:
      case 0x85: {
        const b = this.pop(), a = this.pop(), o = OPS[op - 0x83 + 7];
        this.push(I64, B(o, a.lo, b.lo), B(o, a.hi!, b.hi!));
        return;
      }
      case 0x86:
      case 0x87:
      case 0x88:
      case 0x89:
      case 0x8a: {
        const b = this.pop(), a = this.pop();
        this.shift64(op - 0x86, a, b.lo);
        return;
      }
      case 0xa7: {
        const v = this.pop();
        this.push(I32, v.lo);
        return;
      }
      case 0xac: {
        const lo = this.force(this.p32());
        this.push(I64, lo, B("sar", lo, C(31)));
        return;
      }
      case 0xad:
        this.push(I64, this.p32(), C(0));
        return;
      case 0xc0:
        this.push(I32, U("sx8", this.p32()));
        return;
      case 0xc1:
        this.push(I32, U("sx16", this.p32()));
        return;
      case 0xc2:
      case 0xc3:
      case 0xc4: {
        const v = this.pop();
        const lo = op === 0xc4
          ? this.force(v.lo)
          : this.force(U(op === 0xc2 ? "sx8" : "sx16", v.lo));
        this.push(I64, lo, B("sar", lo, C(31)));
        return;
      }
      case 0xfc: {
        const s = r.u32();
        if (s === 10) {
          r.u8();
          r.u8();
          const n = this.p32(), b = this.p32(), a = this.p32();
          this.spillMem();
          this.memop("__memmove", a, b, n, true);
          return;
        }
        if (s === 11) {
          r.u8();
          const n = this.p32(), b = this.p32(), a = this.p32();
          this.spillMem();
          this.memop("__memset", a, b, n, false);
          return;
        }
        throw new Unsupported("fc " + s);
      }
    }
    throw new Unsupported("op " + op.toString(16));
  }
  memop(h: string, a: T, b: T, n: T, src: boolean) {
    if (this.o.checked) {
      a = this.temp(a);
      b = this.temp(b);
      n = this.temp(n);
      const lim = this.temp(LD(32, false, SYM("__mem_bytes"), 0));
      this.trapIf(CMP("a", n, lim));
      this.trapIf(CMP("a", a, B("sub", lim, n)));
      if (src) this.trapIf(CMP("a", b, B("sub", lim, n)));
    }
    this.callH(h, [I32, I32, I32], [
      B("add", a, C(this.o.memBase)),
      src ? B("add", b, C(this.o.memBase)) : b,
      n,
    ], 0);
  }
  temp0(t: T): T {
    return t;
  }
  sel(c: T, a: T, b: T): T {
    return { k: "sel", c, a, b, mem: a.mem || b.mem || c.mem };
  }
  popcnt(t: T): T {
    let x = this.force(t);
    x = this.force(B("sub", x, B("and", B("shr", x, C(1)), C(0x55555555))));
    x = this.force(
      B("add", B("and", x, C(0x33333333)), B("and", B("shr", x, C(2)), C(0x33333333))),
    );
    x = B("and", B("add", x, B("shr", x, C(4))), C(0x0f0f0f0f));
    return B("shr", B("mul", x, C(0x01010101)), C(24));
  }
  div32(kind: number, a: T, b: T): T { // 0 div_s 1 div_u 2 rem_s 3 rem_u
    if (b.k === "c" && b.v !== 0 && b.v !== -1) {
      const d = b.v;
      if (kind === 1 || kind === 3) {
        const D = BigInt(d >>> 0), ud = d >>> 0;
        let q: T;
        const x = this.force(a);
        if ((ud & (ud - 1)) === 0) {
          const k = 31 - Math.clz32(ud);
          return kind === 1 ? B("shr", x, C(k)) : B("and", x, C(ud - 1));
        }
        let l = 0n;
        while ((1n << l) < D) l++;
        const mm = ((1n << 32n) * ((1n << l) - D)) / D + 1n; // Granlund-Montgomery
        let found = false;
        q = x;
        for (let s = 0n; s <= l; s++) {
          const M = ((1n << (32n + s)) + D - 1n) / D;
          const e = M * D - (1n << (32n + s));
          if (M < (1n << 32n) && e <= (1n << s)) {
            const [, h] = this.op("mulw", [x, C(Number(BigInt.asIntN(32, M)))], 2);
            q = B("shr", h, C(Number(s)));
            found = true;
            break;
          }
        }
        if (!found) {
          const [, h] = this.op("mulw", [x, C(Number(BigInt.asIntN(32, mm)))], 2);
          const hh = this.force(h);
          q = B("shr", B("add", B("shr", B("sub", x, hh), C(1)), hh), C(Number(l) - 1));
        }
        return kind === 1 ? q : B("sub", x, B("mul", this.force(q), b));
      }
      const ad = Math.abs(d);
      if (d > 0 && (ad & (ad - 1)) === 0) {
        const x = this.force(a), k = 31 - Math.clz32(ad);
        if (k === 0) return kind === 0 ? x : C(0);
        const t = this.force(B("add", x, B("shr", B("sar", x, C(31)), C(32 - k))));
        return kind === 0 ? B("sar", t, C(k)) : B("sub", x, B("and", t, C(-ad)));
      }
      if (d > 2) {
        // signed magic (Hacker's Delight)
        const two31 = 0x80000000;
        const t = two31 + (d >>> 31);
        const anc = t - 1 - t % ad;
        let p = 31,
          q1 = Math.floor(two31 / anc),
          r1 = two31 - q1 * anc,
          q2 = Math.floor(two31 / ad),
          r2 = two31 - q2 * ad,
          delta;
        do {
          p++;
          q1 *= 2;
          r1 *= 2;
          if (r1 >= anc) {
            q1++;
            r1 -= anc;
          }
          q2 *= 2;
          r2 *= 2;
          if (r2 >= ad) {
            q2++;
            r2 -= ad;
          }
          delta = ad - r2;
        } while (q1 < delta || (q1 === delta && r1 === 0));
        const M = (q2 + 1) | 0, s = p - 32;
        const x = this.force(a);
        const [, h] = this.op("mulws", [x, C(M)], 2);
        let q: T = M < 0 ? B("add", h, x) : h;
        q = B("sar", q, C(s));
        q = B("add", q, B("shr", x, C(31)));
        return kind === 0 ? q : B("sub", x, B("mul", this.force(q), b));
      }
    }
    if (kind === 2 && !(b.k === "c" && b.v !== -1)) {
      a = this.temp(a);
      b = this.temp(b);
      this.flush();
      const r = this.vreg();
      const y = this.blk(), n = this.blk(), e = this.blk();
      this.end({ t: "if", c: CMP("e", b, C(-1)), yes: y, no: n });
      this.cur = y;
      this.set(r, C(0));
      this.end({ t: "br", to: e });
      this.cur = n;
      const [x] = this.op("rem_s", [a, b], 1);
      this.set(r, x);
      this.end({ t: "br", to: e });
      this.cur = e;
      return R(r);
    }
    return this.op(["div_s", "div_u", "rem_s", "rem_u"][kind], [a, b], 1)[0];
  }
  shift64(k: number, a: V, n: T) { // shl shr_s shr_u rotl rotr
    if (n.k === "c") {
      let c = n.v & 63;
      if (k === 4) {
        c = (64 - c) & 63;
        k = 3;
      }
      if (c === 0) {
        this.push(I64, a.lo, a.hi!);
        return;
      }
      const lo = this.force(a.lo), hi = this.force(a.hi!);
      const sh = (h: T, l: T, c: number): T =>
        c === 0 ? h : B("or", B("shl", h, C(c)), B("shr", l, C(32 - c)));
      if (k === 0) {
        if (c >= 32) this.push(I64, C(0), B("shl", lo, C(c - 32)));
        else this.push(I64, B("shl", lo, C(c)), sh(hi, lo, c));
        return;
      }
      if (k === 2) {
        if (c >= 32) this.push(I64, B("shr", hi, C(c - 32)), C(0));
        else {this.push(
            I64,
            B("or", B("shr", lo, C(c)), B("shl", hi, C(32 - c))),
            B("shr", hi, C(c)),
          );}
        return;
      }
      if (k === 1) {
        if (c >= 32) this.push(I64, B("sar", hi, C(c - 32)), B("sar", hi, C(31)));
        else {this.push(
            I64,
            B("or", B("shr", lo, C(c)), B("shl", hi, C(32 - c))),
            B("sar", hi, C(c)),
          );}
        return;
      }
      const [l, h] = c >= 32 ? [hi, lo] : [lo, hi];
      c &= 31;
      if (c === 0) {
        this.push(I64, l, h);
        return;
      }
      this.push(I64, sh(l, h, c), sh(h, l, c));
      return;
    }
    this.spillMem();
    const [l, h] = this.callH(["__shl64", "__sar64", "__shr64", "__rol64", "__ror64"][k], [
      I64,
      I32,
    ], [
      a.lo,
      a.hi!,
      n,
    ], 2);
    this.push(I64, l, h);
  }
  args(n: number): T[] {
    const vs = this.st.splice(this.st.length - n);
    return vs.flatMap((v) => v.hi ? [v.lo, v.hi] : [v.lo]);
  }
  results(ft: FuncType, ret: T[]) {
    if (ft.results.length) this.push(ft.results[0], ret[0], ret[1] ?? null);
  }
  call(ft: FuncType, i: number) {
    ft.params.concat(ft.results).forEach((t) => this.chk(t));
    if (ft.results.length > 1) throw new Unsupported("multi-value call");
    const f = this.m.funcs[i], args = this.args(ft.params.length), nr = words(ft.results);
    if (f.imp && f.imp.mod === "sym") {
      this.push(I32, SYM(f.imp.name));
      return;
    }
    this.spillMem();
    if (f.imp && f.imp.mod === "x86") {
      if (!isIntrinsic(f.imp.name)) throw Error("unknown intrinsic " + f.imp.name);
      this.results(ft, this.op(f.imp.name, args, nr));
      return;
    }
    const ret = Array.from({ length: nr }, () => this.vreg());
    this.emit({
      s: "call",
      fn: f.imp ? f.imp.name : "$f" + i,
      ret,
      args,
      inRegisters: registerWords(ft.params),
      pos: this.pos,
    });
    this.results(ft, ret.map(R));
  }
  callInd(ft: FuncType, ti: number, tb: number) {
    ft.params.concat(ft.results).forEach((t) => this.chk(t));
    if (ft.results.length > 1) throw new Unsupported("multi-value call");
    let idx = this.p32();
    const args0 = this.args(ft.params.length), nr = words(ft.results);
    let args = args0;
    if (this.o.checked) {
      args = args0.map((a) => this.temp(a));
      idx = this.temp(idx);
      this.flush();
      this.trapIf(CMP("ae", idx, LD(32, false, SYM("$tablen" + tb), 0)));
      this.trapIf(
        CMP(
          "ne",
          LD(32, false, B("add", B("shl", idx, C(2)), SYM("$tabsig" + tb)), 0),
          C(this.sig(ft)),
        ),
      );
    }
    this.spillMem();
    const ret = Array.from({ length: nr }, () => this.vreg());
    this.emit({
      s: "call",
      fn: {
        k: "ld",
        sz: 32,
        sx: false,
        a: B("add", B("shl", idx, C(2)), SYM("$table" + tb)),
        off: 0,
        mem: true,
      },
      ret,
      args,
      inRegisters: registerWords(ft.params),
      pos: this.pos,
    });
    this.results(ft, ret.map(R));
  }
  sig(ft: FuncType) {
    return sigId(ft);
  }
  cleanup() {
    // thread trivial jumps, drop unreachable blocks, rotate loops by duplicating small conditional headers
    const th = (b: Blk): Blk => {
      let n = 0;
      while (b.stmts.length === 0 && b.term && b.term.t === "br" && n++ < 50) b = b.term.to;
      return b;
    };
    const fix = () => {
      for (const b of this.blks) {
        const t = b.term;
        if (!t) {
          b.term = { t: "ud" };
          continue;
        }
        if (t.t === "br") t.to = th(t.to);
        else if (t.t === "if") {
          t.yes = th(t.yes);
          t.no = th(t.no);
        } else if (t.t === "sw") {
          t.to = t.to.map(th);
          t.def = th(t.def);
        }
      }
    };
    fix();
    this.loopDepths();
    const size = (b: Blk) => b.stmts.length;
    for (const b of this.blks) {
      const t = b.term!;
      if (t.t === "br" && t.to.term && t.to !== b) {
        const h = t.to, ht = h.term!;
        if (
          (ht.t === "if" && size(h) <= 2 && h.depth > 0 && h.depth <= b.depth &&
            (ht.yes.depth < h.depth || ht.no.depth < h.depth) && !h.stmts.some((s) =>
              s.s === "call" || s.s === "op"
            )) ||
          (ht.t === "ret" && size(h) === 0)
        ) {
          b.stmts.push(...h.stmts);
          b.term = { ...ht } as Term;
          b.tpos = h.tpos;
        }
      }
    }
    fix();
    const seen = new Set<Blk>(), work = [this.blks[0]];
    while (work.length) {
      const b = work.pop()!;
      if (seen.has(b)) continue;
      seen.add(b);
      const t = b.term!;
      if (t.t === "br") work.push(t.to);
      else if (t.t === "if") work.push(t.yes, t.no);
      else if (t.t === "sw") work.push(...t.to, t.def);
    }
    this.blks = this.blks.filter((b) => seen.has(b));
    // merge straight-line single-predecessor successors
    const preds = new Map<Blk, number>();
    for (const b of this.blks) for (const s of succ(b)) preds.set(s, (preds.get(s) ?? 0) + 1);
    const gone = new Set<Blk>();
    for (const b of this.blks) {
      if (gone.has(b)) continue;
      for (;;) {
        const t: Term = b.term!;
        if (
          t.t !== "br" || t.to === b || preds.get(t.to) !== 1 || t.to === this.blks[0] ||
          gone.has(t.to)
        ) break;
        const n: Blk = t.to;
        b.stmts.push(...n.stmts);
        b.term = n.term;
        b.tpos = n.tpos;
        b.depth = Math.max(b.depth, n.depth);
        gone.add(n);
      }
    }
    this.blks = this.blks.filter((b) => !gone.has(b));
    this.loopDepths();
    this.layout();
  }
  /** natural-loop nesting depth of every block (Wasm CFGs are reducible) */
  loopDepths() {
    const preds = new Map<Blk, Blk[]>(),
      state = new Map<Blk, number>(),
      back = new Map<Blk, Blk[]>();
    for (const b of this.blks) b.depth = 0;
    const stack: [Blk, number][] = [[this.blks[0], 0]];
    state.set(this.blks[0], 1);
    while (stack.length) {
      const top = stack[stack.length - 1], ss = succ(top[0]);
      if (top[1] < ss.length) {
        const s = ss[top[1]++];
        if (!preds.has(s)) preds.set(s, []);
        preds.get(s)!.push(top[0]);
        const q = state.get(s) ?? 0;
        if (q === 0) {
          state.set(s, 1);
          stack.push([s, 0]);
        } else if (q === 1) {
          if (!back.has(s)) back.set(s, []);
          back.get(s)!.push(top[0]);
        }
      } else {
        state.set(top[0], 2);
        stack.pop();
      }
    }
    for (const [h, srcs] of back) {
      const body = new Set<Blk>([h]), w = [...srcs];
      while (w.length) {
        const b = w.pop()!;
        if (body.has(b)) continue;
        body.add(b);
        w.push(...(preds.get(b) ?? []));
      }
      for (const b of body) b.depth++;
    }
  }
  layout() { // greedy trace layout: keep fall-through chains; cold (ud) blocks last
    const done = new Set<Blk>(), out: Blk[] = [];
    const isCold = (b: Blk) => b.term!.t === "ud";
    const order = this.blks;
    const place = (b: Blk | null) => {
      while (b && !done.has(b)) {
        done.add(b);
        out.push(b);
        const t: Term = b.term!;
        let n: Blk | null = null;
        if (t.t === "br") n = t.to;
        else if (t.t === "if") {
          const c = [t.no, t.yes].filter((x) => !done.has(x) && !isCold(x));
          n = c.length === 2 ? (c[1].depth > c[0].depth ? c[1] : c[0]) : c[0] ?? null;
        }
        if (n && isCold(n)) n = null;
        b = n;
      }
    };
    for (const b of order) if (!isCold(b)) place(b);
    for (const b of order) place(b);
    this.blks = out;
  }
}
export function succ(b: Blk): Blk[] {
  const t = b.term!;
  return t.t === "br"
    ? [t.to]
    : t.t === "if"
    ? [t.yes, t.no]
    : t.t === "sw"
    ? [...t.to, t.def]
    : [];
}
const OPS = [
  "add",
  "sub",
  "mul",
  "",
  "",
  "",
  "",
  "and",
  "or",
  "xor",
  "shl",
  "sar",
  "shr",
  "rol",
  "ror",
];
const sigs = new Map<string, number>();
export function sigId(ft: FuncType) {
  const k = ft.params + "->" + ft.results;
  if (!sigs.has(k)) sigs.set(k, sigs.size + 1);
  return sigs.get(k)!;
}
