import assert from "node:assert/strict";
import { Wire } from "../bus/wire.ts";
import { FakeClock } from "../testing/fake_clock.ts";
import { I8042 } from "./i8042.ts";
import { Ps2Keyboard } from "./ps2_keyboard.ts";
import { Ps2Mouse } from "./ps2_mouse.ts";

function controller(options: { mouse: boolean } = { mouse: true }) {
  const time = new FakeClock();
  const keyboard = new Ps2Keyboard({ clock: time.clock });
  const mouse = new Ps2Mouse();
  const [keyboardIrq, auxIrq, a20] = [new Wire(), new Wire(), new Wire()];
  let resets = 0;
  const chip = new I8042({
    clock: time.clock,
    keyboard,
    ...(options.mouse ? { mouse } : {}),
    keyboardIrq,
    auxIrq,
    a20,
    resetLine: () => resets++,
  });
  chip.reset();
  /** All bytes that come, each with whether it is the mouse's. */
  const drain = (): number[] => {
    const found: number[] = [];
    for (let i = 0; i < 64; i++) {
      time.pass(1_000_000);
      const status = chip.read(4);
      if ((status & 1) === 0) continue;
      found.push(chip.read(0) | ((status & 0x20) << 3));
    }
    return found;
  };
  const command = (...values: number[]): void => {
    chip.write(4, 1, values[0]);
    for (const value of values.slice(1)) chip.write(0, 1, value);
  };
  const data = (value: number): void => chip.write(0, 1, value);
  return {
    time,
    chip,
    keyboard,
    mouse,
    keyboardIrq,
    auxIrq,
    a20,
    drain,
    command,
    data,
    resets: () => resets,
  };
}

Deno.test("8042 tests itself and its interfaces", () => {
  const { command, drain, chip } = controller();
  command(0xaa);
  assert.deepEqual(drain(), [0x55]);
  assert.equal(chip.read(4) & 0x0c, 0x0c, "system flag; last write was a command");
  command(0xab);
  command(0xa9);
  assert.deepEqual(drain(), [0, 0]);
});

Deno.test("8042 keeps its configuration and RAM", () => {
  const { command, drain } = controller();
  command(0x60, 0x61);
  command(0x20);
  assert.deepEqual(drain(), [0x61]);
  command(0xad);
  command(0xa8);
  command(0x20);
  assert.deepEqual(drain(), [0x51]);
  command(0x7f, 0x99);
  command(0x3f);
  assert.deepEqual(drain(), [0x99]);
});

Deno.test("8042 translates scan code set 2 to set 1", () => {
  const { command, drain, keyboard } = controller();
  command(0x60, 0x41);
  keyboard.key("KeyA", true);
  keyboard.key("KeyA", false);
  keyboard.key("ArrowUp", true);
  keyboard.key("ArrowUp", false);
  keyboard.key("F7", true);
  keyboard.key("F7", false);
  assert.deepEqual(drain(), [0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8, 0x41, 0xc1]);
  command(0x60, 0x01);
  keyboard.key("KeyA", true);
  keyboard.key("KeyA", false);
  assert.deepEqual(drain(), [0x1c, 0xf0, 0x1c]);
});

Deno.test("8042 gives an interrupt for each byte", () => {
  const { time, command, keyboard, keyboardIrq, chip } = controller();
  command(0x60, 0x41);
  keyboard.type("a");
  for (const code of [0x1e, 0x9e]) {
    assert.ok(!keyboardIrq.level);
    time.pass(1_400_000); // the release takes two bytes on the line
    assert.ok(keyboardIrq.level);
    assert.equal(chip.read(0), code);
  }
  assert.ok(!keyboardIrq.level);
});

