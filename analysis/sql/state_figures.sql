-- Figures of each state of each pipeline. In: chosen, done.
with charged as (
    select pipeline, charged as state, sum(lost) as repeated
    from done where repeated and status <> 'failed' group by pipeline, charged
),
figures as (
    select pipeline, state, arg_max(name, started) as name,
        count(*) filter (first_here) as builds, count(*) filter (first_here and passed_here) as passed,
        count(attempt) as attempts, count(*) filter (status = 'completed') as completed,
        count(*) filter (status = 'failed') as failures, count(*) filter (status = 'interrupted') as interrupted,
        count(*) filter (status = 'reused') as reused, sum(seconds) as seconds,
        coalesce(sum(seconds) filter (status = 'failed'), 0) as failed_seconds,
        min(host) <> max(host) as several_hosts
    from done group by pipeline, state
),
begun as (
    select pipeline, count(*) as begun from chosen group by pipeline
)
select f.*, f.builds / b.begun as reached, coalesce(c.repeated, 0) as repeated_seconds
from figures f
join begun b on f.pipeline is not distinct from b.pipeline
left join charged c on f.pipeline is not distinct from c.pipeline and f.state = c.state
order by f.pipeline nulls first, f.state
