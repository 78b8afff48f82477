-- What failures cost, attempt by attempt and build by build, once for all reports. In: attempts, runs, builds, meanings.
-- Out: losses, which gives the attempts of a rowid the further columns of tables.ATTEMPT_LOSSES; and builds with those of
-- tables.BUILD_LOSSES.
--
-- Time is lost in attempts that failed, charged to their own state; and in attempts at states that an earlier run of the
-- build had completed, when a failure made it start over: charged to the state that failed. A build that is run again
-- after it was green begins a new series, in which nothing is repeated at first.
create or replace temp table losses as
with causes as (
    select b, run, last_value(cause ignore nulls) over before as cause,
        count(*) filter (outcome = 'completed') over before as series
    from (
        select r.b, r.run, r.outcome, case when r.outcome = 'failed' then f.state when r.outcome = 'completed' then -1 end as cause
        from runs r
        left join (select b, run, arg_max(state, ended_ord) as state from attempts where status = 'failed' group by b, run) f
            on r.b = f.b and r.run = f.run
        where r.b in (select b from runs group by b having count(*) > 1)
    )
    window before as (partition by b order by run rows between unbounded preceding and 1 preceding)
),
completed as (
    select a.b, state, series, min(a.run) as completed_in
    from attempts a join causes c on a.b = c.b and a.run = c.run where status = 'completed' group by all
),
again as (
    select a.rowid as place, cause
    from attempts a join causes c on a.b = c.b and a.run = c.run
    join completed d on a.b = d.b and a.state = d.state and c.series = d.series
    where attempt is not null and completed_in < a.run and cause >= 0
),
firsts as (
    select arg_min(rowid, coalesce(ended_ord, started_ord)) as place,
        bool_or(status in ('completed', 'reused', 'skipped')) as passed
    from attempts group by b, state
),
failures as (
    select a.rowid as place, a.b, coalesce(a.ended_ord, a.started_ord) as ord, coalesce(a.class, m.found_class, 'unknown') as class,
        coalesce(a.signature, m.found_signature, 'unknown') as signature
    from attempts a
    left join meanings m on a.error is not distinct from m.error and a.exit_code is not distinct from m.exit_code
        and a.signal is not distinct from m.signal and a.class is not distinct from m.class
        and a.signature is not distinct from m.signature
    where a.status = 'failed'
),
kinds as (
    select arg_min(place, ord) as place from failures group by b, signature
)
select a.rowid as place, a.b, a.state, a.status, a.attempt is not null as tried, a.host, n.started as build_started,
    greatest(0, coalesce(a.duration, if(a.status in ('completed', 'failed'), epoch(a.ended) - epoch(a.started), null), 0.0)) as seconds,
    a.duration is null and a.status in ('completed', 'failed') as unmeasured, r.place is not null as repeated,
    cast(if(a.status = 'failed', a.state, r.cause) as integer) as charged,
    if(a.status = 'failed' or r.place is not null, seconds, 0.0) as lost,
    f.place is not null as first_here, coalesce(f.passed, false) as passed_here,
    w.class as failure_class, w.signature as failure_signature, k.place is not null as first_of_kind
from attempts a
join builds n on a.b = n.b
left join again r on a.rowid = r.place
left join firsts f on a.rowid = f.place
left join failures w on a.rowid = w.place
left join kinds k on a.rowid = k.place;

create or replace temp table builds as
with ran as (
    select b, arg_min(outcome = 'completed' and failures = 0, run) as first_green,
        arg_min(outcome, run) in ('completed', 'failed') as first_ended,
        count(*) filter (outcome in ('failed', 'interrupted')) as bad_runs, min(ended) filter (outcome = 'completed') as green_at,
        count(*) filter (before in ('failed', 'interrupted') and reason is distinct from 'resume') as start_overs,
        sum(greatest(gap, 0)) filter (before in ('failed', 'interrupted')) as waited
    from (
        select *, lag(outcome) over w as before, epoch(started) - epoch(lag(ended) over w) as gap
        from runs window w as (partition by b order by run)
    ) group by b
),
done as (
    select b, count(*) filter (tried) as executed, count(*) filter (status = 'interrupted') as interrupted,
        count(*) filter (unmeasured) as unmeasured, sum(seconds) as seconds,
        sum(lost) filter (repeated and status <> 'failed') as repeated_seconds,
        sum(seconds) filter (status = 'interrupted') as interrupted_seconds, sum(lost) as lost,
        list(distinct host order by host) filter (host is not null) as hosts
    from losses group by b
),
wrong as (
    select b, count(*) as failed, sum(seconds) as failed_seconds, list(distinct failure_class order by failure_class) as classes,
        list(distinct failure_signature order by failure_signature) as signatures, list(distinct state order by state) as failed_states
    from losses where status = 'failed' group by b
)
select n.*, coalesce(first_green, false) as first_green, coalesce(first_ended, false) as first_ended,
    cast(coalesce(bad_runs, 0) as integer) as bad_runs, green_at, cast(coalesce(start_overs, 0) as integer) as start_overs,
    coalesce(waited, 0.0) as waited, cast(coalesce(executed, 0) as integer) as executed,
    cast(coalesce(failed, 0) as integer) as failed, cast(coalesce(interrupted, 0) as integer) as interrupted,
    cast(coalesce(unmeasured, 0) as integer) as unmeasured, coalesce(d.seconds, 0.0) as seconds,
    coalesce(failed_seconds, 0.0) as failed_seconds, coalesce(repeated_seconds, 0.0) as repeated_seconds,
    coalesce(interrupted_seconds, 0.0) as interrupted_seconds, coalesce(lost, 0.0) as lost,
    hosts, classes, signatures, failed_states
from builds n left join ran r on n.b = r.b left join done d on n.b = d.b left join wrong w on n.b = w.b
