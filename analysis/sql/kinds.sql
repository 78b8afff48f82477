-- The most frequent kinds of failure: figures of each. In: wrong. Out: kinds.
create or replace temp table kinds as
with frequent as (
    select signature, count(*) as failures from wrong group by signature order by failures desc, signature limit $most
)
select signature, any_value(f.failures) as failures, count(*) filter (first_of_kind) as builds, sum(own) as own,
    epoch_ms(min(over)) as first, epoch_ms(max(over)) as last,
    max(row(over, pipeline, build, state, coalesce(attempt, 0), class)) as latest,
    arg_max(evidence, over) filter (evidence <> '') as evidence, arg_max(error, over) filter (error <> '') as error,
    count(host) as with_host, min(host) <> max(host) as several_hosts
from wrong join frequent f using (signature) group by signature
