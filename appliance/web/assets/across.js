// Who draws across a stretch of a picture with a mouse looks closer at it. Without this
// script the links beside the picture lead closer.
"use strict";
{
  let start = null; // of what is drawn: the picture, its box and where it was begun

  const inside = (e) => Math.min(Math.max(e.clientX, start.box.left), start.box.right);
  const stop = () => {
    if (!start) return;
    start.mark.remove();
    start = null;
  };

  document.addEventListener("pointerdown", (e) => {
    const picture = e.target.closest("[data-across]");
    if (!picture || e.button !== 0 || e.pointerType === "touch") return;
    e.preventDefault(); // no text is marked
    const mark = document.createElement("div");
    mark.className = "across";
    start = { picture, mark, at: e.clientX, box: picture.querySelector("svg svg").getBoundingClientRect() };
  });
  document.addEventListener("pointermove", (e) => {
    if (!start || Math.abs(e.clientX - start.at) < 5) return;
    const x = inside(e), left = start.picture.getBoundingClientRect().left;
    start.mark.style.left = Math.min(x, start.at) - left + "px";
    start.mark.style.width = Math.abs(x - start.at) + "px";
    start.picture.append(start.mark);
  });
  document.addEventListener("pointerup", (e) => {
    if (!start) return;
    const { picture, box, at } = start, x = inside(e), drawn = start.mark.isConnected;
    stop();
    if (!drawn || Math.abs(x - at) < 5) return;
    const { across, from, to } = picture.dataset;
    const when = (px) => Math.round(Number(from) + (Number(to) - Number(from)) * (px - box.left) / box.width);
    location.assign(across + "?from=" + when(Math.min(x, at)) + "&to=" + when(Math.max(x, at)));
  });
  document.addEventListener("pointercancel", stop);
  document.addEventListener("keydown", (e) => { if (e.key === "Escape") stop(); });
}
