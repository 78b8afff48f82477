-- Builds by the day on which they began, failures and losses by the day on which they ended. In: chosen, per_day.
select coalesce(b.day, d.day) as day, coalesce(builds, 0) as builds, coalesce(failures, 0) as failures,
    coalesce(hours_lost, 0) as hours_lost
from (select cast(started as date) as day, count(*) as builds from chosen group by day) b
full join per_day d on b.day = d.day
where coalesce(b.day, d.day) is not null order by day
