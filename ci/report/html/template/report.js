"use strict";
(() => {
  const byId = (name) => document.getElementById(name);
  const form = byId("filter");
  const fields = ["text", "verdict", "arch", "suite"].map((name) => byId("f-" + name));
  const matrix = new Map([...document.querySelectorAll("tr[data-cell]")].map((row) => [row.dataset.cell, row]));
  const OPEN_AT_MOST = 300;
  let cells = null;

  /* The rows are read at the first use of the filter, so that a page of many tests opens at once. */
  function index() {
    cells ??= [...document.querySelectorAll("details.cell")].map((cell) => ({
      cell,
      arch: cell.dataset.arch,
      suite: cell.dataset.suite,
      title: cell.querySelector("summary").textContent.toLowerCase(),
      rows: [...cell.querySelectorAll("tr[data-v]")].map((row) => ({
        row,
        verdict: row.dataset.v,
        text: row.textContent.toLowerCase(),
      })),
    }));
    return cells;
  }

  function filter() {
    const [text, verdict, arch, suite] = fields.map((field) => field.value);
    const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
    const active = Boolean(wanted.length || verdict || arch || suite);
    let shown = 0;
    let total = 0;
    const open = [];
    for (const item of index()) {
      const here = (!arch || item.arch === arch) && (!suite || item.suite === suite);
      let count = 0;
      for (const { row, verdict: word, text: said } of item.rows) {
        const hit = here && (!verdict || word === verdict) &&
          wanted.every((part) => said.includes(part) || item.title.includes(part));
        row.hidden = !hit;
        count += hit ? 1 : 0;
      }
      const keep = !active || count > 0 || (here && !verdict && !wanted.length);
      item.cell.hidden = !keep;
      if (matrix.has(item.cell.id)) matrix.get(item.cell.id).hidden = !keep;
      if (active && count) open.push(item.cell);
      shown += count;
      total += item.rows.length;
    }
    for (const { cell } of index()) cell.open = active && shown <= OPEN_AT_MOST && open.includes(cell);
    byId("f-count").textContent = active ? `${shown} of ${total} tests` : `${total} tests`;
  }

  function openTarget() {
    const name = location.hash.slice(1);
    const target = name && byId(name);
    if (!target) return;
    if (target.closest("[hidden]")) form.reset();
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    target.scrollIntoView({ block: "start" });
  }

  function copy(event) {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const code = button.parentElement.querySelector("code");
    const done = () => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    };
    const byHand = () => {
      const range = document.createRange();
      range.selectNodeContents(code);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      if (document.execCommand("copy")) done();
    };
    if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, byHand);
    else byHand();
  }

  function step(by) {
    const found = [...document.querySelectorAll(".finding h3 a")];
    if (!found.length) return;
    const at = found.indexOf(document.activeElement);
    found[(at < 0 && by < 0 ? found.length - 1 : at + by + found.length) % found.length].focus();
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && form.contains(document.activeElement)) { form.reset(); return; }
    if (event.target.closest("input, select, textarea")) return;
    if (event.key === "/") { event.preventDefault(); fields[0].focus(); }
    if (event.key === "n") step(1);
    if (event.key === "p") step(-1);
  }

  let timer = 0;
  form.hidden = false;
  for (const button of document.querySelectorAll("button.copy")) button.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  const soon = () => { clearTimeout(timer); timer = setTimeout(filter, 80); };
  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  form.addEventListener("reset", () => { setTimeout(filter, 0); });
  document.addEventListener("click", copy);
  document.addEventListener("keydown", key);
  addEventListener("hashchange", openTarget);
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll(".finding details")) part.open = true;
  });
  openTarget();
})();
