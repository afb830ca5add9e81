import assert from "node:assert/strict";
import { EscapeFilter } from "./terminal.ts";

function filter(): { feed: (text: string) => void; log: string[] } {
  const log: string[] = [];
  const keys = new EscapeFilter({
    input: (bytes) => log.push(JSON.stringify(String.fromCharCode(...bytes))),
    leave: () => log.push("leave"),
    help: () => log.push("help"),
  });
  return { log, feed: (text) => keys.feed(Uint8Array.from(text, (c) => c.charCodeAt(0))) };
}

Deno.test("EscapeFilter passes keys on in one piece", () => {
  const { feed, log } = filter();
  feed("ls -l\r\x03\x1b[A");
  assert.deepEqual(log, ['"ls -l\\r\\u0003\\u001b[A"']);
});

Deno.test("EscapeFilter takes Ctrl-A commands out, also across reads", () => {
  const { feed, log } = filter();
  feed("ab\x01");
  feed("xcd");
  feed("\x01h\x01?\x01X");
  assert.deepEqual(log, ['"ab"', "leave", '"cd"', "help", "help", "leave"]);
});

Deno.test("EscapeFilter gives one Ctrl-A for Ctrl-A A and Ctrl-A Ctrl-A", () => {
  const { feed, log } = filter();
  feed("1\x01a2\x01\x013");
  assert.deepEqual(log, ['"1\\u00012\\u00013"']);
});