Deno.test("keyboard answers its commands", () => {
  const { command, data, drain, keyboard } = controller();
  command(0x60, 0x01);
  data(0xff);
  assert.deepEqual(drain(), [0xfa, 0xaa]);
  data(0xf2);
  assert.deepEqual(drain(), [0xfa, 0xab, 0x83]);
  data(0xed);
  data(0x05);
  assert.deepEqual(drain(), [0xfa, 0xfa]);
  assert.equal(keyboard.leds, 5);
  data(0xee);
  assert.deepEqual(drain(), [0xee]);
  data(0xf0);
  data(0);
  assert.deepEqual(drain(), [0xfa, 0xfa, 2]);
  data(0xf0);
  data(1);
  drain();
  keyboard.key("KeyA", true);
  keyboard.key("KeyA", false);
  assert.deepEqual(drain(), [0x1e, 0x9e]);
  data(0xfe);
  assert.deepEqual(drain(), [0x9e]);
  data(0x12);
  assert.deepEqual(drain(), [0xfe]);
});

Deno.test("keyboard repeats the key pressed last, after its delay, at its rate", () => {
  const { time, command, data, drain, keyboard, chip } = controller();
  command(0x60, 0x01);
  data(0xf3);
  data(0x00); // 250 ms, 30 a second
  drain();
  keyboard.key("KeyA", true);
  let count = 0;
  for (let ms = 0; ms < 1250; ms++) {
    time.pass(1_000_000);
    if ((chip.read(4) & 1) !== 0 && chip.read(0) === 0x1c) count++;
  }
  assert.ok(count >= 30 && count <= 32, `${count}`);
  keyboard.key("KeyA", false);
  drain();
  time.pass(1_000_000_000);
  assert.equal(chip.read(4) & 1, 0);
});

Deno.test("keyboard keeps what is typed faster than it is read, without a loss", () => {
  const { command, keyboard, drain } = controller();
  command(0x60, 0x41);
  keyboard.type("The quick brown fox!");
  const codes = [...drain(), ...drain()];
  assert.equal(codes.filter((code) => code < 0x80).length, 20 + 2);
  assert.deepEqual(codes.slice(0, 4), [0x2a, 0x14, 0x94, 0xaa]);
});

Deno.test("keyboard does not scan while it is off", () => {
  const { command, data, drain, keyboard } = controller();
  command(0x60, 0x01);
  data(0xf5);
  assert.deepEqual(drain(), [0xfa]);
  keyboard.type("a");
  assert.deepEqual(drain(), []);
  data(0xf4);
  assert.deepEqual(drain().slice(0, 1), [0xfa]);
});

Deno.test("mouse: reset, identity, wheel, movement", () => {
  const { command, drain, mouse, auxIrq } = controller();
  command(0x60, 0x03);
  const send = (value: number): void => command(0xd4, value);
  const AUX = 0x100;
  const aux = (...values: number[]): number[] => values.map((v) => v | AUX);
  send(0xff);
  assert.deepEqual(drain(), aux(0xfa, 0xaa, 0x00));
  for (const rate of [200, 100, 80]) {
    send(0xf3);
    send(rate);
  }
  drain();
  send(0xf2);
  assert.deepEqual(drain(), aux(0xfa, 3));
  mouse.move(1, 1);
  assert.deepEqual(drain(), [], "reporting is off");
  send(0xf4);
  drain();
  mouse.move(4, -2, { wheel: -1, buttons: 1 });
  assert.deepEqual(drain(), aux(0x29, 5, 0xff, 0xff));
  assert.ok(!auxIrq.level);
  send(0xe9);
  assert.deepEqual(drain(), aux(0xfa, 0x24, 2, 80));
});

Deno.test("8042 without a mouse times out", () => {
  const { chip, command } = controller({ mouse: false });
  command(0xd4, 0xff);
  assert.equal(chip.read(4) & 0x61, 0x61);
  assert.equal(chip.read(0), 0xfe);
});

Deno.test("8042 drives A20 and reset", () => {
  const { command, drain, a20, resets } = controller();
  assert.ok(a20.level);
  command(0xd1, 0xdd);
  assert.ok(!a20.level);
  command(0xd0);
  assert.equal(drain()[0] & 0x03, 0x01);
  command(0xd1, 0xdf);
  assert.ok(a20.level);
  assert.equal(resets(), 0);
  command(0xfe);
  assert.equal(resets(), 1);
  command(0xff);
  assert.equal(resets(), 1);
});
