// Draws with uPlot what the reference was like, in place of the pictures that come with
// the page: what is under the pointer is told in numbers, and who draws across a stretch
// looks closer at it. Without this script the page says no less, and its links lead to
// the same stretches.
"use strict";
{
  const source = document.getElementById("past-data");
  const data = source && JSON.parse(source.textContent);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const pad = (n) => String(n).padStart(2, "0");
  const minus = (text) => text.replace("-", "−");

  const seconds = (v) => {
    const size = Math.abs(v);
    const [unit, times] = size >= 1 ? ["s", 1] : size >= 1e-3 ? ["ms", 1e3] : size >= 1e-6 ? ["µs", 1e6] : ["ns", 1e9];
    return v === 0 ? "0" : minus(Number((v * times).toPrecision(3)) + " " + unit);
  };
  const signed = (v) => (v > 0 ? "+" : "") + seconds(v);
  const ppm = (v) => (v > 0 ? "+" : "") + minus(v.toFixed(3)) + " ppm";
  const degrees = (v) => minus(v.toFixed(1)) + " °C";

  // wide is a scale around the numbers that spans least at the least.
  const wide = (least) => (u, low, high) => {
    if (low == null) return [0, least];
    const spare = Math.max(least - (high - low), (high - low) / 10);
    return [low - spare / 2, high + spare / 2];
  };
  // even reaches as far up as down, and leaves out the few that are far off.
  const even = () => {
    const sizes = [...data.least, ...data.greatest].filter((v) => v != null).map(Math.abs).sort((a, b) => a - b);
    const top = Math.max(1.1 * (sizes[Math.round(0.98 * (sizes.length - 1))] || 0), 1e-9);
    return [-top, top];
  };

  // decades are the powers of ten of a logarithmic scale.
  const decades = (u, axis, low, high) => {
    const list = [];
    for (let e = Math.ceil(Math.log10(low)); e <= Math.log10(high) + 1e-9; e++) list.push(10 ** e);
    return list;
  };

  // What each picture has: rows of numbers with their colours and words.
  const kinds = {
    offset: { rows: [["greatest", "", ""], ["least", "", ""], ["mean", "trace", "mean"]], band: true, text: signed, range: even },
    spread: { rows: [["uncertainty", "trace", "95 % uncertainty"], ["jitter", "wait", "jitter", [5, 4]]], text: seconds, log: true },
    frequency: { rows: [["frequency", "trace", ""]], text: ppm, range: wide(0.002) },
    temperature: { rows: [["temperature", "trace", ""]], text: degrees, range: wide(2) },
  };

  const day = (d) => d.getUTCDate() + " " + ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][d.getUTCMonth()];
  const clock = (d) => pad(d.getUTCHours()) + ":" + pad(d.getUTCMinutes());
  const ticks = (u, splits, axis, space, step) => splits.map((t) => {
    const d = new Date(t * 1000);
    return step >= 86400 || d.getUTCHours() + d.getUTCMinutes() === 0 ? day(d) : clock(d);
  });

  // look goes to the stretch that was drawn across.
  let gone = false;
  const look = (u) => {
    if (u.select.width < 5 || gone) return;
    gone = true;
    const from = Math.round(u.posToVal(u.select.left, "x")), to = Math.round(u.posToVal(u.select.left + u.select.width, "x"));
    location.assign(data.path + "?from=" + from + "&to=" + to);
  };

  // shade marks the parts in which the reference was not locked all the time.
  const shade = (u) => {
    const { left, top, width, height } = u.bbox;
    data.states.forEach((state, i) => {
      if (!state) return;
      const x = (t) => Math.min(Math.max(u.valToPos(t, "x", true), left), left + width);
      const from = x(data.first + i * data.part), to = x(data.first + (i + 1) * data.part);
      u.ctx.fillStyle = colour({ suspect: "bad-bg", holdover: "warn-bg" }[state] || "wait-bg");
      u.ctx.fillRect(from, top, Math.max(to - from, 1), height);
    });
  };

  const plots = new Map(); // by figure
  const draw = (figure) => {
    plots.get(figure)?.destroy(); // it would go on in step with the others
    const kind = kinds[figure.dataset.track];
    const old = figure.querySelector("svg.plot, .drawn");
    const box = document.createElement("div");
    box.className = "drawn";
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", old.getAttribute("aria-label"));
    const told = figure.querySelector(".readout") || document.createElement("p");
    told.className = "readout";
    told.ariaHidden = "true"; // the table has the numbers
    old.replaceWith(box);
    box.before(told);

    const tell = (u) => {
      const i = u.cursor.idx;
      let text = "";
      if (i != null) {
        const d = new Date(u.data[0][i] * 1000);
        const value = (name) => (data[name][i] == null ? "not known" : kind.text(data[name][i]));
        text = d.getUTCFullYear() + "-" + pad(d.getUTCMonth() + 1) + "-" + pad(d.getUTCDate()) + " " + clock(d) + " UTC: " +
          kind.rows.filter(([, stroke]) => stroke).map(([name, , word]) => (word ? word + " " : "") + value(name)).join(", ");
        if (kind.band) text += ", from " + value("least") + " to " + value("greatest");
        if (data.states[i]) text += ", " + data.states[i];
      }
      told.textContent = text;
    };

    const font = "12px " + getComputedStyle(document.body).fontFamily;
    const line = { stroke: colour("line"), width: 1 };
    const axis = { stroke: colour("soft"), font, grid: line, ticks: { show: false } };
    const middle = data.mean.map((_, i) => data.first + (i + 0.5) * data.part);
    const u = new uPlot({
      width: box.clientWidth, height: 200, legend: { show: false },
      tzDate: (t) => uPlot.tzDate(new Date(t * 1000), "Etc/UTC"),
      cursor: { y: false, sync: { key: "past" }, drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
      scales: { x: { range: () => [data.from, data.to] }, y: kind.log ? { distr: 3 } : { range: kind.range } },
      axes: [
        { ...axis, values: ticks, space: 70, size: 30 },
        { ...axis, values: (_, splits) => splits.map((v) => (v == null ? "" : kind.text(v))), size: 84, splits: kind.log ? decades : undefined },
      ],
      series: [{}, ...kind.rows.map(([, stroke, , dash]) => ({ stroke: stroke ? colour(stroke) : "transparent", width: 1.8, dash, points: { show: stroke ? undefined : false } }))],
      bands: kind.band ? [{ series: [1, 2], fill: colour("band") }] : [],
      hooks: { drawClear: kind.band ? [shade] : [], setCursor: [tell], setSelect: [look] },
    }, [middle, ...kind.rows.map(([name]) => data[name].map((v) => (kind.log && !(v > 0) ? null : v)))], box);
    plots.set(figure, u);
    new ResizeObserver(() => {
      if (box.isConnected && box.clientWidth !== u.width) u.setSize({ width: box.clientWidth, height: 200 });
    }).observe(box);
  };

  const all = () => document.querySelectorAll("figure[data-track]").forEach(draw);
  // A canvas does not follow the colours that a reader forces on a page.
  if (data && window.uPlot && !matchMedia("(forced-colors: active)").matches) {
    all();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
  }
}
