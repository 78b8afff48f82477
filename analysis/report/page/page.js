"use strict";
// The page itself: what the findings say in the current filter, section by section, and the builds behind each number.
const CUBE = F.cube, PLACES = ["pipeline", "target", "host", "state", "class", "period"];
const chosen = { pipeline: "", target: "", host: "", state: "", class: "", from: "", to: "" };
const wanted = { state: null, pipeline: null, class: null, signature: null, status: null };
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
  return el("button", { type: "button", class: "link", onclick: () => showBuilds(what) }, text);
}
function showBuilds(what) {
  Object.assign(wanted, { state: null, pipeline: null, class: null, signature: null, status: null }, what);
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
  const builds = filtered() ? [...added(CUBE.builds, [], ["pipeline", "target"], ["builds", "first", "later", "failed"]).values()][0] : null;
  const green = builds ? { hits: builds.first, n: builds.first + builds.later + builds.failed, share: interval(builds.first, builds.first + builds.later + builds.failed) } : totals.first_run_green;
  const states = [...statesShown()].sort((one, other) => other.lost - one.lost), worst = states[0];
  const failures = all ? all.failures : totals.failures, attempts = all ? all.attempts : totals.attempts;
  const figure = (name, label, value, more, words = false) => el("div", { class: `figure ${name}` }, el("div", { class: "label" }, label), el("div", { class: `value${words ? " words" : ""}` }, value), el("div", { class: "more" }, more));
  const top = F.recommendations.flatMap((one) => one.states.filter((state) => ["retry", "hold"].includes(state.action))).sort((one, other) => other.saves.hours_per_100_builds.mean - one.saves.hours_per_100_builds.mean)[0];
  document.getElementById("figures").replaceChildren(
    figure("cost", "Machine time lost to failures", hours(lost), whole ? `${percent(lost / whole)} of ${hours(whole)}, failures: ${count(failures)} of ${count(attempts)} attempts` : "no time on record"),
    figure("green", "Green at the first run", green.n ? percent(green.hits / green.n) : DASH, green.share ? `${rate(green)}, n = ${count(green.n)}` : "no ended builds"),
    worst && worst.lost > 0 ? figure("where", "Where most is lost", worst.label, `${hours(worst.lost)}, ${lost ? percent(worst.lost / lost) : DASH} of it all; fails in ${percent(worst.observed)} of ${count(worst.n)} attempts`, true) : figure("where", "Where most is lost", DASH, "nothing is lost here"),
    top ? figure("todo", "What to do first", `${top.action === "retry" ? "Retry" : "Hold"} state ${stateName(top.code, top.name)}`, `saves ${span(top.saves.hours_per_100_builds)} h per 100 builds; ${percent(top.confidence)} sure, n = ${count(top.evidence.failures)} failures`, true)
      : figure("todo", "What to do first", F.recommendations.length ? "Collect more" : "See the failures", F.recommendations.length ? "no retry is surely worth it yet" : F.signatures[0] ? `${F.signatures[0].signature} is ${percent(F.signatures[0].share)} of them` : "there are none", true),
  );
}

