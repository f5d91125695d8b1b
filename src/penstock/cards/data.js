"use strict";
(() => {
  const find = document.getElementById("find");
  const sort = document.getElementById("sort");
  const count = document.getElementById("count");
  const lists = [...document.querySelectorAll(".features")];
  const cards = [...document.querySelectorAll(".feature")];
  const show = () => {
    const text = find.value.trim().toLowerCase();
    let shown = 0;
    for (const card of cards) {
      card.hidden = text !== "" && !card.dataset.name.includes(text);
      card.style.display = card.hidden ? "none" : "";
      shown += card.hidden ? 0 : 1;
    }
    for (const list of lists) {
      const any = [...list.children].some((card) => !card.hidden);
      list.parentElement.style.display = any ? "" : "none";
    }
    count.textContent = text ? `${shown} of ${cards.length} features` : "";
  };
  const order = () => {
    const key = sort.value;
    const compare = (a, b) => {
      if (key === "name") return a.dataset.name.localeCompare(b.dataset.name);
      if (key === "order") return a.dataset.order - b.dataset.order;
      return b.dataset[key] - a.dataset[key] || a.dataset.order - b.dataset.order;
    };
    for (const list of lists) list.append(...[...list.children].sort(compare));
  };
  find.addEventListener("input", show);
  sort.addEventListener("change", order);
  document.getElementById("log").addEventListener("change", (event) => {
    document.body.classList.toggle("log", event.target.checked);
  });
  order();
})();
