-- What ended well or badly, in the order in which it did; of what ended in the same millisecond, failures first, as a
-- success can only explain what came after it. Of successes no more is told than where they are found.
select
    build, coalesce(pipeline, '') as pipeline, state, name, coalesce(run, 1) as run, attempt, status, host, error,
    exit_code, signal, "class", signature, rule, template, evidence, over
from (
    select *, coalesce(epoch_ms(ended), epoch_ms(started) + cast(coalesce(duration, 0) * 1000 as bigint)) as over
    from attempts where status in ('failed', 'completed')
)
where status = 'failed' or over is not null
order by over nulls last, status = 'completed', build, state, attempt nulls last
