"use strict";
// The charts: what is drawn, in the page's own colours, again whenever the theme or the width changes.
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const drawn = new Map();

function config() {
  const ink = colour("ink"), quiet = colour("quiet"), line = colour("line");
  const font = "system-ui, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";
  return {
    background: null, font, view: { stroke: null },
    axis: { labelColor: quiet, titleColor: quiet, titleFontWeight: "normal", titleFontSize: 12, labelFontSize: 12, gridColor: line, gridOpacity: 0.6, domain: false, ticks: false, labelPadding: 6, labelLimit: 260 },
    axisXQuantitative: { tickCount: 5, labelOverlap: "greedy" },
    legend: { labelColor: quiet, titleColor: quiet, orient: "top", title: null, symbolType: "square", labelFontSize: 12, columnPadding: 14 },
    text: { color: ink, fontSize: 12 }, bar: { color: colour("mark") }, rule: { color: colour("mark") }, point: { filled: true, opacity: 1 },
  };
}

/** Draw a chart in its place; `make()` gives its specification, `clicked(datum)` is told what was clicked. */
async function draw(place, make, clicked) {
  drawn.set(place, [make, clicked]);
  const spec = make();
  if (!spec) { place.replaceChildren(el("p", { class: "quiet" }, "Nothing to draw here.")); return; }
  const whole = { width: "container", autosize: { type: "fit-x", contains: "padding" }, config: config(), ...spec };
  const { view } = await vegaEmbed(place, whole, { mode: "vega-lite", renderer: "svg", actions: false, ast: true, logLevel: 1, tooltip: { theme: "custom" } });
  place.querySelector("svg")?.setAttribute("role", "img");
  if (clicked) view.addEventListener("click", (_, item) => { if (item?.datum) clicked(item.datum); });
}
const redraw = () => Promise.all([...drawn].filter(([place]) => place.isConnected).map(([place, [make, clicked]]) => draw(place, make, clicked)));

/** A figure: caption, chart, and the table behind it. */
function chart(caption, note, make, behind, clicked) {
  const place = el("div", { class: "chart", role: "group", "aria-label": caption });
  const figure = el("figure", null, el("figcaption", null, caption, note ? el("span", { class: "quiet" }, ` ${note}`) : null), place, behind ? el("details", null, el("summary", null, "As a table"), behind) : null);
  queueMicrotask(() => draw(place, make, clicked));
  return figure;
}

const rows = (n, step = 24) => Math.max(n, 1) * step;
const labelled = (title, sort = null) => ({ field: "label", type: "nominal", sort, title, axis: { labelLimit: Math.min(300, innerWidth * 0.36) } });

