-- One row per build. In: facts, named, normal, run_begins, begun, attempts, runs. Out: builds.
create or replace temp table builds as
with facts_of as (
    select b, arg_min(ts, ord) as started, max(ts) as ended,
        arg_max(kind, ord) filter (kind in ('build_held', 'build_released', 'build_abandoned', 'run_started')) as last_word,
        arg_max(kind, ord) filter (kind in ('build_abandoned', 'run_started')) as last_step,
        bool_or(kind = 'record_degraded') as degraded
    from normal group by b
),
first_words as (
    select b, arg_max(pipeline, ord) as pipeline, arg_max(target, ord) as target, arg_max(labels, ord) as labels
    from begun group by b
),
phases as (
    select b, arg_max(phase, ord) as phase from (
        select b, ord, phase from run_begins where phase is not null
        union all
        select b, ord, f.phase from normal join (select id, phase from facts where phase is not null) f using (id)
        where kind = 'started'
    ) group by b
),
last_runs as (
    select b, max(run) as runs, arg_max(outcome, run) as outcome, arg_max_null(arm, run) as arm,
        sum(attempts) as attempts, sum(failures) as failures, bool_or(outcome <> 'completed') as stumbled
    from runs group by b
),
touched as (
    select b, arg_max(state, coalesce(ended_ord, started_ord)) as current,
        arg_max(status, coalesce(ended_ord, started_ord)) as last_status, bool_or(status = 'interrupted') as cut
    from attempts group by b
)
select n.build, w.pipeline, w.target,
    case when r.outcome is null then 'pending'
         when r.outcome not in ('in_progress', 'interrupted') and t.last_status = 'failed' then 'failed'
         else r.outcome end as status,
    cast(t.current as integer) as current, cast(coalesce(r.runs, 0) as integer) as runs,
    cast(coalesce(r.attempts, 0) as integer) as attempts, cast(coalesce(r.failures, 0) as integer) as failures,
    f.started, f.ended, coalesce(r.runs, 0) <= 1 as first_run_only,
    coalesce(r.outcome = 'completed' and (r.stumbled or r.failures > 0 or t.cut), false) as completed_after_retry,
    coalesce(f.last_word = 'build_held', false) as held, coalesce(f.last_step = 'build_abandoned', false) as abandoned,
    coalesce(f.degraded, false) as degraded, p.phase, r.arm, w.labels, f.b
from facts_of f
join named n on f.b = n.b
left join first_words w on f.b = w.b
left join phases p on f.b = p.b
left join last_runs r on f.b = r.b
left join touched t on f.b = t.b
