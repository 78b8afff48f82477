-- One line per thing that happened to a state, in the interchange shape. A view over attempts.
create or replace view events as
select build, pipeline, target, run,
    cast(row_number() over (partition by build order by ord, started_ord) as integer) as seq,
    state, name, attempt, status, ts, error, exit_code, signal, class, "group", signature, rule, duration, host, phase,
    inputs, decision, shadow, id
from (
    select build, pipeline, target, run, state, name, attempt, 'started' as status, started as ts, host, phase, inputs,
        started_id as id, started_ord as ord, started_ord
    from attempts where started_ord is not null
    union all by name
    select build, pipeline, target, run, state, name, attempt, status, ended as ts, error, exit_code, signal, class,
        "group", signature, rule, duration, host, phase, if(attempt is null, null, inputs) as inputs, decision, shadow,
        ended_id as id, ended_ord as ord, started_ord
    from attempts where ended_ord is not null
)
