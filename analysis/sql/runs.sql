-- One row per run. In: facts, named, run_begins, begun, attempts. Out: runs.
create or replace temp table runs as
with opened as (
    select b, run, min(ord) as ord, min(ts) as started, arg_min(reason, ord) as reason, arg_min(phase, ord) as phase,
        arg_min(arm, ord) as arm, arg_min(host, ord) as host, bool_or(coalesce(held, false)) as held
    from run_begins group by b, run
),
finished as (
    select b, run, arg_min(ts, id) as ended, arg_min(outcome, id) as outcome, arg_min(exit_code, id) as exit_code,
        arg_min(signal, id) as signal
    from facts join named using (build) where kind = 'run_ended' group by b, run
),
states as (  -- how each state stands at the end of its run
    select b, run, state, arg_max(status, coalesce(ended_ord, started_ord)) as status, max(coalesce(ended_ord, started_ord)) as ord,
        max(coalesce(ended, started)) as last, count(attempt) as attempts, count(*) filter (status = 'failed') as failures
    from attempts group by b, run, state
),
summed as (
    select b, run, max(last) as last, arg_max(status, ord) as last_status, bool_or(status = 'failed') as failed,
        sum(attempts) as attempts, sum(failures) as failures
    from states group by b, run
)
select build, pipeline, target, cast(o.run as integer) as run, o.started,
    coalesce(if(held, f.ended, null), greatest(s.last, o.started)) as ended,
    case
        when held and f.outcome is not null then f.outcome
        when held then if(o.ord = max(o.ord) over (partition by o.b), 'in_progress', 'interrupted')
        when s.last_status = 'in_progress' then 'in_progress'
        when s.failed then 'failed'
        when s.last_status in ('completed', 'reused', 'skipped') then 'completed'
        else coalesce(s.last_status, 'pending')
    end as outcome,
    cast(f.exit_code as integer) as exit_code, cast(f.signal as integer) as signal, reason, o.phase, arm, o.host,
    cast(coalesce(attempts, 0) as integer) as attempts, cast(coalesce(failures, 0) as integer) as failures, o.b
from opened o
join named on o.b = named.b
left join finished f on o.b = f.b and o.run = f.run
left join summed s on o.b = s.b and o.run = s.run
left join (select b, arg_max(pipeline, ord) as pipeline, arg_max(target, ord) as target from begun group by b) n on o.b = n.b
