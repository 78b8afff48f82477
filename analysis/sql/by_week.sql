-- Builds by the week in which they began, attempts by the week in which they ended. In: chosen, done.
with built as (
    select cast(date_trunc('week', started) as date) as week, count(*) as builds,
        count(*) filter (status = 'completed' and bad_runs = 0 and failures = 0) as completed_first,
        count(*) filter (status = 'completed' and (bad_runs > 0 or failures > 0)) as completed_later,
        count(*) filter (status = 'failed') as failed
    from chosen group by week
),
tried as (
    select cast(date_trunc('week', coalesce(ended, started)) as date) as week, count(attempt) as attempts,
        count(*) filter (status = 'failed') as failures, sum(seconds) / 3600 as hours, sum(lost) / 3600 as hours_lost
    from done group by week
)
select week, builds, completed_first, completed_later, failed, attempts, failures, hours, hours_lost
from built full join tried using (week)