function lostSpec(states) {
  if (!states.length) return null;
  const split = states.some((one) => one.repeated > 0);
  const values = states.flatMap((one) => [{ ...one, part: "failed", value: one.own }, ...(split ? [{ ...one, part: "repeated", value: one.repeated }] : [])]);
  return {
    data: { values }, height: rows(states.length), mark: { type: "bar", cornerRadiusEnd: 2, cursor: "pointer" },
    encoding: {
      y: labelled(null), x: { field: "value", type: "quantitative", title: "hours lost", stack: "zero" },
      color: { field: "part", type: "nominal", scale: { domain: ["failed", "repeated"], range: [colour("lost"), colour("again")] }, legend: split ? {} : null },
      tooltip: [{ field: "label", title: "state" }, { field: "part", title: "attempts" }, { field: "value", title: "hours", format: ".2f" }, { field: "n", title: "attempts (n)" }],
    },
  };
}
function rateSpec(states) {
  const values = states.filter((one) => one.low !== null);
  if (!values.length) return null;
  const tooltip = [{ field: "label", title: "state" }, { field: "observed", title: "failed", format: ".1%" }, { field: "low", title: "90 % from", format: ".1%" }, { field: "high", title: "to", format: ".1%" }, { field: "n", title: "attempts (n)" }];
  const y = labelled(null);
  return {
    data: { values }, height: rows(values.length),
    layer: [
      { mark: { type: "rule", strokeWidth: 5, opacity: 0.35, color: colour("lost"), strokeCap: "round" }, encoding: { y, x: { field: "low", type: "quantitative", title: "failure rate", axis: { format: "%" } }, x2: { field: "high" }, tooltip } },
      { mark: { type: "point", size: 60, color: colour("lost"), cursor: "pointer" }, encoding: { y, x: { field: "observed", type: "quantitative" }, tooltip } },
    ],
  };
}
function funnelSpec(states) {
  if (!states.length) return null;
  return {
    data: { values: states }, height: rows(states.length),
    layer: [
      { mark: { type: "bar", color: colour("bar"), cornerRadiusEnd: 2 }, encoding: { x: { field: "reached", type: "quantitative", title: "share of builds that came so far", scale: { domain: [0, 1] }, axis: { format: "%" } } } },
      { mark: { type: "tick", color: colour("good"), thickness: 3, size: 15 }, encoding: { x: { field: "passedShare", type: "quantitative" } } },
    ],
    encoding: { y: labelled(null), tooltip: [{ field: "label", title: "state" }, { field: "builds", title: "came so far" }, { field: "passed", title: "got past it" }, { field: "reached", title: "share", format: ".1%" }] },
  };
}
/** Bars as wide as the time they stand for, from `from` to `to`. */
function overTime(values, title, encoding) {
  const days = (Date.parse(values.at(-1).ends) - Date.parse(values[0].begins)) / 86400e3;
  return {
    data: { values }, mark: { type: "rect", stroke: colour("paper"), strokeWidth: days / 7 > 60 ? 0.4 : 1 },
    encoding: {
      x: { field: "begins", type: "temporal", scale: { type: "utc", nice: false }, title: null, axis: { format: days > 200 ? "%b %Y" : "%-d %b", labelOverlap: "greedy", grid: false, tickCount: 8 } }, x2: { field: "ends" },
      y: { field: "from", type: "quantitative", title, scale: { zero: true } }, y2: { field: "to" }, ...encoding,
    },
  };
}
function weeksSpec(weeks) {
  const kinds = [["first", "green at the first run", "good"], ["later", "green later", "later"], ["failed", "failed", "lost"]];
  const values = weeks.flatMap((week) => {
    let from = 0;
    return kinds.map(([key, what]) => ({ begins: week.begins, ends: week.ends, what, value: week[key], from, to: from += week[key] }));
  });
  if (!sum(values.map((one) => one.value))) return null;
  return { height: 190, ...overTime(values, "builds begun", {
    color: { field: "what", type: "nominal", scale: { domain: kinds.map((kind) => kind[1]), range: kinds.map((kind) => colour(kind[2])) } },
    tooltip: [{ field: "begins", title: "from" }, { field: "what", title: "builds" }, { field: "value", title: "n" }],
  }) };
}
function lossSpec(weeks) {
  if (!weeks.some((week) => week.hours_lost > 0)) return null;
  return { height: 150, ...overTime(weeks.map((week) => ({ ...week, from: 0, to: week.hours_lost })), "hours lost", {
    color: { value: colour("lost") },
    tooltip: [{ field: "begins", title: "from" }, { field: "hours_lost", title: "hours lost", format: ".1f" }, { field: "failures", title: "failures" }, { field: "attempts", title: "attempts (n)" }],
  }) };
}
function calendarSpec() {
  if (!F.days.length) return null;
  const weeks = (Date.parse(F.days.at(-1).date) - Date.parse(F.days[0].date)) / 604800e3 + 2;
  return {
    ...(weeks < 45 ? { width: 90 + Math.round(weeks) * 18 } : {}),
    data: { values: F.days.map((one) => ({ ...one, lost: one.hours_lost })) }, height: rows(7, 15),
    transform: [{ calculate: "utc(utcyear(toDate(datum.date)), utcmonth(toDate(datum.date)), utcdate(toDate(datum.date)) - (utcday(toDate(datum.date)) + 6) % 7)", as: "monday" }, { calculate: "(utcday(toDate(datum.date)) + 6) % 7", as: "weekday" }],
    mark: { type: "rect", cornerRadius: 2, stroke: colour("paper"), strokeWidth: 1.5 },
    encoding: {
      x: { field: "monday", type: "ordinal", title: null, axis: { labelExpr: "utcdate(toDate(datum.value)) <= 7 ? utcFormat(toDate(datum.value), '%b') : ''", labelAngle: 0, labelOverlap: false, labelAlign: "left", labelOffset: -5 } },
      y: { field: "weekday", type: "ordinal", title: null, scale: { domain: [0, 1, 2, 3, 4, 5, 6] }, axis: { labelExpr: "['Mon','','Wed','','Fri','','Sun'][datum.value]" } },
      color: { field: "lost", type: "quantitative", scale: { type: "sqrt", domainMin: 0, range: [colour("faint"), colour("lost")] }, legend: { title: "hours lost", orient: "top", type: "gradient", gradientLength: 120, gradientThickness: 8, tickCount: 3 } },
      tooltip: [{ field: "date", title: "day (UTC)" }, { field: "lost", title: "hours lost", format: ".1f" }, { field: "failures", title: "failures" }, { field: "builds", title: "builds begun" }],
    },
  };
}
function classSpec(classes) {
  if (!classes.length) return null;
  const domain = ["transient", "persistent", "uncertain"];
  return {
    data: { values: classes }, height: rows(classes.length), mark: { type: "bar", cornerRadiusEnd: 2, cursor: "pointer" },
    encoding: {
      y: labelled(null), x: { field: "failures", type: "quantitative", title: "failures", axis: { tickMinStep: 1 } },
      color: { field: "group", type: "nominal", scale: { domain, range: [colour("mark"), colour("lost"), colour("cut")] } },
      tooltip: [{ field: "label", title: "class" }, { field: "group", title: "group" }, { field: "failures", title: "failures (n)" }, { field: "share", title: "share", format: ".1%" }],
    },
  };
}
/** Estimates with their intervals, against a line at `zero` if there is one; `other` is a second mark to compare with. */
function intervalSpec(values, title, { zero = null, other = null, format = "", hue = "mark" } = {}) {
  if (!values.length) return null;
  const y = labelled(null);
  const tooltip = [{ field: "label", title: " " }, { field: "mean", title: "estimate", format: format || ".2f" }, { field: "low", title: "90 % from", format: format || ".2f" }, { field: "high", title: "to", format: format || ".2f" }, { field: "n", title: "n" }, ...(other ? [{ field: "other", title: other, format: format || ".2f" }] : [])];
  const axis = format ? { format } : {};
  const layer = [
    { mark: { type: "rule", strokeWidth: 6, opacity: 0.35, color: colour(hue), strokeCap: "round" }, encoding: { y, x: { field: "low", type: "quantitative", title, axis }, x2: { field: "high" }, tooltip } },
    { mark: { type: "point", size: 70, color: colour(hue) }, encoding: { y, x: { field: "mean", type: "quantitative" }, tooltip } },
  ];
  if (other) layer.push({ mark: { type: "tick", thickness: 3, size: 16, color: colour("ink") }, encoding: { y, x: { field: "other", type: "quantitative" }, tooltip } });
  if (zero !== null) layer.unshift({ data: { values: [{ zero }] }, mark: { type: "rule", color: colour("quiet"), strokeDash: [3, 3] }, encoding: { x: { field: "zero", type: "quantitative" } } });
  return { data: { values }, height: rows(values.length, 28), layer };
}
const PARTS = [["completed", "good"], ["failed", "lost"], ["repeated", "again"], ["interrupted", "cut"], ["in progress", "mark"]];
function timelineSpec(worst) {
  const lane = (one, label) => one.steps.filter((step) => step.attempt !== null).map((step) => ({
    lane: label, begins: step.begins, ends: Math.max(step.ends, step.begins), state: stateName(step.state, step.name), attempt: step.attempt, told: step.told ?? "",
    what: step.what === "completed" && step.repeated ? "repeated" : step.what.replace("_", " "), hours: step.ends - step.begins,
  }));
  const values = [...worst.lanes.flatMap((one) => lane(one, `run ${one.run}`)), ...lane(worst.without, "without repeats")];
  return {
    data: { values }, height: rows(worst.lanes.length + 1, 30), mark: { type: "bar", stroke: colour("paper"), strokeWidth: 1, height: { band: 0.72 } },
    encoding: {
      y: { field: "lane", type: "nominal", sort: null, title: null },
      x: { field: "begins", type: "quantitative", title: "hours since the run began" }, x2: { field: "ends" },
      color: { field: "what", type: "nominal", scale: { domain: PARTS.map((part) => part[0]), range: PARTS.map((part) => colour(part[1])) } },
      tooltip: [{ field: "state" }, { field: "attempt" }, { field: "what", title: "became" }, { field: "hours", format: ".2f" }, { field: "told", title: "why" }],
    },
  };
}
