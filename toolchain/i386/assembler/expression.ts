/**
 * Expressions and operands of the assembler (GNU as manual §6, §9.16.1 with `.intel_syntax noprefix`).
 *
 * Every expression is a sum: a constant, symbols with sign, and registers with scale. What the sum
 * may hold depends on where it stands; this file only builds it. Operators and their precedence are
 * GNU as's: `* / % << >>` bind tightest, then `| & ^`, then `+ -`, then comparisons (true is -1).
 *
 * @module
 */

/** A register by kind and number. */
export interface RegisterOperand {
  readonly kind: "r8" | "r16" | "r32" | "segment" | "control" | "debug";
  readonly number: number;
}

/** A sum of a constant, signed symbols and scaled registers. */
export interface Sum {
  readonly constant: number;
  readonly symbols: readonly { readonly name: string; readonly negative: boolean }[];
  readonly registers: readonly {
    readonly register: RegisterOperand;
    readonly scale: number;
    /** Whether `*` was written, which makes it the index. */
    readonly scaled: boolean;
  }[];
}

/** An operand as written. */
export type Operand =
  | { readonly type: "register"; readonly register: RegisterOperand }
  | { readonly type: "immediate"; readonly value: Sum }
  | { readonly type: "far"; readonly selector: Sum; readonly offset: Sum }
  | {
    readonly type: "memory";
    /** Bytes by `… ptr`, 0 when not written. */
    readonly size: number;
    readonly segment: number | undefined;
    readonly address: Sum;
    /** True for a bare symbol, which a branch takes as its target. */
    readonly bare: boolean;
  };

const REGISTER_NAMES: Readonly<Record<RegisterOperand["kind"], readonly string[]>> = {
  r8: ["al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"],
  r16: ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"],
  r32: ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"],
  segment: ["es", "cs", "ss", "ds", "fs", "gs"],
  control: ["cr0", "cr1", "cr2", "cr3", "cr4"],
  debug: ["dr0", "dr1", "dr2", "dr3", "dr4", "dr5", "dr6", "dr7"],
};

const REGISTERS: ReadonlyMap<string, RegisterOperand> = new Map(
  Object.entries(REGISTER_NAMES).flatMap(([kind, names]) =>
    names.map((name, number) => [name, { kind: kind as RegisterOperand["kind"], number }] as const)
  ),
);

const POINTER_SIZES: Readonly<Record<string, number>> = {
  byte: 1,
  word: 2,
  dword: 4,
  fword: 6,
  qword: 8,
  tbyte: 10,
};

const TOKEN =
  /\s*(?:(0[xX][0-9a-fA-F]+|0[bB][01]+(?![fb0-9])|[0-9]+[fb](?![0-9a-zA-Z])|[0-9]+)|([A-Za-z_.$][A-Za-z0-9_.$]*)|'(\\?.)'?|(<<|>>|==|!=|<=|>=|<>|[-+*/%&|^~!()[\]:,<>]))/y;

/** Splits `text` into tokens; throws a SyntaxError at what is none. */
export function tokenize(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const start = TOKEN.lastIndex;
    const found = TOKEN.exec(text);
    if (found === null) {
      if (text.slice(start).trim() === "") break;
      throw new SyntaxError(`unexpected "${text.slice(start).trim()}"`);
    }
    if (found[3] !== undefined) tokens.push(String(characterCode(found[3])));
    else tokens.push(found[0].trim());
  }
  return tokens;
}

const CHARACTER_ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, b: 8, f: 12 };

function characterCode(text: string): number {
  if (text.length === 1) return text.charCodeAt(0);
  return CHARACTER_ESCAPES[text[1] as string] ?? text.charCodeAt(1);
}

/** A sum without symbols and registers. */
export function constantSum(constant: number): Sum {
  return { constant, symbols: [], registers: [] };
}

