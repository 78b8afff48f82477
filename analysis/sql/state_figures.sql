-- Figures of each state of each pipeline. In: chosen, done.
with per_build as (
    select build, pipeline, state, bool_or(status in ('completed', 'reused', 'skipped')) as passed
    from done group by build, pipeline, state
),
reached as (
    select pipeline, state, count(*) as builds, count(*) filter (passed) as passed from per_build group by pipeline, state
),
charged as (
    select pipeline, charged as state, sum(lost) filter (repeated and status <> 'failed') as repeated
    from done group by pipeline, charged
),
figures as (
    select pipeline, state, arg_max(name, started) as name,
        count(attempt) as attempts, count(*) filter (status = 'completed') as completed,
        count(*) filter (status = 'failed') as failures, count(*) filter (status = 'interrupted') as interrupted,
        count(*) filter (status = 'reused') as reused, sum(seconds) as seconds,
        coalesce(sum(seconds) filter (status = 'failed'), 0) as failed_seconds,
        count(*) filter (status = 'completed' and not unmeasured) as n,
        quantile_cont(seconds, [0.1, 0.5, 0.9]) filter (status = 'completed' and not unmeasured) as quantiles,
        avg(seconds) filter (status = 'completed' and not unmeasured) as mean
    from done group by pipeline, state
),
begun as (
    select pipeline, count(*) as begun from chosen group by pipeline
)
select f.*, r.builds, r.passed, r.builds / b.begun as reached, coalesce(c.repeated, 0) as repeated_seconds
from figures f
join reached r on f.pipeline is not distinct from r.pipeline and f.state = r.state
join begun b on f.pipeline is not distinct from b.pipeline
left join charged c on f.pipeline is not distinct from c.pipeline and f.state = c.state
order by f.pipeline nulls first, f.state
