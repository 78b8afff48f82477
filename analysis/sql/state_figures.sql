-- Figures of each state. In: done.
with per_build as (
    select build, state, bool_or(status in ('completed', 'reused', 'skipped')) as passed from done group by build, state
),
reached as (
    select state, count(*) as builds, count(*) filter (passed) as passed from per_build group by state
),
charged as (
    select charged as state, sum(lost) filter (repeated and status <> 'failed') as repeated from done group by charged
)
select d.state, arg_max(name, started) as name, count(distinct pipeline) as pipelines, any_value(pipeline) as pipeline,
    any_value(r.builds) as builds, any_value(r.passed) as passed,
    count(attempt) as attempts, count(*) filter (status = 'completed') as completed,
    count(*) filter (status = 'failed') as failures, count(*) filter (status = 'interrupted') as interrupted,
    count(*) filter (status = 'reused') as reused, sum(seconds) as seconds,
    coalesce(sum(seconds) filter (status = 'failed'), 0) as failed_seconds, coalesce(any_value(c.repeated), 0) as repeated_seconds,
    count(*) filter (status = 'completed' and not unmeasured) as n,
    quantile_cont(seconds, [0.1, 0.5, 0.9]) filter (status = 'completed' and not unmeasured) as quantiles,
    avg(seconds) filter (status = 'completed' and not unmeasured) as mean
from done d join reached r on d.state = r.state left join charged c on d.state = c.state
group by d.state order by d.state
