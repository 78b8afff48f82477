"use strict";
(() => {
  const live = document.getElementById("live");
  if (!live) return;
  const said = document.getElementById("said");
  const link = document.getElementById("link");
  const source = new EventSource(live.dataset.events);
  source.addEventListener("view", (event) => {
    const told = JSON.parse(event.data);
    const focused = live.contains(document.activeElement) ? document.activeElement.id : "";
    live.innerHTML = told.html; // made safe where it was written
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    if (told.said) said.textContent = told.said;
    link.textContent = "";
    document.documentElement.dataset.seen = String(Number(document.documentElement.dataset.seen || 0) + 1);
  });
  source.addEventListener("error", () => {
    link.textContent = "The connection is lost; trying again.";
  });
  addEventListener("pagehide", () => source.close());
})();
