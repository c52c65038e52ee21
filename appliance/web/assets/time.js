// The station tells every time in UTC. This adds the browser's own beside it; where
// that is the same nothing is added, and without this script the page says no less.
// In rows of the table, whose times change all the time, nothing is added either.
"use strict";
{
  const pad = (n) => String(n).padStart(2, "0");
  const day = (d) => d.getFullYear() + "-" + pad(d.getMonth() + 1) + "-" + pad(d.getDate());
  const beside = new WeakMap();

  const local = (t) => {
    const at = new Date(t.dateTime);
    if (isNaN(at) || at.getTimezoneOffset() === 0) return "";
    const seconds = /:\d\d:\d\d/.test(t.textContent);
    const text = pad(at.getHours()) + ":" + pad(at.getMinutes()) + (seconds ? ":" + pad(at.getSeconds()) : "");
    return "(" + (day(at) === t.dateTime.slice(0, 10) ? "" : day(at) + " ") + text + " here)";
  };

  const add = () => {
    for (const t of document.querySelectorAll("time[datetime]")) {
      if (t.closest("tbody[data-id]")) continue;
      const text = local(t);
      let here = beside.get(t);
      if (!here && text) {
        here = document.createElement("span");
        here.className = "here";
        const next = t.nextSibling; // UTC, where that is said of each
        (next && next.nodeType === Node.TEXT_NODE && next.data.startsWith(" UTC") ? next : t).after(" ", here);
        beside.set(t, here);
      }
      if (here && here.textContent !== text) here.textContent = text;
    }
  };

  add();
  // Times come and change with the values of the page.
  new MutationObserver(add).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["datetime"] });
}
