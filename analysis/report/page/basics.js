"use strict";
// What the page is made of: its findings, elements with text, and figures written as everywhere in the toolkit.
const F = JSON.parse(document.getElementById("findings").textContent);
const DASH = "–";
const several = F.scope.pipelines.length > 1;

/** Make an element; text only ever becomes a text node, so nothing that a log says can become markup. */
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name === "onclick") node.addEventListener("click", value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined).map((child) => child instanceof Node ? child : document.createTextNode(String(child))));
  return node;
}

const count = (value) => Math.round(value).toLocaleString("en");
const many = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
function percent(share) {
  if (share > 0 && share < 0.001) return "<0.1%";
  if (share < 1 && share > 0.999) return ">99.9%";
  return share >= 0.0995 || share === 0 ? `${Math.round(share * 100)}%` : `${(share * 100).toFixed(1)}%`;
}
function hours(value) {
  if (!value) return "0";
  if (value >= 48) return `${count(value)} h`;
  const seconds = value * 3600;
  if (seconds < 10) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  for (const [size, unit, below, lower] of [[86400, "d", 3600, "h"], [3600, "h", 60, "m"], [60, "m", 1, "s"]]) {
    if (whole >= size) {
      const rest = Math.floor((whole % size) / below);
      return rest ? `${Math.floor(whole / size)}${unit} ${rest}${lower}` : `${Math.floor(whole / size)}${unit}`;
    }
  }
  return `${whole}s`;
}
const span = (one, digits = 1) => ((show) => `${show(one.mean)} (${show(one.low)}–${show(one.high)})`)((value) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
/** How sure something is; never wholly. */
const sure = (share) => share > 0.99 ? ">99%" : percent(share);
/** A share as observed with its interval; a narrow one gets a decimal. */
const around = (observed, low, high) => (high - low < 0.05 ? [observed, low, high].map((share) => share > 0 && share < 0.001 ? "<0.1%" : `${(share * 100).toFixed(1)}%`) : [observed, low, high].map(percent)).reduce((told, next, at) => told + (at === 1 ? " (" : "–") + next) + ")";
const rate = (one) => one.share ? around(one.hits / one.n, one.share.low, one.share.high) : DASH;
const counted = (one) => one.n ? `${count(one.hits)} of ${count(one.n)}` : DASH;
const day = (moment) => moment ? moment.slice(0, 10) : DASH;
const stateName = (code, name) => name ? `${code} ${name}` : String(code);
const stateOf = (one) => several && one.pipeline ? `${one.pipeline}: ${stateName(one.code, one.name)}` : stateName(one.code, one.name);
const sum = (values) => values.reduce((total, value) => total + value, 0);
const say = (text) => { document.getElementById("status").textContent = text; };

/** The 90 % interval of a share under Jeffreys' prior, for what only a filter of the reader's puts together. */
function interval(hits, n) {
  const a = hits + 0.5, b = n - hits + 0.5;
  return n ? { mean: a / (a + b), low: betaQuantile(0.05, a, b), high: betaQuantile(0.95, a, b) } : null;
}
function betaQuantile(p, a, b) {
  let low = 0, high = 1;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (betaBelow(middle, a, b) < p) low = middle; else high = middle;
  }
  return (low + high) / 2;
}
/** The regularised incomplete beta function, by its continued fraction (modified Lentz). */
function betaBelow(x, a, b) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - betaBelow(1 - x, b, a);
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) - logBeta(a, b)) / a;
  let f = 1, c = 1, d = 0;
  for (let i = 0; i <= 400; i++) {
    const m = i >> 1;
    const term = i === 0 ? 1 : i % 2 ? -((a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)) : (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 + term * d; d = Math.abs(d) < 1e-30 ? 1e30 : 1 / d;
    c = 1 + term / c; c = Math.abs(c) < 1e-30 ? 1e-30 : c;
    f *= c * d;
    if (Math.abs(1 - c * d) < 1e-10) break;
  }
  return front * (f - 1);
}
function logBeta(a, b) { return logGamma(a) + logGamma(b) - logGamma(a + b); }
function logGamma(x) {
  if (x < 7) return logGamma(x + 1) - Math.log(x);
  const r = 1 / (x * x);
  return (x - 0.5) * Math.log(x) - x + 0.9189385332046727 + (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r / 1680))) / x;
}

/** A table with a caption; columns are `[title, kind, value of a row]`, a kind is "", "number", "nowrap" or "words". */
function table(caption, columns, rows, most = 200) {
  const body = el("tbody");
  const note = el("p", { class: "quiet" });
  let shown = rows;
  const fill = () => {
    body.replaceChildren(...shown.slice(0, most).map((row) => el("tr", null, columns.map(([, kind, value]) => el("td", { class: kind || null }, value(row) ?? DASH)))));
    note.textContent = shown.length > most ? `The first ${count(most)} of ${count(shown.length)} rows.` : "";
  };
  const heads = columns.map(([title, kind, , key]) => {
    const head = el("th", { scope: "col", class: kind === "number" ? "number" : null });
    head.append(key ? el("button", { type: "button", onclick: () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      shown = [...rows].sort((one, other) => (key(one) < key(other) ? 1 : key(one) > key(other) ? -1 : 0) * (down ? 1 : -1));
      fill();
    } }, title) : title);
    return head;
  });
  fill();
  return el("div", null, el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, el("table", null, el("caption", null, caption), el("thead", null, el("tr", null, heads)), body)), note);
}
