"use strict";
// The table of checks: searched, filtered and sorted here. Every text goes in as text, never as markup.
(function () {
  const { words, types, rows } = JSON.parse(document.getElementById("data").textContent);
  const [ID, TYPE, TABLE, FIELD, STATUS, SEVERITY, CATEGORY, VIOLATED, DENOMINATOR, THRESHOLD, REASON, CONCEPTS, SQL] =
    Array(13).keys();
  const PAGE = 100;
  const number = new Intl.NumberFormat("en-US");
  const byId = (id) => document.getElementById(id);
  const form = byId("filters"), table = byId("checks"), body = table.tBodies[0], more = byId("more"), shown = byId("shown");
  const heads = Array.from(table.querySelectorAll("thead button"));

  const share = (row) => (row[DENOMINATOR] ? row[VIOLATED] / row[DENOMINATOR] : row[VIOLATED] === null ? -1 : 0);
  const keys = {
    check: (row) => types[row[TYPE]].name + row[ID],
    table: (row) => row[TABLE],
    field: (row) => row[FIELD],
    status: (row) => ["error", "failed", "passed", "not applicable"].indexOf(row[STATUS]),
    severity: (row) => ["fatal", "convention", "characterization"].indexOf(row[SEVERITY]),
    violated: (row) => (row[VIOLATED] === null ? -1 : row[VIOLATED]),
    denominator: (row) => (row[DENOMINATOR] === null ? -1 : row[DENOMINATOR]),
    share,
    threshold: (row) => row[THRESHOLD],
  };
  const searched = rows.map((row) =>
    [row[ID], row[TYPE], types[row[TYPE]].name, row[CATEGORY], row[CONCEPTS], row[REASON]].join(" ").toLowerCase());
  let order = rows.map((_, i) => i), sorted = null, limit = PAGE;

  function element(name, text, kind) {
    const made = document.createElement(name);
    if (text !== undefined && text !== null) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  }

  function count(value) { return value === null ? "–" : number.format(value); }

  function english(made) { made.lang = "en"; return made; }

  function told(row) {
    const type = types[row[TYPE]], block = element("div", null, "told");
    const part = (title, inner) => { block.append(element("h3", title), inner); };
    part(words.id, english(element("code", row[ID])));
    part(words.means, element("p", type.means));
    if (row[REASON]) part(words.reason, element("p", row[REASON]));
    if (row[CONCEPTS]) part(words.concepts, element("code", row[CONCEPTS]));
    if (row[SQL]) {
      const code = english(element("pre", row[SQL]));
      code.tabIndex = 0;
      part(words.sql, code);
    }
    if (type.causes.length) {
      const list = element("ul");
      for (const [cause, fix] of type.causes) list.append(element("li", fix ? cause + " " + fix : cause));
      part(words.causes, list);
    }
    if (row[STATUS] === "failed") {
      block.append(element("p", words.failing_rows.replace("{table}", row[TABLE])));
    }
    return block;
  }

  function line(row) {
    const tr = element("tr"), head = element("th");
    const details = element("details"), summary = element("summary", types[row[TYPE]].name);
    head.scope = "row";
    details.append(summary);
    details.addEventListener("toggle", () => { if (details.children.length === 1) details.append(told(row)); });
    head.append(details);
    tr.append(
      head,
      english(element("td", row[TABLE])),
      english(element("td", row[FIELD] + (row[CONCEPTS] ? " " + row[CONCEPTS] : ""), "field")),
      element("td", words[row[STATUS]], "status " + row[STATUS].replace(" ", "-")),
      element("td", words[row[SEVERITY]]),
      element("td", count(row[VIOLATED]), "n"),
      element("td", count(row[DENOMINATOR]), "n"),
      element("td", row[VIOLATED] === null ? "–" : (100 * share(row)).toFixed(1) + " %", "n"),
      element("td", row[THRESHOLD] + " %", "n"));
    return tr;
  }

  function draw() {
    const asked = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const status = byId("by-status").value, severity = byId("by-severity").value, of = byId("by-table").value;
    const found = order.filter((i) => {
      const row = rows[i];
      return (!status || row[STATUS] === status || (status === "wrong" && /failed|error/.test(row[STATUS]))) &&
        (!severity || row[SEVERITY] === severity) && (!of || row[TABLE] === of) &&
        asked.every((word) => searched[i].includes(word));
    });
    body.replaceChildren(...found.slice(0, limit).map((i) => line(rows[i])));
    shown.textContent = found.length
      ? words.shown.replace("{n}", number.format(found.length)).replace("{all}", number.format(rows.length))
      : words.nothing_fits;
    more.hidden = found.length <= limit;
  }

  function sort(button) {
    const column = button.dataset.column, up = !(sorted && sorted.column === column && sorted.up);
    const key = keys[column];
    sorted = { column, up };
    order.sort((a, b) => {
      const x = key(rows[a]), y = key(rows[b]);
      const by = x < y ? -1 : x > y ? 1 : 0;
      return (up ? by : -by) || a - b;
    });
    for (const head of heads) {
      head.parentElement.setAttribute("aria-sort", head !== button ? "none" : up ? "ascending" : "descending");
    }
    draw();
  }

  for (const head of heads) head.addEventListener("click", () => sort(head));
  form.addEventListener("input", () => { limit = PAGE; draw(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { byId("by-status").value = ""; limit = PAGE; draw(); }));
  more.addEventListener("click", () => { limit += 5 * PAGE; draw(); });
  // On paper a closed block says nothing, so the short ones open, and every check that is chosen is printed.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = Array.from(document.querySelectorAll("details.data:not([open])"));
    for (const each of opened) each.open = true;
    limit = rows.length;
    draw();
  });
  window.addEventListener("afterprint", () => {
    for (const each of opened) each.open = false;
    limit = PAGE;
    draw();
  });
  byId("no-script").hidden = true;
  form.hidden = table.hidden = false;
  draw();
})();
