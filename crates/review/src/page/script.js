"use strict";
(() => {
  const table = document.querySelector("table.fields");
  const tools = document.querySelector(".tools");
  if (!table || !tools) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const text = tools.querySelector("input");
  const kind = tools.querySelector("select");
  const shown = tools.querySelector("output");
  const filter = () => {
    const wanted = text.value.trim().toLowerCase().split(/\s+/);
    let count = 0;
    for (const row of rows) {
      const all = row.textContent.toLowerCase();
      const fits = wanted.every((word) => all.includes(word)) && (!kind.value || row.dataset.kinds.split(" ").includes(kind.value));
      row.hidden = !fits;
      if (fits) count += 1;
    }
    shown.textContent = `${count} of ${rows.length} fields`;
  };
  text.addEventListener("input", filter);
  kind.addEventListener("change", filter);
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const of = (row) => row.cells[column].textContent;
      const sorted = [...rows].sort((a, b) => of(a).localeCompare(of(b), "en", { numeric: true }) * (up ? 1 : -1));
      body.append(...sorted);
    });
  });
  tools.hidden = false;
  filter();
})();