function statesPart() {
  const rows = statesShown(), go = (row) => showBuilds({ state: row.code, pipeline: several ? row.pipeline : null });
  const hidden = filtered() ? 0 : F.states.length - rows.length;
  const listed = filtered() ? table("States in this filter; intervals hold 90 %", [
    ["state", "", (row) => behind(row.label, { state: row.code, pipeline: several ? row.pipeline : null }), (row) => row.label],
    ["attempts", "number", (row) => count(row.n), (row) => row.n], ["failed", "number", (row) => count(row.hits), (row) => row.hits],
    ["failure rate", "number", (row) => row.low === null ? DASH : around(row.observed, row.low, row.high), (row) => row.observed], ["lost", "number", (row) => hours(row.lost), (row) => row.lost],
  ], rows) : table("All states; intervals hold 90 %", [
    ["state", "", (one) => behind(stateOf(one), { state: one.code, pipeline: several ? one.pipeline : null }), (one) => stateOf(one)],
    ["reached", "number", (one) => percent(one.reached), (one) => one.reached], ["attempts", "number", (one) => count(one.attempts), (one) => one.attempts],
    ["failed", "number", (one) => count(one.failures), (one) => one.failures], ["failure rate", "number", (one) => rate(one.failure_rate), (one) => one.failure_rate.n ? one.failure_rate.hits / one.failure_rate.n : -1],
    ["recovered next", "number", (one) => counted(one.recovery), (one) => one.recovery.n ? one.recovery.hits / one.recovery.n : -1],
    ["lost in failed", "number", (one) => hours(one.hours_failed), (one) => one.hours_failed], ["lost in repeats", "number", (one) => hours(one.hours_repeated), (one) => one.hours_repeated],
    ["p50", "number", (one) => one.duration.p50 === null ? DASH : hours(one.duration.p50 / 3600), (one) => one.duration.p50 ?? -1], ["p90", "number", (one) => one.duration.p90 === null ? DASH : hours(one.duration.p90 / 3600), (one) => one.duration.p90 ?? -1],
  ], F.states);
  const recovered = filtered() ? [] : rows.filter((row) => row.one.recovery.share).map((row) => ({ label: row.label, ...row.one.recovery.share, mean: row.one.recovery.hits / row.one.recovery.n, n: row.one.recovery.n }));
  return [
    hidden ? el("p", { class: "quiet" }, `The charts show the ${MOST_STATES} states that lost most; ${count(hidden)} more are in the table.`) : null,
    el("div", { class: "pair" },
      chart("Time lost", "hours, by the state that failed", () => lostSpec(rows), null, go),
      chart("Failure rate", "with its 90 % interval", () => rateSpec(rows), null, go)),
    filtered() ? null : el("div", { class: "pair" },
      chart("How far builds come", "bar: came so far; mark: got past it", () => funnelSpec(rows), null, go),
      recovered.length ? chart("Recovered at the next attempt", "of failures that were tried again", () => intervalSpec(recovered, "share that passed", { format: ".0%", hue: "good" })) : null),
    el("details", null, el("summary", null, "All of it as a table"), listed),
  ];
}

function signaturesPart() {
  const state = chosen.state ? parseInt(chosen.state, 10) : null;
  const rows = F.signatures.filter((one) => (!chosen.class || one.failure_class === chosen.class) && (state === null || one.states.includes(state)) && (!chosen.host || one.hosts.includes(chosen.host)));
  const classes = classesShown();
  const evidence = (one) => el("details", null, el("summary", null, "Evidence"), el("pre", null, one.evidence.map((line) => [line.line ? el("span", { class: "n" }, `${line.line}  `) : null, line.text, "\n"])), el("p", { class: "quiet" }, `latest: build ${one.example}, state ${one.example_state}${one.example_attempt ? `, attempt ${one.example_attempt}` : ""}`));
  return [
    chart("Failures by class", "", () => classSpec(classes), table("Failures by class", [["class", "", (one) => behind(one.label, { class: one.label })], ["group", "", (one) => one.group], ["failures", "number", (one) => count(one.failures)], ["share", "number", (one) => percent(one.share)]], classes), (datum) => showBuilds({ class: datum.label })),
    F.watched && F.watched.lines.length ? el("div", null, el("h3", null, "Worth a look"), el("ul", null, F.watched.lines.map((line) => el("li", null, line)))) : null,
    el("h3", null, "By signature"),
    table(filtered() ? "Signatures seen in this filter; counts are of the whole report" : "Signatures, the most frequent first", [
      ["failure", "words", (one) => [el("span", { class: "code" }, one.signature), one.host_bound ? el("span", { class: "tag hold" }, `only on ${one.hosts[0]}`) : null, el("div", null, one.title), evidence(one)].filter(Boolean).reduce((all, node) => (all.append(node, " "), all), document.createDocumentFragment()), (one) => one.signature],
      ["class", "nowrap", (one) => one.failure_class, (one) => one.failure_class],
      ["failures", "number", (one) => behind(count(one.failures), { signature: one.signature }), (one) => one.failures],
      ["share", "number", (one) => percent(one.share), (one) => one.share],
      ["states", "", (one) => one.states.slice(0, 6).join(", "), (one) => one.states[0]],
      ["recovered next", "number", (one) => one.recovery.n ? `${counted(one.recovery)}` : DASH, (one) => one.recovery.n ? one.recovery.hits / one.recovery.n : -1],
      ["first", "nowrap", (one) => day(one.first), (one) => one.first], ["last", "nowrap", (one) => day(one.last), (one) => one.last],
    ], rows, 40),
  ];
}

