// Draws a case's charts when the case is first seen, and keeps the clock above them.
"use strict";
(() => {
  const { TimeView, Lines, Heat, Curves, DASHES, clock, html, rowAt } = Charts;
  const PARTS = {
    service: { label: "service", colour: 2, dash: "6 3" },
    response: { label: "response", colour: 0, dash: "" },
    end_to_end: { label: "end to end", colour: 1, dash: "8 3 2 3" },
  };
  const FINE_ROWS = 2000;

  // The finest level that has not too many rows between two moments.
  function levelTable(levels) {
    return (from, to) => {
      let best = levels[0];
      for (const level of levels) {
        const rows = rowAt(level.from, to) - rowAt(level.from, from);
        if (rows <= FINE_ROWS) best = level;
      }
      return best;
    };
  }

  const column = (name) => (columns) => columns[name];
  const has = (data, name) => data.levels.some((level) => level.columns[name]);
  const some = (values) => values && values.some((value) => value > 0);
  const nothing = (host, text) => html("p", { class: "soft" }, host, text);
  const present = (data, all) => all.filter((of) => has(data, of.column)).map((of) => ({ ...of, of: column(of.column) }));
  const limitsOf = (data, chart) => data.limits.filter((limit) => limit.chart === chart);

  function throughput(host, view, data) {
    const all = [
      { name: "target", column: "target", colour: 7, dash: "4 3", steps: true },
      { name: "scheduled", column: "scheduled", colour: 3, dash: "2 3", on: false },
      { name: "sent", column: "sent", colour: 4, dash: "10 4", on: false },
      { name: "acknowledged", column: "acked", colour: 0, dash: "", width: 1.9 },
      { name: "received", column: "received", colour: 1, dash: "8 3 2 3" },
      { name: "failed", column: "failed", colour: 5, dash: "3 2", on: data.errors.length > 0, purged: true },
    ];
    const series = present(data, all);
    new Lines(host, view, data, { title: "Throughput", note: "records a second, against the schedule", unit: "per_s", height: 210, series: series.map((of) => ({ ...of, steps: true })), table: levelTable(data.levels), limits: limitsOf(data, "throughput") });
  }

  function latency(host, view, data) {
    const series = [];
    const add = (part, quantile, on, width) => {
      const name = `${part}_${quantile}`;
      if (!has(data, name)) return;
      const style = PARTS[part];
      const dash = quantile === "p50" ? "1 4" : quantile === "max" ? "2 2" : style.dash;
      const title = quantile === "p999" ? "p99.9" : quantile;
      series.push({ name: `${style.label} ${title}`, of: column(name), colour: style.colour, dash, width, on });
    };
    for (const part of ["response", "service", "end_to_end"]) {
      add(part, "p50", part !== "service", 1.6);
      add(part, "p95", false, 1.2);
      add(part, "p99", true, 2);
      add(part, "p999", false, 1.4);
      add(part, "max", false, 1.2);
    }
    if (!series.length) return;
    new Lines(host, view, data, { title: "Latency", note: "percentiles of each row; logarithmic", unit: "us", log: true, height: 250, series, table: levelTable(data.levels), limits: limitsOf(data, "latency") });
  }

  function errors(host, view, data) {
    if (!data.errors.length) {
      nothing(host, "Errors: none, of producers or consumers.");
      return;
    }
    const table = () => ({ ...data.levels[0], columns: data.errors });
    const series = data.errors.map((of, at) => ({ name: of.name, of: () => of.values, colour: (at + 1) % 8, steps: true, purged: of.name.includes("_PURGE_") }));
    new Lines(host, view, data, { title: "Errors", note: "by code, a second", unit: "per_s", height: 140, series, table });
  }

  function lag(host, view, data) {
    if (has(data, "lag") && !some(data.levels[0].columns.lag)) {
      nothing(host, "Lag: none in any interval.");
      return;
    }
    if (data.lag.length) {
      const table = () => ({ ...data.levels[0], columns: data.lag });
      const series = data.lag.map((of, at) => ({ name: of.name, of: () => of.values, colour: (at + 1) % 8, dash: DASHES[at % 8] }));
      new Lines(host, view, data, { title: "Lag", note: "records that consumers are behind the broker's end offsets; highest of each row", unit: "records", height: 150, series, table });
    } else if (has(data, "lag")) {
      const series = [{ name: "all consumers", of: column("lag"), colour: 1 }];
      new Lines(host, view, data, { title: "Lag", note: "records behind the broker's end offsets; highest of each row", unit: "records", height: 150, series, table: levelTable(data.levels) });
    }
  }

  function backlog(host, view, data) {
    const all = [
      { name: "due, not sent", column: "not_sent", colour: 1, dash: "" },
      { name: "sent, no answer yet", column: "outstanding", colour: 0, dash: "6 3" },
      { name: "received, not processed", column: "queue", colour: 2, dash: "8 3 2 3" },
      { name: "queue-full refusals a second", column: "queue_full", colour: 5, dash: "2 3", unit: "per_s" },
    ];
    const series = present(data, all);
    if (!all.some((of) => some(data.levels[0].columns[of.column]))) {
      nothing(host, "Backlog: none at the end of any interval, and no record was refused.");
      return;
    }
    new Lines(host, view, data, { title: "Backlog", note: "records that wait to be sent, answered or processed; highest of each row", unit: "records", height: 150, series, table: levelTable(data.levels) });
  }

  function resources(host, view, data) {
    if (!data.resources) return;
    const { from, to, agents } = data.resources;
    const step = to.length ? to[0] - from[0] : 1000;
    const table = () => ({ step, from, to, columns: {} });
    const crowd = agents.length > 6;
    const pick = (key) => agents.map((agent, at) => ({ name: agent.name, of: () => agent[key], colour: at % 8, dash: DASHES[Math.floor(at / 8) % 8 || at % 8], on: !crowd || at < 6 }));
    new Lines(host, view, data, { title: "Busiest thread of each agent", note: "share of a core; highest of each row", unit: "ratio", height: 130, atLeast: 1, series: pick("busiest"), table });
    new Lines(host, view, data, { title: "Memory of each agent", note: "resident; highest of each row", unit: "bytes", height: 130, series: pick("resident"), table });
    new Lines(host, view, data, { title: "CPU of each agent's host", note: "share of all its cores; highest of each row", unit: "ratio", height: 130, atLeast: 1, series: pick("host"), table });
  }

  function clockbar(root, view, data) {
    const output = root.querySelector("[data-role=clock]");
    const all = root.querySelector("[data-zoom=all]");
    const actions = { in: () => view.scale(0.5), out: () => view.scale(2), all: () => view.all() };
    for (const button of root.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => actions[button.dataset.zoom]());
    view.onCursor = () => {
      all.disabled = !view.zoomed;
      const at = view.cursor;
      if (at === null) {
        output.textContent = view.zoomed ? `${clock(view.from)} – ${clock(view.to)} of ${clock(view.end)}` : `whole run, ${clock(view.end)}`;
        return;
      }
      const phase = data.phases.find((phase) => at >= phase.from && at < phase.to);
      const band = data.bands.find((band) => at >= band.from && at < band.to);
      const words = [clock(at, true)];
      if (data.origin !== null) words.push(`${new Date(data.origin + at).toISOString().slice(11, 21)} UTC`);
      if (phase) words.push(phase.measured ? phase.name : `${phase.name}, not measured`);
      if (band) words.push(band.text);
      output.textContent = words.join(" · ");
    };
    view.onCursor();
  }

  function drawCase(root) {
    if (root.dataset.drawn) return;
    root.dataset.drawn = "yes";
    const data = JSON.parse(root.querySelector("[data-role=data]").textContent);
    const view = new TimeView(data.end);
    // For whoever adds rows to a run that goes on.
    [root.data, root.view] = [data, view];
    const time = root.querySelector("[data-role=time-charts]");
    if (time && data.levels.length && data.levels[0].from.length) {
      for (const draw of [throughput, latency, errors, lag, backlog, resources]) draw(time, view, data);
    }
    const shapes = root.querySelector("[data-role=latency-charts]");
    if (shapes && data.curves.length) {
      new Curves(shapes, { title: "Percentiles", note: "measured phases; the axis gives each further nine the same room", height: 260, curves: data.curves, styles: PARTS });
    }
    if (shapes && data.heat) {
      new Heat(shapes, view, data, { title: "Latency over time", note: "darker is more records; logarithmic", height: 230, heat: data.heat, prefer: "response" });
    }
    const partitions = root.querySelector("[data-role=partitions]");
    if (partitions && data.partitions) new Tables.Partitions(partitions, data.partitions, view, data);
    if (time) clockbar(root, view, data);
  }

  const drawn = () => document.querySelectorAll("[data-case]");
  const isOpen = (root) => !root.closest("details.case") || root.closest("details.case").open;
  for (const root of drawn()) {
    if (isOpen(root)) drawCase(root);
    root.closest("details.case")?.addEventListener("toggle", () => { if (isOpen(root)) drawCase(root); });
  }

  // A link into a case that is closed opens it.
  function follow() {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    const details = target && target.closest("details");
    if (details && !details.open) { details.open = true; target.scrollIntoView(); }
  }
  addEventListener("hashchange", follow);
  follow();

  // On paper nothing can be opened: what is closed is opened for it, and closed again afterwards.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
    for (const root of drawn()) drawCase(root);
  });
  addEventListener("afterprint", () => { for (const details of opened) details.open = false; opened = []; });
})();
