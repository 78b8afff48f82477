-- The sums of all chosen builds. In: chosen, done, runs.
with gaps as (
    select reason, epoch(started) - epoch(lag(ended) over w) as gap, lag(outcome) over w as before
    from runs semi join chosen using (build) window w as (partition by build order by run)
),
green as (
    select greatest(0, epoch(green_at) - epoch(started)) as seconds from chosen where green_at is not null
)
select
    (select sum(runs) from chosen) as runs,
    (select count(*) from gaps where before in ('failed', 'interrupted') and reason is distinct from 'resume') as start_overs,
    (select sum(greatest(gap, 0)) from gaps where before in ('failed', 'interrupted')) as waited,
    (select count(*) from green) as n,
    (select quantile_cont(seconds, [0.1, 0.5, 0.9]) from green) as quantiles,
    (select avg(seconds) from green) as mean,
    (select count(*) from chosen where first_ended) as ended,
    (select count(*) from chosen where first_green) as first_green,
    count(attempt) as attempts, count(*) filter (status = 'failed') as failures,
    count(*) filter (status = 'interrupted') as interrupted, sum(seconds) as seconds,
    sum(seconds) filter (status = 'failed') as failed, sum(lost) filter (repeated and status <> 'failed') as repeated,
    sum(seconds) filter (status = 'interrupted') as cut
from done
