/**
 * Draws folded stacks as an interactive SVG: click to zoom, Ctrl-F to search by regular expression,
 * "Reset zoom" to go back; zoom and search survive in the URL. The file stands alone and is the same for
 * the same stacks: colours come from the names.
 *
 * @module
 */
import type { StackCounts } from "./folded.ts";
import { FLAME_GRAPH_SCRIPT } from "./flame_graph_script.ts";

/** Options of {@linkcode flameGraphSvg}. */
export interface FlameGraphOptions {
  /** Heading of the picture. */
  readonly title?: string;
  /** A line below the heading. */
  readonly subtitle?: string;
  /** Width in pixels. */
  readonly width?: number;
  /** What is counted, in the plural. */
  readonly countName?: string;
  /** Frames narrower than this many pixels are left out. */
  readonly minimumWidth?: number;
  /**
   * By how many samples stacks have grown since another profile: then the frame that a stack ends with is red where it
   * has grown, blue where it has shrunk, the more the deeper, and the others are pale.
   */
  readonly changes?: ReadonlyMap<string, number>;
}

interface Frame {
  readonly name: string;
  /** Frames from the root to this one. */
  readonly stack: string;
  readonly depth: number;
  readonly start: number;
  readonly end: number;
}

const FRAME_HEIGHT = 17;
const FONT_SIZE = 12;
const CHARACTER_WIDTH = 7.1;
const MARGIN_X = 10;
const HEADER = 62;
const FOOTER = 34;

