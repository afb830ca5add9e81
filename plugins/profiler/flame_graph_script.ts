/**
 * The script inside the flame graph's SVG: zoom, search, reset, keyboard. Plain ECMAScript for the
 * browser, kept as text, because the SVG has to stand alone.
 *
 * @module
 */

/** Runs in the SVG document; knows the frames by their data- attributes (n name, s start, c count, d depth). */
export const FLAME_GRAPH_SCRIPT: string = String.raw`"use strict";
(() => {
  const svg = document.documentElement;
  const number = (element, key) => Number(element.getAttribute("data-" + key));
  const margin = number(svg, "margin"), character = number(svg, "character");
  const width = svg.viewBox.baseVal.width - 2 * margin;
  const frames = [...document.querySelectorAll(".frame")].map((group) => ({
    group, name: group.getAttribute("data-n"), start: number(group, "s"), count: number(group, "c"),
    depth: number(group, "d"), rect: group.querySelector("rect"), text: group.querySelector("text"),
    title: group.querySelector("title").textContent, fill: group.querySelector("rect").getAttribute("fill"),
  }));
  const [reset, search, matched, details] = ["reset", "search", "matched", "details"].map((id) => document.getElementById(id));
  let zoomed = frames[0], pattern = "";

  const remember = () => {
    const query = new URLSearchParams();
    if (zoomed && zoomed !== frames[0]) query.set("zoom", zoomed.depth + "." + zoomed.start);
    if (pattern) query.set("search", pattern);
    try { history.replaceState(null, "", query.size ? "?" + query : location.pathname); } catch { /* a file: page may refuse */ }
  };
  const label = (frame, pixels) => {
    const room = Math.floor((pixels - 6) / character);
    const last = frame.name.slice(frame.name.lastIndexOf("/") + 1);
    const name = frame.name.length <= room ? frame.name : last;
    frame.text.textContent = room < 3 ? "" : name.length <= room ? name : name.slice(0, room - 2) + "..";
  };
  const zoom = (target) => {
    if (!target) return;
    zoomed = target;
    const scale = width / target.count, end = target.start + target.count;
    for (const frame of frames) {
      const parent = frame.depth < target.depth && frame.start <= target.start && frame.start + frame.count >= end;
      const inside = frame.depth >= target.depth && frame.start >= target.start && frame.start + frame.count <= end;
      frame.group.classList.toggle("hidden", !parent && !inside);
      frame.group.classList.toggle("parent", parent);
      if (!parent && !inside) continue;
      const x = parent ? margin : margin + (frame.start - target.start) * scale;
      const pixels = parent ? width : frame.count * scale;
      frame.rect.setAttribute("x", x.toFixed(1));
      frame.rect.setAttribute("width", pixels.toFixed(1));
      frame.text.setAttribute("x", (x + 3).toFixed(1));
      label(frame, pixels);
    }
    reset.classList.toggle("hidden", target === frames[0]);
    remember();
  };
  const find = (text) => {
    pattern = text || "";
    let expression;
    try { expression = pattern ? new RegExp(pattern) : undefined; } catch { matched.textContent = "Not a regular expression: " + pattern; return; }
    const hits = [];
    for (const frame of frames) {
      const hit = expression !== undefined && frame !== frames[0] && expression.test(frame.name);
      frame.rect.setAttribute("fill", hit ? "#e600e6" : frame.fill);
      if (hit) hits.push(frame);
    }
    // Count what is under any matching frame once: frames come by depth, so parents come first.
    let covered = 0;
    const spans = [];
    for (const hit of hits) {
      if (spans.some((span) => hit.start >= span.start && hit.start + hit.count <= span.start + span.count)) continue;
      spans.push(hit);
      covered += hit.count;
    }
    matched.textContent = pattern ? "Matched: " + (100 * covered / Math.max(1, frames[0].count)).toFixed(2) + "%" : "";
    search.textContent = pattern ? "Clear search" : "Search";
    remember();
  };
  for (const frame of frames) {
    frame.group.addEventListener("click", () => zoom(frame));
    frame.group.addEventListener("mouseover", () => { details.textContent = frame.title; });
    frame.group.addEventListener("mouseout", () => { details.textContent = ""; });
  }
  reset.addEventListener("click", () => zoom(frames[0]));
  const ask = () => {
    if (pattern) find("");
    else { const text = prompt("Search for (regular expression):", ""); if (text) find(text); }
  };
  search.addEventListener("click", ask);
  addEventListener("keydown", (event) => {
    if (event.key === "F3" || (event.ctrlKey && event.key === "f")) { event.preventDefault(); ask(); }
    if (event.key === "Escape") { find(""); zoom(frames[0]); }
  });
  const query = new URLSearchParams(location.search);
  if (query.get("search")) find(query.get("search"));
  if (query.get("zoom")) zoom(frames.find((frame) => frame.depth + "." + frame.start === query.get("zoom")));
})();`;
