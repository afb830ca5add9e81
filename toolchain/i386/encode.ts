// Final i386 encoding: prologue/epilogue with EBP chain, peepholes, block placement, jump relaxation, relocations, line table.
import {
  EBP,
  EBX,
  EDI,
  ESI,
  ESP,
  imm,
  type MB,
  mem,
  type MFn,
  type MI,
  type Op,
  reg,
} from "./select.ts";
export interface Reloc {
  off: number;
  kind: "abs" | "rel";
  sym: string;
  add: number;
}
export interface Code {
  name: string;
  bytes: Uint8Array;
  relocs: Reloc[];
  lines: [number, number][];
  rodata: { sym: string; words: number[] }[];
}
const CC: Record<string, number> = {
  o: 0,
  no: 1,
  b: 2,
  ae: 3,
  e: 4,
  ne: 5,
  be: 6,
  a: 7,
  s: 8,
  ns: 9,
  l: 12,
  ge: 13,
  le: 14,
  g: 15,
};
const NEGC: Record<string, string> = {
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
const ALU: Record<string, number> = {
  add: 0,
  or: 1,
  adc: 2,
  sbb: 3,
  and: 4,
  sub: 5,
  xor: 6,
  cmp: 7,
};
const SH: Record<string, number> = { rol: 0, ror: 1, shl: 4, shr: 5, sar: 7 };
export class Asm {
  b: number[] = [];
  rel: Reloc[] = [];
  db(...x: number[]) {
    for (const v of x) this.b.push(v & 255);
  }
  dd(v: number) {
    this.b.push(v & 255, v >> 8 & 255, v >> 16 & 255, v >>> 24);
  }
  abs(sym: string | undefined, v: number) {
    if (sym) this.rel.push({ off: this.b.length, kind: "abs", sym, add: v });
    this.dd(sym ? 0 : v);
  }
  rm(r: number, o: Op) {
    if (o.t === "r") {
      this.db(0xc0 | r << 3 | o.r);
      return;
    }
    if (o.t !== "m") throw Error("rm imm");
    let { b, x, sc, d, sym } = o;
    if (b < 0 && x >= 0 && sc === 1) {
      b = x;
      x = -1;
    }
    if (b < 0 && x < 0) {
      this.db(r << 3 | 5);
      this.abs(sym, d);
      return;
    }
    if (b < 0) {
      this.db(r << 3 | 4, (31 - Math.clz32(sc)) << 6 | x << 3 | 5);
      this.abs(sym, d);
      return;
    }
    if (x === ESP) {
      const t = b;
      b = x;
      x = t;
    }
    if (x >= 0 && b === EBP && sc === 1 && !sym && d === 0) {
      const t = b;
      b = x;
      x = t;
    }
    const mod = sym ? 2 : d === 0 && b !== EBP ? 0 : d >= -128 && d < 128 ? 1 : 2;
    if (x >= 0 || b === ESP) {
      this.db(mod << 6 | r << 3 | 4, (31 - Math.clz32(sc)) << 6 | (x >= 0 ? x : 4) << 3 | b);
    } else this.db(mod << 6 | r << 3 | b);
    if (mod === 1) this.db(d);
    else if (mod === 2) this.abs(sym, d);
  }
  ins(m: MI) {
    const d = m.d!, s = m.s!, sz = m.sz ?? 32;
    switch (m.o) {
      case "mov":
        if (s.t === "i") {
          if (d.t === "r") {
            this.db(0xb8 | d.r);
            this.abs(s.sym, s.v);
          } else if (sz === 8) {
            this.db(0xc6);
            this.rm(0, d);
            this.db(s.v);
          } else if (sz === 16) {
            this.db(0x66, 0xc7);
            this.rm(0, d);
            this.db(s.v, s.v >> 8);
          } else {
            this.db(0xc7);
            this.rm(0, d);
            this.abs(s.sym, s.v);
          }
        } else if (s.t === "m") {
          if (d.t !== "r") throw Error("mov m,m");
          if (d.r === 0 && s.b < 0 && s.x < 0) {
            this.db(0xa1);
            this.abs(s.sym, s.d);
          } else {
            this.db(0x8b);
            this.rm(d.r, s);
          }
        } else {
          if (sz === 8) {
            if (s.r > 3) throw Error("byte reg");
            this.db(0x88);
          } else {
            if (sz === 16) this.db(0x66);
            if (d.t === "m" && d.b < 0 && d.x < 0 && s.r === 0) {
              this.db(0xa3);
              this.abs(d.sym, d.d);
              return;
            }
            this.db(0x89);
          }
          this.rm(s.r, d);
        }
        return;
      case "zero": {
        const r = (d as any).r;
        this.db(0x31, 0xc0 | r << 3 | r);
        return;
      }
      case "movzx":
      case "movsx":
        if (s.t === "r" && sz === 8 && s.r > 3) throw Error("byte reg");
        this.db(0x0f, (m.o === "movzx" ? 0xb6 : 0xbe) | (sz === 16 ? 1 : 0));
        this.rm((d as any).r, s);
        return;
      case "lea":
        this.db(0x8d);
        this.rm((d as any).r, s);
        return;
      case "add":
      case "or":
      case "adc":
      case "sbb":
      case "and":
      case "sub":
      case "xor":
      case "cmp": {
        const k = ALU[m.o];
        if (s.t === "i") {
          if (sz === 8) {
            this.db(0x80);
            this.rm(k, d);
            this.db(s.v);
          } else if (!s.sym && s.v >= -128 && s.v < 128) {
            this.db(0x83);
            this.rm(k, d);
            this.db(s.v);
          } else if (d.t === "r" && d.r === 0) {
            this.db(k << 3 | 5);
            this.abs(s.sym, s.v);
          } else {
            this.db(0x81);
            this.rm(k, d);
            this.abs(s.sym, s.v);
          }
        } else if (s.t === "m") {
          this.db(k << 3 | 3);
          this.rm((d as any).r, s);
        } else {
          this.db(k << 3 | 1);
          this.rm(s.r, d);
        }
        return;
      }
      case "inc":
        if (d.t === "r") this.db(0x40 | d.r);
        else {
          this.db(0xff);
          this.rm(0, d);
        }
        return;
      case "dec":
        if (d.t === "r") this.db(0x48 | d.r);
        else {
          this.db(0xff);
          this.rm(1, d);
        }
        return;
      case "test":
        if (s.t === "i") {
          if (sz === 8) {
            this.db(0xf6);
            this.rm(0, d);
            this.db(s.v);
          } else if (d.t === "r" && d.r < 4 && s.v >= 0 && s.v < 256 && !s.sym) {
            if (d.r === 0) this.db(0xa8);
            else {
              this.db(0xf6);
              this.rm(0, d);
            }
            this.db(s.v);
          } else {
            this.db(0xf7);
            this.rm(0, d);
            this.abs(s.sym, s.v);
          }
        } else if (s.t === "r") {
          this.db(0x85);
          this.rm(s.r, d);
        } else {
          this.db(0x85);
          this.rm((d as any).r, s);
        }
        return;
      case "imul":
        this.db(0x0f, 0xaf);
        this.rm((d as any).r, s);
        return;
      case "imul3":
        if (m.n! >= -128 && m.n! < 128) {
          this.db(0x6b);
          this.rm((d as any).r, s);
          this.db(m.n!);
        } else {
          this.db(0x69);
          this.rm((d as any).r, s);
          this.dd(m.n!);
        }
        return;
      case "shl":
      case "sar":
      case "shr":
      case "rol":
      case "ror":
        if (s.t === "i") {
          if (s.v === 1) {
            this.db(0xd1);
            this.rm(SH[m.o], d);
          } else {
            this.db(0xc1);
            this.rm(SH[m.o], d);
            this.db(s.v);
          }
        } else {
          this.db(0xd3);
          this.rm(SH[m.o], d);
        }
        return;
      case "shld":
      case "shrd":
        this.db(0x0f, m.o === "shld" ? 0xa4 : 0xac);
        this.rm((s as any).r, d);
        this.db(m.n!);
        return;
      case "neg":
        this.db(0xf7);
        this.rm(3, d);
        return;
      case "not":
        this.db(0xf7);
        this.rm(2, d);
        return;
      case "bswap":
        this.db(0x0f, 0xc8 | (d as any).r);
        return;
      case "setcc":
        if ((d as any).r > 3) throw Error("byte reg");
        this.db(0x0f, 0x90 | CC[m.c!]);
        this.rm(0, d);
        return;
      case "cmov":
        this.db(0x0f, 0x40 | CC[m.c!]);
        this.rm((d as any).r, s);
        return;
      case "mul":
        this.db(0xf7);
        this.rm(4, s);
        return;
      case "imul1":
        this.db(0xf7);
        this.rm(5, s);
        return;
      case "div":
        this.db(0xf7);
        this.rm(6, s);
        return;
      case "idiv":
        this.db(0xf7);
        this.rm(7, s);
        return;
      case "cdq":
        this.db(0x99);
        return;
      case "bsr":
        this.db(0x0f, 0xbd);
        this.rm((d as any).r, s);
        return;
      case "bsf":
        this.db(0x0f, 0xbc);
        this.rm((d as any).r, s);
        return;
      case "push":
        if (s.t === "r") this.db(0x50 | s.r);
        else if (s.t === "i") {
          if (!s.sym && s.v >= -128 && s.v < 128) this.db(0x6a, s.v);
          else {
            this.db(0x68);
            this.abs(s.sym, s.v);
          }
        } else {
          this.db(0xff);
          this.rm(6, s);
        }
        return;
      case "call":
        if (s.t === "i") {
          this.db(0xe8);
          this.rel.push({ off: this.b.length, kind: "rel", sym: s.sym!, add: 0 });
          this.dd(0);
        } else {
          this.db(0xff);
          this.rm(2, s);
        }
        return;
      case "addesp":
        if (m.n! < 128) this.db(0x83, 0xc4, m.n!);
        else {
          this.db(0x81, 0xc4);
          this.dd(m.n!);
        }
        return;
      case "ud2":
        this.db(0x0f, 0x0b);
        return;
      case "raw":
        this.db(...m.raw!);
        return;
    }
    throw Error("encode " + m.o);
  }
}
const FLAGR = new Set(["adc", "sbb", "jcc", "setcc", "cmov"]),
  FLAGW = new Set([
    "add",
    "or",
    "adc",
    "sbb",
    "and",
    "sub",
    "xor",
    "cmp",
    "test",
    "imul",
    "imul3",
    "neg",
    "mul",
    "imul1",
    "div",
    "idiv",
    "bsr",
    "bsf",
    "call",
    "shl",
    "shr",
    "sar",
    "addesp",
  ]);
export let icount = { n: 0 };
export function encode(name: string, f: MFn, col: number[]): Code {
  const rr = (r: number) => r < 0 ? r : col[r];
  const used = new Set<number>();
  const map = (o: Op | undefined): Op | undefined => {
    if (!o || o.t === "i") return o;
    if (o.t === "r") {
      const r = rr(o.r);
      if (r === undefined || r < 0) throw Error("uncoloured " + o.r + " in " + name);
      used.add(r);
      return reg(r);
    }
    const q = { ...o, b: rr(o.b), x: rr(o.x) };
    if (q.x >= 0) used.add(q.x);
    if (q.b >= 0) used.add(q.b);
    return q;
  };
  for (const b of f.blocks) {
    for (const m of b.ins) {
      m.d = map(m.d);
      m.s = map(m.s);
      m.defs?.forEach((r) => used.add(r));
    }
  }
  const cs = [EBX, ESI, EDI].filter((r) => used.has(r));
  for (const b of f.blocks) {
    for (const m of b.ins) {
      for (const o of [m.d, m.s]) {
        if (o && o.t === "m" && o.fr) {
          o.d = -4 * (cs.length + 1 + o.d);
          o.fr = false;
        }
      }
    }
  }
  for (const b of f.blocks) b.ins = peep(b.ins);
  // layout + branches
  const a = new Asm();
  const lines: [number, number][] = [];
  const rod: Code["rodata"] = [];
  let nt = 0;
  type Item = { bytes: number[]; rel: Reloc[]; pos: number } | {
    j: MB;
    cc: string | null;
    short: boolean;
    pos: number;
  } | { lab: MB };
  const items: Item[] = [];
  const put = (fn: (a: Asm) => void, pos: number) => {
    const q = new Asm();
    fn(q);
    items.push({ bytes: q.b, rel: q.rel, pos });
  };
  const ins = (o: any, pos: number) => put((q) => q.ins({ pos, ...o } as MI), pos);
  const p0 = f.blocks[0]?.ins[0]?.pos ?? 0;
  ins({ o: "push", s: reg(EBP) }, p0);
  ins({ o: "mov", d: reg(EBP), s: reg(ESP) }, p0);
  for (const r of cs) ins({ o: "push", s: reg(r) }, p0);
  if (f.slots) ins({ o: "sub", d: reg(ESP), s: imm(4 * f.slots) }, p0);
  f.blocks.forEach((b, bi) => {
    items.push({ lab: b });
    const next = f.blocks[bi + 1];
    for (let i = 0; i < b.ins.length; i++) {
      const m = b.ins[i];
      if (m.o === "jcc") {
        const n = b.ins[i + 1];
        if (n && n.o === "jmp" && i + 2 === b.ins.length && m.to === next) {
          items.push({ j: n.to!, cc: NEGC[m.c!], short: true, pos: m.pos });
          icount.n++;
          break;
        }
        items.push({ j: m.to!, cc: m.c!, short: true, pos: m.pos });
        icount.n++;
      } else if (m.o === "jmp") {
        if (m.to !== next) {
          items.push({ j: m.to!, cc: null, short: true, pos: m.pos });
          icount.n++;
        }
      } else if (m.o === "ret") {
        if (f.slots) {
          if (!cs.length) put((q) => q.db(0xc9), m.pos);
          else ins({ o: "lea", d: reg(ESP), s: mem(EBP, -4 * cs.length) }, m.pos);
        }
        for (const r of cs.slice().reverse()) put((q) => q.db(0x58 | r), m.pos);
        if (!(f.slots && !cs.length)) put((q) => q.db(0x5d), m.pos);
        put((q) => q.db(0xc3), m.pos);
      } else if (m.o === "jtab") {
        const sym = name + "$jt" + nt++;
        const s = { ...(m.s as any), sym };
        put((q) => {
          q.db(0xff);
          q.rm(4, s);
        }, m.pos);
        rod.push({ sym, words: [] } as any);
        (rod[rod.length - 1] as any).mb = m.tab;
      } else {
        ins(m, m.pos);
        icount.n++;
      }
    }
  });
  // relaxation: start short, grow
  for (;;) {
    let off = 0;
    for (const it of items) {
      if ("lab" in it) it.lab.addr = off;
      else if ("j" in it) off += it.short ? 2 : it.cc ? 6 : 5;
      else off += it.bytes.length;
    }
    let ch = false;
    off = 0;
    for (const it of items) {
      if ("j" in it) {
        off += it.short ? 2 : it.cc ? 6 : 5;
        if (it.short) {
          const d = it.j.addr - off;
          if (d < -128 || d > 127) {
            it.short = false;
            ch = true;
          }
        }
      } else if (!("lab" in it)) off += it.bytes.length;
    }
    if (!ch) break;
  }
  let lastPos = -1;
  for (const it of items) {
    if ("lab" in it) continue;
    if (it.pos !== lastPos) {
      lines.push([a.b.length, it.pos]);
      lastPos = it.pos;
    }
    if ("j" in it) {
      if (it.short) {
        a.db(it.cc ? 0x70 | CC[it.cc] : 0xeb);
        a.db(it.j.addr - a.b.length - 1);
      } else {
        if (it.cc) a.db(0x0f, 0x80 | CC[it.cc]);
        else a.db(0xe9);
        a.dd(it.j.addr - a.b.length - 4);
      }
    } else {
      const base = a.b.length;
      for (const r of it.rel) a.rel.push({ ...r, off: r.off + base });
      for (const x of it.bytes) a.b.push(x);
    }
  }
  for (const t of rod as any[]) t.words = t.mb.map((m: MB) => m.addr);
  return { name, bytes: Uint8Array.from(a.b), relocs: a.rel, lines, rodata: rod };
}
function peep(ins: MI[]): MI[] {
  let out: MI[] = [];
  for (let i = 0; i < ins.length; i++) {
    const m = ins[i], n = ins[i + 1];
    if (m.o === "mov" && m.d!.t === "r" && m.s!.t === "r") {
      if (m.d!.r === m.s!.r) continue;
      if (n && n.d && n.d.t === "r" && n.d.r === m.d!.r) {
        const nn = ins[i + 2];
        const fl = nn && FLAGR.has(nn.o);
        if (n.o === "add" && !fl) {
          if (n.s!.t === "i") {
            out.push({ o: "lea", d: m.d, s: mem(m.s!.r, n.s!.v, -1, 1, n.s!.sym), pos: m.pos });
            i++;
            continue;
          }
          if (n.s!.t === "r") {
            out.push({
              o: "lea",
              d: m.d,
              s: mem(m.s!.r, 0, n.s!.r === m.d!.r ? m.s!.r : n.s!.r, 1),
              pos: m.pos,
            });
            i++;
            continue;
          }
        }
        if (n.o === "sub" && n.s!.t === "i" && !fl) {
          out.push({ o: "lea", d: m.d, s: mem(m.s!.r, -n.s!.v), pos: m.pos });
          i++;
          continue;
        }
        if (n.o === "shl" && n.s!.t === "i" && n.s!.v <= 3 && !fl) {
          const r = m.s!.r;
          out.push({
            o: "lea",
            d: m.d,
            s: n.s!.v === 1 ? mem(r, 0, r, 1) : mem(-1, 0, r, 1 << n.s!.v),
            pos: m.pos,
          });
          i++;
          continue;
        }
      }
    }
    out.push(m);
  }
  // flags-aware: mov r,0 -> xor r,r ; add r,1 -> inc ; cmp r,0 -> test
  let flagsLive = false;
  for (let i = out.length; i--;) {
    const m = out[i];
    if (
      m.o === "mov" && m.d!.t === "r" && m.s!.t === "i" && m.s!.v === 0 && !m.s!.sym && !flagsLive
    ) out[i] = { ...m, o: "zero", s: undefined };
    if (m.o === "cmp" && m.s!.t === "i" && m.s!.v === 0 && !m.s!.sym && m.d!.t === "r" && !m.sz) {
      out[i] = { ...m, o: "test", s: m.d };
    }
    if (
      (m.o === "add" || m.o === "sub") && m.s!.t === "i" && !m.s!.sym &&
      (m.s!.v === 1 || m.s!.v === -1) && !flagsLive
    ) out[i] = { ...m, o: (m.o === "add") === (m.s!.v === 1) ? "inc" : "dec", s: undefined };
    if (FLAGW.has(m.o)) flagsLive = false;
    if (FLAGR.has(m.o)) flagsLive = true;
    if (m.o === "ret" || m.o === "jmp") { if (m.o === "ret") flagsLive = false; }
  }
  return out;
}
void ESI;