function trendPart() {
  const weeks = weeksShown(), listed = table("Periods", [["from", "nowrap", (one) => one.begins], ["builds green at first", "number", (one) => count(one.first)], ["green later", "number", (one) => count(one.later)], ["failed", "number", (one) => count(one.failed)], ["failures", "number", (one) => count(one.failures)], ["hours lost", "number", (one) => hours(one.hours_lost)]], weeks, 400);
  const size = filtered() && CUBE.period_days !== 7 ? `${CUBE.period_days} days at a time` : "by week";
  return [
    chart("What became of builds", size, () => weeksSpec(weeks), null),
    chart("Hours lost", size, () => lossSpec(weeks), listed),
    filtered() ? null : chart("Calendar", "hours lost on each day of the last year (UTC)", calendarSpec, table("Days", [["day", "nowrap", (one) => one.date], ["builds", "number", (one) => count(one.builds)], ["failures", "number", (one) => count(one.failures)], ["hours lost", "number", (one) => hours(one.hours_lost)]], F.days, 400)),
    F.changes.length ? el("div", null, el("h3", null, "What has changed of late"), el("ul", null, F.changes.map((one) => el("li", null, one.why)))) : null,
    F.comparison ? comparison() : null,
  ];
}
function comparison() {
  const { now, before } = F.comparison, number = (value) => value === null ? DASH : value.toFixed(1);
  const lines = [["builds", count(before.builds), count(now.builds)], ["green at the first run", rate(before.first_run_green), rate(now.first_run_green)], ["failures per 100 builds", number(before.failures_per_100_builds), number(now.failures_per_100_builds)], ["hours lost per 100 builds", number(before.hours_lost_per_100_builds), number(now.hours_lost_per_100_builds)], ["median time to green", ...[before, now].map((one) => one.hours_to_green.p50 === null ? DASH : hours(one.hours_to_green.p50))]];
  return el("div", null, el("h3", null, "Two periods compared"), table("Compared", [["", "", (line) => line[0]], [`${day(before.since)} to ${day(before.until)}`, "number", (line) => line[1]], [`since ${day(now.since)}`, "number", (line) => line[2]]], lines));
}

