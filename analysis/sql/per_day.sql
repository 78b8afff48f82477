-- Attempts by the day on which they ended. In: done. Out: per_day.
create or replace temp table per_day as
select cast(coalesce(ended, started) as date) as day, count(attempt) as attempts,
    count(*) filter (status = 'failed') as failures, sum(seconds) / 3600 as hours, sum(lost) / 3600 as hours_lost
from done group by day
