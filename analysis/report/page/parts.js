"use strict";
// The sections: what each shows of the findings, as pictures, with the tables behind them.
const number = (value, digits = 1) => value === null || value === undefined ? DASH : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
/** What is said where there is nothing to draw; what stands between backticks is a command. */
const nothing = (text) => el("p", { class: "nothing" }, text.split("`").map((piece, at) => at % 2 ? el("code", null, piece) : piece));

// ------------------------------------------------------------ what to do

function advicePart() {
  const advised = F.recommendations.filter((advice) => !chosen.pipeline || advice.pipeline === chosen.pipeline);
  if (!F.totals.failures) return nothing("Nothing to advise: no failure is recorded.");
  if (!advised.length) return nothing("Not enough evidence yet: no pipeline of this filter was studied. `toolkit recommend --pipeline NAME` studies one.");
  return advised.flatMap(advised.length > 1 || several ? (advice) => [el("h3", null, advice.pipeline), ...advicePictures(advice)] : advicePictures).filter(Boolean);
}
function advicePictures(advice) {
  const code = chosen.state ? parseInt(chosen.state, 10) : null;
  const states = advice.states.filter((one) => one.evidence.failures && (code === null || one.code === code)), named = (one) => stateName(one.code, one.name);
  if (!states.length) return [nothing("Not enough evidence yet: nothing has failed here.")];
  const best = [...states].sort((one, other) => other.saves.hours_per_100_builds.mean - one.saves.hours_per_100_builds.mean);
  const saves = best.filter((one) => one.action !== "collect" && one.rules.length).map((one) => ({ label: named(one), ...one.saves.hours_per_100_builds, n: one.evidence.failures }));
  const chances = states.flatMap((one) => one.rules.filter((rule) => rule.action === "retry").map((rule) => ({ label: `${named(one)} · ${rule.signatures[0] ?? rule.on.join(", ")}`, ...(rule.p_retry ?? rule.p_recover), n: rule.failures }))).slice(0, MOST_STATES);
  const go = (one) => ({ state: one.code, pipeline: several ? advice.pipeline : null });
  const rule = (one) => el("tr", null, el("td", null, one.signatures.join(", ") || one.on.join(", ")), el("td", null, el("span", { class: `tag ${one.action}` }, one.action)), el("td", null, one.action === "retry" ? `up to ${one.max_attempts} attempts, first wait ${hours(one.wait / 3600) === "0" ? "none" : hours(one.wait / 3600)}` : DASH), el("td", { class: "number" }, `${percent(one.p_recover.mean)} (${percent(one.p_recover.low)}–${percent(one.p_recover.high)})`), el("td", { class: "number" }, count(one.failures)));
  const rules = (one) => one.rules.length ? el("details", null, el("summary", null, `Its ${one.rules.length === 1 ? "rule" : `${one.rules.length} rules`}`), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Rules for ${named(one)}` }, el("table", null, el("caption", null, "The first rule that matches a failure decides"), el("thead", null, el("tr", null, ["failures", "do", "how", "next attempt passed", "n"].map((title, at) => el("th", { scope: "col", class: at > 2 ? "number" : null }, title)))), el("tbody", null, one.rules.map(rule))))) : null;
  const card = (one) => el("li", { class: "advice" }, el("div", { class: "head" }, el("span", { class: `tag ${one.action}` }, one.action), el("strong", null, behind(named(one), go(one))), el("span", { class: "quiet" }, one.action === "collect" ? `not enough evidence yet, n = ${count(one.evidence.failures)}` : `saves ${span(one.saves.hours_per_100_builds)} h per 100 builds, ${sure(one.confidence)} sure, n = ${count(one.evidence.failures)}`)), el("p", null, one.why), rules(one));
  return [
    el("p", { class: "quiet" }, `Learnt from ${many(advice.builds, "build")}, ${day(advice.from)} to ${day(advice.to)}; intervals hold 90 %.`),
    el("div", { class: "pair" },
      saves.length ? chart("What following it saves", "hours per 100 builds", () => intervalSpec(saves, "hours per 100 builds", { zero: 0 })) : nothing("No rule surely gains yet: see how much more evidence each state needs."),
      chances.length ? chart("Chance that the first retry passes", "", () => intervalSpec(chances, "chance", { format: ".0%", hue: "good" })) : null),
    el("ul", { class: "advices" }, best.map(card)),
    el("details", null, el("summary", null, "As a table"), table(`Advice for ${advice.pipeline}`, [
      ["state", "nowrap", (one) => behind(named(one), go(one)), (one) => one.code], ["do", "nowrap", (one) => one.action, (one) => one.action], ["sure", "number", (one) => sure(one.confidence), (one) => one.confidence],
      ["saves h per 100 builds", "number", (one) => span(one.saves.hours_per_100_builds), (one) => one.saves.hours_per_100_builds.mean], ["attempts", "number", (one) => count(one.evidence.attempts), (one) => one.evidence.attempts],
      ["failures", "number", (one) => count(one.evidence.failures), (one) => one.evidence.failures], ["recovered", "number", (one) => count(one.evidence.recovered), (one) => one.evidence.recovered], ["unknown", "number", (one) => count(one.evidence.censored), (one) => one.evidence.censored],
    ], states)),
  ];
}

// ------------------------------------------------------------ where and what

function statesPart() {
  const rows = statesShown(), of = (row) => ({ state: row.code, pipeline: several ? row.pipeline : null }), go = (row) => showBuilds(of(row));
  const hidden = filtered() ? 0 : F.states.length - rows.length;
  const listed = filtered() ? table("States in this filter; intervals hold 90 %", [
    ["state", "nowrap", (row) => behind(row.label, of(row)), (row) => row.label],
    ["attempts", "number", (row) => count(row.n), (row) => row.n], ["failed", "number", (row) => behind(count(row.hits), of(row)), (row) => row.hits],
    ["failure rate", "number", (row) => row.low === null ? DASH : around(row.observed, row.low, row.high), (row) => row.observed], ["lost", "number", (row) => hours(row.lost), (row) => row.lost],
  ], rows) : table("All states; intervals hold 90 %", [
    ["state", "nowrap", (one) => behind(stateOf(one), of(one)), (one) => stateOf(one)],
    ["reached", "number", (one) => percent(one.reached), (one) => one.reached], ["attempts", "number", (one) => count(one.attempts), (one) => one.attempts],
    ["failed", "number", (one) => one.failures ? behind(count(one.failures), of(one)) : "0", (one) => one.failures], ["failure rate", "number", (one) => rate(one.failure_rate), (one) => one.failure_rate.n ? one.failure_rate.hits / one.failure_rate.n : -1],
    ["recovered next", "number", (one) => counted(one.recovery), (one) => one.recovery.n ? one.recovery.hits / one.recovery.n : -1], ["reused", "number", (one) => count(one.reused), (one) => one.reused],
    ["lost in failed", "number", (one) => hours(one.hours_failed), (one) => one.hours_failed], ["lost in repeats", "number", (one) => hours(one.hours_repeated), (one) => one.hours_repeated],
    ["p50", "number", (one) => one.duration.p50 === null ? DASH : hours(one.duration.p50 / 3600), (one) => one.duration.p50 ?? -1], ["p90", "number", (one) => one.duration.p90 === null ? DASH : hours(one.duration.p90 / 3600), (one) => one.duration.p90 ?? -1],
  ], F.states);
  const recovered = filtered() ? [] : rows.filter((row) => row.one.recovery.share).map((row) => ({ label: row.label, ...row.one.recovery.share, mean: row.one.recovery.hits / row.one.recovery.n, n: row.one.recovery.n }));
  return [
    hidden ? el("p", { class: "quiet" }, `The charts show the ${MOST_STATES} states that lost most; ${count(hidden)} more are in the table.`) : null,
    el("div", { class: "pair" },
      filtered() ? null : chart("How far builds come", "bar: came so far; mark: got past it", () => funnelSpec(rows), null, go),
      chart("Time lost", "hours, by the state that failed", () => lostSpec(rows), null, go),
      chart("Failure rate", "with its 90 % interval", () => rateSpec(rows), null, go),
      recovered.length ? chart("Recovered at the next attempt", `of failures that were tried again${F.quality.folded < F.quality.folded_of ? `, in the latest ${count(F.quality.folded)} of ${count(F.quality.folded_of)} builds with failures` : ""}`, () => intervalSpec(recovered, "share that passed", { format: ".0%", hue: "good" })) : null),
    el("details", null, el("summary", null, "All of it as a table"), listed),
  ];
}

function signaturesPart() {
  const state = chosen.state ? parseInt(chosen.state, 10) : null;
  const rows = F.signatures.filter((one) => (!chosen.class || one.failure_class === chosen.class) && (state === null || one.states.includes(state)) && (!chosen.host || one.hosts.includes(chosen.host)));
  const classes = classesShown();
  const evidence = (one) => el("details", null, el("summary", null, "Evidence"), el("pre", null, one.evidence.map((line) => [line.line ? el("span", { class: "n" }, `${line.line}  `) : null, line.text, "\n"])), el("p", { class: "quiet" }, `latest: build ${one.example}, state ${one.example_state}${one.example_attempt ? `, attempt ${one.example_attempt}` : ""}`));
  const told = (one) => {
    const cell = document.createDocumentFragment();
    for (const node of [el("span", { class: "code" }, one.signature), one.host_bound ? el("span", { class: "tag hold" }, `only on ${one.hosts[0]}`) : null, el("div", null, one.title), evidence(one)]) if (node) cell.append(node, " ");
    return cell;
  };
  return [
    chart("Failures by class", "", () => classSpec(classes), table("Failures by class", [["class", "nowrap", (one) => behind(one.label, { class: one.label })], ["group", "", (one) => one.group], ["failures", "number", (one) => count(one.failures)], ["share", "number", (one) => percent(one.share)]], classes), (datum) => showBuilds({ class: datum.label })),
    el("h3", null, "By signature"),
    table(filtered() ? "Signatures seen in this filter; counts are of the whole report" : "Signatures, the most frequent first", [
      ["failure", "words", told, (one) => one.signature], ["class", "nowrap", (one) => one.failure_class, (one) => one.failure_class],
      ["failures", "number", (one) => behind(count(one.failures), { signature: one.signature }), (one) => one.failures], ["share", "number", (one) => percent(one.share), (one) => one.share],
      ["lost in failed", "number", (one) => hours(one.hours_failed), (one) => one.hours_failed], ["states", "", (one) => one.states.slice(0, 6).join(", "), (one) => one.states[0]],
      ["recovered next", "number", (one) => one.recovery.n ? counted(one.recovery) : DASH, (one) => one.recovery.n ? one.recovery.hits / one.recovery.n : -1],
      ["first", "nowrap", (one) => day(one.first), (one) => one.first], ["last", "nowrap", (one) => day(one.last), (one) => one.last],
    ], rows, 40),
  ];
}

// ------------------------------------------------------------ when

function trendPart() {
  const weeks = weeksShown(), during = (one) => ({ begins: one.begins, ends: one.ends ?? one.begins }), go = (one) => showBuilds(during(one));
  const listed = table("Periods", [["from", "nowrap", (one) => behind(one.begins, during(one))], ["green at first", "number", (one) => count(one.first)], ["green later", "number", (one) => count(one.later)], ["failed", "number", (one) => count(one.failed)], ["failures", "number", (one) => count(one.failures)], ["hours lost", "number", (one) => hours(one.hours_lost)]], weeks, 400);
  const size = filtered() && CUBE.period_days !== 7 ? `${CUBE.period_days} days at a time` : "by week";
  const days = table("Days", [["day", "nowrap", (one) => behind(one.date, { begins: one.date, ends: one.date })], ["builds", "number", (one) => count(one.builds)], ["failures", "number", (one) => count(one.failures)], ["hours lost", "number", (one) => hours(one.hours_lost)]], F.days, 400);
  return [
    chart("What became of builds", size, () => weeksSpec(weeks), null, go),
    chart("Hours lost", size, () => lossSpec(weeks), listed, go),
    filtered() ? null : chart("Calendar", "hours lost on each day of the last year (UTC)", calendarSpec, days, (one) => showBuilds({ begins: one.date, ends: one.date })),
    F.comparison ? comparison() : null,
  ];
}
function comparison() {
  const { now, before } = F.comparison;
  const lines = [["builds", count(before.builds), count(now.builds)], ["green at the first run", rate(before.first_run_green), rate(now.first_run_green)], ["failures per 100 builds", number(before.failures_per_100_builds), number(now.failures_per_100_builds)], ["hours lost per 100 builds", number(before.hours_lost_per_100_builds), number(now.hours_lost_per_100_builds)], ["median time to green", ...[before, now].map((one) => one.hours_to_green.p50 === null ? DASH : hours(one.hours_to_green.p50))]];
  const green = [["before", before], ["now", now]].filter(([, one]) => one.first_run_green.share).map(([label, one]) => ({ label, ...one.first_run_green.share, mean: one.first_run_green.hits / one.first_run_green.n, n: one.first_run_green.n }));
  return el("div", null, el("h3", null, "Two periods compared"), green.length ? chart("Green at the first run", "with its 90 % interval", () => intervalSpec(green, "share of builds", { format: ".0%", hue: "good" })) : null, table("Compared", [["figure", "", (line) => line[0]], [`${day(before.since)} to ${day(before.until)}`, "number", (line) => line[1]], [`since ${day(now.since)}`, "number", (line) => line[2]]], lines));
}
function changesPart() {
  if (!F.changes.length) return nothing("Nothing that chance would not explain, or a history too short to tell.");
  const figure = (one, value) => value === null ? DASH : one.kind === "duration" ? hours(value / 3600) : one.kind.includes("signature") ? count(value) : percent(value);
  return table("The last weeks beside what was before, the surest first", [
    ["what", "words", (one) => one.why], ["kind", "nowrap", (one) => one.kind, (one) => one.kind], ["before", "number", (one) => figure(one, one.before)], ["of late", "number", (one) => figure(one, one.recent)],
    ["chance of such a difference", "number", (one) => one.p < 0.0001 ? "<0.01%" : `${(one.p * 100).toFixed(2)}%`, (one) => one.p],
  ], F.changes, 25);
}

// ------------------------------------------------------------ other phases

function previewPart() {
  if (!F.previews.length) return nothing("Not enough evidence yet: a replay needs at least one recorded failure.");
  const measures = [["hours_to_green", "Hours to green", "per green build", ".2f", 2], ["machine_hours", "Machine hours", "of all builds", ",.0f", 0], ["start_overs", "Start-overs", "of all builds", ",.0f", 0]];
  const one = F.previews[0];
  return [
    el("p", { class: "quiet" }, `${many(one.builds, "build")}${several && one.pipeline ? ` of ${one.pipeline}` : ""}, under the strategies that toolkit.toml holds. The upright mark is what was recorded.`),
    el("div", { class: "three" }, measures.map(([key, caption, note, format]) => chart(caption, note, () => intervalSpec(F.previews.map((each) => ({ label: each.phase, ...each[key].replayed, other: each[key].recorded, n: each.builds })), caption.toLowerCase(), { other: "recorded", format, ticks: 3 })))),
    table("The recorded builds, replayed", [["phase", "nowrap", (each) => each.phase], ...measures.map(([key, caption, , , digits]) => [caption.toLowerCase(), "number", (each) => `${span(each[key].replayed, digits)}, was ${number(each[key].recorded, digits)}`]), ["retries", "number", (each) => number(each.retries, 0)], ["in vain", "number", (each) => number(each.futile_retries, 0)], ["held", "number", (each) => number(each.held, 0)], ["observed, not estimated", "number", (each) => percent(each.observed_share)]], F.previews),
  ];
}
function shadowsPart() {
  if (!F.shadows.length) return nothing("No shadow decisions are recorded yet: they come with the failures that `toolkit run` sees.");
  return [
    chart("What came of the decisions", "judged by the next attempt", () => shadowSpec(F.shadows)),
    table("Shadow decisions, judged by what happened next", [["phase", "nowrap", (one) => one.phase], ["failures", "number", (one) => count(one.failures)], ["judged", "number", (one) => count(one.judged)], ["retried, and it passed", "number", (one) => count(one.retried_and_passed)], ["retried in vain", "number", (one) => count(one.retried_in_vain)], ["missed", "number", (one) => count(one.missed)], ["spared", "number", (one) => count(one.spared)], ["right retries", "number", (one) => one.right_retries ? `${percent(one.right_retries.mean)} (${percent(one.right_retries.low)}–${percent(one.right_retries.high)})` : DASH], ["hours saved", "number", (one) => number(one.hours_saved)]], F.shadows),
  ];
}
function armsPart() {
  const arms = F.arms;
  if (!arms) return nothing("No phase is being tried on a share of the builds. `toolkit phase set PHASE --share 20%` begins a trial.");
  const both = [["new", arms.new], ["old", arms.old]], shown = both.filter(([, arm]) => arm.mean !== null && arm.low !== null).map(([name, arm]) => ({ label: `${name}: ${arm.phase}`, mean: arm.mean, low: arm.low, high: arm.high, n: arm.green }));
  return [
    el("p", null, el("span", { class: `tag ${arms.verdict}` }, arms.verdict), ` ${arms.why}`),
    shown.length ? chart("Hours to green", "mean of green builds, with its 90 % interval", () => intervalSpec(shown, "hours to green", { format: ".2f" })) : null,
    table(`The two arms; ${percent(arms.share)} of the builds follow the new phase`, [["arm", "", (row) => row[0]], ["phase", "nowrap", (row) => row[1].phase], ["builds", "number", (row) => count(row[1].builds)], ["green", "number", (row) => count(row[1].green)], ["hours to green", "number", (row) => row[1].mean === null ? DASH : row[1].low === null ? number(row[1].mean, 2) : span(row[1], 2)]], both),
  ];
}

// ------------------------------------------------------------ one build

function worstPart() {
  const worst = F.worst;
  const steps = table("Steps", [["run", "number", (row) => row.run], ["state", "nowrap", (row) => stateName(row.state, row.name)], ["attempt", "number", (row) => row.attempt ?? DASH], ["became", "", (row) => row.repeated && row.what === "completed" ? "completed again" : row.what], ["took", "number", (row) => hours(row.ends - row.begins)], ["why", "words", (row) => row.told ?? ""]], worst.lanes.flatMap((lane) => lane.steps.map((step) => ({ run: lane.run, ...step }))), 400);
  const waits = table("Waits", [["when", "nowrap", (wait) => wait.where], ["waited", "number", (wait) => hours(wait.waited)], ["of it held for a person", "number", (wait) => hours(wait.held)], ["why", "words", (wait) => wait.why || DASH]], waitsOf(worst.lanes), 400);
  const [old, anew] = [worst.lanes, worst.resumed].map((lanes) => lanes.reduce((most, lane) => Math.max(most, lane.after + lane.hours), 0));
  return [
    el("p", null, el("span", { class: "code" }, worst.build), " ", el("span", { class: `tag ${worst.status}` }, worst.status), worst.began ? `, begun ${day(worst.began)}` : ""),
    el("div", { class: "compare" },
      el("div", null, el("strong", null, hours(worst.hours_run)), `of work in ${many(worst.lanes.length + worst.lanes_left_out, "run")}`),
      el("div", null, el("strong", null, hours(worst.hours_repeated)), "of it was done before"),
      el("div", null, el("strong", null, hours(worst.without.hours)), "going on at the failed state each time (an estimate)"),
      el("div", null, el("strong", null, hours(worst.hours_waited)), "between the runs")),
    chart("The old way and the new way: work", "hours since each run began", () => workSpec(worst), steps),
    worst.lanes.length > 1 ? chart("On the clock", `hours since the build began: ${hours(old)} as it was, ${hours(anew)} going on at the failed state (an estimate)`, () => clockSpec(worst), waits) : null,
    worst.lanes_left_out ? el("p", { class: "quiet" }, `${count(worst.lanes_left_out)} more runs are not drawn.`) : null,
  ];
}

// ------------------------------------------------------------ machines, rules, and how far to trust all this

function hostsPart() {
  const values = F.hosts.filter((one) => one.failures && one.failure_rate.share).slice(0, MOST_STATES).map((one) => ({ label: one.host, mean: one.failure_rate.hits / one.failure_rate.n, low: one.failure_rate.share.low, high: one.failure_rate.share.high, other: one.expected / one.attempts, n: one.attempts }));
  const listed = table("Hosts", [["host", "nowrap", (one) => behind(one.host, { host: one.host })], ["attempts", "number", (one) => count(one.attempts)], ["failures", "number", (one) => count(one.failures)], ["expected", "number", (one) => number(one.expected)], ["failure rate", "number", (one) => rate(one.failure_rate)], ["note", "", (one) => one.suspicious ? el("span", { class: "tag failed" }, "fails more than its work explains") : ""]], F.hosts);
  const seen = F.watched, found = seen ? [seen.hosts.length && ["Failures of one host", table("One host has them, and others do the same work", [["failure", "words", (one) => behind(one.signature, { signature: one.signature })], ["host", "nowrap", (one) => behind(one.host, { host: one.host })], ["on it", "number", (one) => `${count(one.on_host)} of ${count(one.failures)}`], ["its part of the work", "number", (one) => percent(one.attempts_share)], ["by chance", "number", (one) => one.chance < 0.0001 ? "<0.01%" : `${(one.chance * 100).toFixed(2)}%`]], seen.hosts, 25)],
    seen.incidents.length && ["Incidents", table("One failure on several builds at once counts as one occasion", [["failure", "words", (one) => behind(one.signature, { signature: one.signature }), (one) => one.signature], ["began", "nowrap", (one) => one.began.slice(0, 16).replace("T", " "), (one) => one.began], ["ended", "nowrap", (one) => one.ended.slice(0, 16).replace("T", " "), (one) => one.ended], ["builds", "number", (one) => count(one.builds), (one) => one.builds], ["failures", "number", (one) => count(one.failures), (one) => one.failures], ["states", "", (one) => one.states.join(", ")], ["hosts", "", (one) => one.hosts.slice(0, 4).join(", ")]], [...seen.incidents].reverse(), 15)],
    seen.worthless.length && ["Rules that prove nothing", table("They match successful attempts too", [["rule", "words", (one) => one.rule], ["successes looked at", "number", (one) => count(one.successes)], ["matched", "number", (one) => `${count(one.matched)} (${percent(one.share)})`], ["failures it was told of", "number", (one) => count(one.failures)]], seen.worthless, 25)]].filter(Boolean) : [];
  return [
    seen && seen.lines.length ? el("ul", { class: "worth" }, seen.lines.map((line) => el("li", null, line))) : null,
    F.hosts.length > 1 ? chart("Failure rate by host", "the upright mark is what its work would lead one to expect", () => intervalSpec(values, "failure rate", { format: ".1%", other: "expected", hue: "lost" }), listed) : nothing("Only one host is on record, so nothing can be said of hosts."),
    ...found.flatMap(([title, shown]) => [el("h3", null, title), shown]),
    seen && !found.length ? nothing("No failure is bound to a host, no incident struck several builds, and no rule matches successes.") : null,
  ];
}

function qualityPart() {
  const told = F.quality;
  return [
    table("What the numbers rest on", [["what", "", (row) => row[0]], ["share or number", "number", (row) => row[1]]], [
      ["failures of unknown class", told.unclassified.hits ? behind(`${rate(told.unclassified)}, n = ${count(told.unclassified.n)}`, { class: "unknown" }) : `${rate(told.unclassified)}, n = ${count(told.unclassified.n)}`],
      ["failures that tell nothing of recovery: never tried again, cut short, or changed in between", `${rate(told.censored)}, n = ${count(told.censored.n)}`],
      ["attempts interrupted (never counted as failed)", `${rate(told.interrupted)}, n = ${count(told.interrupted.n)}`], ["builds whose record may have holes", count(told.degraded)], ["failures without a message", count(told.without_message)], ["attempts without a duration", count(told.without_duration)],
    ]),
    told.notes.length ? el("ul", null, told.notes.map((note) => el("li", null, note))) : null,
    el("p", { class: "quiet" }, "Shares are as observed, their intervals hold 90 % (Jeffreys' prior). Time lost is that of failed attempts, and that of states run again which an earlier run had completed before a failure made it start over. Estimates are called so."),
  ];
}
