// Instruction selection: expression trees -> x86 instructions over virtual registers (>=8) and fixed registers (0..7)
import { type Blk, type FnIR, NEG, type S, SWP, type T, type Term } from "../ir/lower.ts";
import { registerWords } from "./registers.ts";
import { FIXED_INTRINSICS, SYSTEM_CALL_REGISTERS } from "./intrinsics.ts";
export const EAX = 0, ECX = 1, EDX = 2, EBX = 3, ESP = 4, EBP = 5, ESI = 6, EDI = 7;
export type Op = { t: "r"; r: number } | {
  t: "m";
  b: number;
  x: number;
  sc: number;
  d: number;
  sym?: string;
  fr?: boolean;
} | { t: "i"; v: number; sym?: string };
export type MemOp = Extract<Op, { t: "m" }>;
export interface MI {
  o: string;
  d?: Op;
  s?: Op;
  c?: string;
  sz?: number;
  n?: number;
  to?: MB;
  tab?: MB[];
  uses?: number[];
  defs?: number[];
  raw?: number[];
  pinned?: boolean;
  pos: number;
}
export class MB {
  ins: MI[] = [];
  succ: MB[] = [];
  constructor(public id: number, public depth: number) {}
  addr = 0;
}
export interface MFn {
  blocks: MB[];
  nv: number;
  byteRegs: Set<number>;
  nospill: Set<number>;
  slots: number;
  incoming: number;
}
export const reg = (r: number): Op => ({ t: "r", r });
export const imm = (v: number, sym?: string): Op => ({ t: "i", v: v | 0, sym });
export const mem = (b: number, d: number, x = -1, sc = 1, sym?: string): MemOp => ({
  t: "m",
  b,
  x,
  sc,
  d: d | 0,
  sym,
});

export function visit(m: MI, use: (r: number) => void, def: (r: number) => void) {
  const md = (o: Op | undefined) => {
    if (o && o.t === "m") {
      if (o.b >= 0) use(o.b);
      if (o.x >= 0) use(o.x);
    }
  };
  md(m.d);
  md(m.s);
  const ds = m.d && m.d.t === "r" ? m.d.r : -1, ss = m.s && m.s.t === "r" ? m.s.r : -1;
  if (ss >= 0) use(ss);
  switch (m.o) {
    case "mov":
    case "movzx":
    case "movsx":
    case "lea":
    case "setcc":
    case "imul3":
    case "bsr":
    case "bsf":
      if (ds >= 0) def(ds);
      break;
    case "cmp":
    case "test":
      if (ds >= 0) use(ds);
      break;
    case "mul":
    case "imul1":
      use(EAX);
      def(EAX);
      def(EDX);
      break;
    case "div":
    case "idiv":
      use(EAX);
      use(EDX);
      def(EAX);
      def(EDX);
      break;
    case "cdq":
      use(EAX);
      def(EDX);
      break;
    case "zero":
      if (ds >= 0) def(ds);
      break;
    default:
      if (ds >= 0) {
        use(ds);
        def(ds);
      }
  }
  if (m.uses) { for (const r of m.uses) use(r); }
  if (m.defs) { for (const r of m.defs) def(r); }
}
const COMM = new Set(["add", "and", "or", "xor", "mul"]);
function same(a: T, b: T): boolean {
  if (a.k !== b.k) return false;
  switch (a.k) {
    case "c":
      return a.v === (b as any).v;
    case "r":
      return a.r === (b as any).r;
    case "sym":
      return a.name === (b as any).name && a.add === (b as any).add;
    case "b": {
      const q = b as typeof a;
      return a.op === q.op && same(a.a, q.a) && same(a.b, q.b);
    }
    case "ld": {
      const q = b as typeof a;
      return a.sz === q.sz && a.sx === q.sx && a.off === q.off && same(a.a, q.a);
    }
  }
  return false;
}
function weight(t: T): number {
  switch (t.k) {
    case "c":
    case "sym":
      return 0;
    case "r":
      return 1;
    case "ld":
    case "u":
      return 1 + weight(t.a);
    case "b":
    case "cmp":
      return 2 + Math.max(weight(t.a), weight(t.b));
    default:
      return 6;
  }
}

