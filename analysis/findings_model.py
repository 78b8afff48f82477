"""Everything a report says, as one value: renderers lay it out and compute nothing of their own.

Times are RFC 3339 texts in UTC, durations seconds unless a name says hours; intervals hold 90 %.
"""

from __future__ import annotations

from analysis.arms import Arms
from analysis.drift import Change
from analysis.preview import Preview
from analysis.recommendation import Interval, Recommendation, Said
from analysis.shadows import ShadowScore
from analysis.watch import Watched


class Rate(Said):
    """A share, with what it was counted from."""

    hits: int
    n: int
    share: Interval | None
    """None where nothing was counted."""


class Spread(Said):
    """How values are distributed; all None when there are none."""

    n: int
    p10: float | None
    p50: float | None
    p90: float | None
    mean: float | None


class Scope(Said):
    """Which part of the history is spoken of."""

    pipelines: tuple[str, ...]
    pipeline: str | None
    target: str | None
    since: str | None
    until: str | None
    first: str | None
    """When the first build that is spoken of began."""
    last: str | None
    """The last thing that happened."""
    generated: str


class Outcomes(Said):
    """What became of the builds; every build is counted once, except that held and abandoned ones are failed too."""

    builds: int
    completed_first: int
    """Green in their first run, with no failed attempt."""
    completed_in_place: int
    """Green in their first run, after a retry in place."""
    completed_after_start_over: int
    """Green after more than one run."""
    failed: int
    interrupted: int
    in_progress: int
    held: int
    abandoned: int


class Totals(Said):
    """What the whole comes to."""

    runs: int
    attempts: int
    failures: int
    interrupted: int
    start_overs: int
    """Runs that began again at the first state."""
    hours: float
    """Machine hours of all attempts."""
    hours_failed: float
    """Hours of the failed attempts themselves."""
    hours_repeated: float
    """Hours in which states ran again that had completed in an earlier run of their build."""
    hours_interrupted: float
    hours_lost: float
    """Failed and repeated."""
    hours_waited: float
    """Between a failed or interrupted run and the next one of its build; nobody's machine, somebody's day."""
    lost_share: float
    first_run_green: Rate
    hours_to_green: Spread


class StateFinding(Said):
    """One state of one pipeline."""

    code: int
    name: str | None
    pipeline: str | None
    builds: int
    """Builds that came so far."""
    passed: int
    """Builds that got past it."""
    reached: float
    """Share of the pipeline's builds that came so far, 0 to 1: the funnel."""
    attempts: int
    completed: int
    failures: int
    interrupted: int
    reused: int
    failure_rate: Rate
    recovery: Rate
    """Failures whose next attempt passed, of those whose next attempt is known; of the `Quality.folded` builds."""
    duration: Spread
    """Of completed attempts."""
    hours: float
    hours_failed: float
    hours_repeated: float
    """Hours that other states ran again because this one failed."""
    hours_lost: float
    signatures: tuple[str, ...]
    """The most frequent ones."""


class Evidence(Said):
    """A line that proves a failure."""

    line: int
    text: str


class SignatureFinding(Said):
    """One kind of failure."""

    signature: str
    title: str
    """What a person calls it: a template, or the shortest message seen."""
    failure_class: str
    group: str
    failures: int
    share: float
    builds: int
    states: tuple[int, ...]
    hosts: tuple[str, ...]
    host_bound: bool
    """All on one host, though other hosts do the same work: look at the host."""
    first: str
    last: str
    recovery: Rate
    hours_failed: float
    weeks: tuple[int, ...]
    """Failures a week, oldest first, along `Findings.weeks`."""
    evidence: tuple[Evidence, ...]
    example: str
    """A build that failed so, the latest."""
    example_state: int
    example_attempt: int | None


class ClassFinding(Said):
    """One failure class."""

    failure_class: str
    group: str
    failures: int
    share: float
    hours_failed: float


class Week(Said):
    """One period of the trend; it begins on a Monday."""

    begins: str
    builds: int
    completed_first: int
    completed_later: int
    failed: int
    attempts: int
    failures: int
    hours: float
    hours_lost: float


class Day(Said):
    """One square of the calendar."""

    date: str
    builds: int
    failures: int
    hours_lost: float


class HostFinding(Said):
    """One machine, against what its mix of states would lead one to expect."""

    host: str
    attempts: int
    failures: int
    expected: float
    failure_rate: Rate
    suspicious: bool
    """Even the low end of its rate lies above what was to be expected by half again."""


