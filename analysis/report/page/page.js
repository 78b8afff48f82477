"use strict";
// The page itself: what the findings say in the current filter, section by section, and the builds behind each number.
const CUBE = F.cube, PLACES = ["pipeline", "target", "host", "state", "class", "period"];
const chosen = { pipeline: "", target: "", host: "", state: "", class: "", from: "", to: "" };
const NONE = { state: null, pipeline: null, class: null, signature: null, outcome: null, host: null, begins: null, ends: null, failing: null };
const wanted = { ...NONE };
const MOST_STATES = 25;

const filtered = () => Object.values(chosen).some(Boolean);

/** Which places of the cube's columns the filter lets through. */
function admits(columns, names) {
  const tests = names.filter((name) => name !== "period" && chosen[name] && columns[name]).map((name) => {
    const place = CUBE.words[name].indexOf(chosen[name]);
    return (at) => columns[name][at] === place || (name === "class" && columns.class[at] === blank && !columns.failures[at]);
  });
  const periods = CUBE.words.period.map((period) => (!chosen.from || period >= chosen.from) && (!chosen.to || period <= chosen.to));
  return (at) => periods[columns.period[at]] && tests.every((test) => test(at));
}
const blank = CUBE.words.class.indexOf("");

/** Add up the cube by some of its places; gives `Map(key -> counts)`. */
function added(columns, by, names, counts) {
  const found = new Map(), lets = admits(columns, names), n = columns.period.length;
  for (let at = 0; at < n; at++) {
    if (!lets(at)) continue;
    const key = by.map((name) => columns[name][at]).join(" ");
    let row = found.get(key);
    if (!row) found.set(key, row = Object.fromEntries(counts.map((name) => [name, 0])));
    for (const name of counts) row[name] += columns[name][at];
  }
  return found;
}
const COUNTS = ["attempts", "completed", "failures", "hours", "lost"];

function statesShown() {
  let rows;
  if (!filtered()) {
    rows = F.states.map((one) => ({
      label: stateOf(one), code: one.code, pipeline: one.pipeline, lost: one.hours_lost, own: one.hours_failed, repeated: one.hours_repeated,
      hits: one.failure_rate.hits, n: one.failure_rate.n, observed: one.failure_rate.n ? one.failure_rate.hits / one.failure_rate.n : 0,
      low: one.failure_rate.share?.low ?? null, high: one.failure_rate.share?.high ?? null, reached: one.reached, builds: one.builds,
      passed: one.passed, passedShare: one.builds ? one.reached * one.passed / one.builds : 0, one,
    }));
  } else {
    rows = [...added(CUBE.attempts, ["pipeline", "state"], PLACES, COUNTS)].map(([key, row]) => {
      const [pipeline, state] = key.split(" ").map((place, at) => CUBE.words[at ? "state" : "pipeline"][place]);
      const n = row.completed + row.failures, told = interval(row.failures, n);
      return {
        label: several && !chosen.pipeline ? `${pipeline}: ${state}` : state, code: parseInt(state, 10), pipeline, lost: row.lost, own: row.lost, repeated: 0,
        hits: row.failures, n, observed: n ? row.failures / n : 0, low: told?.low ?? null, high: told?.high ?? null,
      };
    }).filter((row) => row.n || row.lost);
  }
  rows.sort((one, other) => String(one.pipeline).localeCompare(String(other.pipeline)) || one.code - other.code);
  if (rows.length <= MOST_STATES) return rows;
  const costly = new Set([...rows].sort((one, other) => other.lost - one.lost || other.hits - one.hits).slice(0, MOST_STATES));
  return rows.filter((row) => costly.has(row));
}
function weeksShown() {
  const days = filtered() ? CUBE.period_days : 7;
  return weeksTold().map((week) => ({ ...week, ends: new Date(Date.parse(week.begins) + days * 86400e3).toISOString().slice(0, 10) }));
}
function weeksTold() {
  if (!filtered()) return F.weeks.map((week) => ({ ...week, first: week.completed_first, later: week.completed_later }));
  const tried = added(CUBE.attempts, ["period"], PLACES, COUNTS), built = added(CUBE.builds, ["period"], ["pipeline", "target"], ["builds", "first", "later", "failed"]);
  return CUBE.words.period.map((begins, place) => ({
    begins, first: 0, later: 0, failed: 0, ...built.get(String(place)), ...(({ attempts = 0, failures = 0, lost = 0 } = {}) => ({ attempts, failures, hours_lost: lost }))(tried.get(String(place))),
  })).filter((week) => (!chosen.from || week.begins >= chosen.from) && (!chosen.to || week.begins <= chosen.to));
}
const GROUP = Object.fromEntries(F.classes.map((one) => [one.failure_class, one.group]));
function classesShown() {
  const rows = filtered()
    ? [...added(CUBE.attempts, ["class"], PLACES, COUNTS)].map(([key, row]) => ({ label: CUBE.words.class[key], failures: row.failures })).filter((row) => row.failures)
    : F.classes.map((one) => ({ label: one.failure_class, failures: one.failures }));
  const total = sum(rows.map((row) => row.failures));
  return rows.map((row) => ({ ...row, group: GROUP[row.label], share: row.failures / total })).sort((one, other) => other.failures - one.failures);
}

