-- The builds that a report speaks of, with what their runs came to. Out: chosen.
create or replace temp table chosen as
select b.*, coalesce(r.first_green, false) as first_green, coalesce(r.first_ended, false) as first_ended, coalesce(r.bad_runs, 0) as bad_runs, r.green_at
from builds b left join (
    select build, arg_min(outcome = 'completed' and failures = 0, run) as first_green,
        arg_min(outcome, run) in ('completed', 'failed') as first_ended,
        count(*) filter (outcome in ('failed', 'interrupted')) as bad_runs,
        min(ended) filter (outcome = 'completed') as green_at
    from runs group by build
) r on b.build = r.build
where ($pipeline is null or pipeline = $pipeline) and ($target is null or target = $target)
    and ($since is null or started >= cast($since as timestamptz)) and ($until is null or started < cast($until as timestamptz))
