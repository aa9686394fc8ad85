"use strict";
// Draws the figures in #figures with the plotly that #plotly holds. Nothing is fetched: the page's policy forbids it.

const page = JSON.parse(document.getElementById("figures").textContent);
const PRINT_WIDTH_PX = 800; // A4 less its margins, over the zoom that page.css gives to printed figures
const LABEL_PX = 11;
const MOST_INK = 12;
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2419200];
const DAY_S = 86400;
const touch = !window.matchMedia("(hover: hover) and (pointer: fine)").matches;
const hidden = {};
const paper = document.createElement("canvas").getContext("2d");
let timeView = null; // what the drawings with a time axis show of it, null for all
let mapView = null;
let drawing = false;

async function loadPlotly() {
  const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (c) => c.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(unpacked).text();
  document.head.append(script);
}

function coloured(value, style) {
  if (typeof value === "string") {
    return value.startsWith("var(--") ? style.getPropertyValue(value.slice(4, -1)).trim() : value;
  }
  if (Array.isArray(value)) return value.map((item) => coloured(item, style));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, style)]));
  }
  return value;
}

// The local time of day ---------------------------------------------------------------------------------------------

function offsetAt(t) {
  let offset = page.offsets[0][1];
  for (const [from, seconds] of page.offsets) if (from <= t) offset = seconds;
  return offset;
}

function timeTicks(from, to, widthPx) {
  const pxPerS = widthPx / (to - from);
  const room = (step) => (step >= DAY_S ? 78 : step < 60 ? 64 : 48);
  const step = STEPS_S.find((s) => s * pxPerS >= room(s)) || STEPS_S[STEPS_S.length - 1];
  const ticks = [];
  page.offsets.forEach(([start, offset], i) => {
    const begin = Math.max(from, i ? start : -Infinity);
    const end = Math.min(to, i + 1 < page.offsets.length ? page.offsets[i + 1][0] - 1e-6 : Infinity);
    const zero = page.startEpochS + offset;
    for (let local = Math.ceil((zero + begin) / step) * step; local - zero <= end; local += step) ticks.push(local - zero);
  });
  const midnight = (t) => (page.startEpochS + t + offsetAt(t)) % DAY_S === 0;
  const dated = (t, i) => {
    const roomy = (to - t) * pxPerS >= 20 && (t - from) * pxPerS >= 0;
    return step >= DAY_S || (midnight(t) ? roomy : i === 0 && !ticks.slice(1, 3).some(midnight));
  };
  return { tickmode: "array", tickvals: ticks, ticktext: ticks.map((t, i) => tickText(t, step, dated(t, i))) };
}

function tickText(t, step, dated) {
  const local = new Date((page.startEpochS + t + offsetAt(t)) * 1000);
  const part = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options }).format(local);
  const day = part({ weekday: "short" }) + " " + part({ day: "numeric", month: "short" });
  if (step >= DAY_S) return day;
  const clock = part({ hour: "2-digit", minute: "2-digit", ...(step < 60 ? { second: "2-digit" } : {}) });
  return dated ? clock + "<br>" + day : clock;
}

// Labels that keep out of each other's way --------------------------------------------------------------------------

