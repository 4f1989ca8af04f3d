"use strict";

// A button in every head of a table: sorts by its column, then the other way round; empty cells stay last.
for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    head.dataset.name = head.textContent; // for print
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(table, column));
    head.append(button);
  });
}

function sort(table, column) {
  const heads = [...table.tHead.rows[0].cells];
  const descending = heads[column].getAttribute("aria-sort") === "ascending";
  heads.forEach(head => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", descending ? "descending" : "ascending");
  const key = row => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
  const rows = [...table.tBodies[0].rows];
  const filled = rows.filter(row => key(row) !== "").sort((a, b) => compare(key(a), key(b)));
  if (descending) filled.reverse();
  table.tBodies[0].append(...filled, ...rows.filter(row => key(row) === ""));
}

// Numbers as numbers and before words.
function compare(a, b) {
  const [x, y] = [Number(a), Number(b)];
  if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y) || a.localeCompare(b, "en", { numeric: true });
  return x === y ? 0 : x < y ? -1 : 1;
}

// The claims of one verdict.
const filter = document.querySelector(".filter");
if (filter) {
  const rows = [...document.querySelectorAll("#claims-table tbody tr")];
  const show = () => {
    const verdict = filter.querySelector("input:checked").value;
    rows.forEach(row => { row.hidden = verdict !== "all" && row.dataset.verdict !== verdict; });
    const shown = rows.filter(row => !row.hidden).length;
    document.getElementById("shown").textContent = `${shown} of ${rows.length} claims shown`;
  };
  filter.hidden = false;
  filter.addEventListener("change", show);
  // A link to a claim that is filtered out shows all of them again.
  document.addEventListener("click", event => {
    const row = document.querySelector(event.target.closest("a[href^='#C']")?.getAttribute("href") ?? ".none");
    if (!row?.hidden) return;
    filter.querySelector("input[value=all]").checked = true;
    show();
  });
  show();
}

// What is folded is printed, too; a link into a folded part unfolds it.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(one => { one.open = true; }));
const unfold = () => { if (location.hash) document.querySelector(location.hash)?.closest("details")?.setAttribute("open", ""); };
addEventListener("hashchange", unfold);
unfold();
