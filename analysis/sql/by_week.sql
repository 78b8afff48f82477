-- Builds by the week in which they began, attempts by the week in which they ended. In: chosen, per_day.
with built as (
    select cast(date_trunc('week', started) as date) as week, count(*) as builds,
        count(*) filter (status = 'completed' and bad_runs = 0 and failures = 0) as completed_first,
        count(*) filter (status = 'completed' and (bad_runs > 0 or failures > 0)) as completed_later,
        count(*) filter (status = 'failed') as failed
    from chosen group by week
),
tried as (
    select cast(date_trunc('week', day) as date) as week, cast(sum(attempts) as bigint) as attempts,
        cast(sum(failures) as bigint) as failures,
        sum(hours) as hours, sum(hours_lost) as hours_lost
    from per_day group by week
)
select week, builds, completed_first, completed_later, failed, attempts, failures, hours, hours_lost
from built full join tried using (week)
