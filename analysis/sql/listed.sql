-- What goes with each of the kinds of failure, its most frequent values first. In: wrong, kinds.
select signature, list({what} order by n desc, {what}) as listed
from (
    select signature, {what}, count(*) as n from wrong semi join kinds using (signature)
    where {what} is not null group by signature, {what}
    qualify row_number() over (partition by signature order by n desc, {what}) <= {most}
)
group by signature
