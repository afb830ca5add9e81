/**
 * Near branches, and the stack.
 * Sources: SDM vol. 2; vol. 3A §6.8.1 (IF, STI's shadow), vol. 1 §6.2 (stack and operand sizes).
 * @module
 */
import { ARITHMETIC, IF, IOPL, TF, VM } from "../../state/flags.ts";
import {
  CPL,
  EBP,
  ECX,
  EFLAGS,
  EFLAGS_EXISTING,
  ESP,
  EVENT_PENDING,
  GPR,
  INTERRUPT_SHADOW,
  RECORD,
} from "../../state/layout.ts";
import type { Emitter, Semantics } from "../emit.ts";

/** Pushes EIP of the next instruction, cut to the operand size. */
function returnAddress(x: Emitter): void {
  x.nextEip().zeroExtend(x.operandSize);
}

function jumpIf(code: number): Semantics {
  return {
    ends: true,
    emit(x: Emitter): void {
      x.condition(code).f.if();
      x.branch(RECORD.A, () => x.field(RECORD.IMMEDIATE)).f.end();
      x.branch(RECORD.B, () => x.nextEip());
    },
  };
}

const jump: Semantics = {
  ends: true,
  emit(x: Emitter): void {
    x.branch(RECORD.A, () => x.field(RECORD.IMMEDIATE));
  },
};

const jumpIndirect: Semantics = {
  ends: true,
  emit(x: Emitter): void {
    const target = x.local();
    x.read(0).f.set(target);
    x.checkTarget(target).jump(target);
  },
};

/** Pushes the return address of a call; faults of the push go before the #GP of a target beyond the limit, as in silicon. */
function pushChecked(x: Emitter, from: number, target: number): void {
  const size = x.operandSize;
  const linear = x.stackLinear(-size, size, true);
  x.checkTarget(target, () => x.probeWrite(linear, size)).writeLinear(linear, size, from)
    .adjustStack(-size);
}

const call: Semantics = {
  ends: true,
  stack: true,
  emit(x: Emitter): void {
    const [target, from] = [x.local(), x.local()];
    x.field(RECORD.IMMEDIATE).f.set(target);
    returnAddress(x);
    x.f.set(from);
    pushChecked(x, from, target);
    x.branch(RECORD.A, () => x.f.get(target));
  },
};

const callIndirect: Semantics = {
  ends: true,
  stack: true,
  emit(x: Emitter): void {
    const [target, from] = [x.local(), x.local()];
    x.read(0).f.set(target);
    returnAddress(x);
    x.f.set(from);
    pushChecked(x, from, target);
    x.jump(target);
  },
};

const returnNear: Semantics = {
  ends: true,
  stack: true,
  emit(x: Emitter): void {
    const target = x.local();
    const size = x.operandSize;
    x.top(target, size).checkTarget(target);
    if (x.form.operands.length > 0) {
      const stack = x.local();
      x.register(ESP).f.i32(size).add();
      x.read(0).f.add().set(stack);
      x.setStack(stack);
    } else x.adjustStack(size);
    x.jump(target);
  },
};

/** LOOP, LOOPE, LOOPNE: the counter's size is the address size. */
function loop(zero: boolean | undefined): Semantics {
  return {
    ends: true,
    string: true,
    emit(x: Emitter): void {
      const { f } = x;
      const [count, target] = [x.local(), x.local()];
      const size = x.form.addressSize;
      x.field(RECORD.IMMEDIATE).f.set(target);
      x.register(ECX, size).f.i32(1).sub();
      x.zeroExtend(size).f.set(count);
      f.get(count).i32(0).ne();
      if (zero !== undefined) x.condition(zero ? 4 : 5).f.and();
      f.if();
      x.checkTarget(target).setRegister(ECX, count, size);
      x.branch(RECORD.A, () => f.get(target)).f.end();
      x.setRegister(ECX, count, size).branch(RECORD.B, () => x.nextEip());
    },
  };
}

const jumpIfCounterZero: Semantics = {
  ends: true,
  string: true,
  emit(x: Emitter): void {
    x.register(ECX, x.form.addressSize).f.eqz().if();
    x.branch(RECORD.A, () => x.field(RECORD.IMMEDIATE)).f.end();
    x.branch(RECORD.B, () => x.nextEip());
  },
};

