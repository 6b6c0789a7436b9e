"use strict";
// The list of concepts: searched, filtered, sorted and paged here. Every text goes in as text, never as markup.
(function () {
  const { head, words, tables, rows } = JSON.parse(document.getElementById("data").textContent);
  const [TABLE, ID, NAME, OF_ALL, PERSONS, RECORDS, YEARS, PLACES, CELLS] = Array(9).keys();
  const PAGE = 50;
  const number = new Intl.NumberFormat("en-US");
  const byId = (id) => document.getElementById(id);
  const form = byId("filters"), table = byId("concepts"), body = table.tBodies[0], shown = byId("shown");
  let language = location.hash === "#en" ? "en" : "ko", start = 0, found = [];

  const word = (key, values) =>
    words[language][key].replace(/\{(\w+)\}/g, (slot, name) => (values && name in values ? values[name] : name in head ? head[name] : slot));
  const nameOf = (row) => row[NAME] || (row[ID] === 0 ? word("no_concept") : "");
  const searched = rows.map((row) => (row[ID] + " " + row[NAME] + (row[ID] === 0 ? words.ko.no_concept + words.en.no_concept : "")).toLowerCase());

  function element(name, text, kind) {
    const made = document.createElement(name);
    if (text !== undefined && text !== null) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  }
  const count = (value) => (value === null ? "–" : number.format(value));
  const total = (value, ofAll) => (value === null ? "–" : (ofAll ? "" : "≥ ") + number.format(value));
  const year = (value) => (value === 0 ? word("no_year") : String(value));

  function years(row) {
    const known = row[YEARS].map((each) => each[0]).filter(Boolean);
    if (!known.length) return "–";
    return known[0] === known[known.length - 1] ? String(known[0]) : known[0] + "–" + known[known.length - 1];
  }

  function pair(persons, records) {
    const cell = element("td", persons, "n");
    if (records !== null) cell.append(element("small", records));
    return cell;
  }

  function detail(row) {
    const tr = element("tr", null, "detail"), td = element("td");
    td.colSpan = 7;
    if (row[CELLS] === null) td.append(element("p", word("cells_elsewhere"), "note"));
    const made = element("table"), top = element("tr"), heading = element("thead"), inner = element("tbody");
    made.append(element("caption", word("cell_means")), heading, inner);
    heading.append(top);
    const corner = element("th", word("place"));
    corner.scope = "col";
    top.append(corner);
    for (const each of row[YEARS]) { const th = element("th", year(each[0]), "n"); th.scope = "col"; top.append(th); }
    const last = element("th", word("all"), "n");
    last.scope = "col";
    top.append(last);
    const cells = new Map((row[CELLS] || []).map((cell) => [cell[0] + "|" + cell[1], cell]));
    for (const [place, persons, records, ofAll] of row[PLACES]) {
      const line = element("tr"), th = element("th", head.places[place].name);
      th.scope = "row";
      line.append(th);
      for (const each of row[YEARS]) {
        const cell = cells.get(place + "|" + each[0]);
        line.append(!cell ? element("td", row[CELLS] === null ? "" : "0", "n")
          : cell[2] === null ? element("td", "–", "n") : pair(count(cell[2]), count(cell[3])));
      }
      const sum = pair(total(persons, 0), total(records, ofAll));
      sum.classList.add("total");
      line.append(sum);
      inner.append(line);
    }
    const line = element("tr"), th = element("th", word("all"), "total");
    th.scope = "row";
    line.append(th);
    for (const each of row[YEARS]) { const sum = pair(total(each[1], each[3]), total(each[2], each[3])); sum.classList.add("total"); line.append(sum); }
    const sum = pair(total(row[PERSONS], 0), total(row[RECORDS], row[OF_ALL]));
    sum.classList.add("total");
    line.append(sum);
    inner.append(line);
    const scroll = element("div", null, "scroll");
    scroll.append(made);
    td.append(scroll);
    tr.append(td);
    return tr;
  }

  function line(row) {
    const tr = element("tr"), th = element("th"), button = element("button", nameOf(row) || String(row[ID]), "row");
    th.scope = "row";
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    if (row[NAME]) button.lang = "en";
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!open));
      if (open) tr.nextElementSibling.remove(); else tr.after(detail(row));
    });
    th.append(button);
    const of = element("td", tables[row[TABLE]], "code");
    of.lang = "en";
    tr.append(th, element("td", row[ID], "n"), of, element("td", years(row)), element("td", number.format(row[PLACES].length), "n"),
      element("td", total(row[PERSONS], 0), "n"), element("td", total(row[RECORDS], row[OF_ALL]), "n"));
    return tr;
  }

  const orders = {
    records: (a, b) => (rows[b][RECORDS] || 0) - (rows[a][RECORDS] || 0),
    persons: (a, b) => (rows[b][PERSONS] || 0) - (rows[a][PERSONS] || 0),
    name: (a, b) => (nameOf(rows[a]) < nameOf(rows[b]) ? -1 : nameOf(rows[a]) > nameOf(rows[b]) ? 1 : 0),
    id: (a, b) => rows[a][ID] - rows[b][ID],
  };

  function find() {
    const asked = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const of = tables.indexOf(byId("by-table").value), at = byId("by-place").value, order = orders[byId("sort").value];
    found = [];
    for (let i = 0; i < rows.length; i++) {
      if ((of < 0 || rows[i][TABLE] === of) && (at === "" || rows[i][PLACES].some((each) => each[0] === Number(at))) &&
        asked.every((part) => searched[i].includes(part))) found.push(i);
    }
    found.sort((a, b) => order(a, b) || a - b);
    start = 0;
    draw();
  }

  function draw() {
    body.replaceChildren(...found.slice(start, start + PAGE).map((i) => line(rows[i])));
    shown.textContent = found.length
      ? word("shown", { from: number.format(start + 1), to: number.format(Math.min(start + PAGE, found.length)), n: number.format(found.length), all: number.format(rows.length) })
      : word("nothing");
    byId("before").disabled = start === 0;
    byId("next").disabled = start + PAGE >= found.length;
  }

  function say() {
    document.documentElement.lang = language;
    document.title = word("title") + " · Dure";
    for (const each of document.querySelectorAll("[data-w]")) each.textContent = word(each.dataset.w);
    byId("language").textContent = word("language");
    byId("language").lang = language === "ko" ? "en" : "ko";
    byId("count").textContent = number.format(rows.length);
    draw();
  }

  byId("language").addEventListener("click", () => { language = language === "ko" ? "en" : "ko"; say(); });
  form.addEventListener("input", find);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(find));
  byId("before").addEventListener("click", () => { start = Math.max(0, start - PAGE); draw(); });
  byId("next").addEventListener("click", () => { start += PAGE; draw(); });
  byId("no-script").hidden = true;
  form.hidden = table.hidden = byId("language").hidden = document.querySelector(".pages").hidden = false;
  find();
  say();
})();
