/** speedscope itself, in a browser, opens each kind of file that it is said to read, and shows the functions. @module */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium } from "playwright-core";
import schema from "speedscope/dist/release/file-format-schema.json" with { type: "json" };
import { parseFolded, profileFormat } from "../../plugins/profiler/mod.ts";

const CHROMIUM = "/usr/bin/chromium";
const PAGE = new URL("../../node_modules/speedscope/dist/release/index.html", import.meta.url);
const STACKS = "bash;main;parse 30\nbash;main;run 10\ninit;sleep 60\n";
const WHOLE = { sleep: "60%", parse: "30%", run: "10%" };
/** The functions' own parts. Of the text of perf each command is a profile: the first one's is shown, by times. */
const FILES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "boot.speedscope.json": WHOLE,
  "boot.pb.gz": WHOLE,
  "boot.perf": { parse: "76%", run: "24%" },
  "boot.collapsedstack.txt": WHOLE,
};

/** The rows of the "Sandwich" table: function, its total and self weight. */
async function rows(browser: Browser, folder: string, name: string): Promise<string[]> {
  const file = profileFormat(name).encode(parseFolded(STACKS), { name: "boot", periodNs: 1e6 });
  const bytes = typeof file === "string" ? new TextEncoder().encode(file) : file;
  // As speedscope's own command line does: a script that hands the file over.
  const script = join(folder, `${name}.js`);
  writeFileSync(
    script,
    `speedscope.loadFileFromBase64(${JSON.stringify(name)}, "${bytes.toBase64()}")`,
  );
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  const imported = page.waitForEvent("console", (message) => message.text().startsWith("import:"));
  await page.goto(`${PAGE}#localProfilePath=${script}`);
  await imported;
  await page.getByText("Sandwich").click();
  await page.getByText("parse").first().waitFor();
  const text = await page.locator("table tr").allInnerTexts();
  await page.close();
  assert.deepEqual(errors, []);
  return text.map((row) => row.replace(/\s+/g, " ").trim());
}

Deno.test({
  name: "speedscope opens profiles in its own format, as pprof, perf script and folded stacks",
  ignore: !existsSync(CHROMIUM) || !existsSync(fileURLToPath(PAGE)),
  // The browser's pipes outlive the page by a moment.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const folder = mkdtempSync(join(tmpdir(), "speedscope-"));
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      // It draws with WebGL, which needs the software GPU.
      args: ["--no-sandbox", "--no-first-run", "--disable-background-networking"],
    });
    try {
      for (const [name, parts] of Object.entries(FILES)) {
        const seen = await rows(browser, folder, name);
        for (const [symbol, part] of Object.entries(parts)) {
          const row = seen.find((one) => one.endsWith(` ${symbol}`)) ?? "";
          assert.ok(row.includes(part), `${name}: ${seen.join(" | ")}`);
        }
      }
    } finally {
      await browser.close();
      rmSync(folder, { recursive: true });
    }
  },
});

Deno.test("our speedscope file has what its schema requires", () => {
  const { definitions } = schema;
  const file = JSON.parse(
    profileFormat("a.speedscope.json").encode(parseFolded(STACKS), {
      name: "a",
      periodNs: 5,
    }) as string,
  );
  const required = (name: string): string[] =>
    (definitions as Record<string, { required?: string[] }>)[name]?.required ?? [];
  assert.ok(
    required("FileFormat.File").length >= 3 && required("FileFormat.SampledProfile").length >= 6,
  );
  for (const name of required("FileFormat.File")) assert.ok(name in file, name);
  for (const name of required("FileFormat.SampledProfile")) {
    assert.ok(name in file.profiles[0], name);
  }
});
