/**
 * Data movement and flag instructions without stack or branch.
 * Sources: SDM vol. 2; SALC: Intel's opcode map since the 8086, documented in the SDM's opcode table as
 * reserved, behaviour as on silicon (AL = CF ? FFh : 0, flags unchanged).
 * @module
 */
import { AF, CF, DF, IF, PF, SF, ZF } from "../../state/flags.ts";
import { CPL, EAX, EBX, EDX, EFLAGS } from "../../state/layout.ts";
import type { Emitter, Semantics, Size } from "../emit.ts";

const move: Semantics = {
  emit(x: Emitter): void {
    const value = x.local();
    x.read(1).f.set(value);
    x.write(0, value);
  },
};

const moveSigned: Semantics = {
  emit(x: Emitter): void {
    const value = x.local();
    x.readSigned(1).f.set(value);
    x.write(0, value);
  },
};

const loadEffectiveAddress: Semantics = {
  emit(x: Emitter): void {
    const value = x.local();
    x.offset(1).f.set(value);
    x.write(0, value);
  },
};

const exchange: Semantics = {
  emit(x: Emitter): void {
    const [a, b] = [x.local(), x.local()];
    x.readModify(0, a).read(1).f.set(b);
    x.modifyWrite(0, b).write(1, a);
  },
};

function conditionalMove(code: number): Semantics {
  return {
    emit(x: Emitter): void {
      const value = x.local();
      // The source is read, and may fault, whatever the condition.
      x.read(1).f.set(value);
      x.condition(code).f.if();
      x.write(0, value).f.end();
    },
  };
}

function setByte(code: number): Semantics {
  return {
    emit(x: Emitter): void {
      const value = x.local();
      x.condition(code).f.set(value);
      x.write(0, value);
    },
  };
}

/** CBW, CWDE. */
const signExtendAccumulator: Semantics = {
  emit(x: Emitter): void {
    const value = x.local();
    const half: Size = x.operandSize === 4 ? 2 : 1;
    x.register(EAX, half).signExtend(half).f.set(value);
    x.setRegister(EAX, value, x.operandSize);
  },
};

/** CWD, CDQ. */
const signIntoData: Semantics = {
  emit(x: Emitter): void {
    const value = x.local();
    const size = x.operandSize;
    x.register(EAX, size).signExtend(size).f.i32(31).shrS().set(value);
    x.setRegister(EDX, value, size);
  },
};

const translate: Semantics = {
  emit(x: Emitter): void {
    const [offset, value] = [x.local(), x.local()];
    x.register(EBX).register(EAX, 1).f.add().set(offset);
    const linear = x.implicitLinear(offset, 1, false);
    x.readLinear(linear, 1).f.set(value);
    x.setRegister(EAX, value, 1);
  },
};

const setAccumulatorOnCarry: Semantics = {
  emit(x: Emitter): void {
    const value = x.local();
    x.f.i32(0);
    x.carry().f.sub().set(value);
    x.setRegister(EAX, value, 1);
  },
};

const loadFlags: Semantics = {
  emit(x: Emitter): void {
    const value = x.local();
    x.allFlags().f.set(value);
    x.setRegister(EAX + 1, value, 1);
  },
};

const storeFlags: Semantics = {
  emit(x: Emitter): void {
    const value = x.local();
    x.allFlags().f.i32(~(SF | ZF | AF | PF | CF)).and();
    x.register(EAX + 1, 1).f.i32(SF | ZF | AF | PF | CF).and().or().set(value);
    x.setArithmetic(value);
  },
};

function carryFlag(operation: "clear" | "set" | "complement"): Semantics {
  return {
    emit(x: Emitter): void {
      const value = x.local();
      if (operation === "complement") x.carry().f.eqz();
      else x.f.i32(operation === "set" ? 1 : 0);
      x.f.set(value);
      x.setCarry(value);
    },
  };
}

function directionFlag(set: boolean): Semantics {
  return {
    emit(x: Emitter): void {
      x.f.i32(0);
      x.systemFlags();
      if (set) x.f.i32(DF).or();
      else x.f.i32(~DF).and();
      x.f.store(EFLAGS);
    },
  };
}

const clearInterruptFlag: Semantics = {
  emit(x: Emitter): void {
    const { f } = x;
    f.loadAt(CPL);
    x.systemFlags().f.i32(12).shrU().i32(3).and().gtU().if(undefined, false);
    x.assist("cliVirtual");
    f.else().i32(0);
    x.systemFlags().f.i32(~IF).and().store(EFLAGS);
    f.end();
  },
};

const nothing: Semantics = { emit(): void {} };

function byCondition(
  prefix: string,
  make: (code: number) => Semantics,
): Readonly<Record<string, Semantics>> {
  return Object.fromEntries(
    Array.from({ length: 16 }, (_, code) => [`${prefix}.${code}`, make(code)]),
  );
}

export const moves: Readonly<Record<string, Semantics>> = {
  mov: move,
  movzx: move,
  movsx: moveSigned,
  lea: loadEffectiveAddress,
  xchg: exchange,
  ...byCondition("cmov", conditionalMove),
  ...byCondition("set", setByte),
  cbw: signExtendAccumulator,
  cwd: signIntoData,
  xlat: translate,
  salc: setAccumulatorOnCarry,
  lahf: loadFlags,
  sahf: storeFlags,
  clc: carryFlag("clear"),
  stc: carryFlag("set"),
  cmc: carryFlag("complement"),
  cld: directionFlag(false),
  std: directionFlag(true),
  cli: clearInterruptFlag,
  nop: nothing,
  ud: {
    emit(x: Emitter): void {
      x.fault(6);
    },
    ends: true,
  },
};
