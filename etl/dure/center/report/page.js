"use strict";
// Languages, sorting, searching, and what is opened: years of a concept, values of a test. Texts go in as text only.
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement, number = new Intl.NumberFormat("en-US");
  const PAGE = 50, SVG = "http://www.w3.org/2000/svg";
  const all = (chosen, within) => Array.from((within || document).querySelectorAll(chosen));
  const words = (key) => data.words[root.lang][key];

  function element(name, text, kind) {
    const made = document.createElement(name);
    if (text !== undefined && text !== null) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  }

  // A text in every language; the style sheet shows that of the page.
  function worded(key, kind) {
    const made = element("span", null, kind);
    for (const language of Object.keys(data.words)) {
      const part = element("span", data.words[language][key], language);
      part.lang = language;
      made.append(part);
    }
    return made;
  }

  function holding(name, inner, kind) {
    const made = element(name, null, kind);
    made.append(inner);
    return made;
  }

  const figure = (value) => value === null ? "–" : Math.abs(value) < 1e4 ? String(+value.toPrecision(4)) : number.format(Math.round(value));
  const count = (value) => value === null ? "–" : number.format(value);

  // ---- sorting and searching
  // Rows of the first body, without those that were opened below one.
  const rowsOf = (table) => Array.from(table.tBodies[0].rows).filter((row) => !row.classList.contains("opened"));
  const value = (row, column) => {
    const cell = row.cells[column], told = cell.dataset.v;
    return told !== undefined ? told : cell.innerText.trim();
  };

  function compare(a, b) {
    const x = a === "" ? NaN : Number(a), y = b === "" ? NaN : Number(b);
    if (!isNaN(x) && !isNaN(y)) return x - y;
    if (a === "" || b === "") return (a === "" ? 1 : 0) - (b === "" ? 1 : 0);
    return a < b ? -1 : a > b ? 1 : 0;
  }

  for (const table of all("table.sortable")) {
    const heads = all("thead th", table);
    heads.forEach((head, column) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const each of all("details.years[open]", table)) each.open = false;
        for (const each of all("tr.opened", table)) each.remove();
        const rows = rowsOf(table).map((row, at) => [value(row, column), at, row]);
        rows.sort((a, b) => {
          if ((a[0] === "") !== (b[0] === "")) return a[0] === "" ? 1 : -1;
          return (up ? 1 : -1) * compare(a[0], b[0]) || a[1] - b[1];
        });
        table.tBodies[0].append(...rows.map((row) => row[2]));
        for (const other of heads) {
          if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", other !== head ? "none" : up ? "ascending" : "descending");
        }
        show(table);
      });
    });
  }

  const limits = new Map();
  function show(table) {
    const form = document.querySelector(`form.find[data-table="${table.id}"]`);
    if (!form) return;
    const asked = form.querySelector("input").value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = all("select", form).filter((each) => each.value);
    const more = document.querySelector(`button.more[data-table="${table.id}"]`);
    const limit = limits.get(table.id) || PAGE, rows = rowsOf(table);
    let found = 0;
    for (const row of rows) {
      if (row.searched === undefined) row.searched = row.textContent.toLowerCase();
      const fits = asked.every((word) => row.searched.includes(word)) &&
        chosen.every((each) => value(row, Number(each.dataset.column)) === each.value);
      row.classList.toggle("left-out", !fits);
      if (fits) found += 1;
      row.classList.toggle("later", fits && more !== null && found > limit);
    }
    form.querySelector(".shown").textContent = words("shown").replace("{n}", number.format(found)).replace("{all}", number.format(rows.length));
    if (more) more.hidden = found <= limit;
  }

  for (const form of all("form.find")) {
    const table = document.getElementById(form.dataset.table);
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => { limits.delete(table.id); show(table); });
    form.addEventListener("reset", () => setTimeout(() => { limits.delete(table.id); show(table); }));
  }
  for (const more of all("button.more")) {
    more.addEventListener("click", () => {
      limits.set(more.dataset.table, (limits.get(more.dataset.table) || PAGE) + 4 * PAGE);
      show(document.getElementById(more.dataset.table));
    });
  }

  // ---- the years of a concept
  function table(heads, rows) {
    const made = element("table"), head = element("tr"), body = element("tbody");
    for (const [inner, kind] of heads) {
      const cell = holding("th", inner, kind);
      cell.scope = "col";
      head.append(cell);
    }
    body.append(...rows);
    made.append(holding("thead", head), body);
    return made;
  }

  function years(concept) {
    const rows = data.concepts[concept];
    const seen = Array.from(new Set(rows.flatMap((row) => Object.keys(row[6])))).sort();
    const lines = rows.map(([site, records, rate, ratio, outlier, whole, cells]) => {
      const line = element("tr"), name = element("th", site);
      name.scope = "row";
      line.append(name, element("td", (whole || records === null ? "" : "≥ ") + count(records), "n"), element("td", figure(rate), "n"),
        element("td", ratio === null ? "–" : "×" + figure(ratio), outlier ? "n far" : "n"));
      for (const year of seen) {
        const cell = cells[year];
        if (cell === undefined) line.append(element("td", "–", "n"));
        else if (cell === null) line.append(holding("td", worded("hidden_cell"), "n soft"));
        else {
          const told = element("td", figure(cell[2]), "n");
          told.append(element("small", ` (${count(cell[0])} / ${count(cell[1])})`, "soft"));
          line.append(told);
        }
      }
      return line;
    });
    const heads = [["hospital", ""], ["records", "n"], ["rate_long", "n"], ["ratio", "n"]].map(([key, kind]) => [worded(key), kind]);
    const block = element("div", null, "told");
    block.tabIndex = 0;
    block.append(holding("p", worded("year_cells"), "soft"),
      table(heads.concat(seen.map((year) => [element("span", year === "0" ? "–" : year), "n"])), lines));
    return block;
  }

  for (const details of all("details.years")) {
    details.addEventListener("toggle", () => {
      const own = details.closest("tr"), next = own.nextElementSibling;
      if (next && next.classList.contains("opened")) next.remove();
      if (!details.open) return;
      const told = years(Number(details.dataset.concept));
      // As wide as what is seen of the table, so that a long history does not widen it.
      told.style.width = `${own.closest(".scroll").clientWidth - 24}px`;
      const row = element("tr", null, "opened"), cell = holding("td", told);
      cell.colSpan = own.cells.length;
      row.append(cell);
      own.after(row);
    });
  }

  // ---- the values of a measured concept
  function drawn(name, given) {
    const made = document.createElementNS(SVG, name);
    for (const key of Object.keys(given)) made.setAttribute(key, given[key]);
    return made;
  }

  function box(quantiles, place) {
    const svg = drawn("svg", { class: "box", viewBox: "0 0 400 24", preserveAspectRatio: "none", "aria-hidden": "true" });
    const [low, first, middle, third, high] = quantiles.map(place);
    svg.append(drawn("line", { x1: low, x2: high, y1: 12, y2: 12 }),
      drawn("rect", { x: first, y: 4, width: Math.max(1, third - first), height: 16 }),
      drawn("line", { class: "median", x1: middle, x2: middle, y1: 2, y2: 22 }));
    return svg;
  }

  function boxes(test) {
    const [, , , rows] = data.values[test];
    const numbers = rows.flatMap((row) => row[4]).filter((each) => each !== null);
    const low = Math.min(...numbers), high = Math.max(...numbers);
    const logarithmic = low > 0 && high / low > 50;
    const scaled = logarithmic ? Math.log : (x) => x;
    const width = scaled(high) - scaled(low) || 1;
    const place = (x) => 4 + 392 * (scaled(x) - scaled(low)) / width;
    const lines = rows.map(([site, unit, unread, numeric, quantiles]) => {
      const line = element("tr"), name = element("th", site);
      name.scope = "row";
      line.append(name,
        unit === null ? holding("td", worded(unread ? "unread_unit" : "no_unit", "soft")) : element("td", data.units[unit] || String(unit)),
        element("td", count(numeric), "n"));
      const cell = element("td", null, "drawn");
      if (!quantiles.includes(null)) cell.append(box(quantiles, place));
      line.append(cell, element("td", quantiles.map(figure).join(" / "), "n"));
      return line;
    });
    const heads = [["hospital", ""], ["unit", ""], ["numeric", "n"], ["boxes", ""], ["percentiles", "n"]];
    const made = element("div", null, "scroll");
    made.tabIndex = 0;
    if (logarithmic) made.append(holding("p", worded("log_scale"), "soft"));
    made.append(table(heads.map(([key, kind]) => [worded(key), kind]), lines));
    return made;
  }

  const test = document.getElementById("test");
  function tests() {
    const chosen = test.value;
    test.replaceChildren(...data.values.map(([id, name, findings], at) => {
      const option = element("option", `${name ? name + " " : ""}${id}${findings ? " · " + words("with_findings") : ""}`);
      option.value = String(at);
      return option;
    }));
    const first = data.values.findIndex((each) => each[2] > 0);
    test.value = chosen || String(Math.max(0, first));
    document.getElementById("boxes").replaceChildren(boxes(Number(test.value)));
  }
  if (test) {
    document.getElementById("choose").hidden = false;
    document.getElementById("choose").addEventListener("submit", (event) => event.preventDefault());
    test.addEventListener("change", tests);
  }

  // ---- languages
  function speak(language) {
    root.lang = language;
    document.title = document.title.replace(/^.*?(?= ·)/, words("title"));
    for (const each of all("[data-en][aria-label]")) each.setAttribute("aria-label", each.dataset[language]);
    for (const each of all("option.worded")) each.textContent = each.dataset[language];
    for (const each of all("[data-language]")) each.setAttribute("aria-pressed", String(each.dataset.language === language));
    for (const each of all("table.sortable")) show(each);
    if (test) tests();
  }
  for (const each of all("[data-language]")) each.addEventListener("click", () => speak(each.dataset.language));
  for (const each of all(".languages")) each.hidden = false;

  // On paper a closed block says nothing, so they open.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = all("details.data:not([open])");
    for (const each of opened) each.open = true;
  });
  window.addEventListener("afterprint", () => { for (const each of opened) each.open = false; });
  const note = document.getElementById("no-script");
  if (note) note.hidden = true;
  speak(root.lang);
})();
