// Follows a run's journal: the strip at the top, and further rows for the charts below it.
"use strict";
(() => {
  const { clock, quantity } = Charts;
  const strip = document.querySelector("[data-live]");
  const part = (name) => strip.querySelector(`[data-live-${name}]`);
  const say = (name, text) => { part(name).textContent = text; };
  const EVENTS_MAX = 60;
  // A page this old is made anew, with what came meanwhile rolled up.
  const ANEW_AFTER_MS = 10 * 60 * 1000;
  const opened = Date.now();
  const agents = new Map();
  let planned = 0, caseAt = null, last = -1;

  // Columns of a chart's row, from an interval of the journal.
  function figures(row) {
    const seconds = Math.max(row.end_us - row.start_us, 1) / 1e6;
    const of = {};
    for (const name of ["scheduled", "sent", "acked", "failed", "received", "acked_bytes", "received_bytes", "late", "queue_full"]) of[name] = row[name] / seconds;
    for (const name of ["not_sent", "outstanding", "lag", "queue"]) of[name] = row[name];
    of.target = row.target_per_s;
    for (const part of ["service", "response", "end_to_end"]) for (const at of ["p50", "p95", "p99", "max"]) of[`${part}_${at}`] = row[`${part}_${at}_us`];
    return of;
  }

  function append(row) {
    const roots = [...document.querySelectorAll("[data-case]")].filter((root) => root.view);
    const root = roots[roots.length - 1];
    if (!root || !root.data.levels.length || !root.data.levels[0].from.length) return false;
    const { data, view } = root;
    const of = figures(row), from = Math.round(row.start_us / 1000), to = Math.round(row.end_us / 1000);
    for (const level of data.levels) {
      if (level.from.length && from <= level.from[level.from.length - 1]) continue;
      level.from.push(from);
      level.to.push(to);
      for (const name in level.columns) level.columns[name].push(of[name] ?? null);
    }
    const all = !view.zoomed;
    data.end = Math.max(data.end, to);
    view.end = data.end;
    if (all) view.to = view.end;
    return root;
  }

  let waiting = null;
  function draw(root) {
    if (waiting || document.hidden) return;
    waiting = setTimeout(() => {
      waiting = null;
      for (const panel of root.view.panels) panel.draw();
      root.view.onCursor();
    }, 250);
  }

  function interval(row) {
    if (row.end_us <= last) return;
    last = row.end_us;
    say("phase", row.phase);
    say("past", clock(row.end_us / 1000));
    say("left", clock(Math.max(0, planned - row.end_us) / 1000));
    part("progress").value = planned ? Math.min(1, row.end_us / planned) : 0;
    const seconds = Math.max(row.end_us - row.start_us, 1) / 1e6;
    for (const name of ["acked", "received", "failed"]) say(name, quantity(Math.round(row[name] / seconds), "per_s"));
    say("response", quantity(row.response_p99_us, "us"));
    say("end", quantity(row.end_to_end_p99_us, "us"));
    say("lag", quantity(row.lag, "records"));
    const root = append(row);
    if (root === false || Date.now() - opened > ANEW_AFTER_MS) anew();
    else draw(root);
  }

  let reloading = false;
  function anew() {
    if (reloading) return;
    reloading = true;
    setTimeout(() => location.reload(), 1500);
  }

  const SAYS = {
    run_started: (of) => `run ${of.run_id} began`,
    host_ready: (of) => `host ${of.host} is ready`,
    host_problem: (of) => `host ${of.host}: ${of.cause}`,
    case_started: (of) => `case ${of.case} begins`,
    case_resumed: (of) => `case ${of.case} was taken over`,
    step: (of) => of.text,
    agent_connected: (of) => `${of.agent} is connected`,
    agent_lost: (of) => `${of.agent} is lost: ${of.cause}`,
    agent_channel: (of) => `the channel to ${of.agent} ${of.up ? "is back" : "is broken; its load goes on"}`,
    broker_unreachable: (of) => `broker ${of.broker} cannot be reached: ${of.cause}`,
    broker_back: (of) => `broker ${of.broker} answers again`,
    leader_moved: (of) => `${of.partitions.length} partitions: leader ${of.from} → ${of.to}`,
    under_replicated: (of) => (of.partitions ? `${of.partitions} partitions lack a replica in sync` : "all replicas are in sync"),
    load_started: () => "the load starts",
    phase_started: (of) => `phase ${of.phase} begins`,
    note: (of) => `${of.level}: ${of.source ? of.source + ": " : ""}${of.text}`,
    stop_requested: (of) => `somebody asked to stop: ${of.by}`,
    case_finished: (of) => `case ${of.case}: ${of.sentence}`,
    left_behind: (of) => `left behind: ${of.what}: ${of.cause}`,
    run_finished: (of) => `the run is over: ${of.verdict}`,
  };

  function step(at, of) {
    if (of.event === "case_started") {
      if (caseAt !== null && caseAt !== of.case && document.readyState === "complete" && last >= 0) anew();
      caseAt = of.case;
      planned = of.planned_us;
      last = -1;
      agents.clear();
      say("case", of.case);
      say("phase", "–");
    }
    if (of.event === "agent_connected") agents.set(of.agent, true);
    if (of.event === "agent_channel") agents.set(of.agent, of.up);
    if (of.event === "agent_lost") agents.set(of.agent, false);
    const up = [...agents.values()].filter(Boolean).length;
    say("agents", agents.size ? `${up} of ${agents.size}` : "–");
    const text = (SAYS[of.event] || (() => of.event))(of);
    const list = part("events");
    const item = document.createElement("li");
    item.textContent = `${at.slice(11, 19)} ${text}`;
    list.prepend(item);
    while (list.children.length > EVENTS_MAX) list.lastChild.remove();
  }

  const source = new EventSource(strip.dataset.live);
  source.addEventListener("open", () => say("state", "live"));
  source.addEventListener("error", () => say("state", "out of touch, trying again"));
  source.addEventListener("interval", (message) => interval(JSON.parse(message.data).what));
  source.addEventListener("step", (message) => { const { at, what } = JSON.parse(message.data); step(at, what); });
  source.addEventListener("left", () => {
    source.close();
    say("state", "no controller; see mallard status");
  });
  source.addEventListener("over", () => {
    source.close();
    say("state", "over: the report follows");
    anew();
  });
})();