function placeLabels(figure, frame, family) {
  paper.font = LABEL_PX + "px " + family;
  frame.poles = {};
  for (const label of figure.labels) (frame.poles[label.lane] ||= []).push(frame.x(label.x));
  frame.ink = figure.labels.some((label) => label.mode === "around") ? inkOf(figure.traces, frame) : [];
  const annotations = [], leaders = [], taken = {};
  const labels = figure.labels.filter((label) => !(hidden[figure.name] || new Set()).has(label.group));
  for (const label of [...labels].sort((a, b) => a.priority - b.priority)) {
    const width = paper.measureText(label.text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&")).width;
    const lane = (taken[label.lane] ||= []);
    const place = { above: placeAbove, inside: placeInside, around: placeAround }[label.mode];
    const found = place(label, width, frame, lane);
    if (!found) continue;
    annotations.push({
      xref: "x", yref: label.yref, text: label.text, showarrow: false, xanchor: "center", yanchor: "middle",
      font: { size: LABEL_PX, color: label.colour }, ...found.annotation,
    });
    if (found.leader) leaders.push(found.leader);
  }
  return { annotations, leaders };
}

// Above its mark, or as a flag to the left or the right of its pole: where it covers the fewest poles of other marks.
function placeAbove(label, width, frame, lane) {
  const x = frame.x(label.x);
  if (x < -1 || x > frame.width + 1) return null;
  const poles = frame.poles[label.lane].filter((pole) => pole !== x);
  let best = null;
  for (let row = 0; row < label.rows; row++) {
    for (const [flag, middle] of [[0, x], [-1, x - width / 2 - 3], [1, x + width / 2 + 3]]) {
      const box = { left: middle - width / 2 - 2, right: middle + width / 2 + 2, row, pole: x };
      if (box.left < -frame.margin.l || box.right > frame.width + frame.margin.r) continue;
      const clash = lane.some((other) =>
        (other.row === row && box.right + 3 > other.left && box.left < other.right + 3) ||
        (other.row < row && x > other.left && x < other.right) ||
        (other.row > row && other.pole > box.left && other.pole < box.right));
      const cost = row + poles.filter((pole) => pole > box.left && pole < box.right).length * 0.8 + (flag ? 0.1 : 0);
      if (!clash && (!best || cost < best.cost)) best = { ...box, middle, flag, cost };
    }
  }
  if (!best) return null;
  lane.push(best);
  const height = 15 + best.row * 16;
  return {
    annotation: { x: label.x, y: label.y, xshift: best.middle - x, yshift: height },
    leader: { type: "line", xref: "x", yref: label.yref, x0: label.x, x1: label.x, y0: label.y - 5, y1: label.y - height + (best.flag ? -5 : 7), line: { color: label.colour, width: 1 } },
  };
}

function placeInside(label, width, frame) {
  const left = Math.max(0, frame.x(label.x)), right = Math.min(frame.width, frame.x(label.x1));
  if (right - left < width + 8) return null;
  const middle = frame.value((left + right) / 2);
  return { annotation: { x: middle, y: label.y } };
}

// Beside its point and clear of what the point stands for, where it covers least of the lines and dots.
function placeAround(label, width, frame, lane) {
  const x = frame.x(label.x), y = frame.y(label.y, label.yref);
  const reach = Math.abs(frame.x(label.x + label.reach) - x);
  const side = width / 2 + Math.max(9, reach + 4), up = Math.max(16, reach + 10);
  let best = null;
  const beside = (end) => [0, -26, 26].flatMap((dy) => [[-side, dy], [frame.x(end) - x + side, dy]]);
  const around = [[side, 0], [-side, 0], [0, -up], [0, up], [side, -15], [-side, -15], [side, 15], [-side, 15], [side, -30], [-side, -30], [side, 30], [-side, 30], [0, -up - 16], [0, up + 16], [side, -45], [-side, -45], [side, 45], [-side, 45]];
  for (const [dx, dy] of label.x1 === null ? around : beside(label.x1)) {
    const box = { left: x + dx - width / 2 - 2, right: x + dx + width / 2 + 2, top: y + dy - 8, bottom: y + dy + 8 };
    if (box.left < 0 || box.right > frame.width || box.top < 0 || box.bottom > frame.height) continue;
    if (lane.some((o) => box.left < o.right && box.right > o.left && box.top < o.bottom && box.bottom > o.top)) continue;
    const cost = frame.ink.filter((p) => p[0] > box.left && p[0] < box.right && p[1] > box.top && p[1] < box.bottom).length;
    if (!best || cost < best.cost) best = { box, dx, dy, cost };
  }
  if (!best || (label.priority > 0 && best.cost > MOST_INK)) return null;
  lane.push(best.box, { left: x - 5, right: x + 5, top: y - 5, bottom: y + 5 });
  return { annotation: { x: label.x, y: label.y, xshift: best.dx, yshift: -best.dy } };
}

// The pixels that lines and dots cover, a few apart.
function inkOf(traces, frame) {
  const ink = [];
  for (const trace of traces.filter((t) => t.type === "scatter" && t.fill === undefined)) {
    let last = null;
    trace.x.forEach((value, i) => {
      if (value === null || trace.y[i] === null) { last = null; return; }
      const here = [frame.x(value), frame.y(trace.y[i], trace.yaxis || "y")];
      const steps = last && trace.mode === "lines" ? Math.min(200, Math.ceil(Math.hypot(here[0] - last[0], here[1] - last[1]) / 4)) : 1;
      for (let k = 1; k <= steps; k++) {
        ink.push(last ? [last[0] + ((here[0] - last[0]) * k) / steps, last[1] + ((here[1] - last[1]) * k) / steps] : here);
      }
      last = trace.mode === "lines" ? here : null;
    });
  }
  return ink;
}

// Drawing -----------------------------------------------------------------------------------------------------------

function equalRanges(xaxis, yaxis, width, height) {
  const scale = Math.max((xaxis[1] - xaxis[0]) / width, (yaxis[1] - yaxis[0]) / height);
  const around = (range, pixels) => [(range[0] + range[1] - scale * pixels) / 2, (range[0] + range[1] + scale * pixels) / 2];
  return [around(xaxis, width), around(yaxis, height)];
}

function frameOf(layout, width, height) {
  const [from, to] = layout.xaxis.range;
  return {
    width, height, margin: layout.margin,
    x: (value) => ((value - from) / (to - from)) * width,
    value: (pixel) => from + (pixel / width) * (to - from),
    y: (value, ref) => {
      if (ref === "paper") return (1 - value) * height;
      const axis = layout[ref.replace("y", "yaxis")];
      const [low, high] = axis.domain || [0, 1];
      const share = (value - axis.range[0]) / (axis.range[1] - axis.range[0]);
      return (1 - low - share * (high - low)) * height;
    },
  };
}

function draw(figure, fixedWidth) {
  const box = document.getElementById("plot-" + figure.name);
  const style = getComputedStyle(document.documentElement);
  const outer = fixedWidth || box.clientWidth;
  const layout = coloured(structuredClone(figure.layout), style);
  const width = outer - layout.margin.l - layout.margin.r;
  const off = hidden[figure.name] || new Set();
  if (figure.localTime) {
    if (timeView) layout.xaxis.range = [...timeView];
    Object.assign(layout.xaxis, timeTicks(...layout.xaxis.range, width));
  }
  let height = figure.plotPx;
  if (figure.equal) {
    const [x, y] = [layout.xaxis.range, layout.yaxis.range];
    height = Math.min(figure.plotPx, Math.max(240, (width * (y[1] - y[0])) / (x[1] - x[0])));
    [layout.xaxis.range, layout.yaxis.range] = equalRanges(...(mapView || [x, y]), width, height);
  }
  box.style.minHeight = "0";
  layout.width = outer;
  layout.height = height + layout.margin.t + layout.margin.b;
  layout.font.color = style.getPropertyValue("--ink").trim();
  layout.dragmode = touch ? false : "zoom";
  if (touch) layout.xaxis.fixedrange = layout.yaxis.fixedrange = true;
  const placed = placeLabels(figure, frameOf(layout, width, height), layout.font.family);
  layout.annotations = [...(layout.annotations || []), ...coloured(placed.annotations, style)];
  layout.shapes = [...(layout.shapes || []), ...coloured(placed.leaders, style)];
  const traces = coloured(figure.traces, style).map((trace) => ({ ...trace, visible: !off.has(trace.legendgroup) }));
  const config = { displayModeBar: false, scrollZoom: false, showTips: false, doubleClick: "reset", responsive: false };
  return Plotly.react(box, traces, layout, config);
}

async function drawAll(fixedWidth) {
  if (drawing) return;
  drawing = true;
  for (const figure of page.figures) await draw(figure, fixedWidth);
  drawing = false;
}

function rangeOf(change, axis) {
  return change[axis + ".range"] || (axis + ".range[0]" in change ? [change[axis + ".range[0]"], change[axis + ".range[1]"]] : null);
}

function onZoom(figure, change) {
  if (drawing) return;
  const x = rangeOf(change, "xaxis"), y = rangeOf(change, "yaxis");
  if (figure.localTime) timeView = x && x[1] - x[0] >= 1 ? x : null;
  if (figure.equal) mapView = x && y ? [x, y] : null;
  drawAll();
}

function onDoubleClick(figure) {
  if (figure.localTime) timeView = null;
  if (figure.equal) mapView = null;
  drawAll();
}

function listen() {
  for (const figure of page.figures) {
    const box = document.getElementById("plot-" + figure.name);
    box.on("plotly_relayout", (change) => onZoom(figure, change));
    box.on("plotly_doubleclick", () => onDoubleClick(figure));
  }
  for (const button of document.querySelectorAll(".legend button")) {
    button.addEventListener("click", () => {
      const groups = (hidden[button.dataset.figure] ||= new Set());
      const shown = groups.delete(button.dataset.group);
      if (!shown) groups.add(button.dataset.group);
      button.setAttribute("aria-pressed", String(shown));
      draw(page.figures.find((figure) => figure.name === button.dataset.figure));
    });
  }
  let waiting = 0, lastWidth = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === lastWidth) return;
    lastWidth = window.innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(drawAll, 120);
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll());
  window.addEventListener("beforeprint", () => { document.documentElement.dataset.paper = ""; drawAll(PRINT_WIDTH_PX); });
  window.addEventListener("afterprint", () => { delete document.documentElement.dataset.paper; drawAll(); });
}

loadPlotly().then(() => drawAll()).then(listen).then(() => { document.documentElement.dataset.ready = "yes"; }).catch((error) => {
  for (const box of document.querySelectorAll(".plot")) box.textContent = "This drawing could not be made: " + error;
});