function advicePart() {
  return F.recommendations.flatMap((advice) => {
    const states = advice.states.filter((one) => one.evidence.failures), named = (one) => stateName(one.code, one.name);
    const saves = states.filter((one) => one.rules.length).map((one) => ({ label: named(one), ...one.saves.hours_per_100_builds, n: one.evidence.failures }));
    const chances = states.flatMap((one) => one.rules.map((rule) => ({ label: `${named(one)} · ${rule.signatures[0] ?? rule.on.join(", ")}`, ...rule.p_recover, n: rule.failures }))).slice(0, MOST_STATES);
    return [
      several || F.recommendations.length > 1 ? el("h3", null, advice.pipeline) : null,
      table(`Builds: ${count(advice.builds)}, ${day(advice.from)} to ${day(advice.to)}; intervals hold 90 %`, [
        ["state", "", (one) => behind(named(one), { state: one.code, pipeline: several ? advice.pipeline : null }), (one) => one.code],
        ["do", "nowrap", (one) => el("span", { class: `tag ${one.action}` }, one.action), (one) => one.action], ["sure", "number", (one) => percent(one.confidence), (one) => one.confidence],
        ["saves h per 100 builds", "number", (one) => span(one.saves.hours_per_100_builds), (one) => one.saves.hours_per_100_builds.mean],
        ["failures", "number", (one) => count(one.evidence.failures), (one) => one.evidence.failures], ["recovered", "number", (one) => count(one.evidence.recovered), (one) => one.evidence.recovered],
        ["unknown", "number", (one) => count(one.evidence.censored), (one) => one.evidence.censored], ["why", "words", (one) => one.why],
      ], states),
      el("div", { class: "pair" }, saves.length ? chart("What following it saves", "hours per 100 builds", () => intervalSpec(saves, "hours per 100 builds", { zero: 0 })) : null, chances.length ? chart("Chance that the advised attempt passes", "", () => intervalSpec(chances, "chance", { format: ".0%", hue: "good" })) : null),
      advice.notes.length ? el("ul", { class: "quiet" }, advice.notes.map((note) => el("li", null, note))) : null,
    ];
  }).filter(Boolean);
}

function previewPart() {
  const measures = [["hours_to_green", "Hours to green", "per green build", ".2f"], ["machine_hours", "Machine hours", "of all builds", ",.0f"], ["start_overs", "Start-overs", "", ",.0f"]];
  return [
    el("div", { class: "pair" }, measures.map(([key, caption, note, format]) => chart(caption, note, () => intervalSpec(F.previews.map((one) => ({ label: one.phase, ...one[key].replayed, other: one[key].recorded, n: one.builds })), caption.toLowerCase(), { other: "recorded", format })))),
    table("The recorded builds, replayed; the upright mark in the charts is what was recorded", [["phase", "nowrap", (one) => one.phase], ...measures.map(([key, caption]) => [caption, "number", (one) => `${span(one[key].replayed, key === "start_overs" ? 0 : 2)}, was ${one[key].recorded.toFixed(key === "start_overs" ? 0 : 2)}`]), ["retries", "number", (one) => one.retries.toFixed(0)], ["in vain", "number", (one) => one.futile_retries.toFixed(0)], ["held", "number", (one) => one.held.toFixed(0)], ["observed", "number", (one) => percent(one.observed_share)]], F.previews),
  ];
}

function worstPart() {
  const worst = F.worst, waits = worst.lanes.filter((lane) => lane.waited_before > 0);
  return [
    el("p", null, el("span", { class: "code" }, worst.build), " ", el("span", { class: `tag ${worst.status}` }, worst.status), worst.began ? `, begun ${day(worst.began)}` : ""),
    el("div", { class: "compare" },
      el("div", null, el("strong", null, hours(worst.hours_run)), `of work in ${count(worst.lanes.length + worst.lanes_left_out)} runs`),
      el("div", null, el("strong", null, hours(worst.hours_repeated)), "of it was done before"),
      el("div", null, el("strong", null, hours(worst.without.hours)), "without repeats: going on at the failed state (an estimate)"),
      el("div", null, el("strong", null, hours(worst.hours_waited)), "between the runs")),
    chart("As it was, and without repeats", "", () => timelineSpec(worst), table("Steps", [["run", "number", (row) => row.run], ["state", "", (row) => stateName(row.state, row.name)], ["attempt", "number", (row) => row.attempt ?? DASH], ["became", "", (row) => row.repeated && row.what === "completed" ? "completed again" : row.what], ["took", "number", (row) => hours(row.ends - row.begins)], ["why", "words", (row) => row.told ?? ""]], worst.lanes.flatMap((lane) => lane.steps.map((step) => ({ run: lane.run, ...step }))), 400)),
    waits.length ? el("ul", { class: "quiet" }, waits.map((lane) => el("li", null, `${hours(lane.waited_before)} before run ${lane.run}${lane.held_before ? `, ${hours(lane.held_before)} of it held for a person` : ""}`))) : null,
    worst.lanes_left_out ? el("p", { class: "quiet" }, `${count(worst.lanes_left_out)} more runs are not drawn.`) : null,
  ];
}

