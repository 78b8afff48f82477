-- One row per run. In: normal, attempts. Out: runs.
create or replace temp table runs as
with begun as (
    select build, run, min(ord) as ord, min(ts) as started, arg_min(reason, ord) as reason, arg_min(phase, ord) as phase,
        arg_min(arm, ord) as arm, arg_min(host, ord) as host, bool_or(coalesce(held, false)) as held
    from normal where kind = 'run_started' group by build, run
),
finished as (
    select build, run, arg_min(ts, ord) as ended, arg_min(outcome, ord) as outcome, arg_min(exit_code, ord) as exit_code,
        arg_min(signal, ord) as signal
    from normal where kind = 'run_ended' group by build, run
),
states as (  -- how each state stands at the end of its run
    select build, run, state, arg_max(status, coalesce(ended_ord, started_ord)) as status, max(coalesce(ended_ord, started_ord)) as ord,
        max(coalesce(ended, started)) as last, count(attempt) as attempts, count(*) filter (status = 'failed') as failures
    from attempts group by build, run, state
),
summed as (
    select build, run, max(last) as last, arg_max(status, ord) as last_status, bool_or(status = 'failed') as failed,
        sum(attempts) as attempts, sum(failures) as failures
    from states group by build, run
)
select b.build, pipeline, target, cast(b.run as integer) as run, b.started,
    coalesce(if(held, f.ended, null), greatest(s.last, b.started)) as ended,
    case
        when held and f.outcome is not null then f.outcome
        when held then if(b.ord = max(b.ord) over (partition by b.build), 'in_progress', 'interrupted')
        when s.last_status = 'in_progress' then 'in_progress'
        when s.failed then 'failed'
        when s.last_status in ('completed', 'reused', 'skipped') then 'completed'
        else coalesce(s.last_status, 'pending')
    end as outcome,
    cast(f.exit_code as integer) as exit_code, cast(f.signal as integer) as signal, reason, b.phase, arm, b.host,
    cast(coalesce(attempts, 0) as integer) as attempts, cast(coalesce(failures, 0) as integer) as failures
from begun b
left join finished f on b.build = f.build and b.run = f.run
left join summed s on b.build = s.build and b.run = s.run
left join (select build, arg_max(pipeline, ord) as pipeline, arg_max(target, ord) as target
           from normal where kind = 'build_begun' group by build) n on b.build = n.build