// ---- stack --------------------------------------------------------------------------------------

const push: Semantics = {
  stack: true,
  emit(x: Emitter): void {
    const value = x.local();
    x.read(0).f.set(value);
    x.push(value, x.operandSize);
  },
};

const pop: Semantics = {
  stack: true,
  emit(x: Emitter): void {
    const value = x.local();
    x.top(value, x.operandSize).adjustStack(x.operandSize);
    // After the adjustment: POP ESP loads the popped value.
    x.write(0, value);
  },
};

/** POP r/m: an address with ESP in it uses the incremented ESP; a fault in the write leaves ESP alone. */
const popToOperand: Semantics = {
  stack: true,
  emit(x: Emitter): void {
    if (!x.isMemory(0)) {
      pop.emit(x);
      return;
    }
    const value = x.local();
    const size = x.operandSize;
    x.top(value, size);
    // Bases on ESP count the increment: the decoder adds the operand size to the displacement.
    x.write(0, value).adjustStack(size);
  },
};

const pushAll: Semantics = {
  stack: true,
  emit(x: Emitter): void {
    const size = x.operandSize;
    const value = x.local();
    for (let i = 0; i < 8; i++) {
      const linear = x.stackLinear(-size * (i + 1), size, true);
      x.register(GPR + 4 * i, size).f.set(value);
      x.writeLinear(linear, size, value);
    }
    x.adjustStack(-8 * size);
  },
};

const popAll: Semantics = {
  stack: true,
  emit(x: Emitter): void {
    const size = x.operandSize;
    const values = Array.from({ length: 8 }, () => x.local());
    for (let i = 0; i < 8; i++) {
      if (i !== 3) x.top(values[7 - i] as number, size, size * i);
    }
    for (let i = 0; i < 8; i++) {
      if (i !== 4) x.setRegister(GPR + 4 * i, values[i] as number, size);
    }
    x.adjustStack(8 * size);
  },
};

/** Processors since the P6 write the selector alone, also where the slot has four bytes (SDM vol. 2, PUSH). */
const pushSegment: Semantics = {
  stack: true,
  emit(x: Emitter): void {
    const value = x.local();
    x.read(0).f.set(value);
    x.writeLinear(x.stackLinear(-x.operandSize, 2, true), 2, value);
    x.adjustStack(-x.operandSize);
  },
};

const enter: Semantics = {
  stack: true,
  emit(x: Emitter): void {
    const { f } = x;
    const size = x.operandSize;
    const [level, frame, value, stack, source] = [
      x.local(),
      x.local(),
      x.local(),
      x.local(),
      x.local(),
    ];
    x.field(RECORD.DISPLACEMENT).f.i32(31).and().set(level);
    x.register(EBP, size).f.set(value);
    x.writeLinear(x.stackLinear(-size, size, true), size, value);
    x.register(ESP).f.i32(size).sub().set(frame);
    f.get(frame).set(stack);
    f.get(level).if();
    x.register(EBP).f.set(source);
    f.loop();
    f.get(level).i32(1).sub().tee(level).if();
    f.get(source).i32(size).sub().set(source);
    f.get(stack).i32(size).sub().set(stack);
    x.readLinear(x.stackLinearAt(source, size, false), size).f.set(value);
    x.writeLinear(x.stackLinearAt(stack, size, true), size, value);
    f.br(1).end().end();
    f.get(stack).i32(size).sub().set(stack);
    x.writeLinear(x.stackLinearAt(stack, size, true), size, frame);
    f.end();
    f.get(stack);
    x.field(RECORD.IMMEDIATE).f.sub().set(stack);
    // SDM vol. 2, ENTER: the new top of stack must be writable.
    x.probeWrite(x.stackLinearAt(stack, size, true), size);
    x.setStack(stack).setRegister(EBP, frame, size);
  },
};

const leave: Semantics = {
  stack: true,
  emit(x: Emitter): void {
    const size = x.operandSize;
    const [frame, value] = [x.local(), x.local()];
    x.register(EBP).f.set(frame);
    x.readLinear(x.stackLinearAt(frame, size, false), size).f.set(value);
    x.f.get(frame).i32(size).add().set(frame);
    x.setStack(frame).setRegister(EBP, value, size);
  },
};