function hostsPart() {
  const values = F.hosts.filter((one) => one.failures && one.failure_rate.share).slice(0, MOST_STATES).map((one) => ({ label: one.host, mean: one.failure_rate.hits / one.failure_rate.n, low: one.failure_rate.share.low, high: one.failure_rate.share.high, other: one.expected / one.attempts, n: one.attempts }));
  const listed = table("Hosts", [["host", "", (one) => one.host], ["attempts", "number", (one) => count(one.attempts)], ["failures", "number", (one) => count(one.failures)], ["expected", "number", (one) => one.expected.toFixed(1)], ["failure rate", "number", (one) => rate(one.failure_rate)], ["", "", (one) => one.suspicious ? el("span", { class: "tag failed" }, "fails more than its work explains") : ""]], F.hosts);
  return chart("Failure rate by host", "the upright mark is what its work would lead one to expect", () => intervalSpec(values, "failure rate", { format: ".1%", other: "expected", hue: "lost" }), listed);
}

function shadowsPart() {
  return table("Shadow decisions, judged by what happened next", [["phase", "nowrap", (one) => one.phase], ["failures", "number", (one) => count(one.failures)], ["judged", "number", (one) => count(one.judged)], ["would have retried, and it passed", "number", (one) => count(one.retried_and_passed)], ["retried in vain", "number", (one) => count(one.retried_in_vain)], ["missed", "number", (one) => count(one.missed)], ["spared", "number", (one) => count(one.spared)], ["right retries", "number", (one) => one.right_retries ? `${percent(one.right_retries.mean)} (${percent(one.right_retries.low)}–${percent(one.right_retries.high)})` : DASH], ["hours saved", "number", (one) => one.hours_saved.toFixed(1)]], F.shadows);
}
function armsPart() {
  const one = F.arms;
  return [el("p", null, el("span", { class: "tag" }, one.verdict), ` ${one.why}`), table("The two arms", [["", "", (row) => row[0]], ["builds", "number", (row) => count(row[1])], ["mean", "number", (row) => row[2] === null ? DASH : row[2].toFixed(2)]], [["new phase", one.builds_new, one.mean_new], ["old phase", one.builds_old, one.mean_old]])];
}

function buildsPart() {
  return el("div", null, el("div", { id: "builds-filter" }), el("div", { id: "builds-list" }));
}
function listBuilds() {
  const state = wanted.state ?? (chosen.state ? parseInt(chosen.state, 10) : null), kind = wanted.class ?? (chosen.class || null), pipeline = wanted.pipeline ?? (chosen.pipeline || null);
  const rows = F.builds.filter((one) => (state === null || one.failed_states.includes(state)) && (!kind || one.classes.includes(kind)) && (!wanted.signature || one.signatures.includes(wanted.signature)) && (!wanted.status || one.status === wanted.status)
    && (!pipeline || (one.pipeline ?? "(none)") === pipeline) && (!chosen.target || (one.target ?? "(none)") === chosen.target) && (!chosen.from || (one.began ?? "") >= chosen.from) && (!chosen.to || day(one.began) <= chosen.to));
  const told = [state !== null ? `failed in state ${state}` : null, kind ? `class ${kind}` : null, wanted.signature, pipeline ? `pipeline ${pipeline}` : null, chosen.target ? `target ${chosen.target}` : null].filter(Boolean);
  const targeted = F.builds.some((one) => one.target);
  const narrowed = Object.values(wanted).some((value) => value !== null);
  document.getElementById("builds-filter").replaceChildren(el("p", null, `${count(rows.length)} builds${told.length ? `: ${told.join(", ")}` : ""}`, narrowed ? " · " : null, narrowed ? el("button", { type: "button", class: "link", onclick: () => showBuilds({}) }, "show all") : null), F.builds_left_out ? el("p", { class: "quiet" }, `Only the ${count(F.builds.length)} costliest builds are listed; ${count(F.builds_left_out)} others are in the numbers above.`) : "");
  document.getElementById("builds-list").replaceChildren(table("Builds, the costliest first", [
    ["build", "", (one) => el("span", { class: "code" }, one.build), (one) => one.build], ...(several ? [["pipeline", "", (one) => one.pipeline ?? DASH, (one) => one.pipeline ?? ""]] : []), ...(targeted ? [["target", "", (one) => one.target ?? DASH, (one) => one.target ?? ""]] : []),
    ["status", "nowrap", (one) => el("span", { class: `tag ${one.status}` }, one.status.replace("_", " ")), (one) => one.status], ["begun", "nowrap", (one) => day(one.began), (one) => one.began ?? ""], ["runs", "number", (one) => count(one.runs), (one) => one.runs],
    ["failures", "number", (one) => count(one.failures), (one) => one.failures], ["lost", "number", (one) => hours(one.hours_lost), (one) => one.hours_lost], ["of", "number", (one) => hours(one.hours), (one) => one.hours], ["failed so", "", (one) => one.signatures.slice(0, 3).join(", ") || DASH],
  ], rows, 50));
  say(`${count(rows.length)} builds listed`);
}

