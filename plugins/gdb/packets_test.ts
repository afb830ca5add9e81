/** Packets of the remote protocol: what arrives in pieces, damaged or with noise between. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  encodePacket,
  fromBinary,
  fromHex,
  type Incoming,
  PacketParser,
  toBinary,
} from "./packets.ts";

const parse = (text: string): Incoming[] => new PacketParser().feed(fromBinary(text));

Deno.test("packets, acknowledgements and Ctrl-C are told apart; noise is dropped", () => {
  assert.deepEqual(parse("xx+$g#67-\x03$qC#b4"), [
    { type: "ack" },
    { type: "packet", body: "g" },
    { type: "nak" },
    { type: "interrupt" },
    { type: "packet", body: "qC" },
  ]);
});

Deno.test("Ctrl-C and signs inside a packet are its bytes", () => {
  assert.deepEqual(parse("$X1,3:\x03+-#" + sum("X1,3:\x03+-")), [
    { type: "packet", body: "X1,3:\x03+-" },
  ]);
});

Deno.test("a wrong checksum is told, a packet that was cut off is forgotten", () => {
  assert.deepEqual(parse("$g#68"), [{ type: "damaged" }]);
  assert.deepEqual(parse("$g#zz"), [{ type: "damaged" }]);
  assert.deepEqual(parse("$m12,$g#67"), [{ type: "packet", body: "g" }]);
});

Deno.test("any bytes go into a packet and come out of it, in whatever pieces they arrive", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 1, max: 40 }),
      (bytes, piece) => {
        const body = toBinary(bytes);
        const sent = encodePacket(body);
        const parser = new PacketParser();
        const out: Incoming[] = [];
        for (let at = 0; at < sent.length; at += piece) {
          out.push(
            ...parser.feed(sent.subarray(at, at + piece)),
          );
        }
        assert.deepEqual(out, [{ type: "packet", body }]);
      },
    ),
  );
});

Deno.test("only pairs of hexadecimal digits are bytes", () => {
  assert.deepEqual(fromHex("00fF"), new Uint8Array([0, 255]));
  assert.equal(fromHex("0"), undefined);
  assert.equal(fromHex("0g"), undefined);
});

function sum(text: string): string {
  return (fromBinary(text).reduce((a, b) => a + b, 0) & 0xff).toString(16).padStart(2, "0");
}