/** Draws the stacks; the root row "all" is at the bottom. */
export function flameGraphSvg(stacks: StackCounts, options: FlameGraphOptions = {}): string {
  const width = options.width ?? 1200;
  const countName = options.countName ?? "samples";
  const frames = layOut(stacks);
  const total = stacks.total;
  const scale = total === 0 ? 0 : (width - 2 * MARGIN_X) / total;
  const minimum = options.minimumWidth ?? 0.1;
  const visible = frames.filter((frame) => (frame.end - frame.start) * scale >= minimum);
  const depth = visible.reduce((most, frame) => Math.max(most, frame.depth), 0);
  const height = HEADER + (depth + 1) * FRAME_HEIGHT + FOOTER;
  const { changes } = options;
  let mostChange = 1;
  for (const change of changes?.values() ?? []) mostChange = Math.max(mostChange, Math.abs(change));
  const rows = visible.map((frame) =>
    drawFrame(frame, { scale, height, total, countName, changes, mostChange })
  );
  const title = escapeXml(options.title ?? "Flame graph");
  const subtitle = options.subtitle === undefined
    ? ""
    : `<text class="subtitle" x="${width / 2}" y="42">${escapeXml(options.subtitle)}</text>\n`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" data-margin="${MARGIN_X}" data-total="${total}" data-character="${CHARACTER_WIDTH}">
<style>
text { font: ${FONT_SIZE}px Verdana, "DejaVu Sans", sans-serif; fill: #111; }
.title { font-size: 17px; text-anchor: middle; }
.subtitle { text-anchor: middle; fill: #555; }
.button { cursor: pointer; opacity: 0.55; }
.button:hover { opacity: 1; }
.end { text-anchor: end; }
.frame { cursor: pointer; }
.frame:hover rect { stroke: #111; stroke-width: 0.6; }
.frame text { pointer-events: none; }
.parent { opacity: 0.5; }
.hidden { display: none; }
</style>
<defs><linearGradient id="background" x1="0" y1="0" x2="0" y2="1"><stop stop-color="#fbfaf6" offset="5%"/><stop stop-color="#f1ead6" offset="95%"/></linearGradient></defs>
<rect width="100%" height="100%" fill="url(#background)"/>
<text class="title" x="${width / 2}" y="24">${title}</text>
${subtitle}<text id="reset" class="button hidden" x="${MARGIN_X}" y="24">Reset zoom</text>
<text id="search" class="button end" x="${width - MARGIN_X}" y="24">Search</text>
<text id="matched" class="end" x="${width - MARGIN_X}" y="${height - 12}"></text>
<text id="details" x="${MARGIN_X}" y="${height - 12}"></text>
<g id="frames">
${rows.join("\n")}
</g>
<script><![CDATA[
${FLAME_GRAPH_SCRIPT}
]]></script>
</svg>
`;
}

/** Merges equal prefixes of the sorted stacks into frames. */
function layOut(stacks: StackCounts): Frame[] {
  const frames: Frame[] = [];
  const open: { name: string; stack: string; start: number }[] = [];
  let position = 0;
  const close = (depth: number): void => {
    while (open.length > depth) {
      const frame = open.pop()!;
      frames.push({ ...frame, depth: open.length, end: position });
    }
  };
  for (const { stack, count } of stacks.entries()) {
    const names = ["all", ...stack.split(";")];
    let same = 0;
    while (same < open.length && same < names.length && open[same]!.name === names[same]) same++;
    close(same);
    for (const name of names.slice(same)) {
      const above = open.at(-1)?.stack ?? "";
      const stack = open.length === 0 ? "" : above === "" ? name : `${above};${name}`;
      open.push({ name, stack, start: position });
    }
    position += count;
  }
  close(0);
  return frames.sort((a, b) => a.depth - b.depth || a.start - b.start);
}

function drawFrame(
  frame: Frame,
  page: {
    scale: number;
    height: number;
    total: number;
    countName: string;
    changes: ReadonlyMap<string, number> | undefined;
    mostChange: number;
  },
): string {
  const x = MARGIN_X + frame.start * page.scale;
  const width = (frame.end - frame.start) * page.scale;
  const y = page.height - FOOTER - (frame.depth + 1) * FRAME_HEIGHT;
  const count = frame.end - frame.start;
  const percent = ((100 * count) / page.total).toFixed(2);
  const name = escapeXml(frame.name);
  const { changes } = page;
  const change = changes?.get(frame.stack) ?? 0;
  const grown = change === 0
    ? ""
    : `; ${change > 0 ? "+" : "−"}${((100 * Math.abs(change)) / page.total).toFixed(2)}%`;
  const fill = changes === undefined ? colour(frame.name) : changeColour(change / page.mostChange);
  const room = Math.floor((width - 6) / CHARACTER_WIDTH);
  const label = escapeXml(fit(frame.name, room));
  return `<g class="frame" data-n="${name}" data-s="${frame.start}" data-c="${count}" data-d="${frame.depth}">` +
    `<title>${name} (${
      count.toLocaleString("en-US")
    } ${page.countName}, ${percent}%${grown})</title>` +
    `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${
      FRAME_HEIGHT - 1
    }" rx="2" fill="${fill}"/>` +
    `<text x="${(x + 3).toFixed(1)}" y="${y + 12.5}">${label}</text></g>`;
}

/** As much of a name as `room` characters hold; of a path (`dir/file/function`) its last part first. */
function fit(name: string, room: number): string {
  if (room < 3) return "";
  if (name.length <= room) return name;
  const last = name.slice(name.lastIndexOf("/") + 1);
  return last.length <= room ? last : `${last.slice(0, room - 2)}..`;
}

/** A warm colour for code, a cool one for user programs' unnamed code, grey for separators. */
function colour(name: string): string {
  if (name === "all" || name === "-" || name === "--") return "#d8d4c6";
  let hash = 0x811c9dc5; // FNV-1a: the same name has the same colour in every graph
  for (const character of name) hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193);
  const a = (hash >>> 8 & 0xff) / 255;
  const b = (hash >>> 16 & 0xff) / 255;
  const unnamed = name.startsWith("[");
  const hue = unnamed ? 190 + 30 * a : 8 + 44 * a;
  const saturation = unnamed ? 45 : 78 + 14 * b;
  return `hsl(${hue.toFixed(0)},${saturation.toFixed(0)}%,${(60 + 12 * b).toFixed(0)}%)`;
}

/** Pale for no change; red for more, blue for less, deepest at ±1. */
function changeColour(change: number): string {
  if (change === 0) return "#e2ddcd";
  const lightness = 88 - 38 * Math.sqrt(Math.abs(change));
  return `hsl(${change > 0 ? 4 : 214},80%,${lightness.toFixed(0)}%)`;
}

function escapeXml(text: string): string {
  // Control characters are not XML; a symbol may hold any byte.
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f]/g, "?").replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