class Step(Said):
    """One bar of a timeline; `begins` and `ends` in hours since its lane began."""

    state: int
    name: str | None
    attempt: int | None
    what: str
    """completed, failed, interrupted, reused, skipped, in_progress."""
    begins: float
    ends: float
    told: str | None
    """Class and message of a failure."""
    then: str | None = None
    """What was decided about a failure, and why; where the run went on behind it, what was waited for."""
    repeated: bool
    """It had completed in an earlier run."""


class Lane(Said):
    """One run of a timeline."""

    run: int
    began: str | None
    outcome: str | None
    reason: str | None
    hours: float
    after: float
    """Hours between the beginning of the build and that of this run."""
    waited_before: float
    """Hours since the run before ended; 0 for the first."""
    held_before: float
    """Those of them in which the build waited for a person."""
    steps: tuple[Step, ...]


class Timeline(Said):
    """One build, drawn to scale: as it was, and as it would have gone on at the failed state each time."""

    build: str
    pipeline: str | None
    status: str
    began: str | None
    hours: float
    lanes: tuple[Lane, ...]
    lanes_left_out: int
    resumed: tuple[Lane, ...]
    """The same runs after the same waits, had each gone on at the failed state. An estimate: nobody tried it."""
    without: Lane
    """What ran, less what was repeated, end to end. An estimate as well."""
    hours_run: float
    hours_failed: float
    hours_repeated: float
    hours_waited: float


class BuildLine(Said):
    """One build among those that numbers link to."""

    build: str
    pipeline: str | None
    target: str | None
    status: str
    current: int | None
    runs: int
    failures: int
    began: str | None
    hours: float
    hours_lost: float
    classes: tuple[str, ...]
    signatures: tuple[str, ...]
    failed_states: tuple[int, ...]
    hosts: tuple[str, ...]


class Quality(Said):
    """How far the record can be trusted."""

    unclassified: Rate
    censored: Rate
    """Failures of which nobody knows whether another attempt would have passed."""
    interrupted: Rate
    degraded: int
    without_message: int
    without_duration: int
    folded: int
    """Of so many builds, the latest that had failures, it is told what came of these: recovery, and `censored`."""
    folded_of: int
    """So many had failures."""
    notes: tuple[str, ...]


class Period(Said):
    """The main figures of a stretch of time."""

    since: str | None
    until: str | None
    builds: int
    first_run_green: Rate
    failures_per_100_builds: float | None
    hours_lost_per_100_builds: float | None
    hours_to_green: Spread


class Comparison(Said):
    """One period beside an earlier one."""

    now: Period
    before: Period


class Cube(Said):
    """Counts for filters: words, and columns of equal length whose places index into the words."""

    words: dict[str, tuple[str, ...]]
    """pipeline, target, host, state (`code name`), class, period (date at which it begins)."""
    period_days: int
    attempts: dict[str, tuple[float, ...]]
    """Places: pipeline, target, host, state, class, period. Counts: attempts, completed, failures, hours, lost."""
    builds: dict[str, tuple[float, ...]]
    """Places: pipeline, target, period. Counts: builds, first (green at first), later (green later), failed."""
    complete: bool
    """False when rare hosts, targets or pipelines were put together as `(others)`."""


class Findings(Said):
    """What the history says."""

    scope: Scope
    headline: tuple[str, ...]
    """The first screen in sentences: what failures cost, where, what to do about it, how sure we are."""
    outcomes: Outcomes
    totals: Totals
    states: tuple[StateFinding, ...]
    classes: tuple[ClassFinding, ...]
    signatures: tuple[SignatureFinding, ...]
    weeks: tuple[Week, ...]
    days: tuple[Day, ...]
    hosts: tuple[HostFinding, ...]
    worst: Timeline | None
    builds: tuple[BuildLine, ...]
    builds_left_out: int
    quality: Quality
    cube: Cube
    comparison: Comparison | None = None
    recommendations: tuple[Recommendation, ...] = ()
    previews: tuple[Preview, ...] = ()
    shadows: tuple[ShadowScore, ...] = ()
    changes: tuple[Change, ...] = ()
    arms: Arms | None = None
    watched: Watched | None = None
    """Rules that prove nothing, hosts with failures of their own, outages."""
