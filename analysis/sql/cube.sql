-- Counts by all that can be filtered for, a week the shortest period; rare names are told together. In: done, wrong.
-- Out: cube.
create or replace temp table cube as
select pipeline, target, host, state, class, period, sum(attempts) as attempts, sum(completed) as completed,
    sum(failures) as failures, sum(hours) as hours, sum(lost) as lost
from (
    select {pipeline} as pipeline, {target} as target, {host} as host, state, '' as class, {period_done} as period,
        cast(attempt is not null as integer) as attempts, cast(status = 'completed' as integer) as completed, 0 as failures,
        seconds / 3600 as hours, 0.0 as lost
    from done
    union all by name
    select {pipeline} as pipeline, {target} as target, {host} as host, charged as state, '' as class, {period_done} as period,
        0 as attempts, 0 as completed, 0 as failures, 0.0 as hours, lost / 3600 as lost
    from done where repeated and status <> 'failed'
    union all by name
    select {pipeline} as pipeline, {target} as target, {host} as host, state, class, {period_wrong} as period,
        0 as attempts, 0 as completed, 1 as failures, 0.0 as hours, own / 3600 as lost
    from wrong
)
where period is not null group by all
