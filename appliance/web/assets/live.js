// Values of the page as they change, from the station's own events. Without this script
// the page loads itself anew now and then, and says no less.
"use strict";
{
  const still = new URLSearchParams(location.search).get("refresh") === "off" || new URLSearchParams(location.search).has("before");
  const main = document.querySelector("main");
  const log = document.querySelector("[data-log]");
  let shape = "", lines = -1, drawn = Date.now(), busy = false;

  const set = (node, text) => { if (node && node.textContent !== text) node.textContent = text; };

  // draw loads the page anew and takes over what has changed, but not while somebody
  // marks text in it; what was opened stays open.
  const draw = async () => {
    const mark = document.getSelection();
    if (busy || (mark && !mark.isCollapsed)) return;
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
      if (!fresh) return;
      const opened = [...main.querySelectorAll("details")].map((d) => d.open);
      [...fresh.querySelectorAll("details")].forEach((d, i) => { if (i < opened.length) d.open = opened[i]; });
      const focus = document.activeElement && document.activeElement.closest("main a[href]");
      main.replaceChildren(...fresh.childNodes);
      if (focus) {
        const same = [...main.querySelectorAll("a[href]")].find((a) => a.getAttribute("href") === focus.getAttribute("href"));
        if (same) same.focus({ preventScroll: true });
      }
      drawn = Date.now();
      document.dispatchEvent(new Event("drawn"));
    } catch {
      // The station is away for a moment: what is shown stays.
    } finally {
      busy = false;
    }
  };

  const take = (e) => {
    const now = JSON.parse(e.data);
    const clock = document.querySelector(".asof time");
    if (clock && now.time) { set(clock, now.time.text); clock.dateTime = now.time.machine; }
    const age = Date.now() - drawn;
    if (log) {
      if (lines >= 0 && now.log !== lines && age > 1500) { lines = now.log; draw(); }
      if (lines < 0) lines = now.log;
      return;
    }
    set(document.querySelector(".verdict h1"), now.summary);
    for (const row of document.querySelectorAll(".reference > .facts > div")) {
      const fact = (now.facts || {})[row.querySelector("dt").textContent];
      if (!fact) continue;
      const value = row.querySelector("dd");
      set(value.firstChild, fact[1] ? fact[0] + " " : fact[0]);
      set(value.querySelector("small"), fact[1]);
    }
    for (const body of document.querySelectorAll(".list tbody")) {
      const link = body.querySelector("th a");
      const cells = link && (now.servers || {})[decodeURIComponent(link.pathname.replace(/^\/servers\//, ""))];
      if (!cells) continue;
      cells.forEach((text, i) => {
        const cell = body.rows[0].cells[4 + i];
        if (cell && text) set(cell.querySelector("time") || cell, text);
      });
    }
    if (shape && now.shape !== shape && age > 4000 || age > 60000) draw();
    if (!shape || age > 4000) shape = now.shape;
  };

  const listen = () => {
    const events = new EventSource("/api/v1/events");
    events.onmessage = take;
    events.onerror = () => {
      // Turned away: there are others enough. The page is loaded anew instead.
      if (events.readyState === EventSource.CLOSED) setTimeout(() => { draw(); listen(); }, 30000);
    };
  };
  if (!still && main) listen();
}
