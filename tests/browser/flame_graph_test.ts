/** The flame graph in a real browser: zoom, reset, search, and the state in the URL. @module */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { flameGraphSvg, parseFolded } from "../../plugins/profiler/mod.ts";

const CHROMIUM = "/usr/bin/chromium";
const STACKS = "main;parse;read 30\nmain;parse 10\nmain;run;step 40\nmain;run;read 20\n";

Deno.test({
  name:
    "flame graph: clicks zoom, Reset zooms out, the search counts matches once, the URL keeps both",
  ignore: !existsSync(CHROMIUM),
  // The browser's pipes outlive the page by a moment.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const folder = mkdtempSync(join(tmpdir(), "flame-"));
    const path = join(folder, "graph.svg");
    writeFileSync(path, flameGraphSvg(parseFolded(STACKS), { title: "test" }));
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
    });
    try {
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on("pageerror", (error) => errors.push(String(error)));
      await page.goto(`file://${path}`);
      const frame = (name: string) => page.locator(`.frame[data-n="${name}"]`);
      const width = async (name: string): Promise<number> =>
        Number(await frame(name).first().locator("rect").getAttribute("width"));
      const whole = await width("all");
      assert.ok(Math.abs((await width("run")) - 0.6 * whole) < 1);

      await frame("run").click();
      assert.ok(Math.abs((await width("run")) - whole) < 1);
      assert.ok(Math.abs((await width("step")) - (whole * 2) / 3) < 1);
      assert.equal(await frame("parse").isVisible(), false);
      assert.match(page.url(), /zoom=/);

      await page.goto(page.url());
      assert.ok(Math.abs((await width("run")) - whole) < 1, "the URL keeps the zoom");
      await page.locator("#reset").click();
      assert.ok(Math.abs((await width("run")) - 0.6 * whole) < 1);
      assert.equal(await frame("parse").isVisible(), true);

      page.once("dialog", (dialog) => void dialog.accept("^(read|parse)$"));
      await page.locator("#search").click();
      // parse covers 40 with its read; the other read adds 20.
      assert.equal(await page.locator("#matched").textContent(), "Matched: 60.00%");
      await page.locator("#search").click();
      assert.equal(await page.locator("#matched").textContent(), "");
      assert.deepEqual(errors, []);
    } finally {
      await browser.close();
      rmSync(folder, { recursive: true });
    }
  },
});
