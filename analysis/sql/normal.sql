-- All facts in one shape, whatever they came from. In: facts, numbered. Out: normal, ordered by (build, ord).
create or replace temp table normal as
with told as (
    select *, pos * 8 as ord from numbered
)
select * exclude (pos, ord, opens, id, kind, ts, reason, error), id, ord,
    case when kind in ('reused', 'skipped') then 'state_' || kind else 'attempt_' || kind end as kind,
    ts, if(kind = 'failed', null, error) as reason, if(kind = 'failed', error, null) as error
    from (select * replace (case kind when 'started' then 'started' else kind end as kind) from told)
union all by name  -- only the end was told
select build, pipeline, target, id, ord - 1 as ord, 'attempt_started' as kind,
    ts - to_milliseconds(cast(round(1e3 * coalesce(duration, 0)) as bigint)) as ts,
    run, state, attempt, name, host, phase, inputs
    from told where opens and kind <> 'started'
union all by name  -- the decision stands in the line of the failure
select build, id, ord + 1 as ord, 'decided' as kind, ts, run, state, attempt, decision, shadow
    from told where kind = 'failed' and decision is not null
union all by name
select build, min(id) as id, min(ord) - 2 as ord, 'run_started' as kind,
    arg_min(ts - to_milliseconds(if(opens and kind <> 'started', cast(round(1e3 * coalesce(duration, 0)) as bigint), 0)), ord) as ts,
    run, arg_min(host, ord) as host, arg_min(phase, ord) as phase, false as held,
    case when row_number() over (partition by build order by run) = 1 then 'first'
         when arg_min(kind, ord) = 'reused' then 'resume' else 'start-over' end as reason
    from told group by build, run
union all by name
select build, min(id) as id, 0 as ord, 'build_begun' as kind, min(ts) as ts,
    arg_min(pipeline, ord) as pipeline, arg_min(target, ord) as target
    from told group by build
union all by name
select * exclude (seq), id * 8 as ord from facts
    where kind not in ('started', 'completed', 'failed', 'interrupted', 'reused', 'skipped')