const pushFlags: Semantics = {
  stack: true,
  emit(x: Emitter): void {
    const { f } = x;
    const value = x.local();
    // Virtual-8086 with IOPL < 3: VIF for IF, or for the monitor.
    x.systemFlags().f.i32(VM | IOPL).and().tee(value).i32(VM).and().i32(0).ne();
    f.get(value).i32(VM | IOPL).ne().and().if(undefined, false);
    x.assist("pushfVirtual");
    f.else();
    x.allFlags().f.i32(0xfcffff).and().set(value);
    x.push(value, x.operandSize);
    f.end();
  },
};

/** POPF at CPL 0 outside virtual-8086; the rest of the rules are in the assist. */
const popFlags: Semantics = {
  stack: true,
  ends: true,
  emit(x: Emitter): void {
    const { f } = x;
    const [value, after] = [x.local(), x.local()];
    f.loadAt(CPL).if(undefined, false);
    x.assist("popfPrivileged");
    x.f.else();
    x.top(value, x.operandSize).adjustStack(x.operandSize);
    if (x.operandSize === 2) {
      x.systemFlags().f.i32(0xffff0000 | 0).and().get(value).or().set(value);
    }
    // VM and RF, VIF and VIP cannot be set by POPF; bit 1 is always set.
    f.i32(0);
    x.systemFlags().f.i32(0x1a0000).and();
    f.get(value).i32(0x247fd7 & ~ARITHMETIC).and().loadAt(EFLAGS_EXISTING).and().or().i32(2).or()
      .store(EFLAGS);
    x.setArithmetic(value);
    f.end();
    x.forgetFlags();
    x.nextEip().f.set(after);
    leaveIfEvent(x, after, false);
    x.branch(RECORD.B, () => f.get(after));
  },
};

/** Leaves to the run loop when an interrupt may now be taken or TF is set. */
function leaveIfEvent(x: Emitter, after: number, shadow: boolean): void {
  const { f } = x;
  f.loadAt(EVENT_PENDING);
  x.systemFlags().f.i32(IF).and().i32(0).ne().and();
  x.systemFlags().f.i32(TF).and().or().if(undefined, false);
  if (shadow) f.i32(0).i32(1).store(INTERRUPT_SHADOW);
  x.exit(after).f.end();
}

const setInterruptFlag: Semantics = {
  ends: true,
  emit(x: Emitter): void {
    const { f } = x;
    const [was, after] = [x.local(), x.local()];
    x.nextEip().f.set(after);
    f.loadAt(CPL);
    x.systemFlags().f.i32(12).shrU().i32(3).and().gtU().if(undefined, false);
    x.assist("stiVirtual");
    f.else();
    x.systemFlags().f.i32(IF).and().set(was);
    f.i32(0);
    x.systemFlags().f.i32(IF).or().store(EFLAGS);
    f.get(was).eqz().if();
    leaveIfEvent(x, after, true);
    f.end().end();
    x.branch(RECORD.B, () => f.get(after));
  },
};

/** BOUND: signed index between two signed bounds in memory, else #BR. */
const bound: Semantics = {
  emit(x: Emitter): void {
    const { f } = x;
    const size = x.operandSize;
    const [index, second] = [x.local(), x.local()];
    x.readSigned(0).f.set(index);
    const linear = x.linear(1, 2 * size, false);
    f.get(linear).i32(size).add().set(second);
    // The upper bound is not read when the index is below the lower one.
    f.get(index);
    x.readLinear(linear, size).signExtend(size).f.op("i32.lt_s").if(undefined, false);
    x.fault(5).f.end().get(index);
    x.readLinear(second, size).signExtend(size).f.op("i32.gt_s").if(undefined, false);
    x.fault(5).f.end();
  },
};

export const control: Readonly<Record<string, Semantics>> = {
  ...Object.fromEntries(Array.from({ length: 16 }, (_, code) => [`j.${code}`, jumpIf(code)])),
  jmp: jump,
  jmpE: jumpIndirect,
  call,
  callE: callIndirect,
  ret: returnNear,
  loop: loop(undefined),
  loope: loop(true),
  loopne: loop(false),
  jcxz: jumpIfCounterZero,
  push,
  pop,
  popE: popToOperand,
  pusha: pushAll,
  popa: popAll,
  pushSegment,
  enter,
  leave,
  pushf: pushFlags,
  popf: popFlags,
  sti: setInterruptFlag,
  bound,
};
