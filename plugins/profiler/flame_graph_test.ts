/** The drawn graph: geometry and text of the SVG; tests/browser drives it in a real browser. @module */
import assert from "node:assert/strict";
import { flameGraphSvg } from "./flame_graph.ts";
import { parseFolded } from "./folded.ts";

Deno.test("flameGraphSvg() draws each frame as wide as its samples, above its caller", () => {
  const svg = flameGraphSvg(parseFolded("main;a 3\nmain;b 1\n"), { width: 420 });
  const frames = [
    ...svg.matchAll(
      /data-n="([^"]+)"[^>]*data-c="(\d+)" data-d="(\d+)".*?<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"/g,
    ),
  ]
    .map(([, name, count, depth, x, y, width]) => ({
      name,
      count: Number(count),
      depth: Number(depth),
      x: Number(x),
      y: Number(y),
      width: Number(width),
    }));
  assert.deepEqual(frames.map((frame) => frame.name), ["all", "main", "a", "b"]);
  const [all, main, a, b] = frames;
  assert.equal(all!.width, 400);
  assert.equal(main!.width, 400);
  assert.equal(a!.width, 300);
  assert.equal(b!.width, 100);
  assert.equal(b!.x, a!.x + 300);
  assert.ok(a!.y < main!.y && main!.y < all!.y);
});

Deno.test("flameGraphSvg() escapes names, and draws an empty profile", () => {
  const svg = flameGraphSvg(parseFolded('a<"&>;x\u0001y 2\n'), { title: "<t>" });
  assert.ok(svg.includes("a&lt;&quot;&amp;&gt;"));
  assert.ok(svg.includes("&lt;t&gt;"));
  assert.ok(!svg.includes("\u0001"));
  assert.match(flameGraphSvg(parseFolded("")), /<svg/);
});
