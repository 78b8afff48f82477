-- The attempts of the chosen builds, with what was lost in them. In: chosen, attempts, runs. Out: done.
-- Time is lost in attempts that failed, charged to their own state; and in attempts at states that an earlier run of the
-- build had completed, when a failure made it start over: charged to the state that failed. A build that is run again
-- after it was green begins a new series, in which nothing is repeated at first.
create or replace temp table done as
with causes as (
    select build, run, last_value(cause ignore nulls) over before as cause,
        count(*) filter (outcome = 'completed') over before as series
    from (
        select r.build, r.run, r.outcome, case when r.outcome = 'failed' then f.state when r.outcome = 'completed' then -1 end as cause
        from runs r semi join chosen using (build)
        left join (select build, run, arg_max(state, ended_ord) as state from attempts where status = 'failed' group by build, run) f
            on r.build = f.build and r.run = f.run
    )
    window before as (partition by build order by run rows between unbounded preceding and 1 preceding)
),
completed as (
    select a.build, state, coalesce(series, 0) as series, min(a.run) as completed_in
    from attempts a join causes c on a.build = c.build and a.run = c.run
    where status = 'completed' and a.build in (select build from causes group by build having count(*) > 1)
    group by all
),
these as (
    select a.build, pipeline, target, a.run, a.state, name, attempt, status, started, ended, host, cause,
        coalesce(duration, if(status in ('completed', 'failed'), epoch(ended) - epoch(started), null), 0.0) as seconds,
        duration is null and status in ('completed', 'failed') as unmeasured,
        coalesce(ended_ord, started_ord) as ord, completed_in
    from attempts a join causes c on a.build = c.build and a.run = c.run
    left join completed d on a.build = d.build and a.state = d.state and coalesce(c.series, 0) = d.series
)
select * exclude (cause, completed_in, again), again as repeated,
    case when status = 'failed' then state when again then cause end as charged,
    if(status = 'failed' or again, seconds, 0.0) as lost
from (select *, attempt is not null and coalesce(completed_in < run and cause >= 0, false) as again from these)
