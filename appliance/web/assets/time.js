// The station tells every time in UTC. This adds the browser's own beside it; where
// that is the same nothing is added, and without this script the page says no less.
"use strict";
{
  const pad = (n) => String(n).padStart(2, "0");
  const day = (d) => d.getFullYear() + "-" + pad(d.getMonth() + 1) + "-" + pad(d.getDate());
  for (const t of document.querySelectorAll("time[datetime]")) {
    const at = new Date(t.dateTime);
    if (isNaN(at) || at.getTimezoneOffset() === 0) continue;
    const seconds = /:\d\d:\d\d/.test(t.textContent);
    let text = pad(at.getHours()) + ":" + pad(at.getMinutes()) + (seconds ? ":" + pad(at.getSeconds()) : "");
    if (day(at) !== t.dateTime.slice(0, 10)) text = day(at) + " " + text;
    const here = document.createElement("span");
    here.className = "here";
    here.textContent = "(" + text + " here)";
    const next = t.nextSibling; // UTC, where that is said of each
    (next && next.nodeType === Node.TEXT_NODE && next.data.startsWith(" UTC") ? next : t).after(" ", here);
  }
}
