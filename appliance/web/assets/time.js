// The station tells every time in UTC. This adds the browser's own beside it; where
// that is the same nothing is added, and without this script the page says no less.
// Rows of the table give a time of day alone, or with its date where that is another
// day than the page's.
"use strict";
{
  const pad = (n) => String(n).padStart(2, "0");
  const day = (d) => d.getFullYear() + "-" + pad(d.getMonth() + 1) + "-" + pad(d.getDate());
  const beside = new WeakMap();

  // instant is when t was, in ISO 8601, or empty.
  const instant = (t) => {
    if (t.dateTime) return t.dateTime;
    const [, date, clock] = t.textContent.match(/^(\d{4}-\d\d-\d\d )?(\d\d:\d\d:\d\d)$/) || [];
    const now = document.querySelector(".asof time");
    if (!clock || !date && !now) return "";
    if (date) return date.trim() + "T" + clock + "Z";
    const at = new Date(now.dateTime.slice(0, 11) + clock + "Z");
    // Written before midnight, and read after.
    if (at - new Date(now.dateTime) > 12 * 3600e3) at.setUTCDate(at.getUTCDate() - 1);
    return isNaN(at) ? "" : at.toISOString();
  };

  const local = (t) => {
    const machine = instant(t), at = new Date(machine);
    if (isNaN(at) || at.getTimezoneOffset() === 0) return "";
    const seconds = /:\d\d:\d\d/.test(t.textContent);
    const text = pad(at.getHours()) + ":" + pad(at.getMinutes()) + (seconds ? ":" + pad(at.getSeconds()) : "");
    return "(" + (day(at) === machine.slice(0, 10) ? "" : day(at) + " ") + text + " here)";
  };

  const add = () => {
    for (const t of document.querySelectorAll("time")) {
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