/** A number that leads to the builds behind it. */
function behind(text, what) {
  return el("a", { href: "#builds", class: "link", onclick: (event) => { event.preventDefault(); showBuilds(what); } }, text);
}
function showBuilds(what) {
  Object.assign(wanted, NONE, what);
  listBuilds();
  const part = document.getElementById("builds");
  part.scrollIntoView();
  part.querySelector("h2").focus({ preventScroll: true });
}

// ------------------------------------------------------------ parts of the page

const parts = [];
/** Announce a section; `make()` gives its children, and is asked again when the filter changes if `live`. */
function part(id, title, intro, make, live = false) {
  const content = el("div");
  const section = el("section", { class: "part", id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title`, tabindex: "-1" }, title), intro ? el("p", { class: "intro" }, intro) : null, content);
  document.getElementById("sections").append(section);
  document.getElementById("contents").append(el("a", { href: `#${id}` }, title));
  const fill = () => content.replaceChildren(...[make()].flat().filter(Boolean));
  fill();
  if (live) parts.push(fill);
}

function figures() {
  const totals = F.totals, all = filtered() ? [...added(CUBE.attempts, [], PLACES, COUNTS).values()][0] ?? { attempts: 0, completed: 0, failures: 0, hours: 0, lost: 0 } : null;
  const lost = all ? all.lost : totals.hours_lost, whole = all ? all.hours : totals.hours;
  const builds = filtered() ? [...added(CUBE.builds, [], ["pipeline", "target"], ["builds", "first", "later", "failed"]).values()][0] ?? { builds: 0, first: 0, later: 0, failed: 0 } : null;
  const green = builds ? { hits: builds.first, n: builds.first + builds.later + builds.failed, share: interval(builds.first, builds.first + builds.later + builds.failed) } : totals.first_run_green;
  const states = [...statesShown()].sort((one, other) => other.lost - one.lost), worst = states[0];
  const failures = all ? all.failures : totals.failures, attempts = all ? all.attempts : totals.attempts;
  const figure = (name, label, value, more, words = false) => el("div", { class: `figure ${name}` }, el("div", { class: "label" }, label), el("div", { class: `value${words ? " words" : ""}` }, value), el("div", { class: "more" }, more));
  const top = F.recommendations.flatMap((one) => one.states.filter((state) => ["retry", "hold"].includes(state.action)).map((state) => ({ ...state, pipeline: one.pipeline }))).sort((one, other) => other.saves.hours_per_100_builds.mean - one.saves.hours_per_100_builds.mean)[0];
  const failed = failures ? behind(`${count(failures)} of ${count(attempts)} attempts failed`, { failing: true }) : `none of ${count(attempts)} attempts failed`;
  document.getElementById("figures").replaceChildren(
    figure("cost", "Machine time lost to failures", hours(lost), whole ? [`${percent(lost / whole)} of ${hours(whole)}; `, failed] : "no time on record"),
    figure("green", "Green at the first run", green.n ? percent(green.hits / green.n) : DASH, green.share ? `${rate(green)}, n = ${many(green.n, "build")}` : "no ended builds"),
    worst && worst.lost > 0 ? figure("where", "Where most is lost", behind(worst.label, { state: worst.code, pipeline: several ? worst.pipeline : null }), `${hours(worst.lost)}, ${lost ? percent(worst.lost / lost) : DASH} of it all; fails in ${percent(worst.observed)} of ${count(worst.n)} attempts`, true) : figure("where", "Where most is lost", DASH, "nothing is lost here", true),
    top ? figure("todo", "What to do first", el("a", { href: "#do" }, `${top.action === "retry" ? "Retry" : "Hold"} state ${stateName(top.code, top.name)}${several ? ` of ${top.pipeline}` : ""}`), `saves ${span(top.saves.hours_per_100_builds)} h per 100 builds; ${sure(top.confidence)} sure, n = ${count(top.evidence.failures)} failures`, true)
      : figure("todo", "What to do first", F.totals.failures ? "Collect more" : "Nothing", F.totals.failures ? "not enough evidence yet for any retry" : "there are no failures", true),
    figure("sure", "How sure we are", many(builds ? builds.builds : F.outcomes.builds, "build"), F.totals.failures ? `${percent(F.quality.unclassified.hits / Math.max(F.quality.unclassified.n, 1))} of the failures not understood, ${percent(F.quality.censored.hits / Math.max(F.quality.censored.n, 1))} never tried again; intervals hold 90 %` : "no failures to learn from", true),
  );
}
/** What became of the builds, beside the sentences. */
function outcomes() {
  const told = F.outcomes, kinds = [["completed_first", "green at the first run", "good"], ["completed_in_place", "green after a retry in place", "later"], ["completed_after_start_over", "green after a start-over", "again"], ["failed", "failed", "lost"], ["interrupted", "interrupted", "cut"], ["in_progress", "in progress", "mark"]];
  const values = kinds.map(([key, label, hue]) => ({ key, label, hue, n: told[key], share: told[key] / Math.max(told.builds, 1) })).filter((one) => one.n);
  const listed = table("Builds by outcome", [["outcome", "nowrap", (one) => behind(one.label, { outcome: one.key })], ["builds", "number", (one) => count(one.n)], ["share", "number", (one) => percent(one.share)]], values);
  document.getElementById("outcomes").replaceChildren(chart(`What became of ${many(told.builds, "build")}`, [told.held ? `${count(told.held)} held` : "", told.abandoned ? `${count(told.abandoned)} abandoned` : ""].filter(Boolean).join(", "), () => outcomeSpec(values), listed, (one) => showBuilds({ outcome: one.key })));
}

function buildsPart() {
  return el("div", null, el("div", { id: "builds-filter" }), el("div", { id: "builds-list" }));
}
const OUTCOMES = {
  completed_first: (one) => one.status === "completed" && one.runs === 1 && !one.failures, completed_in_place: (one) => one.status === "completed" && one.runs === 1 && one.failures > 0,
  completed_after_start_over: (one) => one.status === "completed" && one.runs > 1, failed: (one) => one.status === "failed", interrupted: (one) => one.status === "interrupted", in_progress: (one) => !["completed", "failed", "interrupted"].includes(one.status),
};
/** Whether a word is the one chosen; the cube puts rare ones together. */
const means = (chosenWord, words, word) => !chosenWord || (chosenWord === "(none)" ? !word : chosenWord === "(others)" ? word && !words.includes(word) : word === chosenWord);
const later = (date, days) => new Date(Date.parse(date) + days * 86400e3).toISOString().slice(0, 10);
function listBuilds() {
  const state = wanted.state ?? (chosen.state ? parseInt(chosen.state, 10) : null), kind = wanted.class ?? (chosen.class || null), pipeline = wanted.pipeline ?? (chosen.pipeline || null), host = wanted.host ?? (chosen.host || null);
  const words = CUBE.words, until = chosen.to ? later(chosen.to, CUBE.period_days) : null;
  const rows = F.builds.filter((one) => (state === null || one.failed_states.includes(state)) && (!kind || one.classes.includes(kind)) && (!wanted.signature || one.signatures.includes(wanted.signature)) && (!wanted.outcome || OUTCOMES[wanted.outcome](one)) && (!wanted.failing || one.failures > 0)
    && means(pipeline, words.pipeline, one.pipeline) && means(chosen.target, words.target, one.target) && (!host || (one.hosts.length ? one.hosts : [null]).some((word) => means(host, words.host, word)))
    && (!chosen.from || (one.began ?? "") >= chosen.from) && (!until || (one.began ?? "") < until) && (!wanted.begins || day(one.began) >= wanted.begins) && (!wanted.ends || (wanted.ends === wanted.begins ? day(one.began) <= wanted.ends : day(one.began) < wanted.ends)));
  const told = [state !== null ? `failed in state ${state}` : null, kind ? `class ${kind}` : null, wanted.signature, wanted.outcome ? wanted.outcome.replaceAll("_", " ").replace("completed first", "green at the first run").replace("completed", "green") : null, wanted.failing ? "with failures" : null, pipeline ? `pipeline ${pipeline}` : null, chosen.target ? `target ${chosen.target}` : null, host ? `host ${host}` : null, wanted.begins ? (wanted.ends && wanted.ends !== wanted.begins ? `begun from ${wanted.begins}, before ${wanted.ends}` : `begun on ${wanted.begins}`) : null].filter(Boolean);
  const targeted = F.builds.some((one) => one.target);
  const narrowed = Object.values(wanted).some((value) => value !== null);
  document.getElementById("builds-filter").replaceChildren(el("p", null, `${many(rows.length, "build")}${told.length ? `: ${told.join(", ")}` : ""}`, narrowed ? " · " : null, narrowed ? behind("show all", {}) : null), F.builds_left_out ? el("p", { class: "quiet" }, `Only the ${count(F.builds.length)} costliest builds are listed; ${count(F.builds_left_out)} others are in the numbers above.`) : "");
  document.getElementById("builds-list").replaceChildren(table("Builds, the costliest first", [
    ["build", "nowrap", (one) => el("span", { class: "code" }, one.build), (one) => one.build], ...(several ? [["pipeline", "", (one) => one.pipeline ?? DASH, (one) => one.pipeline ?? ""]] : []), ...(targeted ? [["target", "", (one) => one.target ?? DASH, (one) => one.target ?? ""]] : []),
    ["status", "nowrap", (one) => el("span", { class: `tag ${one.status}` }, one.status.replace("_", " ")), (one) => one.status], ["begun", "nowrap", (one) => day(one.began), (one) => one.began ?? ""], ["runs", "number", (one) => count(one.runs), (one) => one.runs],
    ["failures", "number", (one) => count(one.failures), (one) => one.failures], ["lost", "number", (one) => hours(one.hours_lost), (one) => one.hours_lost], ["of", "number", (one) => hours(one.hours), (one) => one.hours], ["failed so", "", (one) => one.signatures.slice(0, 3).join(", ") || DASH],
  ], rows, 50));
  say(`${many(rows.length, "build")} listed`);
}

// ------------------------------------------------------------ filters and set-up

function filters() {
  const form = document.getElementById("filters");
  const options = { pipeline: CUBE.words.pipeline, target: CUBE.words.target, host: CUBE.words.host, state: CUBE.words.state, class: CUBE.words.class.filter(Boolean) };
  const select = (name, label, words, shown) => el("label", null, label, el("select", { name }, el("option", { value: "" }, shown), words.map((word) => el("option", { value: word }, word))));
  for (const [name, words] of Object.entries(options)) if (words.length > 1) form.append(select(name, name, words, "all"));
  if (CUBE.words.period.length > 1) form.append(select("from", "from", CUBE.words.period, "the beginning"), select("to", "to", CUBE.words.period, "the end"));
  form.append(el("button", { type: "reset" }, "Clear"), el("p", { class: "told", id: "filter-told" }));
  form.hidden = form.querySelectorAll("select").length === 0;
  const changed = () => {
    for (const field of form.querySelectorAll("select")) chosen[field.name] = field.value;
    figures();
    parts.forEach((fill) => fill());
    listBuilds();
    const told = filtered() ? "Filtered: figures, states, classes, signatures, trend, advice and builds. The sentences, replays, hosts and the costliest build speak of the whole." : "";
    document.getElementById("filter-told").textContent = told;
    say(told || "No filter");
  };
  form.addEventListener("change", changed);
  form.addEventListener("reset", () => setTimeout(changed));
  form.addEventListener("submit", (event) => event.preventDefault());
}

function theme() {
  const button = document.getElementById("theme"), system = matchMedia("(prefers-color-scheme: dark)");
  let own = null;
  const apply = () => {
    const dark = own ?? system.matches;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.setAttribute("aria-pressed", String(dark));
    redraw();
  };
  button.addEventListener("click", () => { own = !(own ?? system.matches); apply(); });
  system.addEventListener("change", apply);
  document.getElementById("print").addEventListener("click", () => print());
  let opened = [];
  addEventListener("beforeprint", () => { opened = [...document.querySelectorAll("section details:not([open])")].filter((one) => one.querySelectorAll("tr").length < 60 && !one.closest("td")); opened.forEach((one) => { one.open = true; }); });
  addEventListener("afterprint", () => opened.forEach((one) => { one.open = false; }));
  apply();
}

theme();
figures();
if (F.outcomes.builds) {
  outcomes();
  filters();
  part("do", "What to do", "For each state what its own history advises, how sure that is, and what following it would save.", advicePart, true);
  part("states", "States", "Where builds fail and what it costs. Click a bar for the builds behind it.", statesPart, true);
  if (F.signatures.length) part("failures", "Failures", "What went wrong, by class and by signature, with the lines that prove it.", signaturesPart, true);
  part("trend", "Trend", null, trendPart, true);
  part("changes", "Changes", "What differs of late from what was before.", changesPart);
  if (F.worst) part("worst", "Costliest build", "The build that lost most time: as it was, starting over each time, and as it would have been, going on at the failed state.", worstPart);
  part("phases", "Other phases", "The recorded builds replayed under other phases. What was observed is followed; the rest is drawn from what the history makes likely.", previewPart);
  part("shadows", "Shadow decisions", "What other phases would have done at each failure, scored by what happened next.", shadowsPart);
  part("arms", "Trial", "Builds under the new phase beside builds under the old one; the comparison holds however often it is looked at.", armsPart);
  part("hosts", "Hosts and rules", "What no single failure shows: machines with failures of their own, outages, rules that prove nothing.", hostsPart);
  part("builds", "Builds", null, buildsPart);
  listBuilds();
  part("quality", "Data quality", "How far to trust all this.", qualityPart);
}
document.documentElement.dataset.ready = "true";
painted.then(drawWaiting);
