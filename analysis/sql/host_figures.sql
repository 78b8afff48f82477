-- Figures of each host beside what its mix of pipelines and states would lead one to expect. In: done.
with rates as (
    select pipeline, state, count(*) filter (status = 'failed') / count(*) as rate
    from done where status in ('completed', 'failed') group by pipeline, state
)
select host, count(*) as attempts, count(*) filter (status = 'failed') as failures, sum(rate) as expected
from done join rates on done.pipeline is not distinct from rates.pipeline and done.state = rates.state
where status in ('completed', 'failed') and host is not null
group by host order by failures desc, attempts desc, host
