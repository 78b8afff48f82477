-- One row per attempt, and per state reused or skipped. In: facts, named, normal, run_begins, begun. Out: attempts.
create or replace temp table executed as
with closings as (  -- what is open when a run ends, or the next one begins, was interrupted with it
    select b, ord, ts, id, kind = 'run_ended' as told
    from normal
    where kind = 'run_started' or kind = 'run_ended' and (b, run) in (select (b, run) from run_begins where held)
),
folded as (
    select b, state, attempt,
        min(ord) filter (kind = 'started') as started_ord, arg_min(id, ord) filter (kind = 'started') as started_id,
        arg_min(ts, ord) filter (kind = 'started') as started, arg_min(run, ord) filter (kind = 'started') as run,
        min(ord) filter (ends) as ended_ord, arg_min(id, ord) filter (ends) as ended_id,
        arg_min(ts, ord) filter (ends) as ended, arg_min(kind, ord) filter (ends) as status,
        arg_max(id, ord) filter (kind = 'failure_diagnosed') as diagnosed_id,
        arg_max(id, ord) filter (kind = 'decided') as decided_id
    from (select *, kind in ('completed', 'failed', 'interrupted') as ends from normal)
    where kind in ('started', 'completed', 'failed', 'interrupted', 'failure_diagnosed', 'decided')
    group by b, state, attempt
)
select * exclude (diagnosed_id), if(status = 'failed', diagnosed_id, null) as diagnosed_id
from folded where started_id is not null and ended_id is not null
union all by name
select f.* exclude (ended, ended_ord, ended_id, status, diagnosed_id),
    if(z.ts is null, 'in_progress', 'interrupted') as status, z.ts as ended,
    if(z.told, z.ord, null) as ended_ord, if(z.told, z.id, null) as ended_id, true as cut
from (from folded where started_id is not null and ended_id is null) f
asof left join closings z on f.b = z.b and f.started_ord < z.ord
union all by name
select b, run, state, kind as status, ts as started, ts as ended, ord as ended_ord, id as ended_id, true as settled
from normal where kind in ('reused', 'skipped');

create or replace temp table attempts as
with ends as (
    select id, name, duration, coalesce(error, reason) as error, exit_code, signal, class, signature, rule, inputs from facts
),
diagnoses as (
    select id, class, signature, rule, template, retry_after, evidence, error from facts
    where id in (select diagnosed_id from executed where diagnosed_id is not null)
),
decisions as (
    select id, decision, shadow from facts where id in (select decided_id from executed where decided_id is not null)
)
select n.build, p.pipeline, p.target, cast(x.run as integer) as run, cast(x.state as integer) as state,
    coalesce(s.name, e.name) as name, cast(attempt as integer) as attempt, status, started, ended,
    cast(if(settled or cut, null, coalesce(e.duration,
        if(ended > started, (epoch_ms(ended) - epoch_ms(started)) / 1000, null))) as double) as duration,  -- of an end alone, nobody knows
    if(cut, null, coalesce(d.error, e.error)) as error,
    cast(if(settled or cut, null, e.exit_code) as integer) as exit_code,
    cast(if(settled or cut, null, e.signal) as integer) as signal,
    coalesce(d.class, if(settled or cut, null, e.class)) as class, g.family as "group",
    coalesce(d.signature, if(settled or cut, null, e.signature)) as signature,
    if(d.id is null, if(settled or cut, null, e.rule), d.rule) as rule, d.template, d.retry_after,
    s.host, s.phase, if(settled, e.inputs, s.inputs) as inputs, c.decision, c.shadow, d.evidence,
    x.started_ord, x.ended_ord, x.started_id, x.ended_id, x.b
from executed x
join named n on x.b = n.b
left join (select b, arg_max(pipeline, ord) as pipeline, arg_max(target, ord) as target from begun group by b) p on x.b = p.b
left join (select id, name, host, phase, inputs from facts) s on x.started_id = s.id
left join ends e on x.ended_id = e.id
left join diagnoses d on x.diagnosed_id = d.id
left join decisions c on x.decided_id = c.id
left join class_groups g on coalesce(d.class, if(settled or cut, null, e.class)) = g.class;

update attempts set name = told.name  -- what one attempt at a state tells, holds for the others
from (
    select b, state, max(name) as name from attempts
    where (b, state) in (select (b, state) from attempts where name is null) group by b, state
) told
where attempts.name is null and attempts.b = told.b and attempts.state = told.state
