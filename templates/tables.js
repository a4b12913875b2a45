// The table of partitions: sorted, filtered, and short until asked; small multiples of the rows on top;
// and the map of all rows, in the table's order.
"use strict";
const Tables = (() => {
  const { Grid, html, grouped, quantity, spark } = Charts;
  const SHORT = 20, MULTIPLES = 12;
  const SERIES = {
    response_p99: ["response p99", "us"], e2e_p99: ["end to end p99", "us"],
    acked: ["acknowledged", "per_s"], lag: ["lag", "records"],
  };

  class Partitions {
    constructor(host, data, view, context) {
      this.data = data;
      this.view = view;
      this.columns = data.columns;
      this.column = Object.fromEntries(data.columns.map((column) => [column.key, column]));
      this.count = this.columns[0].values.length;
      this.names = Array.from({ length: this.count }, (_, row) => `${data.topics[this.column.topic.values[row]]}/${this.column.partition.values[row]}`);
      this.sort = { key: ["response_p99", "e2e_p99", "acked"].find((key) => this.column[key]) || "partition", down: true };
      this.filter = "";
      this.all = false;
      this.which = Object.keys(SERIES).find((key) => data.series[key]);
      this.build(host, context);
      this.order();
    }

    build(host, context) {
      const controls = html("p", { class: "controls" }, host);
      const box = html("input", { class: "tool", type: "search", placeholder: "topic or partition…", "aria-label": "Filter partitions" }, controls);
      box.addEventListener("input", () => { this.filter = box.value.trim().toLowerCase(); this.order(); });
      this.more = html("button", { class: "tool", type: "button" }, controls);
      this.more.addEventListener("click", () => { this.all = !this.all; this.rows(); });
      this.shown = html("span", { class: "soft", "aria-live": "polite" }, controls);
      const scroll = html("div", { class: "scroll" }, host);
      const table = html("table", { "data-role": "partition-table", class: "dense" }, scroll);
      const head = html("tr", {}, html("thead", {}, table));
      this.heads = this.columns.slice(1).map((column) => this.head(head, column));
      if (this.which) this.sparkHead = html("th", {}, head);
      this.body = html("tbody", {}, table);
      if (!this.which) return;
      const pick = html("p", { class: "controls" }, host);
      const select = html("select", { class: "tool", "aria-label": "Figure of the small multiples and the map" });
      html("span", {}, pick, "Draw");
      pick.appendChild(select);
      for (const key of Object.keys(SERIES)) {
        if (this.data.series[key]) html("option", { value: key }, select, SERIES[key][0]);
      }
      select.addEventListener("change", () => { this.which = select.value; this.rows(); this.draw(); });
      this.about = html("p", { class: "soft small" }, host);
      this.multiples = html("div", { class: "multiples" }, host);
      this.map = new Grid(host, this.view, context, {
        title: "Every partition over time", note: "rows in the order of the table; darker is more", from: this.data.from, to: this.data.to,
        rows: () => this.sorted.map((row) => ({ name: this.names[row], short: String(this.column.partition.values[row]), values: this.data.series[this.which][row] })),
        unit: () => SERIES[this.which][1],
      });
    }

    head(row, column) {
      const cell = html("th", { class: column.key === "partition" ? "" : "num" }, row);
      const button = html("button", { type: "button", title: column.title }, cell, column.label);
      button.addEventListener("click", () => {
        const down = this.sort.key === column.key ? !this.sort.down : column.key !== "partition";
        this.sort = { key: column.key, down };
        this.order();
      });
      return cell;
    }

    order() {
      const { key, down } = this.sort;
      const values = this.column[key].values;
      const rows = [...this.names.keys()].filter((row) => this.names[row].toLowerCase().includes(this.filter));
      // Topics come by name, partitions by number within their topic.
      const topic = this.column.topic.values, number = this.column.partition.values;
      const size = key === "partition" ? (row) => topic[row] * 1e6 + number[row] : (row) => values[row] ?? -Infinity;
      rows.sort((a, b) => (down ? size(b) - size(a) : size(a) - size(b)) || a - b);
      this.sorted = rows;
      this.heads.forEach((cell, at) => {
        if (this.columns[at + 1].key === key) cell.setAttribute("aria-sort", down ? "descending" : "ascending");
        else cell.removeAttribute("aria-sort");
      });
      this.rows();
      this.draw();
    }

    rows() {
      const visible = this.all ? this.sorted : this.sorted.slice(0, SHORT);
      const fragment = document.createDocumentFragment();
      const series = this.which && this.data.series[this.which];
      const top = series ? this.top(visible, series) : 1;
      for (const row of visible) {
        const line = html("tr", {}, fragment);
        for (const column of this.columns.slice(1)) {
          const isName = column.key === "partition";
          html("td", { class: isName ? "name" : "num" }, line, isName ? this.names[row] : quantity(column.values[row], column.unit));
        }
        if (series) html("td", {}, line).appendChild(spark(series[row], top, 110, 20));
      }
      this.body.replaceChildren(fragment);
      if (this.which) this.sparkHead.textContent = SERIES[this.which][0];
      this.more.hidden = this.sorted.length <= SHORT;
      this.more.textContent = this.all ? `only the first ${SHORT}` : `all ${grouped(this.sorted.length)}`;
      this.shown.textContent = `${grouped(visible.length)} of ${grouped(this.count)} partitions`;
    }

    top(rows, series) {
      let top = 0;
      for (const row of rows) for (const value of series[row]) if (value > top) top = value;
      return top;
    }

    draw() {
      if (!this.map) return;
      const [name, unit] = SERIES[this.which];
      const rows = this.sorted.slice(0, MULTIPLES);
      const series = this.data.series[this.which];
      const top = this.top(rows, series);
      this.about.textContent = `${name} of the first ${rows.length} rows of the table, all from 0 to ${quantity(top, unit)}.`;
      this.multiples.replaceChildren(...rows.map((row) => {
        const cell = html("div");
        html("b", {}, cell, this.names[row]);
        html("span", { class: "soft" }, cell, ` most ${quantity(this.top([row], series), unit)}`);
        cell.appendChild(spark(series[row], top, 200, 44));
        return cell;
      }));
      this.map.draw();
    }
  }

  return { Partitions };
})();
