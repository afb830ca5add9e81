// Wasm binary decoder (MVP + sign-ext + bulk memory + mutable globals, name section)
export interface FuncType {
  params: number[];
  results: number[];
}
export interface Import {
  mod: string;
  name: string;
  kind: number;
  type: any;
}
export interface Func {
  idx: number;
  type: FuncType;
  name: string;
  imp?: Import;
  locals: number[];
  start: number;
  end: number;
}
export interface Global {
  type: number;
  mut: boolean;
  init: Init;
  name: string;
  imp?: Import;
}
export type Init = { op: "const"; v: bigint } | { op: "global"; i: number } | {
  op: "func";
  i: number;
} | { op: "null" };
export interface Seg {
  mode: number;
  offset: Init;
  bytes: Uint8Array;
  idx: number;
}
export interface Elem {
  mode: number;
  table: number;
  offset: Init;
  funcs: number[];
}
export const I32 = 0x7f, I64 = 0x7e, F32 = 0x7d, F64 = 0x7c;

export class Reader {
  p = 0;
  dv: DataView;
  constructor(public b: Uint8Array) {
    this.dv = new DataView(b.buffer, b.byteOffset, b.byteLength);
  }
  u8() {
    return this.b[this.p++];
  }
  u32() {
    let r = 0, s = 0;
    for (;;) {
      const c = this.b[this.p++];
      r |= (c & 127) << s;
      if (c < 128) return r >>> 0;
      s += 7;
    }
  }
  s32() {
    let r = 0, s = 0;
    for (;;) {
      const c = this.b[this.p++];
      r |= (c & 127) << s;
      s += 7;
      if (c < 128) {
        if (s < 32 && (c & 64)) r |= -1 << s;
        return r | 0;
      }
    }
  }
  s64() {
    let r = 0n, s = 0n;
    for (;;) {
      const c = this.b[this.p++];
      r |= BigInt(c & 127) << s;
      s += 7n;
      if (c < 128) {
        if (c & 64) r |= -1n << s;
        return BigInt.asIntN(64, r);
      }
    }
  }
  str() {
    const n = this.u32();
    const s = new TextDecoder().decode(this.b.subarray(this.p, this.p + n));
    this.p += n;
    return s;
  }
}
export class Module {
  types: FuncType[] = [];
  imports: Import[] = [];
  funcs: Func[] = [];
  globals: Global[] = [];
  mem?: { min: number; max?: number };
  tables: { min: number; max?: number }[] = [];
  exports = new Map<string, { kind: number; i: number }>();
  start = -1;
  elems: Elem[] = [];
  data: Seg[] = [];
  nimp = 0;
  localNames = new Map<number, Map<number, string>>();
  r: Reader;
  constructor(public bytes: Uint8Array) {
    const r = this.r = new Reader(bytes);
    r.p = 8;
    const fnTypes: number[] = [];
    while (r.p < bytes.length) {
      const id = r.u8(), n = r.u32(), end = r.p + n;
      if (id === 0) {
        const nm = r.str();
        if (nm === "name") this.names(end);
      } else if (id === 1) {
        for (let c = r.u32(); c--;) {
          const f = r.u8();
          if (f !== 0x60) throw Error("type form " + f);
          const ps: number[] = [], rs: number[] = [];
          for (let k = r.u32(); k--;) ps.push(r.u8());
          for (let k = r.u32(); k--;) rs.push(r.u8());
          this.types.push({ params: ps, results: rs });
        }
      } else if (id === 2) {
        for (let c = r.u32(); c--;) {
          const mod = r.str(), name = r.str(), kind = r.u8();
          let type: any;
          const im: Import = { mod, name, kind, type: null };
          if (kind === 0) {
            type = this.types[r.u32()];
            this.funcs.push({
              idx: this.funcs.length,
              type,
              name: mod + "." + name,
              imp: im,
              locals: [],
              start: 0,
              end: 0,
            });
            this.nimp++;
          } else if (kind === 1) {
            r.u8();
            type = this.limits();
            this.tables.push(type);
          } else if (kind === 2) type = this.mem = this.limits();
          else {
            const t = r.u8(), m = r.u8();
            type = { t, m };
            this.globals.push({
              type: t,
              mut: !!m,
              init: { op: "const", v: mod === "spectest" ? 666n : 0n },
              name: mod + "." + name,
              imp: im,
            });
          }
          im.type = type;
          this.imports.push(im);
        }
      } else if (id === 3) {
        for (let c = r.u32(); c--;) fnTypes.push(r.u32());
        for (const t of fnTypes) {
          this.funcs.push({
            idx: this.funcs.length,
            type: this.types[t],
            name: "f" + this.funcs.length,
            locals: [],
            start: 0,
            end: 0,
          });
        }
      } else if (id === 4) {
        for (let c = r.u32(); c--;) {
          r.u8();
          this.tables.push(this.limits());
        }
      } else if (id === 5) { for (let c = r.u32(); c--;) this.mem = this.limits(); }
      else if (id === 6) {
        for (let c = r.u32(); c--;) {
          const type = r.u8(), mut = !!r.u8();
          this.globals.push({ type, mut, init: this.init(), name: "g" + this.globals.length });
        }
      } else if (id === 7) {
        for (let c = r.u32(); c--;) {
          const nm = r.str(), kind = r.u8(), i = r.u32();
          this.exports.set(nm, { kind, i });
        }
      } else if (id === 8) this.start = r.u32();
      else if (id === 9) {
        for (let c = r.u32(); c--;) {
          const fl = r.u32();
          const e: Elem = {
            mode: fl & 1 ? (fl & 2 ? 2 : 1) : 0,
            table: 0,
            offset: { op: "const", v: 0n },
            funcs: [],
          };
          if (!(fl & 1)) {
            if (fl & 2) e.table = r.u32();
            e.offset = this.init();
          }
          if (fl & 3) r.u8();
          for (let k = r.u32(); k--;) {
            if (fl & 4) {
              const i = this.init();
              e.funcs.push(i.op === "func" ? i.i : -1);
            } else e.funcs.push(r.u32());
          }
          this.elems.push(e);
        }
      } else if (id === 10) {
        const c = r.u32();
        for (let i = 0; i < c; i++) {
          const sz = r.u32(), e = r.p + sz, f = this.funcs[this.nimp + i];
          let tot = 0;
          for (let k = r.u32(); k--;) {
            const n = r.u32(), t = r.u8();
            tot += n;
            if (tot > 50000) throw Error("too many locals");
            for (let j = 0; j < n; j++) f.locals.push(t);
          }
          f.start = r.p;
          f.end = e;
          r.p = e;
        }
      } else if (id === 11) {
        for (let c = r.u32(), i = 0; i < c; i++) {
          const fl = r.u32();
          let off: Init = { op: "const", v: 0n };
          if (fl === 2) r.u32();
          if (fl !== 1) off = this.init();
          const n = r.u32();
          this.data.push({
            mode: fl === 1 ? 1 : 0,
            offset: off,
            bytes: bytes.subarray(r.p, r.p + n),
            idx: i,
          });
          r.p += n;
        }
      }
      r.p = end;
    }
    for (const [nm, e] of this.exports) {
      if (e.kind === 0 && /^f\d+$/.test(this.funcs[e.i].name)) this.funcs[e.i].name = nm;
    }
  }
  limits() {
    const r = this.r, fl = r.u8();
    const min = r.u32();
    return { min, max: fl & 1 ? r.u32() : undefined };
  }
  init(): Init {
    const r = this.r;
    let res: Init = { op: "const", v: 0n };
    for (;;) {
      const op = r.u8();
      if (op === 0x0b) return res;
      if (op === 0x41) res = { op: "const", v: BigInt(r.s32()) };
      else if (op === 0x42) res = { op: "const", v: r.s64() };
      else if (op === 0x43) {
        res = { op: "const", v: BigInt(r.dv.getUint32(r.p, true)) };
        r.p += 4;
      } else if (op === 0x44) {
        res = { op: "const", v: r.dv.getBigUint64(r.p, true) };
        r.p += 8;
      } else if (op === 0x23) res = { op: "global", i: r.u32() };
      else if (op === 0xd2) res = { op: "func", i: r.u32() };
      else if (op === 0xd0) {
        r.u8();
        res = { op: "null" };
      } else throw Error("init op " + op.toString(16));
    }
  }
  names(end: number) {
    const r = this.r;
    while (r.p < end) {
      const id = r.u8(), n = r.u32(), e = r.p + n;
      if (id === 1) {
        for (let c = r.u32(); c--;) {
          const i = r.u32(), s = r.str();
          if (this.funcs[i] && !this.funcs[i].imp) this.funcs[i].name = s;
        }
      } else if (id === 2) {
        for (let c = r.u32(); c--;) {
          const f = r.u32();
          const m = new Map<number, string>();
          for (let k = r.u32(); k--;) {
            const l = r.u32();
            m.set(l, r.str());
          }
          this.localNames.set(f, m);
        }
      } else if (id === 7) {
        for (let c = r.u32(); c--;) {
          const i = r.u32(), s = r.str();
          if (this.globals[i]) this.globals[i].name = s;
        }
      }
      r.p = e;
    }
  }
}