export class Isel {
  blocks: MB[] = [];
  cur!: MB;
  nv: number;
  byteRegs = new Set<number>();
  pos = 0;
  incoming: number;
  constructor(public f: FnIR, public o: { cmov: boolean }) {
    this.nv = f.nv;
    const map = new Map<Blk, MB>();
    for (const b of f.blks) {
      const mb = new MB(this.blocks.length, b.depth);
      map.set(b, mb);
      this.blocks.push(mb);
    }
    this.cur = this.blocks[0];
    this.pos = f.f.start;
    const P = [EAX, EDX, ECX];
    const inRegisters = registerWords(f.f.type.params);
    f.params.forEach((p, i) =>
      this.e({
        o: "mov",
        d: reg(p),
        s: i < inRegisters ? reg(P[i]) : mem(EBP, 8 + 4 * (i - inRegisters)),
      })
    );
    this.incoming = f.params.length - inRegisters;
    for (const b of f.blks) {
      this.cur = map.get(b)!;
      for (const s of b.stmts) {
        this.pos = s.pos;
        this.stmt(s);
      }
      this.pos = b.tpos;
      this.term(b.term!, map);
    }
  }
  e(m: Omit<MI, "pos">) {
    this.cur.ins.push({ ...m, pos: this.pos } as MI);
  }
  v() {
    return this.nv++;
  }
  mov(d: number, s: Op) {
    this.e({ o: "mov", d: reg(d), s });
  }
  byte(r: number) {
    if (r >= 8) this.byteRegs.add(r);
    return r;
  }
  amode(a: T, off: number): MemOp {
    if (a.k === "c") return mem(-1, a.v + off);
    if (a.k === "sym") return mem(-1, a.add + off, -1, 1, a.name);
    if (a.k === "b" && a.op === "shl" && a.b.k === "c" && a.b.v > 0 && a.b.v <= 3) {
      return mem(-1, off, this.gen(a.a), 1 << a.b.v);
    }
    if (a.k === "b" && a.op === "add") {
      let { a: x, b: y } = a;
      if (y.k === "c") return this.amode(x, off + y.v | 0);
      if (y.k === "sym") {
        const m = this.amode(x, off);
        if (!m.sym) {
          m.sym = y.name;
          m.d = m.d + y.add | 0;
          return m;
        }
        return mem(this.gen(a), off);
      }
      if (x.k === "sym") return this.amode({ ...a, a: y, b: x }, off);
      if (x.k === "b" && x.op === "add" && x.b.k === "c") {
        off = off + x.b.v | 0;
        x = x.a;
      }
      if (y.k === "b" && y.op === "add" && y.b.k === "c") {
        off = off + y.b.v | 0;
        y = y.a;
      }
      if (x.k === "b" && x.op === "shl" && !(y.k === "b" && y.op === "shl")) {
        const t = x;
        x = y;
        y = t;
      }
      if (y.k === "b" && y.op === "shl" && y.b.k === "c" && y.b.v > 0 && y.b.v <= 3) {
        if (x.k === "sym") return mem(-1, off + x.add, this.gen(y.a), 1 << y.b.v, x.name);
        const b = this.gen(x);
        return mem(b, off, this.gen(y.a), 1 << y.b.v);
      }
      const b = this.gen(x);
      return mem(b, off, this.gen(y), 1);
    }
    return mem(this.gen(a), off);
  }
  opnd(t: T, allowMem = true, allowImm = true): Op {
    if (t.k === "c" && allowImm) return imm(t.v);
    if (t.k === "sym" && allowImm) return imm(t.add, t.name);
    if (t.k === "ld" && t.sz === 32 && allowMem) return this.amode(t.a, t.off);
    return reg(this.gen(t));
  }
  gen(t: T, dst = -1): number {
    const D = () => dst >= 0 ? dst : this.v();
    switch (t.k) {
      case "r":
        if (dst >= 0) {
          this.mov(dst, reg(t.r));
          return dst;
        }
        return t.r;
      case "c": {
        const v = D();
        this.mov(v, imm(t.v));
        return v;
      }
      case "sym": {
        const v = D();
        this.mov(v, imm(t.add, t.name));
        return v;
      }
      case "ld": {
        const m = this.amode(t.a, t.off), v = D();
        if (t.sz === 32) this.mov(v, m);
        else this.e({ o: t.sx ? "movsx" : "movzx", sz: t.sz, d: reg(v), s: m });
        return v;
      }
      case "cmp64":
      case "cmp": {
        const cc = this.cond(t), v = this.v();
        this.byte(v);
        this.e({ o: "setcc", c: cc, d: reg(v) });
        const w = this.v();
        this.e({ o: "movzx", sz: 8, d: reg(w), s: reg(v) });
        return this.out(w, dst);
      }
      case "sel": {
        if (
          t.a.k === "c" && t.b.k === "c" && t.a.v === 1 && t.b.v === 0 &&
          (t.c.k === "cmp" || t.c.k === "cmp64")
        ) return this.gen(t.c, dst);
        const a = this.opnd(t.a, false, false), b = this.gen(t.b), v = this.v();
        if (this.o.cmov) {
          const cc = this.cond(t.c);
          this.mov(v, reg(b));
          this.e({ o: "cmov", c: cc, d: reg(v), s: a });
        } else { // v = b ^ ((a ^ b) & -cond)
          const c = this.gen(
            t.c.k === "cmp" || t.c.k === "cmp64"
              ? t.c
              : { k: "cmp", cc: "ne", a: t.c, b: { k: "c", v: 0, mem: false }, mem: false },
          );
          this.mov(v, reg(c));
          this.e({ o: "neg", d: reg(v) });
          const x = this.v();
          this.mov(x, a);
          this.e({ o: "xor", d: reg(x), s: reg(b) });
          this.e({ o: "and", d: reg(v), s: reg(x) });
          this.e({ o: "xor", d: reg(v), s: reg(b) });
        }
        return this.out(v, dst);
      }
      case "u": {
        if (t.op === "sx8" || t.op === "sx16") {
          const sz = t.op === "sx8" ? 8 : 16;
          if (t.a.k === "ld" && t.a.sz >= sz) {
            const m = this.amode(t.a.a, t.a.off), v = D();
            this.e({ o: "movsx", sz, d: reg(v), s: m });
            return v;
          }
          const a = this.gen(t.a), x = sz === 8 ? this.cp(a) : a, v = this.v();
          if (sz === 8) this.byte(x);
          this.e({ o: "movsx", sz, d: reg(v), s: reg(x) });
          return this.out(v, dst);
        }
        const s = this.opnd(t.a, false, false), v = this.v();
        if (this.o.cmov) {
          const k = this.v(), q = this.v();
          this.mov(k, imm(t.op === "clz" ? 63 : 32));
          this.mov(q, s);
          this.e({ o: t.op === "clz" ? "bsr" : "bsf", d: reg(v), s: reg(q), defs: [], uses: [] });
          this.e({ o: "cmov", c: "e", d: reg(v), s: reg(k) });
        } else throw Error("clz without cmov");
        if (t.op === "clz") this.e({ o: "xor", d: reg(v), s: imm(31) });
        return this.out(v, dst);
      }
      case "b":
        return this.bin(t, dst);
    }
  }
  out(v: number, dst: number) {
    if (dst >= 0) {
      this.mov(dst, reg(v));
      return dst;
    }
    return v;
  }
  cp(r: number) {
    const v = this.v();
    this.mov(v, reg(r));
    return v;
  }
  bin(t: Extract<T, { k: "b" }>, dst: number): number {
    let { op, a, b } = t;
    if (op === "add") {
      const sh = (x: T) =>
        x.k === "b" && x.op === "shl" && x.b.k === "c" && x.b.v > 0 && x.b.v <= 3;
      if (
        sh(a) || sh(b) || (b.k === "c" && a.k === "b" && a.op === "add") || b.k === "sym" ||
        a.k === "sym" || (a.k === "b" && a.op === "add" && a.b.k === "c") ||
        (b.k === "b" && b.op === "add" && b.b.k === "c")
      ) {
        const m = this.amode(t, 0);
        const v = dst >= 0 ? dst : this.v();
        this.e({ o: "lea", d: reg(v), s: m });
        return v;
      }
    }
    if (op === "mul") {
      if (b.k === "c") {
        if (b.v === 3 || b.v === 5 || b.v === 9) {
          const x = this.gen(a), v = dst >= 0 ? dst : this.v();
          this.e({ o: "lea", d: reg(v), s: mem(x, 0, x, b.v - 1) });
          return v;
        }
        if (b.v > 0 && (b.v & (b.v - 1)) === 0) {
          return this.bin(
            { ...t, op: "shl", b: { k: "c", v: 31 - Math.clz32(b.v), mem: false } },
            dst,
          );
        }
        const s = this.opnd(a, true, false), v = dst >= 0 ? dst : this.v();
        this.e({ o: "imul3", d: reg(v), s, n: b.v });
        return v;
      }
      op = "imul";
    }
    if (op === "or") { // shld/shrd, bswap
      const half = (x: T, o: string, m: number) =>
        x.k === "b" && x.op === o && x.b.k === "c" && x.b.v === 8 && x.a.k === "b" &&
          x.a.op === "and" && x.a.b.k === "c" && x.a.b.v === (m | 0)
          ? x.a.a
          : null;
      const h1 = half(a, "rol", 0xff00ff00), h2 = half(b, "ror", 0xff00ff);
      if (h1 && h2 && same(h1, h2)) {
        const v = this.cp(this.gen(h1));
        this.e({ o: "bswap", d: reg(v) });
        return this.out(v, dst);
      }
      const f = (x: T, y: T): number => {
        if (
          x.k === "b" && y.k === "b" && x.op === "shl" && y.op === "shr" && x.b.k === "c" &&
          y.b.k === "c" && x.b.v + y.b.v === 32
        ) {
          const p = this.gen(x.a), q = this.gen(y.a), v = this.cp(p);
          this.e(
            same(x.a, y.a)
              ? { o: "rol", d: reg(v), s: imm(x.b.v) }
              : { o: "shld", d: reg(v), s: reg(q), n: x.b.v },
          );
          return this.out(v, dst);
        }
        return -1;
      };
      let r = f(a, b);
      if (r < 0) r = f(b, a);
      if (r >= 0) return r;
    }
    if (op === "and" && b.k === "c" && (b.v === 255 || b.v === 65535)) {
      const sz = b.v === 255 ? 8 : 16;
      if (a.k === "ld" && a.sz >= sz) {
        const m = this.amode(a.a, a.off), v = dst >= 0 ? dst : this.v();
        this.e({ o: "movzx", sz, d: reg(v), s: m });
        return v;
      }
      const x0 = this.gen(a), x = sz === 8 ? this.byte(this.cp(x0)) : x0, v = this.v();
      this.e({ o: "movzx", sz, d: reg(v), s: reg(x) });
      return this.out(v, dst);
    }
    if (op === "shl" || op === "sar" || op === "shr" || op === "rol" || op === "ror") {
      if (b.k === "c") {
        const x = this.gen(a), v = this.cp(x);
        this.e({ o: op, d: reg(v), s: imm(b.v & 31) });
        return this.out(v, dst);
      }
      const x = this.gen(a), n = this.gen(b), v = this.cp(x);
      this.mov(ECX, reg(n));
      this.e({ o: op, d: reg(v), s: reg(ECX) });
      return this.out(v, dst);
    }
    if (op === "xor" && b.k === "c" && b.v === -1) {
      const v = this.cp(this.gen(a));
      this.e({ o: "not", d: reg(v) });
      return this.out(v, dst);
    }
    if (op === "sub" && a.k === "c" && a.v === 0) {
      const v = this.cp(this.gen(b));
      this.e({ o: "neg", d: reg(v) });
      return this.out(v, dst);
    }
    if (
      COMM.has(t.op) &&
      ((a.k === "ld" && a.sz === 32 && b.k !== "c" && b.k !== "ld") ||
        (a.k === "r" && b.k !== "c" && b.k !== "r" && b.k !== "sym" &&
          !(b.k === "ld" && b.sz === 32)))
    ) {
      const x = a;
      a = b;
      b = x;
    }
    let s: Op, x: number;
    if (weight(b) > weight(a) && !(b.k === "ld" && b.sz === 32)) {
      s = this.opnd(b);
      x = this.gen(a);
    } else {
      x = this.gen(a);
      s = this.opnd(b);
    }
    if (op === "imul" && s.t === "i") {
      const r = this.v();
      this.mov(r, s);
      s = reg(r);
    }
    const v = this.cp(x);
    this.e({ o: op, d: reg(v), s });
    return this.out(v, dst);
  }
  cond(c: T): string {
    if (c.k === "cmp") {
      let { cc, a, b } = c;
      if (b.k === "c" && b.v === 0 && (cc === "e" || cc === "ne")) {
        if (a.k === "cmp" || a.k === "cmp64") {
          const r = this.cond(a);
          return cc === "ne" ? r : NEG[r];
        }
        if (a.k === "b" && a.op === "and") {
          if (
            a.a.k === "ld" && a.b.k === "c" &&
            (a.a.sz === 32 || (a.a.sz === 8 && !a.a.sx && a.b.v >= 0 && a.b.v < 256))
          ) {
            const m = this.amode(a.a.a, a.a.off);
            this.e({ o: "test", sz: a.a.sz, d: m, s: imm(a.b.v) });
            return cc;
          }
          const x = this.gen(a.a), y = this.opnd(a.b, false);
          this.e({ o: "test", d: reg(x), s: y });
          return cc;
        }
      }
      if (
        a.k === "ld" && b.k === "c" &&
        ((a.sz === 8 && !a.sx && b.v >= 0 && b.v < 256 &&
          (cc === "e" || cc === "ne" || cc === "a" || cc === "ae" || cc === "b" || cc === "be")) ||
          (a.sz === 8 && a.sx && b.v >= -128 && b.v < 128 && (cc.length === 1 || cc !== "be")))
      ) {
        if (!(a.sx && (cc === "a" || cc === "ae" || cc === "b" || cc === "be"))) {
          this.e({ o: "cmp", sz: 8, d: this.amode(a.a, a.off), s: imm(b.v) });
          return cc;
        }
      }
      if (a.k === "ld" && a.sz === 32 && (b.k === "c" || b.k === "sym" || b.k === "r")) {
        const s = this.opnd(b, false), m = this.amode(a.a, a.off);
        this.e({ o: "cmp", d: m, s });
        return cc;
      }
      let x: number, s: Op;
      if (weight(b) > weight(a) && !(b.k === "ld" && b.sz === 32)) {
        s = this.opnd(b);
        x = this.gen(a);
      } else {
        x = this.gen(a);
        s = this.opnd(b);
      }
      this.e({ o: "cmp", d: reg(x), s });
      return cc;
    }
    if (c.k === "cmp64") {
      const al = this.gen(c.a[0]),
        bl = this.opnd(c.b[0], false),
        t = this.v(),
        bh = this.opnd(c.b[1], false);
      this.gen(c.a[1], t);
      this.e({ o: "cmp", d: reg(al), s: bl });
      this.e({ o: "sbb", d: reg(t), s: bh });
      return c.cc;
    }
    if (c.k === "b" && c.op === "and") {
      return this.cond({ k: "cmp", cc: "ne", a: c, b: { k: "c", v: 0, mem: false }, mem: c.mem });
    }
    if (c.k === "ld") {
      return this.cond({ k: "cmp", cc: "ne", a: c, b: { k: "c", v: 0, mem: false }, mem: true });
    }
    const v = this.gen(c);
    this.e({ o: "test", d: reg(v), s: reg(v) });
    return "ne";
  }
  isBool(t: T): boolean {
    return t.k === "cmp" || t.k === "cmp64" ||
      (t.k === "b" && (t.op === "and" || t.op === "or") && this.isBool(t.a) && this.isBool(t.b));
  }
  /** emit jumps to `yes` when c, fall through otherwise (neg: inverted). */
  branch(c: T, yes: MB, no: MB, neg: boolean) {
    if (
      c.k === "cmp" && c.b.k === "c" && c.b.v === 0 && (c.cc === "e" || c.cc === "ne") &&
      this.isBool(c.a)
    ) {
      this.branch(c.a, yes, no, neg !== (c.cc === "e"));
      return;
    }
    if (c.k === "b" && (c.op === "and" || c.op === "or") && this.isBool(c.a) && this.isBool(c.b)) {
      if ((c.op === "or") !== neg) {
        this.branch(c.a, yes, no, neg);
        this.branch(c.b, yes, no, neg);
      } else {
        this.branch(c.a, no, yes, !neg);
        this.branch(c.b, yes, no, neg);
      }
      return;
    }
    const cc = this.cond(c);
    this.e({ o: "jcc", c: neg ? NEG[cc] : cc, to: yes });
  }
  stmt(s: S) {
    switch (s.s) {
      case "set":
        this.gen(s.t, s.r);
        return;
      case "st":
        this.store(s);
        return;
      case "call":
        this.call(s);
        return;
      case "op":
        this.special(s.name, s.ret, s.args);
        return;
    }
  }
  store(s: Extract<S, { s: "st" }>) {
    let v = s.v;
    if (s.sz < 32) {
      const mask = s.sz === 8 ? 255 : 65535;
      for (;;) {
        if (v.k === "b" && v.op === "and" && v.b.k === "c" && (v.b.v & mask) === mask) v = v.a;
        else if (v.k === "u" && ((v.op === "sx8" && s.sz === 8) || (v.op === "sx16"))) v = v.a;
        else break;
      }
    }
    if (
      v.k === "b" && s.sz === 32 && v.a.k === "ld" && v.a.sz === 32 && v.a.off === (s.off | 0) &&
      same(v.a.a, s.a)
    ) {
      if (["add", "sub", "and", "or", "xor"].includes(v.op)) {
        const x = this.opnd(v.b, false);
        this.e({ o: v.op, d: this.amode(s.a, s.off), s: x });
        return;
      }
      if (["shl", "sar", "shr", "rol", "ror"].includes(v.op) && v.b.k === "c") {
        this.e({ o: v.op, d: this.amode(s.a, s.off), s: imm(v.b.v & 31) });
        return;
      }
    }
    if (v.k === "c") {
      const m = this.amode(s.a, s.off);
      this.e({ o: "mov", sz: s.sz, d: m, s: imm(v.v) });
      return;
    }
    if (v.k === "sym" && s.sz === 32) {
      const m = this.amode(s.a, s.off);
      this.e({ o: "mov", sz: 32, d: m, s: imm(v.add, v.name) });
      return;
    }
    let x: number, m: MemOp;
    if (weight(s.a) > weight(v)) {
      m = this.amode(s.a, s.off);
      x = this.gen(v);
    } else {
      x = this.gen(v);
      m = this.amode(s.a, s.off);
    }
    if (s.sz === 8) x = this.byte(this.cp(x));
    this.e({ o: "mov", sz: s.sz, d: m, s: reg(x) });
  }
  call(s: Extract<S, { s: "call" }>) {
    const P = [EAX, EDX, ECX];
    let tgt: Op = typeof s.fn === "string" ? imm(0, s.fn) : this.opnd(s.fn);
    const stk = s.args.slice(s.inRegisters),
      regs = s.args.slice(0, s.inRegisters).map((a) =>
        a.k === "c" || a.k === "sym" ? this.opnd(a) : reg(this.gen(a))
      );
    for (let i = stk.length; i--;) this.e({ o: "push", s: this.opnd(stk[i]) });
    regs.forEach((r, i) => this.mov(P[i], r));
    this.e({ o: "call", s: tgt, uses: P.slice(0, regs.length), defs: [EAX, ECX, EDX] });
    if (stk.length) this.e({ o: "addesp", n: 4 * stk.length });
    if (s.ret.length) this.mov(s.ret[0], reg(EAX));
    if (s.ret.length > 1) this.mov(s.ret[1], reg(EDX));
  }
  r1(t: T) {
    return reg(this.gen(t));
  }
  special(name: string, ret: number[], a: T[]) {
    const raw = (bytes: number[], uses: number[] = [], defs: number[] = []) =>
      this.e({ o: "raw", raw: bytes, uses, defs });
    switch (name) {
      case "add64":
      case "sub64": {
        const bl = this.opnd(a[2]), bh = this.opnd(a[3]), l = this.v(), h = this.v();
        const x = this.gen(a[0]), y = this.gen(a[1]);
        this.mov(l, reg(x));
        this.mov(h, reg(y));
        this.e({ o: name === "add64" ? "add" : "sub", d: reg(l), s: bl });
        this.e({ o: name === "add64" ? "adc" : "sbb", d: reg(h), s: bh });
        this.mov(ret[0], reg(l));
        this.mov(ret[1], reg(h));
        return;
      }
      case "mulw":
      case "mulws": {
        const x = this.opnd(a[0]);
        let y = this.opnd(a[1], true, false);
        this.mov(EAX, x);
        this.e({ o: name === "mulw" ? "mul" : "imul1", s: y });
        this.mov(ret[0], reg(EAX));
        this.mov(ret[1], reg(EDX));
        return;
      }
      case "div_u":
      case "rem_u":
      case "div_s":
      case "rem_s": {
        const x = this.opnd(a[0]), y = this.opnd(a[1], true, false);
        this.mov(EAX, x);
        const sg = name[4] === "s";
        if (sg) this.e({ o: "cdq" });
        else this.mov(EDX, imm(0));
        this.e({ o: sg ? "idiv" : "div", s: y });
        this.mov(ret[0], reg(name[0] === "d" ? EAX : EDX));
        return;
      }
      case "bswap": {
        const v = this.cp(this.gen(a[0]));
        this.e({ o: "bswap", d: reg(v) });
        this.mov(ret[0], reg(v));
        return;
      }
      case "mulhi": {
        const x = this.opnd(a[0]), y = this.opnd(a[1], true, false);
        this.mov(EAX, x);
        this.e({ o: "mul", s: y });
        this.mov(ret[0], reg(EDX));
        return;
      }
      case "vload32":
        this.mov(ret[0], this.amode(a[0], 0));
        return;
      case "vload16":
      case "vload8": {
        const m = this.amode(a[0], 0);
        this.e({ o: "movzx", sz: name === "vload8" ? 8 : 16, d: reg(ret[0]), s: m, pinned: true });
        return;
      }
      case "vstore8":
      case "vstore16":
      case "vstore32": {
        const sz = +name.slice(6);
        let v = this.opnd(a[1], false);
        if (sz === 8 && v.t === "r") v = reg(this.byte(this.cp(v.r)));
        this.e({ o: "mov", sz, d: this.amode(a[0], 0), s: v });
        return;
      }
      case "bsf":
      case "bsr": {
        const s = this.opnd(a[0], true, false);
        this.e({ o: name, d: reg(ret[0]), s });
        return;
      }
    }
    const row = FIXED_INTRINSICS.get(name);
    if (row) {
      const ops = a.map((t) => this.opnd(t));
      ops.forEach((o, i) => this.mov(row.arguments[i], o));
      raw([...row.bytes], [...row.arguments], [...row.results, ...row.clobbers]);
      ret.forEach((r, i) => this.mov(r, reg(row.results[i])));
      return;
    }
    if (/^syscall\d$/.test(name)) {
      const ops = a.map((t) => this.opnd(t, false));
      if (ops.length === 7) this.e({ o: "push", s: ops[6] });
      ops.slice(0, 6).forEach((o, i) => this.mov(SYSTEM_CALL_REGISTERS[i], o));
      const uses = SYSTEM_CALL_REGISTERS.slice(0, Math.min(6, ops.length));
      // The sixth argument is in ebp, our frame pointer: push ebp; mov ebp,[esp+4]; int 0x80; pop ebp
      if (ops.length === 7) raw([0x55, 0x8b, 0x6c, 0x24, 4, 0xcd, 0x80, 0x5d], uses, [EAX]);
      else raw([0xcd, 0x80], uses, [EAX]);
      if (ops.length === 7) this.e({ o: "addesp", n: 4 });
      this.mov(ret[0], reg(EAX));
      return;
    }
    throw Error("special " + name);
  }
  term(t: Term, map: Map<Blk, MB>) {
    const to = (b: Blk) => {
      const m = map.get(b)!;
      if (!this.cur.succ.includes(m)) this.cur.succ.push(m);
      return m;
    };
    switch (t.t) {
      case "br":
        this.e({ o: "jmp", to: to(t.to) });
        return;
      case "if": {
        if (t.c.k === "c") {
          this.e({ o: "jmp", to: to(t.c.v ? t.yes : t.no) });
          return;
        }
        this.branch(t.c, to(t.yes), to(t.no), false);
        this.e({ o: "jmp", to: to(t.no) });
        return;
      }
      case "sw": {
        const i = this.gen(t.i);
        if (t.to.length <= 3) {
          t.to.forEach((b, k) => {
            this.e({ o: "cmp", d: reg(i), s: imm(k) });
            this.e({ o: "jcc", c: "e", to: to(b) });
          });
          this.e({ o: "jmp", to: to(t.def) });
          return;
        }
        this.e({ o: "cmp", d: reg(i), s: imm(t.to.length) });
        this.e({ o: "jcc", c: "ae", to: to(t.def) });
        this.e({ o: "jtab", s: mem(-1, 0, i, 4), tab: t.to.map(to) });
        return;
      }
      case "ret": {
        const vs = t.v.map((x) => x.k === "c" || x.k === "sym" ? this.opnd(x) : reg(this.gen(x)));
        vs.forEach((o, i) => this.mov([EAX, EDX][i], o));
        this.e({ o: "ret", uses: [EAX, EDX].slice(0, vs.length) });
        return;
      }
      case "ud":
        this.e({ o: "ud2" });
        return;
    }
  }
  fn(): MFn {
    return {
      blocks: this.blocks,
      nv: this.nv,
      byteRegs: this.byteRegs,
      nospill: new Set(),
      slots: 0,
      incoming: this.incoming,
    };
  }
}
void SWP;
