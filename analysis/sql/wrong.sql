-- The failed attempts of the chosen builds. In: done. Out: wrong.
create or replace temp view wrong as
select build, coalesce(pipeline, '') as pipeline, target, run, state, attempt, host, seconds as own,
    coalesce(ended, started + to_milliseconds(cast(seconds * 1000 as bigint))) as over,
    failure_class as class, failure_signature as signature, first_of_kind,
    coalesce(template, split_part(error, chr(10), 1), failure_signature) as title, error, evidence
from done where status = 'failed'
