// Charts of Mallard's pages: plain SVG, drawn when a case is opened, nothing from outside.
//
// A TimeView is the time axis that all charts of a case share: what is zoomed, and where the pointer is.
// A Panel is a chart with axes; Lines, Heat and Grid are panels over time, Curves is one over
// percentiles. Colours are classes (page.css), so that light, dark and paper need no redrawing. Series
// are told apart by dashes as well as by colours.
"use strict";
const Charts = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const DASHES = ["", "6 3", "2 3", "8 3 2 3", "1 4", "10 4", "4 2 1 2", "3 6"];
  const LEFT = 54, RIGHT = 12, TOP = 16, BOTTOM = 20;

  // ---- Figures ---------------------------------------------------------------------------------

  const UNITS = {
    us: [[1e3, 1, "µs"], [1e6, 1e3, "ms"], [12e7, 1e6, "s"], [72e8, 6e7, "min"], [Infinity, 3.6e9, "h"]],
    bytes: [[1024, 1, "B"], [2 ** 20, 1024, "KiB"], [2 ** 30, 2 ** 20, "MiB"], [2 ** 40, 2 ** 30, "GiB"], [Infinity, 2 ** 40, "TiB"]],
    ratio: [[Infinity, 0.01, "%"]],
    per_s: [[Infinity, 1, "/s"]],
  };

  // A figure with its unit in three or four digits, like text/format.rs.
  function quantity(value, unit) {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    if (unit === "bytes_per_s") return quantity(value, "bytes") + "/s";
    const size = Math.abs(value);
    const [, scale, name] = (UNITS[unit] || [[Infinity, 1, unit]]).find(([below]) => size < below);
    const number = value / scale;
    const whole = unit === "records" || unit === "per_s" || unit === "" || name === "B";
    const digits = whole ? 4 : 3;
    let text;
    if (number === 0) text = "0";
    else if (Math.abs(number) >= 10 ** (digits - 1) || (whole && Number.isInteger(number))) text = grouped(Math.round(number));
    else text = number.toPrecision(digits);
    if (text.includes("e")) text = String(Number(text));
    const gap = (name || "").startsWith("/") ? "" : " ";
    return (name && unit !== "records" ? text + gap + name : text).replace("-", "−");
  }

  function grouped(number) {
    return String(number).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  }

  // An axis label: as few digits as tell it from its neighbour.
  function label(value, unit, step) {
    if (value === 0) return "0";
    if (unit === "bytes_per_s") return label(value, "bytes", step) + "/s";
    const [, scale, name] = (UNITS[unit] || [[Infinity, 1, unit]]).find(([below]) => Math.abs(value) < below);
    const places = step ? Math.max(0, Math.ceil(-Math.log10(step / scale) - 1e-9)) : 0;
    let number = value / scale;
    if (unit === "per_s" || unit === "records" || unit === "") {
      if (Math.abs(number) >= 1e6) return `${trim((number / 1e6).toFixed(2))} M`;
      if (Math.abs(number) >= 1e4) return `${trim((number / 1e3).toFixed(1))} k`;
      return trim(number.toFixed(Math.min(places, 4)));
    }
    return `${trim(step ? number.toFixed(Math.min(places, 4)) : number.toPrecision(3))} ${name}`;
  }

  const trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

  // Milliseconds on the run's clock: 0:07.5, 1:02:03.
  function clock(ms, exact) {
    const sign = ms < 0 ? "−" : "";
    const tenths = Math.round(Math.abs(ms) / 100);
    const s = Math.floor(tenths / 10);
    const two = (n) => String(n).padStart(2, "0");
    const head = s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}` : String(Math.floor(s / 60));
    return `${sign}${head}:${two(s % 60)}${exact || tenths % 10 ? "." + (tenths % 10) : ""}`;
  }

  // ---- Ticks -----------------------------------------------------------------------------------

  // Steps of 1, 2 or 5; for bytes, of powers of two of them.
  function niceStep(span, count, unit) {
    const base = unit && unit.startsWith("bytes") ? 2 ** (10 * Math.floor(Math.log2(Math.max(1, span)) / 10)) : 1;
    const rough = span / base / Math.max(1, count);
    const power = 10 ** Math.floor(Math.log10(rough));
    return base * power * [1, 2, 5, 10].find((n) => n * power >= rough * 0.999);
  }

  function linearTicks(low, high, count, unit) {
    const step = niceStep(high - low || 1, count, unit);
    const ticks = [];
    for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-6; at += step) ticks.push(at);
    return { ticks, step };
  }

  function logTicks(low, high) {
    const decades = Math.log10(high / low);
    const steps = decades > 4 ? [1] : decades > 2 ? [1, 3] : [1, 2, 5];
    const ticks = [];
    for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10) {
      for (const n of steps) if (n * power >= low * 0.999 && n * power <= high * 1.001) ticks.push(n * power);
    }
    return ticks;
  }

  const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE;
  const TIME_STEPS = [100, 200, 500, 1, 2, 5, 10, 15, 30].map((n, at) => (at < 3 ? n : n * SECOND))
    .concat([1, 2, 5, 10, 15, 30].map((n) => n * MINUTE), [1, 2, 3, 6, 12, 24, 48, 96, 168].map((n) => n * HOUR));

  function timeTicks(from, to, width) {
    const room = Math.max(2, width / 75);
    const step = TIME_STEPS.find((step) => (to - from) / step <= room) || TIME_STEPS[TIME_STEPS.length - 1];
    const ticks = [];
    for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push(at);
    return ticks;
  }

  // ---- SVG -------------------------------------------------------------------------------------

  function el(name, attributes, parent, text) {
    const node = document.createElementNS(SVG, name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    if (parent) parent.appendChild(node);
    return node;
  }

  function html(name, attributes, parent, text) {
    const node = document.createElement(name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    if (parent) parent.appendChild(node);
    return node;
  }

  const px = (value) => Math.round(value * 10) / 10;

  // The last row whose start is not after the moment; -1 if there is none.
  function rowAt(starts, moment) {
    let low = 0, high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= moment) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  // ---- The shared time axis --------------------------------------------------------------------

  class TimeView {
    constructor(end) {
      this.end = Math.max(end, 1);
      this.from = 0;
      this.to = this.end;
      this.cursor = null;
      this.panels = [];
      this.onCursor = () => {};
    }

    get zoomed() { return this.from > 0 || this.to < this.end; }

    zoom(from, to) {
      const least = Math.min(this.end, 2000);
      const middle = (from + to) / 2;
      const half = Math.max(to - from, least) / 2;
      this.from = Math.max(0, middle - half);
      this.to = Math.min(this.end, middle + half);
      for (const panel of this.panels) panel.draw();
      this.onCursor(this);
    }

    scale(factor) {
      const middle = this.cursor ?? (this.from + this.to) / 2;
      this.zoom(middle - (middle - this.from) * factor, middle + (this.to - middle) * factor);
    }

    all() { this.zoom(0, this.end); }

    point(moment) {
      this.cursor = moment === null ? null : Math.min(Math.max(moment, this.from), this.to);
      for (const panel of this.panels) panel.showCursor();
      this.onCursor(this);
    }

    move(by) {
      const moment = (this.cursor ?? this.from) + by;
      if (moment < this.from || moment > this.to) this.zoom(this.from + by * 10, this.to + by * 10);
      this.point(Math.min(Math.max(0, moment), this.end));
    }
  }

  // ---- Panels ----------------------------------------------------------------------------------

  let ids = 0;

  class Panel {
    // spec: title, note, unit, height, log, label (for screen readers)
    constructor(host, spec) {
      this.spec = spec;
      this.figure = html("figure", {}, host);
      const caption = html("figcaption", {}, this.figure);
      html("b", {}, caption, spec.title);
      if (spec.note) html("span", {}, caption, spec.note);
      this.tools = html("span", {}, caption);
      this.height = spec.height || 190;
      this.svg = el("svg", { class: "plot", tabindex: "0", role: "img", height: this.height, "aria-label": spec.label || spec.title }, this.figure);
      this.legend = html("div", { class: "legend" }, this.figure);
      this.id = ++ids;
      this.width = 0;
      new ResizeObserver(() => {
        const width = this.svg.clientWidth;
        if (width && Math.abs(width - this.width) >= 1) this.draw();
      }).observe(this.svg);
    }

    // Measures, clears, and leaves `this.root` clipped to the plot.
    frame() {
      this.width = this.svg.clientWidth || this.width || 800;
      this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
      this.svg.textContent = "";
      this.plot = { x: LEFT, y: TOP, w: Math.max(40, this.width - LEFT - RIGHT), h: this.height - TOP - BOTTOM };
      const { x, y, w, h } = this.plot;
      const clip = el("clipPath", { id: `clip-${this.id}` }, el("defs", {}, this.svg));
      el("rect", { x, y: y - 3, width: w, height: h + 6 }, clip);
      this.back = el("g", { "clip-path": `url(#clip-${this.id})` }, this.svg);
      this.axes = el("g", {}, this.svg);
      this.root = el("g", { "clip-path": `url(#clip-${this.id})` }, this.svg);
      this.front = el("g", {}, this.svg);
    }

    yAxis(low, high, log, unit) {
      const { x, y, w, h } = this.plot;
      const share = log ? (v) => Math.log(Math.max(v, low) / low) / Math.log(high / low) : (v) => (v - low) / (high - low);
      this.y = (value) => y + h - h * share(value);
      const count = Math.max(2, Math.floor(h / 30));
      const { ticks, step } = log ? { ticks: logTicks(low, high), step: 0 } : linearTicks(low, high, count, unit);
      for (const tick of ticks) {
        const at = px(this.y(tick));
        if (tick !== 0 || log) el("line", { class: "grid", x1: x, x2: x + w, y1: at, y2: at }, this.axes);
        el("text", { x: x - 7, y: at + 4, "text-anchor": "end" }, this.axes, label(tick, unit, step));
      }
      el("line", { class: "axis", x1: x, x2: x + w, y1: y + h, y2: y + h }, this.axes);
    }

    tick(at, text, anchor) {
      const { y, h } = this.plot;
      el("line", { class: "axis", x1: at, x2: at, y1: y + h, y2: y + h + 4 }, this.axes);
      el("text", { x: at, y: y + h + 16, "text-anchor": anchor || "middle" }, this.axes, text);
    }

    key(name, sample, pressed, toggle) {
      const button = html("button", { class: "key", type: "button" }, this.legend);
      if (toggle) {
        button.setAttribute("aria-pressed", String(pressed));
        button.addEventListener("click", () => button.setAttribute("aria-pressed", String(toggle())));
      } else button.disabled = true;
      if (sample) button.appendChild(sample);
      html("span", {}, button, name);
      return html("output", {}, button);
    }
  }

  function sampleLine(colour, dash, width) {
    const svg = el("svg", { width: 26, height: 10, "aria-hidden": "true" });
    el("line", { class: `s${colour}`, x1: 1, x2: 25, y1: 5, y2: 5, "stroke-width": width, "stroke-dasharray": dash }, svg);
    return svg;
  }

  // A chart over time.
  class TimePanel extends Panel {
    constructor(host, view, context, spec) {
      super(host, spec);
      this.view = view;
      this.context = context;
      view.panels.push(this);
      this.listen();
    }

    x(moment) {
      return this.plot.x + (this.plot.w * (moment - this.view.from)) / (this.view.to - this.view.from);
    }

    moment(event) {
      const share = (event.clientX - this.svg.getBoundingClientRect().left - this.plot.x) / this.plot.w;
      return this.view.from + Math.min(Math.max(share, 0), 1) * (this.view.to - this.view.from);
    }

    // Phases that are not measured, gaps, windows that failed, and the time axis itself.
    timeAxis() {
      const { x, y, w, h } = this.plot;
      const { from, to } = this.view;
      for (const phase of this.context.phases) {
        if (phase.to < from || phase.from > to) continue;
        const [a, b] = [Math.max(x, this.x(phase.from)), Math.min(x + w, this.x(phase.to))];
        if (!phase.measured) el("rect", { class: "idle", x: px(a), y, width: px(b - a), height: h }, this.back);
        if (phase.from > from) el("line", { class: "edge", x1: px(a), x2: px(a), y1: y, y2: y + h }, this.back);
        const text = phase.measured ? phase.name : `${phase.name} (not measured)`;
        for (const words of [text, phase.name]) {
          if (words.length * 5.4 > b - a - 6) continue;
          el("text", { class: "phase", x: px(a + 4), y: y - 5 }, this.front, words);
          break;
        }
      }
      for (const band of this.context.bands) this.band(band);
      for (const mark of this.context.marks) {
        if (mark.at < from || mark.at > to) continue;
        const at = px(this.x(mark.at));
        el("line", { class: "failedge", x1: at, x2: at, y1: y, y2: y + h }, this.front);
        const flag = el("path", { class: "mark", d: `M${at} ${y}l9 4l-9 4z` }, this.front);
        el("title", {}, flag, mark.text);
      }
      const ticks = timeTicks(from, to, w);
      for (const tick of ticks) {
        const at = this.x(tick);
        this.tick(px(at), clock(tick), at > this.width - 24 ? "end" : "middle");
      }
    }

    band(band) {
      const { y, h } = this.plot;
      if (band.to < this.view.from || band.from > this.view.to) return;
      const at = this.x(band.from), width = Math.max(1.5, this.x(band.to) - at);
      const name = { gap: "gap", thin: "thin", fail: "failband", cut: "thin", share: "gap", outage: "outage", fault: "fault" }[band.kind];
      const rect = el("rect", { class: name, x: px(at), y, width: px(width), height: h }, this.back);
      el("title", {}, rect, band.text);
      // At the foot, since a stretch that failed has its word at the head.
      if (band.kind === "outage" && width > 44) el("text", { class: "outagetext", x: px(at + 4), y: y + h - 5 }, this.front, "outage");
      if (band.kind !== "fail" && width < 4) {
        const flag = el("path", { class: "mark", d: `M${px(at + width / 2)} ${y + 6}l-4 -6h8z` }, this.front);
        el("title", {}, flag, band.text);
      }
      if (band.kind !== "fail") return;
      for (const edge of [at, at + width]) el("line", { class: "failedge", x1: px(edge), x2: px(edge), y1: y, y2: y + h }, this.back);
      if (this.covered(band, at)) return;
      if (width > 34 || this.view.to - this.view.from < this.view.end) el("text", { class: "failtext", x: px(at + 3), y: y + 10 }, this.front, "✗ failed");
      else el("text", { class: "failtext", x: px(at + width / 2), y: y + 10, "text-anchor": "middle" }, this.front, "✗");
    }

    // Whether a word here would be written over one that stands there already: stretches that failed may be
    // many, and belong to several expectations.
    covered(band, at) {
      const before = this.context.bands.slice(0, this.context.bands.indexOf(band));
      return before.some((other) => other.kind === "fail" && other.to >= this.view.from && Math.abs(this.x(other.from) - at) < 48);
    }

    showCursor() {
      this.line?.remove();
      const { cursor } = this.view;
      if (cursor !== null && this.plot) {
        const at = px(this.x(cursor));
        this.line = el("line", { class: "cursor", x1: at, x2: at, y1: this.plot.y, y2: this.plot.y + this.plot.h }, this.front);
      }
      this.readOut(cursor);
    }

    readOut() {}

    listen() {
      const { svg, view } = this;
      let start = null, brush = null;
      const end = () => { brush?.remove(); brush = null; start = null; };
      svg.addEventListener("pointermove", (event) => {
        this.pointer = event;
        const moment = this.moment(event);
        if (start !== null && Math.abs(this.x(moment) - this.x(start)) > 4) {
          brush ||= el("rect", { class: "brush", y: this.plot.y, height: this.plot.h }, this.front);
          const [a, b] = [this.x(Math.min(start, moment)), this.x(Math.max(start, moment))];
          brush.setAttribute("x", px(a));
          brush.setAttribute("width", px(b - a));
        }
        view.point(moment);
      });
      svg.addEventListener("pointerdown", (event) => {
        view.point(this.moment(event));
        if (event.pointerType === "touch" || event.button !== 0) return;
        start = this.moment(event);
        svg.setPointerCapture(event.pointerId);
      });
      svg.addEventListener("pointerup", (event) => {
        const moment = this.moment(event);
        const dragged = brush !== null;
        const from = start;
        end();
        if (dragged) view.zoom(Math.min(from, moment), Math.max(from, moment));
      });
      svg.addEventListener("pointercancel", end);
      svg.addEventListener("pointerleave", () => { if (start === null) { this.pointer = null; view.point(null); } });
      svg.addEventListener("dblclick", () => view.all());
      svg.addEventListener("keydown", (event) => {
        const step = this.rowLength() * (event.shiftKey ? 10 : 1);
        const keys = {
          ArrowLeft: () => view.move(-step), ArrowRight: () => view.move(step),
          Home: () => view.point(view.from), End: () => view.point(view.to),
          "+": () => view.scale(0.5), "=": () => view.scale(0.5), "-": () => view.scale(2),
          Escape: () => view.all(), 0: () => view.all(),
        };
        if (!keys[event.key]) return;
        event.preventDefault();
        keys[event.key]();
      });
    }

    rowLength() { return 1000; }
  }

  // Lines over time. spec.table(from, to) gives {step, from, to, columns}; spec.series are
  // {name, colour, dash, width, unit, on, steps, of(columns)}; spec.limits are {value, text}.
  class Lines extends TimePanel {
    constructor(host, view, context, spec) {
      super(host, view, context, spec);
      this.series = spec.series.map((series, at) => ({ colour: at % 8, dash: DASHES[at % 8], width: 1.6, on: true, unit: spec.unit, ...series }));
      for (const series of this.series) {
        const sample = sampleLine(series.colour, series.dash, series.width);
        series.output = this.key(series.name, sample, series.on, () => { series.on = !series.on; this.draw(); return series.on; });
      }
      this.draw();
    }

    rowLength() { return this.table ? this.table.step : 1000; }

    draw() {
      this.frame();
      const { from, to } = this.view;
      this.table = this.spec.table(from, to);
      const first = Math.max(0, rowAt(this.table.from, from));
      let last = rowAt(this.table.from, to);
      const shown = this.series.filter((series) => series.on);
      const { low, high, least } = this.range(shown, first, last);
      if (this.spec.log) this.yAxis(...logRange(least, high), true, this.spec.unit);
      else this.yAxis(low, high <= this.spec.atLeast * 1.05 ? this.spec.atLeast : niceTop(low, high, this.spec.unit), false, this.spec.unit);
      this.timeAxis();
      this.limits();
      for (const series of shown) {
        const d = series.steps ? this.stepPath(series, first, last) : this.linePath(series, first, last);
        if (d) el("path", { class: `series s${series.colour}`, d, "stroke-dasharray": series.dash, style: `stroke-width:${series.width}` }, this.root);
      }
      this.showCursor();
    }

    range(shown, first, last) {
      let low = 0, high = 0, least = Infinity;
      // What a client throws away all at once at a run's end would flatten everything else.
      const scaling = shown.some((series) => !series.purged) ? shown.filter((series) => !series.purged) : shown;
      for (const series of scaling) {
        const values = series.of(this.table.columns);
        for (let at = first; at <= last; at++) {
          const value = values ? values[at] : null;
          if (value === null || value === undefined) continue;
          if (value > high) high = value;
          if (value < low) low = value;
          if (value > 0 && value < least) least = value;
        }
      }
      for (const limit of this.spec.limits || []) {
        if (this.spec.log ? limit.value <= high * 20 : limit.value <= high * 2) high = Math.max(high, limit.value * 1.02);
      }
      if (this.spec.atLeast) high = Math.max(high, this.spec.atLeast);
      return { low, high: high || 1, least: Number.isFinite(least) ? least : high || 1 };
    }

    // Points in the middle of their rows; a line ends where rows are missing.
    linePath(series, first, last) {
      const values = series.of(this.table.columns);
      if (!values) return "";
      const { from, to, step } = this.table;
      let d = "", open = false;
      for (let at = first; at <= last; at++) {
        const value = values[at];
        if (value === null || value === undefined) { open = false; continue; }
        if (open && from[at] - to[at - 1] > step / 2) open = false;
        const x = px(this.x((from[at] + to[at]) / 2)), y = px(this.y(value));
        d += open ? `L${x} ${y}` : `M${x} ${y}h.01`;
        open = true;
      }
      return d;
    }

    stepPath(series, first, last) {
      const values = series.of(this.table.columns);
      if (!values) return "";
      let d = "", before = null;
      for (let at = first; at <= last; at++) {
        const value = values[at];
        if (value === null || value === undefined) { before = null; continue; }
        const y = px(this.y(value));
        d += before === null ? `M${px(this.x(this.table.from[at]))} ${y}` : `V${y}`;
        d += `H${px(this.x(this.table.to[at]))}`;
        before = y;
      }
      return d;
    }

    limits() {
      const { x, w, y } = this.plot;
      for (const limit of this.spec.limits || []) {
        const at = px(this.y(limit.value));
        if (!Number.isFinite(at) || at < y - 1) continue;
        el("line", { class: "limit", x1: x, x2: x + w, y1: at, y2: at }, this.front);
        el("text", { class: "limittext", x: x + w - 4, y: at - 4, "text-anchor": "end" }, this.front, limit.text);
      }
    }

    readOut(cursor) {
      if (!this.table) return;
      const at = cursor === null ? -1 : rowAt(this.table.from, cursor);
      const inside = at >= 0 && cursor <= this.table.to[at] + 1;
      for (const series of this.series) {
        const values = series.of(this.table.columns);
        series.output.textContent = inside && series.on ? quantity(values ? values[at] : null, series.unit) : "";
      }
    }
  }

  function niceTop(low, high, unit) {
    const step = niceStep((high - low) || 1, 4, unit);
    return Math.ceil((high * 1.02) / step) * step;
  }

  function logRange(least, high) {
    const floor = 10 ** Math.floor(Math.log10(least));
    const low = [5, 2, 1].map((n) => n * floor).find((n) => n <= least * 1.0001);
    const top = 10 ** Math.floor(Math.log10(high));
    const up = [1, 2, 5, 10].map((n) => n * top).find((n) => n >= high * 0.9999);
    return [low, up > low ? up : low * 10];
  }

  // ---- Maps: cells in shades -------------------------------------------------------------------

  const SHADES = [0.1, 0.22, 0.38, 0.56, 0.76, 1];

  // Shades grow with the logarithm: a few records among thousands are seen.
  function shade(value, low, high) {
    if (high <= low) return SHADES.length - 1;
    const share = Math.log(value / low) / Math.log(high / low);
    return Math.min(SHADES.length - 1, Math.max(0, Math.floor(share * SHADES.length)));
  }

  function paint(root, paths) {
    paths.forEach((d, at) => { if (d) el("path", { class: "cells", d, "fill-opacity": SHADES[at] }, root); });
  }

  function ramp(low, high) {
    const span = html("span", { class: "ramp soft" });
    html("span", {}, span, `${low} `);
    for (const opacity of SHADES) html("i", { style: `opacity:${opacity}` }, span);
    html("span", {}, span, ` ${high}`);
    return span;
  }

  // Where latencies lay over time. spec.heat is the page's `heat`.
  class Heat extends TimePanel {
    constructor(host, view, context, spec) {
      super(host, view, context, spec);
      this.names = Object.keys(spec.heat.of);
      this.which = spec.prefer && this.names.includes(spec.prefer) ? spec.prefer : this.names[0];
      const select = html("select", { class: "tool", "aria-label": "Latency" }, this.tools);
      for (const name of this.names) {
        const option = html("option", { value: name }, select, name.replaceAll("_", " "));
        option.selected = name === this.which;
      }
      select.addEventListener("change", () => { this.which = select.value; this.draw(); });
      this.output = this.key("records under the pointer", null, true, null);
      this.rampHost = html("span", {}, this.legend);
      this.draw();
    }

    draw() {
      this.frame();
      const { from, to, edges, of } = this.spec.heat;
      const columns = of[this.which];
      let most = 1, first = edges.length, last = 0;
      for (const pairs of columns) {
        for (let i = 0; i < pairs.length; i += 2) {
          if (pairs[i] < first) first = pairs[i];
          if (pairs[i] > last) last = pairs[i];
          if (pairs[i + 1] > most) most = pairs[i + 1];
        }
      }
      this.yAxis(Math.max(1, edges[first]), Math.max(2, edges[last + 1]), true, "us");
      this.timeAxis();
      const paths = SHADES.map(() => "");
      columns.forEach((pairs, column) => {
        if (to[column] < this.view.from || from[column] > this.view.to) return;
        const x = px(this.x(from[column])), w = px(this.x(to[column]) - x);
        for (let i = 0; i < pairs.length; i += 2) {
          const top = px(this.y(edges[pairs[i] + 1])), bottom = px(this.y(edges[pairs[i]]));
          paths[shade(pairs[i + 1], 1, most)] += `M${x} ${top}h${w}V${bottom}h${-w}z`;
        }
      });
      paint(this.root, paths);
      this.rampHost.replaceChildren(ramp("1", `${grouped(most)} records a cell`));
      this.showCursor();
    }

    readOut(cursor) {
      this.output.textContent = "";
      if (cursor === null || !this.y) return;
      const { from, to, edges, of } = this.spec.heat;
      const column = rowAt(from, cursor);
      if (column < 0 || cursor > to[column]) return;
      const pairs = of[this.which][column];
      let total = 0;
      for (let i = 1; i < pairs.length; i += 2) total += pairs[i];
      const height = this.pointer ? this.pointer.clientY - this.svg.getBoundingClientRect().top : null;
      for (let i = 0; height !== null && i < pairs.length; i += 2) {
        if (height > this.y(edges[pairs[i]]) || height < this.y(edges[pairs[i] + 1])) continue;
        const range = `${quantity(edges[pairs[i]], "us")}–${quantity(edges[pairs[i] + 1], "us")}`;
        this.output.textContent = `${grouped(pairs[i + 1])} of ${grouped(total)} in ${range}`;
        return;
      }
      this.output.textContent = `${grouped(total)} in this column`;
    }
  }

  // One row for each partition, shaded by a figure over time.
  // spec.rows() gives [{name, values}], spec.from and spec.to the stretches.
  class Grid extends TimePanel {
    constructor(host, view, context, spec) {
      super(host, view, context, spec);
      this.output = this.key("under the pointer", null, true, null);
      this.rampHost = html("span", {}, this.legend);
    }

    draw() {
      this.rows = this.spec.rows();
      const wanted = Math.min(420, Math.max(60, this.rows.length * 12));
      this.height = wanted + TOP + BOTTOM;
      this.svg.setAttribute("height", this.height);
      this.frame();
      const { x, y, w, h } = this.plot;
      this.timeAxis();
      el("line", { class: "axis", x1: x, x2: x + w, y1: y + h, y2: y + h }, this.axes);
      let low = Infinity, high = 0;
      for (const { values } of this.rows) {
        for (const value of values) {
          if (value > high) high = value;
          if (value > 0 && value < low) low = value;
        }
      }
      this.pitch = h / Math.max(1, this.rows.length);
      const paths = SHADES.map(() => "");
      this.rows.forEach(({ values }, row) => this.rowPaths(values, row, low, high, paths));
      paint(this.root, paths);
      const every = Math.ceil(14 / this.pitch);
      for (let row = 0; row < this.rows.length; row += every) {
        el("text", { x: x - 7, y: y + (row + 0.5) * this.pitch + 4, "text-anchor": "end" }, this.axes, this.rows[row].short);
      }
      const unit = this.spec.unit();
      this.rampHost.replaceChildren(high > 0 ? ramp(quantity(low, unit), quantity(high, unit)) : html("span", { class: "soft" }, null, "all zero"));
      this.showCursor();
    }

    // Neighbours of one shade are one rectangle: a thousand rows stay a few paths.
    rowPaths(values, row, low, high, paths) {
      const { from, to } = this.spec;
      const top = px(this.plot.y + row * this.pitch), bottom = px(this.plot.y + (row + 1) * this.pitch - (this.pitch > 5 ? 1 : 0));
      for (let at = 0; at < values.length;) {
        if (!(values[at] > 0)) { at += 1; continue; }
        const tone = shade(values[at], low, high);
        let end = at + 1;
        while (end < values.length && values[end] > 0 && shade(values[end], low, high) === tone) end += 1;
        const x = px(this.x(from[at]));
        paths[tone] += `M${x} ${top}H${px(this.x(to[end - 1]))}V${bottom}H${x}z`;
        at = end;
      }
    }

    readOut(cursor) {
      this.output.textContent = "";
      if (cursor === null || !this.pointer || !this.rows) return;
      const height = this.pointer.clientY - this.svg.getBoundingClientRect().top - this.plot.y;
      const row = this.rows[Math.floor(height / this.pitch)];
      const at = rowAt(this.spec.from, cursor);
      if (row && at >= 0) this.output.textContent = `${row.name}: ${quantity(row.values[at], this.spec.unit())}`;
    }
  }

  // ---- Percentile curves -----------------------------------------------------------------------

  // Latency over percentiles; the axis counts nines, so that the tail has room.
  class Curves extends Panel {
    constructor(host, spec) {
      super(host, spec);
      this.curves = spec.curves.map((curve) => ({ ...curve, ...spec.styles[curve.name], on: true }));
      for (const curve of this.curves) {
        const sample = sampleLine(curve.colour, curve.dash, 1.8);
        curve.output = this.key(curve.label, sample, true, () => { curve.on = !curve.on; this.draw(); return curve.on; });
      }
      this.where = html("span", { class: "soft" }, this.legend);
      this.cursor = null;
      const set = (nines) => { this.cursor = nines; this.showCursor(); };
      this.svg.addEventListener("pointermove", (event) => {
        const share = (event.clientX - this.svg.getBoundingClientRect().left - this.plot.x) / this.plot.w;
        set(Math.min(Math.max(share, 0), 1) * this.most);
      });
      this.svg.addEventListener("pointerleave", () => set(null));
      this.svg.addEventListener("keydown", (event) => {
        const by = { ArrowLeft: -0.05, ArrowRight: 0.05 }[event.key];
        if (!by) return;
        event.preventDefault();
        set(Math.min(Math.max((this.cursor ?? 0) + by, 0), this.most));
      });
      this.draw();
    }

    x(nines) { return this.plot.x + (this.plot.w * nines) / this.most; }

    draw() {
      this.frame();
      const shown = this.curves.filter((curve) => curve.on);
      this.most = Math.max(1, ...this.curves.map((curve) => curve.nines[curve.nines.length - 1] || 0));
      const values = shown.flatMap((curve) => curve.us).filter((us) => us > 0);
      const [least, high] = values.length ? [Math.min(...values), Math.max(...values)] : [1, 10];
      this.yAxis(...logRange(least, high), true, "us");
      for (const [nines, text] of [[0, "0 %"], [0.30103, "50 %"], [1, "90 %"], [2, "99 %"], [3, "99.9 %"], [4, "99.99 %"], [5, "99.999 %"], [6, "99.9999 %"], [7, "7 nines"], [8, "8 nines"]]) {
        if (nines > this.most || (nines === 0.30103 && this.x(0.30103) - this.x(0) < 40)) continue;
        const at = px(this.x(nines));
        el("line", { class: "grid", x1: at, x2: at, y1: this.plot.y, y2: this.plot.y + this.plot.h }, this.axes);
        this.tick(at, text, this.x(nines) > this.width - 40 ? "end" : "middle");
      }
      for (const curve of shown) {
        let d = "";
        curve.nines.forEach((nines, at) => { d += `${at ? "L" : "M"}${px(this.x(nines))} ${px(this.y(Math.max(curve.us[at], least)))}`; });
        el("path", { class: `series s${curve.colour}`, d, "stroke-dasharray": curve.dash, style: "stroke-width:1.8" }, this.root);
      }
      this.showCursor();
    }

    // Whether a word here would be written over one that stands there already: stretches that failed may be
    // many, and belong to several expectations.
    covered(band, at) {
      const before = this.context.bands.slice(0, this.context.bands.indexOf(band));
      return before.some((other) => other.kind === "fail" && other.to >= this.view.from && Math.abs(this.x(other.from) - at) < 48);
    }

    showCursor() {
      this.line?.remove();
      if (this.cursor !== null) {
        const at = px(this.x(this.cursor));
        this.line = el("line", { class: "cursor", x1: at, x2: at, y1: this.plot.y, y2: this.plot.y + this.plot.h }, this.front);
      }
      const share = this.cursor === null ? null : 100 * (1 - 10 ** -this.cursor);
      this.where.textContent = share === null ? "" : `at ${share.toFixed(Math.max(1, Math.ceil(this.cursor)))} %`;
      for (const curve of this.curves) {
        const at = this.cursor === null ? -1 : Math.min(rowAt(curve.nines, this.cursor) + 1, curve.us.length - 1);
        curve.output.textContent = at < 0 || !curve.on ? "" : quantity(curve.us[at], "us");
      }
    }
  }

  // A line without axes.
  function spark(values, top, width, height) {
    const svg = el("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    el("line", { class: "base", x1: 0, x2: width, y1: height - 0.5, y2: height - 0.5 }, svg);
    let d = "", open = false;
    values.forEach((value, at) => {
      if (value === null || value === undefined) { open = false; return; }
      const x = px((width * (at + 0.5)) / values.length), y = px(height - 1 - ((height - 2) * value) / (top || 1));
      d += open ? `L${x} ${y}` : `M${x} ${y}h.01`;
      open = true;
    });
    el("path", { d }, svg);
    return svg;
  }

  return { TimeView, Panel, Lines, Heat, Grid, Curves, DASHES, clock, el, grouped, html, px, quantity, rowAt, spark };
})();