function qualityPart() {
  const told = F.quality;
  return [
    table("What the numbers rest on", [["", "", (row) => row[0]], ["", "number", (row) => row[1]]], [
      ["failures of unknown class", `${rate(told.unclassified)}, n = ${count(told.unclassified.n)}`], ["failures that tell nothing of recovery: never tried again, cut short, or changed in between", `${rate(told.censored)}, n = ${count(told.censored.n)}`],
      ["attempts interrupted (never counted as failed)", `${rate(told.interrupted)}, n = ${count(told.interrupted.n)}`], ["builds whose record may have holes", count(told.degraded)], ["failures without a message", count(told.without_message)], ["attempts without a duration", count(told.without_duration)],
    ]),
    told.notes.length ? el("ul", null, told.notes.map((note) => el("li", null, note))) : null,
    el("p", { class: "quiet" }, "Shares are as observed, their intervals hold 90 % (Jeffreys' prior). Time lost is that of failed attempts, and that of states run again which an earlier run had completed before a failure made it start over. Estimates are called so."),
  ];
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
    const told = filtered() ? "Filtered: figures, states, classes, signatures, trend and builds. Advice, replays, hosts and the costliest build speak of the whole." : "";
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
  filters();
  if (F.recommendations.length) part("do", "What to do", "For each state what its own history advises, how sure that is, and what following it would save.", advicePart);
  part("states", "States", "Where builds fail and what it costs. Click a bar for the builds behind it.", statesPart, true);
  if (F.signatures.length) part("failures", "Failures", "What went wrong, by class and by signature, with the lines that prove it.", signaturesPart, true);
  part("trend", "Trend", null, trendPart, true);
  if (F.previews.length) part("phases", "Other phases", "The recorded builds replayed under other phases. What was observed is followed; the rest is drawn from what the history makes likely.", previewPart);
  if (F.shadows.length) part("shadows", "Shadow decisions", "What other phases would have done at each failure, scored by what happened next.", shadowsPart);
  if (F.arms) part("arms", "Roll-out", "Builds under the new phase beside builds under the old one; the comparison holds however often it is looked at.", armsPart);
  if (F.worst) part("worst", "Costliest build", "The build that lost most time, run by run, to one scale.", worstPart);
  if (F.hosts.length > 1) part("hosts", "Hosts", null, hostsPart);
  part("builds", "Builds", null, buildsPart);
  listBuilds();
  part("quality", "How far to trust this", null, qualityPart);
}
document.documentElement.dataset.ready = "true";
