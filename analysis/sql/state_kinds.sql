-- The most frequent kinds of failure at each state. In: wrong.
select pipeline, state, list(signature order by n desc, signature) as signatures
from (
    select pipeline, state, signature, count(*) as n from wrong group by pipeline, state, signature
    qualify row_number() over (partition by pipeline, state order by n desc, signature) <= $most
)
group by pipeline, state
