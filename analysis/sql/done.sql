-- In: chosen, attempts. Out: done.
create or replace temp table done as
with these as (
    select build, pipeline, target, run, state, name, attempt, status, started, ended, host,
        coalesce(duration, if(status in ('completed', 'failed'), epoch(ended) - epoch(started), null), 0.0) as seconds,
        duration is null and status in ('completed', 'failed') as unmeasured,
        coalesce(ended_ord, started_ord) as ord,
        min(run) filter (status = 'completed') over (partition by build, state) as completed_in
    from attempts semi join chosen using (build)
),
causes as (
    select build, run, lag(cause) over (partition by build order by run) as cause
    from (select build, run, arg_max(state, ord) filter (status = 'failed') as cause from these group by build, run)
)
select these.*, attempt is not null and completed_in < run as repeated,
    case when status = 'failed' then state when attempt is not null and completed_in < run then cause end as charged,
    if(status = 'failed' or attempt is not null and completed_in < run, seconds, 0.0) as lost
from these left join causes using (build, run)
