-- Counts for filters, by what can be filtered for; a period lasts {days} days. In: done.
select pipeline, target, host, state, '' as class, period, sum(attempts) as attempts, sum(completed) as completed,
    0 as failures, sum(hours) as hours, sum(lost) as lost
from (
    select pipeline, target, host, state, {period} as period, count(attempt) as attempts,
        count(*) filter (status = 'completed') as completed, sum(seconds) / 3600 as hours, 0.0 as lost
    from done group by all
    union all by name
    select pipeline, target, host, charged as state, {period} as period, 0 as attempts, 0 as completed, 0.0 as hours,
        sum(lost) / 3600 as lost
    from done where charged is not null and status <> 'failed' group by all
)
group by all
