-- All facts in one shape, whatever they came from. In: facts, named, numbered. Out: normal, ordered by (b, ord), whose
-- further columns are in facts, by `id`; run_begins and begun, what is told of the begin of a run and of a build.
create or replace temp table run_begins as
select b, run, min(pos) * 8 - 2 as ord, arg_min(n.ts - if(opens and n.kind <> 'started', length, to_milliseconds(0)), pos) as ts,
    min(id) as id, arg_min(pipeline, pos) as pipeline, arg_min(target, pos) as target, arg_min(host, pos) as host,
    arg_min(phase, pos) as phase, cast(null as varchar) as arm, false as held, min(n.ts) as first_ts,
    case when row_number() over (partition by b order by run) = 1 then 'first'
         when arg_min(n.kind, pos) = 'reused' then 'resume' else 'start-over' end as reason
from (select *, to_milliseconds(cast(round(1e3 * coalesce(duration, 0)) as bigint)) as length from numbered) n
join (select id, pipeline, target, host, phase from facts) using (id)
group by b, run
union all by name
select b, run, id * 8 as ord, ts, id, host, phase, arm, held, reason from facts join named using (build)
where kind = 'run_started';

create or replace temp table begun as
select b, 0 as ord, min(first_ts) as ts, min(id) as id, arg_min(pipeline, ord) as pipeline, arg_min(target, ord) as target,
    cast(null as varchar) as labels
from run_begins where first_ts is not null group by b
union all by name
select b, id * 8 as ord, ts, id, pipeline, target, labels from facts join named using (build) where kind = 'build_begun';

create or replace temp table normal as
select b, id, pos * 8 as ord, kind, ts, run, state, attempt from numbered
union all by name  -- only the end was told
select b, id, pos * 8 - 1 as ord, 'started' as kind,
    ts - to_milliseconds(cast(round(1e3 * coalesce(duration, 0)) as bigint)) as ts, run, state, attempt
    from numbered where opens and kind <> 'started'
union all by name  -- the decision stands in the line of the failure
select b, id, pos * 8 + 1 as ord, 'decided' as kind, ts, run, state, attempt from numbered where kind = 'failed' and decides
union all by name
select b, id, ord, 'run_started' as kind, ts, run from run_begins where first_ts is not null
union all by name
select b, id, ord, 'build_begun' as kind, ts from begun where ord = 0
union all by name
select b, id, id * 8 as ord,
    case kind when 'attempt_started' then 'started' when 'attempt_completed' then 'completed' when 'attempt_failed' then 'failed'
        when 'attempt_interrupted' then 'interrupted' when 'state_reused' then 'reused' when 'state_skipped' then 'skipped'
        else kind end as kind,
    ts, run, state, attempt
    from facts join named using (build)
    where kind not in ('started', 'completed', 'failed', 'interrupted', 'reused', 'skipped')
