-- The costliest builds. In: chosen, done.
select c.build, c.pipeline, c.target, c.status, c.current, c.runs, c.failures, epoch_ms(c.started) as began,
    coalesce(d.hours, 0) as hours, coalesce(d.hours_lost, 0) as hours_lost, d.hosts
from chosen c left join (
    select build, sum(seconds) / 3600 as hours, sum(lost) / 3600 as hours_lost,
        list(distinct host order by host) filter (host is not null) as hosts
    from done group by build
) d on c.build = d.build
order by hours_lost desc, c.failures desc, c.started desc, c.build
limit $most
