"use strict";
// The charts: what is drawn, in the page's own colours, again whenever the theme or the width changes.
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const drawn = new Map();

function config() {
  const ink = colour("ink"), quiet = colour("quiet"), line = colour("line");
  const font = "system-ui, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";
  return {
    aria: false, background: null, font, view: { stroke: null },
    axis: { labelColor: quiet, titleColor: quiet, titleFontWeight: "normal", titleFontSize: 12, labelFontSize: 12, gridColor: line, gridOpacity: 0.6, domain: false, ticks: false, labelPadding: 6, labelLimit: 260 },
    axisYBand: { labelPadding: 10 }, axisYPoint: { labelPadding: 10 },
    axisXQuantitative: { tickCount: 5, labelOverlap: "greedy" },
    legend: { labelColor: quiet, titleColor: quiet, orient: "top", title: null, symbolType: "square", labelFontSize: 12, labelLimit: 0, columnPadding: 14 },
    text: { color: ink, fontSize: 12 }, bar: { color: colour("mark") }, rule: { color: colour("mark") }, point: { filled: true, opacity: 1 },
  };
}

/** Draw a chart in its place; `make()` gives its specification, `clicked(datum)` is told what was clicked. */
async function draw(place, make, clicked) {
  if (started && !place.isConnected) return;
  drawn.set(place, [make, clicked]);
  const spec = make();
  if (!spec) { place.replaceChildren(el("p", { class: "quiet" }, "Nothing to draw here.")); return; }
  const whole = { width: "container", autosize: { type: "fit-x", contains: "padding" }, config: config(), ...spec };
  const { view } = await vegaEmbed(place, whole, { mode: "vega-lite", renderer: "svg", actions: false, ast: true, logLevel: 1, tooltip: { theme: "custom" } });
  // To assistive technology a chart is one picture, named after its caption: what it shows is in the table behind it.
  const svg = place.querySelector("svg");
  for (const part of svg.querySelectorAll("[role]")) for (const name of ["role", "aria-label", "aria-roledescription"]) part.removeAttribute(name);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${place.getAttribute("aria-label")}; the figures are in the table`);
  if (clicked) view.addEventListener("click", (_, item) => { if (item?.datum) clicked(item.datum); });
}
const redraw = () => Promise.all([...drawn].filter(([place]) => place.isConnected).map(([place, [make, clicked]]) => draw(place, make, clicked)));

/** A figure: caption, chart, and the table behind it. */
function chart(caption, note, make, behind, clicked) {
  const place = el("div", { class: "chart", role: "group", "aria-label": caption });
  const figure = el("figure", null, el("figcaption", null, caption, note ? el("span", { class: "quiet" }, ` ${note}`) : null), place, behind ? el("details", null, el("summary", null, "As a table"), behind) : null);
  waiting.push([place, make, clicked]);
  if (started) queueMicrotask(drawWaiting);
  return figure;
}
/** Charts come after the first screen is there to read; a page that nobody sees yet does not wait for that. */
const waiting = [];
let started = false;
const painted = new Promise((done) => { requestAnimationFrame(() => setTimeout(done)); setTimeout(done, 1000); });
async function drawWaiting() {
  if (!started) document.body.append(el("script", null, document.getElementById("library").textContent));
  started = true;
  while (waiting.length) await draw(...waiting.shift());
}

/** An axis for what is counted: no ticks between whole numbers. */
function whole(most) {
  const step = [1, 2, 5].flatMap((digit) => [...Array(9).keys()].map((power) => digit * 10 ** power)).sort((one, other) => one - other).find((size) => size * 5 >= most) ?? 1e9;
  return { format: ",d", values: [...Array(Math.floor(most / step) + 1).keys()].map((at) => at * step) };
}
const rows = (n, step = 24) => Math.max(n, 1) * step;
const labelled = (title, sort = null) => ({ field: "label", type: "nominal", sort, title, axis: { labelLimit: Math.min(300, innerWidth * 0.36) } });

function lostSpec(states) {
  if (!states.some((one) => one.lost > 0)) return null;
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
function overTime(values, title, encoding, axis = {}) {
  const days = (Date.parse(values.at(-1).ends) - Date.parse(values[0].begins)) / 86400e3;
  const begins = [...new Set(values.map((one) => one.begins))], every = Math.ceil(begins.length / Math.min(8, innerWidth / 110));
  const ticks = days > 200 ? { tickCount: Math.min(8, innerWidth / 110) } : { values: begins.filter((_, at) => at % every === 0).map((begin) => ({ year: +begin.slice(0, 4), month: +begin.slice(5, 7), date: +begin.slice(8, 10), utc: true })), labelAlign: "left" };
  return {
    ...(begins.length < 6 ? { width: Math.min(340 + begins.length * 40, innerWidth - 70) } : {}),
    data: { values }, mark: { type: "rect", stroke: colour("paper"), strokeWidth: days / 7 > 60 ? 0.4 : 1, cursor: "pointer" },
    encoding: {
      x: { field: "begins", type: "temporal", scale: { type: "utc", nice: false }, title: null, axis: { format: days > 200 ? "%b %Y" : "%-d %b", labelOverlap: "greedy", labelFlush: false, grid: false, ...ticks } }, x2: { field: "ends" },
      y: { field: "from", type: "quantitative", title, scale: { zero: true }, axis }, y2: { field: "to" }, ...encoding,
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
    color: { field: "what", type: "nominal", scale: { domain: kinds.map((kind) => kind[1]), range: kinds.map((kind) => colour(kind[2])) }, legend: { columns: innerWidth < 500 ? 2 : 3 } },
    tooltip: [{ field: "begins", title: "from" }, { field: "what", title: "builds" }, { field: "value", title: "n" }],
  }, whole(Math.max(...values.map((one) => one.to)))) };
}
function lossSpec(weeks) {
  if (!weeks.some((week) => week.hours_lost > 0)) return null;
  return { height: 150, ...overTime(weeks.map((week) => ({ ...week, from: 0, to: week.hours_lost })), "hours lost", {
    color: { value: colour("lost") },
    tooltip: [{ field: "begins", title: "from" }, { field: "hours_lost", title: "hours lost", format: ".1f" }, { field: "failures", title: "failures" }, { field: "attempts", title: "attempts (n)" }],
  }) };
}
function calendarSpec() {
  if (!F.days.some((one) => one.hours_lost > 0)) return null;
  const weeks = (Date.parse(F.days.at(-1).date) - Date.parse(F.days[0].date)) / 604800e3 + 2;
  return {
    ...(weeks < 45 ? { width: 90 + Math.round(weeks) * 18 } : {}),
    data: { values: F.days.map((one) => ({ ...one, lost: one.hours_lost })) }, height: rows(7, 15),
    transform: [{ calculate: "utc(utcyear(toDate(datum.date)), utcmonth(toDate(datum.date)), utcdate(toDate(datum.date)) - (utcday(toDate(datum.date)) + 6) % 7)", as: "monday" }, { calculate: "(utcday(toDate(datum.date)) + 6) % 7", as: "weekday" }],
    mark: { type: "rect", cornerRadius: 2, stroke: colour("paper"), strokeWidth: 1.5, cursor: "pointer" },
    encoding: {
      x: { field: "monday", type: "ordinal", title: null, axis: { labelExpr: "utcdate(toDate(datum.value)) <= 7 ? utcFormat(toDate(datum.value), '%b') : ''", labelAngle: 0, labelOverlap: false, labelAlign: "left", labelOffset: -5 } },
      y: { field: "weekday", type: "ordinal", title: null, scale: { domain: [0, 1, 2, 3, 4, 5, 6] }, axis: { labelExpr: "['Mon','','Wed','','Fri','','Sun'][datum.value]" } },
      color: { field: "lost", type: "quantitative", scale: { type: "sqrt", domainMin: 0, range: [colour("faint"), colour("lost")] }, legend: { title: null, orient: "top", type: "gradient", gradientLength: 120, gradientThickness: 8, tickCount: 2, labelOverlap: true, format: ".3~g" } },
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
      y: labelled(null), x: { field: "failures", type: "quantitative", title: "failures", axis: whole(Math.max(...classes.map((one) => one.failures))) },
      color: { field: "group", type: "nominal", scale: { domain, range: [colour("mark"), colour("lost"), colour("cut")] } },
      tooltip: [{ field: "label", title: "class" }, { field: "group", title: "group" }, { field: "failures", title: "failures (n)" }, { field: "share", title: "share", format: ".1%" }],
    },
  };
}
/** Estimates with their intervals, against a line at `zero` if there is one; `other` is a second mark to compare with. */
function intervalSpec(values, title, { zero = null, other = null, format = "", hue = "mark", ticks = 5 } = {}) {
  if (!values.length) return null;
  const y = labelled(null);
  const tooltip = [{ field: "label", title: " " }, { field: "mean", title: "estimate", format: format || ".2f" }, { field: "low", title: "90 % from", format: format || ".2f" }, { field: "high", title: "to", format: format || ".2f" }, { field: "n", title: "n" }, ...(other ? [{ field: "other", title: other, format: format || ".2f" }] : [])];
  const axis = { tickCount: ticks, ...(format ? { format } : {}) };
  const layer = [
    { mark: { type: "rule", strokeWidth: 6, opacity: 0.35, color: colour(hue), strokeCap: "round" }, encoding: { y, x: { field: "low", type: "quantitative", title, axis }, x2: { field: "high" }, tooltip } },
    { mark: { type: "point", size: 70, color: colour(hue) }, encoding: { y, x: { field: "mean", type: "quantitative" }, tooltip } },
  ];
  if (other) layer.push({ mark: { type: "tick", thickness: 3, size: 16, color: colour("ink") }, encoding: { y, x: { field: "other", type: "quantitative" }, tooltip } });
  if (zero !== null) layer.unshift({ data: { values: [{ zero }] }, mark: { type: "rule", color: colour("quiet"), strokeDash: [3, 3] }, encoding: { x: { field: "zero", type: "quantitative" } } });
  return { data: { values }, height: rows(values.length, 28), layer };
}
function outcomeSpec(values) {
  if (!values.length) return null;
  return {
    data: { values }, height: rows(values.length, 26),
    encoding: { y: { ...labelled(null), axis: { labelLimit: 190, labelPadding: 8 } }, x: { field: "share", type: "quantitative", title: null, axis: null, scale: { domain: [0, 1.25] } }, tooltip: [{ field: "label", title: "builds" }, { field: "n", title: "n" }, { field: "share", format: ".1%" }] },
    layer: [
      { mark: { type: "bar", cornerRadiusEnd: 2, cursor: "pointer" }, encoding: { color: { field: "label", type: "nominal", scale: { domain: values.map((one) => one.label), range: values.map((one) => colour(one.hue)) }, legend: null } } },
      { mark: { type: "text", align: "left", dx: 5, fontSize: 12, color: colour("ink") }, encoding: { text: { field: "n", type: "quantitative", format: "," } } },
    ],
  };
}
/** Decisions that were right on either side of those that were not. */
function shadowSpec(scores) {
  const kinds = [["retried_and_passed", "retried, and it passed", "good"], ["spared", "not retried, and it failed again", "mark"], ["missed", "not retried, yet it passed", "again"], ["retried_in_vain", "retried in vain", "lost"]];
  const values = scores.flatMap((one) => kinds.map(([key, what], order) => ({ label: one.phase, what, order, n: one[key], judged: one.judged })));
  if (!sum(values.map((one) => one.n))) return null;
  return {
    data: { values }, height: rows(scores.length, 30), mark: { type: "bar", stroke: colour("paper"), strokeWidth: 1 },
    encoding: {
      y: labelled(null), x: { field: "n", type: "quantitative", title: "judged decisions", axis: whole(Math.max(...scores.map((one) => one.judged))) }, order: { field: "order" },
      color: { field: "what", type: "nominal", scale: { domain: kinds.map((kind) => kind[1]), range: kinds.map((kind) => colour(kind[2])) }, legend: { columns: innerWidth < 700 ? 1 : 4 } },
      tooltip: [{ field: "label", title: "phase" }, { field: "what", title: "decisions" }, { field: "n", title: "n" }, { field: "judged", title: "of" }],
    },
  };
}
const PARTS = [["completed", "good"], ["failed", "lost"], ["repeated", "again"], ["reused", "mark"], ["interrupted", "cut"], ["in progress", "ink"], ["waited", "bar"], ["held", "hold"]];
const SHORTEST = 1 / 3600;
const OLD = "old way", NEW = "new way";
/** The steps of a lane as bars, after `zero` hours; what took no time is drawn as a mark. */
const bars = (lane, label, way, zero = 0) => lane.steps.map((step) => ({
  lane: label, way, begins: zero + step.begins, ends: zero + step.ends, state: stateName(step.state, step.name), attempt: step.attempt ?? DASH, told: step.told ?? "",
  what: step.what === "completed" && step.repeated ? "repeated" : step.what.replace("_", " "), hours: step.ends - step.begins, took: hours(step.ends - step.begins),
}));
const empty = (lane, label, way, begins, ends, what, told) => ({ lane: label, way, begins, ends, state: DASH, attempt: DASH, what, told, hours: ends - begins, took: hours(ends - begins) });
/** What lies before a lane and between its steps: held for a person, or waited. */
function pauses(lane, label, way) {
  const begins = lane.after - lane.waited_before, told = [];
  if (lane.held_before > 0) told.push(empty(lane, label, way, begins, begins + lane.held_before, "held", "held for a person"));
  if (lane.waited_before > lane.held_before) told.push(empty(lane, label, way, begins + lane.held_before, lane.after, "waited", `before run ${lane.run}`));
  lane.steps.forEach((step, at) => {
    const before = at ? lane.steps[at - 1].ends : 0;
    if (step.begins - before > SHORTEST) told.push(empty(lane, label, way, lane.after + before, lane.after + step.begins, "waited", (at && lane.steps[at - 1].then) || "within the run"));
  });
  return told;
}
/** The same as lines of a table: each wait with what it was for. */
const waitsOf = (lanes) => lanes.flatMap((lane) => [
  ...(lane.waited_before > 0 ? [{ where: `before run ${lane.run}`, waited: lane.waited_before, held: lane.held_before, why: lane.reason ?? "" }] : []),
  ...lane.steps.flatMap((step, at) => at && step.begins - lane.steps[at - 1].ends > SHORTEST ? [{ where: `in run ${lane.run}, before state ${stateName(step.state, step.name)}`, waited: step.begins - lane.steps[at - 1].ends, held: 0, why: lane.steps[at - 1].then ?? "" }] : []),
]);
function lanesSpec(values, title) {
  const seen = PARTS.filter(([what]) => values.some((one) => one.what === what)), lanes = [...new Set(values.map((one) => one.lane))];
  const tooltip = [{ field: "lane", title: " " }, { field: "state" }, { field: "attempt" }, { field: "what", title: "became" }, { field: "took" }, { field: "told", title: "why" }];
  const encoding = { y: { field: "lane", type: "nominal", sort: lanes, title: null, axis: { labelLimit: 190 } }, color: { field: "what", type: "nominal", scale: { domain: seen.map((part) => part[0]), range: seen.map((part) => colour(part[1])) }, legend: { columns: innerWidth < 700 ? 3 : 8 } }, tooltip };
  return {
    data: { values }, height: rows(lanes.length, 30), encoding,
    layer: [
      { transform: [{ filter: "datum.hours > 0" }], mark: { type: "bar", stroke: colour("paper"), strokeWidth: 0.8, height: { band: 0.72 } }, encoding: { x: { field: "begins", type: "quantitative", title }, x2: { field: "ends" } } },
      { transform: [{ filter: "datum.hours <= 0" }], mark: { type: "tick", thickness: 2.5, size: 20 }, encoding: { x: { field: "begins", type: "quantitative", title } } },
    ],
  };
}
function workSpec(worst) {
  return lanesSpec([...worst.lanes.flatMap((lane) => bars(lane, `${OLD}, run ${lane.run}`, OLD)), ...bars(worst.without, `${NEW} (an estimate)`, NEW)], "hours of work");
}
function clockSpec(worst) {
  const way = (lanes, name) => lanes.flatMap((lane) => [...pauses(lane, `${name}, run ${lane.run}`, name), ...bars(lane, `${name}, run ${lane.run}`, name, lane.after)]);
  return lanesSpec([...way(worst.lanes, OLD), ...way(worst.resumed, NEW)], "hours since the build began");
}
