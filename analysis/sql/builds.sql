-- One row per build. In: normal, attempts, runs. Out: builds.
create or replace temp table builds as
with facts_of as (
    select build, min(ts) as started_any, arg_min(ts, ord) as started, max(ts) as ended,
        arg_max(pipeline, ord) filter (kind = 'build_begun') as pipeline,
        arg_max(target, ord) filter (kind = 'build_begun') as target,
        arg_max(labels, ord) filter (kind = 'build_begun') as labels,
        arg_max(kind, ord) filter (kind in ('build_held', 'build_released', 'build_abandoned', 'run_started')) as last_word,
        arg_max(kind, ord) filter (kind in ('build_abandoned', 'run_started')) as last_step,
        bool_or(kind = 'record_degraded') as degraded,
        arg_max(phase, ord) filter (kind in ('attempt_started', 'run_started') and phase is not null) as phase
    from normal group by build
),
last_runs as (
    select build, max(run) as runs, arg_max(outcome, run) as outcome, arg_max_null(arm, run) as arm,
        sum(attempts) as attempts, sum(failures) as failures, bool_or(outcome <> 'completed') as stumbled
    from runs group by build
),
touched as (
    select build, arg_max(state, coalesce(ended_ord, started_ord)) as current,
        arg_max(status, coalesce(ended_ord, started_ord)) as last_status, bool_or(status = 'interrupted') as cut
    from attempts group by build
)
select f.build, f.pipeline, f.target,
    case when r.outcome is null then 'pending'
         when r.outcome not in ('in_progress', 'interrupted') and t.last_status = 'failed' then 'failed'
         else r.outcome end as status,
    cast(t.current as integer) as current, cast(coalesce(r.runs, 0) as integer) as runs,
    cast(coalesce(r.attempts, 0) as integer) as attempts, cast(coalesce(r.failures, 0) as integer) as failures,
    f.started, f.ended, coalesce(r.runs, 0) <= 1 as first_run_only,
    coalesce(r.outcome = 'completed' and (r.stumbled or r.failures > 0 or t.cut), false) as completed_after_retry,
    coalesce(f.last_word = 'build_held', false) as held, coalesce(f.last_step = 'build_abandoned', false) as abandoned,
    coalesce(f.degraded, false) as degraded, f.phase, r.arm, f.labels
from facts_of f left join last_runs r on f.build = r.build left join touched t on f.build = t.build