/** True when the sum is only a number. */
export function isConstant(sum: Sum): boolean {
  return sum.symbols.length === 0 && sum.registers.length === 0;
}

/** What the parser asks about names. */
export interface Names {
  /** Value of an absolute symbol (`.set`), or undefined. */
  absolute(name: string): number | undefined;
  /** The symbol for `.` or a numeric label (`1b`, `2f`). */
  local(text: string): string;
}

const BINARY_LEVELS: readonly (readonly string[])[] = [
  ["==", "!=", "<>", "<", "<=", ">", ">="],
  ["+", "-"],
  ["|", "&", "^"],
  ["*", "/", "%", "<<", ">>"],
];

/** Recursive-descent parser over the tokens of one operand field. */
export class OperandParser {
  #tokens: readonly string[];
  #names: Names;
  #position = 0;

  constructor(tokens: readonly string[], names: Names) {
    this.#tokens = tokens;
    this.#names = names;
  }

  get atEnd(): boolean {
    return this.#position >= this.#tokens.length;
  }

  /** Consumes `token` if it is next. */
  accept(token: string): boolean {
    if (this.#tokens[this.#position]?.toLowerCase() !== token) return false;
    this.#position++;
    return true;
  }

  /** Demands `token`. */
  expect(token: string): void {
    if (!this.accept(token)) throw new SyntaxError(`expected "${token}"`);
  }

  /** All operands of an instruction, separated by commas. */
  operands(): Operand[] {
    const operands: Operand[] = [];
    if (this.atEnd) return operands;
    do operands.push(this.#operand()); while (this.accept(","));
    if (!this.atEnd) throw new SyntaxError(`unexpected "${this.#tokens[this.#position]}"`);
    return operands;
  }

  /** One expression without registers. */
  expression(): Sum {
    const sum = this.#binary(0);
    if (sum.registers.length > 0) throw new SyntaxError("a register cannot stand here");
    return sum;
  }

  #operand(): Operand {
    this.accept("short");
    if (this.accept("offset")) return { type: "immediate", value: this.expression() };
    let size = 0;
    const word = this.#tokens[this.#position]?.toLowerCase() ?? "";
    const next = this.#tokens[this.#position + 1]?.toLowerCase();
    if (word === "far" && next === "ptr") {
      this.#position += 2;
      size = POINTER_SIZES["fword"] as number;
    } else if (POINTER_SIZES[word] !== undefined && next === "ptr") {
      this.#position += 2;
      size = POINTER_SIZES[word] as number;
    }
    const register = REGISTERS.get(this.#tokens[this.#position]?.toLowerCase() ?? "");
    let segment: number | undefined;
    if (register !== undefined) {
      if (register.kind === "segment" && this.#tokens[this.#position + 1] === ":") {
        segment = register.number;
        this.#position += 2;
      } else if (size === 0) {
        this.#position++;
        return { type: "register", register };
      }
    }
    let brackets = false;
    let address = constantSum(0);
    if (this.#tokens[this.#position] !== "[") {
      address = this.expression();
      if (this.accept(":")) {
        return { type: "far", selector: address, offset: this.expression() };
      }
    }
    while (this.accept("[")) {
      brackets = true;
      address = add(address, this.#binary(0), 1);
      this.expect("]");
    }
    if (this.accept("+")) address = add(address, this.expression(), 1);
    // A difference of two symbols is a number, one symbol is the memory that it names.
    const signs = address.symbols.reduce((sum, { negative }) => sum + (negative ? -1 : 1), 0);
    const memory = brackets || size > 0 || segment !== undefined || signs > 0;
    if (!memory) return { type: "immediate", value: address };
    return { type: "memory", size, segment, address, bare: !brackets && size === 0 };
  }

  #binary(level: number): Sum {
    const operators = BINARY_LEVELS[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const operator = this.#tokens[this.#position] ?? "";
      if (!operators.includes(operator)) return left;
      this.#position++;
      left = combine(operator, left, this.#binary(level + 1));
    }
  }

  #unary(): Sum {
    const token = this.#tokens[this.#position++];
    if (token === undefined) throw new SyntaxError("expression expected");
    if (token === "-") return add(constantSum(0), this.#unary(), -1);
    // `offset a - offset b`: an address as a number, which a sum is anyhow.
    if (token === "+" || token.toLowerCase() === "offset") return this.#unary();
    if (token === "~") return constantSum(~constantOf(this.#unary()));
    if (token === "!") return constantSum(constantOf(this.#unary()) === 0 ? 1 : 0);
    if (token === "(") {
      const inner = this.#binary(0);
      this.expect(")");
      return inner;
    }
    if (/^[0-9]/.test(token)) {
      if (/^[0-9]+[fb]$/.test(token) && !/^0[xX]/.test(token)) {
        return symbolSum(this.#names.local(token));
      }
      if (/^0[0-7]+$/.test(token)) return constantSum(parseInt(token, 8));
      return constantSum(Number(token));
    }
    const register = REGISTERS.get(token.toLowerCase());
    if (register !== undefined) {
      return { constant: 0, symbols: [], registers: [{ register, scale: 1, scaled: false }] };
    }
    if (token === ".") return symbolSum(this.#names.local("."));
    if (!/^[A-Za-z_.$]/.test(token)) throw new SyntaxError(`unexpected "${token}"`);
    const value = this.#names.absolute(token);
    return value === undefined ? symbolSum(token) : constantSum(value);
  }
}

function symbolSum(name: string): Sum {
  return { constant: 0, symbols: [{ name, negative: false }], registers: [] };
}

function constantOf(sum: Sum): number {
  if (!isConstant(sum)) throw new SyntaxError("a constant is needed here");
  return sum.constant;
}

function add(a: Sum, b: Sum, sign: 1 | -1): Sum {
  if (sign < 0 && b.registers.length > 0) throw new SyntaxError("a register cannot be subtracted");
  return {
    constant: a.constant + sign * b.constant,
    symbols: [
      ...a.symbols,
      ...b.symbols.map(({ name, negative }) => ({
        name,
        negative: sign < 0 ? !negative : negative,
      })),
    ],
    registers: [...a.registers, ...b.registers],
  };
}

function combine(operator: string, a: Sum, b: Sum): Sum {
  if (operator === "+" || operator === "-") return add(a, b, operator === "+" ? 1 : -1);
  if (operator === "*") {
    const [scaled, factor] = a.registers.length > 0 ? [a, b] : [b, a];
    const only = scaled.registers[0];
    if (only !== undefined && scaled.registers.length === 1 && scaled.symbols.length === 0) {
      const scale = only.scale * constantOf(factor);
      return {
        constant: scaled.constant * factor.constant,
        symbols: [],
        registers: [{ register: only.register, scale, scaled: true }],
      };
    }
  }
  return constantSum(calculate(operator, constantOf(a), constantOf(b)));
}

function calculate(operator: string, a: number, b: number): number {
  switch (operator) {
    case "*":
      return a * b;
    case "/":
    case "%":
      if (b === 0) throw new SyntaxError("division by zero");
      return operator === "/" ? Math.trunc(a / b) : a % b;
    case "<<":
      return a * 2 ** b;
    case ">>":
      return Math.floor(a / 2 ** b);
    case "|":
      return Number(BigInt(a) | BigInt(b));
    case "&":
      return Number(BigInt(a) & BigInt(b));
    case "^":
      return Number(BigInt(a) ^ BigInt(b));
    case "==":
      return a === b ? -1 : 0;
    case "!=":
    case "<>":
      return a !== b ? -1 : 0;
    case "<":
      return a < b ? -1 : 0;
    case "<=":
      return a <= b ? -1 : 0;
    case ">":
      return a > b ? -1 : 0;
    default:
      return a >= b ? -1 : 0;
  }
}
