// Values of the page as they change, from the station's own events. Without this script
// the page loads itself anew now and then, and says no less.
"use strict";
{
  const query = new URLSearchParams(location.search);
  const still = query.get("refresh") === "off" || query.has("before") || query.has("from"); // a time that is over
  const main = document.querySelector("main");
  const log = document.querySelector("[data-log]");
  const away = document.createElement("p");
  let shape = "", lines = -1, drawn = Date.now(), busy = false;
  let events, asked = 0, heard = Date.now(), looked = Date.now();

  const set = (node, text) => { if (node && node.textContent !== text) node.textContent = text; };

  // needs are the addresses of a page's scripts and style sheets, which change with them.
  const needs = (page) => [...page.head.querySelectorAll("script, link")].map((e) => e.getAttribute("src") || e.getAttribute("href")).join();

  // draw loads the page anew and takes over what has changed, but not while somebody
  // marks text in it; what was opened stays open.
  const draw = async () => {
    const mark = document.getSelection();
    if (busy || (mark && !mark.isCollapsed)) return;
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(15000) });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("main");
      if (!fresh) return;
      if (needs(page) !== needs(document)) { // the station has been updated
        location.reload();
        return;
      }
      const opened = [...main.querySelectorAll("details")].map((d) => d.open);
      [...fresh.querySelectorAll("details")].forEach((d, i) => { if (i < opened.length) d.open = opened[i]; });
      const focus = document.activeElement && document.activeElement.closest("main a[href]");
      main.replaceChildren(...fresh.childNodes);
      if (focus) {
        const same = [...main.querySelectorAll("a[href]")].find((a) => a.getAttribute("href") === focus.getAttribute("href"));
        if (same) same.focus({ preventScroll: true });
      }
      drawn = Date.now();
      hear();
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

  // hear notes that the station is there.
  const hear = () => { heard = Date.now(); away.remove(); };

  const listen = () => {
    if (events) events.close();
    asked = Date.now();
    events = new EventSource("/api/v1/events");
    events.onmessage = (e) => { hear(); take(e); };
  };

  // watch says that what is shown is old when nothing comes any more. A browser finds out
  // late, or never, that a connection leads nowhere, so a new one is made now and then.
  // Who was turned away, as there are others enough, loads the page anew instead.
  const watch = () => {
    const now = Date.now();
    if (now - looked > 5000) heard = Math.max(heard, now - 5000); // this page slept, not the station
    looked = now;
    const turned = events.readyState === EventSource.CLOSED;
    const quiet = now - heard;
    if (quiet > (turned ? 45000 : 8000) && !away.isConnected) {
      const clock = document.querySelector(".asof time");
      away.className = "away";
      away.setAttribute("role", "alert");
      away.textContent = "This page cannot reach the station. What it shows " + (clock ? "was so at " + clock.textContent + " UTC" : "is old") +
        ". It goes on by itself when the station is back; if it does not, the station may have another address.";
      main.before(away);
    }
    if (now - asked > (turned ? 30000 : 10000) && (turned || quiet > 8000)) {
      if (turned) draw();
      listen();
    }
  };

  if (!still && main) { listen(); setInterval(watch, 1000); }
}
