// Draws the charts of a comparison: distributions over each other, the shift by quantile, runs over time.
"use strict";
(() => {
  const { TimeView, Lines, Curves, Panel, DASHES, el, html, px } = Charts;
  const SIDES = { base: { label: "base", colour: 0, dash: "" }, new: { label: "new", colour: 1, dash: "8 3 2 3" } };
  const NINES = [[0.30103, "50 %"], [1, "90 %"], [2, "99 %"], [3, "99.9 %"], [4, "99.99 %"], [5, "99.999 %"], [6, "6 nines"], [7, "7 nines"], [8, "8 nines"]];

  // The change of each quantile with its band, over the number of nines.
  class Shift extends Panel {
    constructor(host, spec) {
      super(host, spec);
      this.draw();
    }

    draw() {
      this.frame();
      const { nines, ratio, low, high } = this.spec.of;
      const change = (value) => value - 1;
      const all = [...ratio, ...low, ...high].filter((value) => value !== null).map(change);
      const most = Math.max(0.02, ...all.map(Math.abs)) * 1.08;
      const least = Math.min(0, ...all) < 0 ? -Math.min(most, 1) : -most * 0.15;
      this.yAxis(least, most, false, "ratio");
      const end = nines[nines.length - 1] || 1;
      const x = (at) => this.plot.x + (this.plot.w * at) / end;
      for (const [at, text] of NINES) {
        if (at <= end) this.tick(px(x(at)), text, x(at) > this.width - 40 ? "end" : "middle");
      }
      const line = (values, from) => values.map((value, at) => `${at ? "L" : from}${px(x(nines[at]))} ${px(this.y(change(value)))}`).join("");
      if (low.length) {
        const back = [...high].reverse(), places = [...nines].reverse();
        const d = line(low, "M") + back.map((value, at) => `L${px(x(places[at]))} ${px(this.y(change(value)))}`).join("") + "z";
        el("path", { class: "bandarea", d }, this.root);
      }
      const zero = px(this.y(0));
      el("line", { class: "axis", x1: this.plot.x, x2: this.plot.x + this.plot.w, y1: zero, y2: zero }, this.axes);
      el("path", { class: "series s1", d: line(ratio, "M") }, this.root);
    }
  }

  function latencies(host, data) {
    if (!data.latencies.length) html("p", { class: "soft" }, host, "No latencies on both sides.");
    for (const of of data.latencies) {
      const name = of.name.replaceAll("_", " ");
      new Curves(host, { title: `Percentiles of ${name}`, note: "all runs of a side together; each further nine has the same room", height: 230, curves: of.curves, styles: SIDES });
      if (of.nines.length > 1) {
        const note = of.low.length ? "new over base, by quantile; the band holds it in 95 of 100 drawings" : "new over base, by quantile; no band, since a run does not know its own noise";
        new Shift(host, { title: `Change of ${name}`, note, height: 170, unit: "ratio", of });
      }
    }
  }

  // Runs of one grid: rows of the coarsest. Rates are means of its rows, everything else their highest.
  function together(runs, column) {
    const step = Math.max(...runs.map((run) => run.step));
    const length = Math.max(0, ...runs.map((run) => Math.ceil((run.to[run.to.length - 1] || 0) / step)));
    return runs.map((run) => {
      const values = new Array(length).fill(null), rows = new Array(length).fill(0);
      run[column].forEach((value, at) => {
        if (value === null) return;
        const row = Math.floor(run.from[at] / step);
        if (row >= length) return;
        rows[row] += 1;
        if (column === "acked" || column === "cpu") values[row] = ((values[row] || 0) * (rows[row] - 1) + value) / rows[row];
        else values[row] = Math.max(values[row] ?? value, value);
      });
      return values;
    });
  }

  function overTime(host, data) {
    const runs = data.runs.filter((run) => run.from.length);
    if (!runs.length) return html("p", { class: "soft" }, host, "No series on record.");
    const step = Math.max(...runs.map((run) => run.step));
    const end = Math.max(...runs.map((run) => run.to[run.to.length - 1]));
    const rows = Math.ceil(end / step);
    const from = Array.from({ length: rows }, (_, at) => at * step), to = from.map((at) => at + step);
    const view = new TimeView(end);
    const context = { phases: [], bands: [], marks: [], limits: [] };
    const of = { base: 0, new: 0 };
    const styled = runs.map((run) => {
      const side = run.is_base ? "base" : "new";
      const dash = DASHES[of[side] % DASHES.length];
      of[side] += 1;
      return { name: `${side}: ${run.run}`, colour: SIDES[side].colour, dash: side === "new" && of[side] === 1 ? SIDES.new.dash : dash };
    });
    const charts = [
      ["acked", "Acknowledged", "records a second, from each load's start", "per_s"],
      ["p99", "Latency, 99th percentile", "of each row", "us"],
      ["lag", "Lag", "highest of each row", "records"],
      ["cpu", "CPU of all agents", "cores", "cores"],
    ];
    for (const [column, title, note, unit] of charts) {
      const columns = together(runs, column);
      if (!columns.some((values) => values.some((value) => value > 0))) continue;
      const series = styled.map((style, at) => ({ ...style, of: (all) => all[at] }));
      const table = { step, from, to, columns };
      new Lines(host, view, context, { title, note, unit, height: 190, log: column === "p99", series, table: () => table });
    }
  }

  for (const root of document.querySelectorAll("[data-comparison]")) {
    const data = JSON.parse(root.querySelector("[data-role=data]").textContent);
    latencies(root.querySelector("[data-role=latency-charts]"), data);
    overTime(root.querySelector("[data-role=time-charts]"), data);
  }
})();
