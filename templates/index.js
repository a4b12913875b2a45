// The list of runs: a filter over all that a row says. Words are joined by "and".
"use strict";
(() => {
  const box = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const rows = [...document.querySelectorAll("#runs tbody tr")];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const trends = [...document.querySelectorAll("[data-scenario]")];

  function filter() {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, at) => {
      row.hidden = !words.every((word) => texts[at].includes(word));
      if (!row.hidden) count += 1;
    });
    const names = new Set(rows.filter((row) => !row.hidden).map((row) => row.querySelector("b").textContent));
    for (const section of trends) section.hidden = !names.has(section.dataset.scenario);
    shown.textContent = words.length ? `${count} of ${rows.length}` : "";
  }

  box.addEventListener("input", filter);
  filter();
})();
