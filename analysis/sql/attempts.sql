-- One row per attempt, and per state reused or skipped. In: normal. Out: attempts.
create or replace temp table attempts as
with begun as (
    select build, arg_max(pipeline, ord) as pipeline, arg_max(target, ord) as target
    from normal where kind = 'build_begun' group by build
),
-- what is open when a run ends, or the next one begins, was interrupted with it
closings as (
    select build, ord, ts, id, kind = 'run_ended' as told
    from normal
    where kind = 'run_started'
        or kind = 'run_ended' and (build, run) in (select (build, run) from normal where kind = 'run_started' and held)
),
folded as (
    select build, state, attempt,
        arg_min({'run': run, 'name': name, 'ts': ts, 'host': host, 'phase': phase, 'inputs': inputs, 'ord': ord, 'id': id},
            ord) filter (kind = 'attempt_started') as s,
        arg_min({'status': kind[9:], 'ts': ts, 'duration': duration, 'error': coalesce(error, reason),
                'exit_code': exit_code, 'signal': signal, 'class': class, 'signature': signature, 'rule': rule,
                'name': name, 'ord': ord, 'id': id},
            ord) filter (kind in ('attempt_completed', 'attempt_failed', 'attempt_interrupted')) as e,
        arg_max({'class': class, 'signature': signature, 'rule': rule, 'template': template, 'retry_after': retry_after,
                'evidence': evidence, 'error': error},
            ord) filter (kind = 'failure_diagnosed') as d,
        arg_max({'decision': decision, 'shadow': shadow}, ord) filter (kind = 'decided') as c
    from normal
    where kind in ('attempt_started', 'attempt_completed', 'attempt_failed', 'attempt_interrupted',
                   'failure_diagnosed', 'decided')
    group by build, state, attempt
),
closed as (
    select f.*, f.s.ord as begun_ord, z.ts as cut_ts, z.ord as cut_ord, z.id as cut_id, z.told
    from (select * from folded where s is not null and e is null) f
    asof left join closings z on f.build = z.build and f.s.ord < z.ord
    union all by name
    select * from folded where s is not null and e is not null
),
executed as (
    select build, s.run as run, state, coalesce(s.name, e.name) as name, attempt,
        coalesce(e.status, if(cut_ts is null, 'in_progress', 'interrupted')) as status,
        s.ts as started, coalesce(e.ts, cut_ts) as ended,
        if(e is null, null, coalesce(e.duration, greatest(0, epoch_ms(e.ts) - epoch_ms(s.ts)) / 1000)) as duration,
        if(e.status = 'failed', coalesce(d.error, e.error), e.error) as error, e.exit_code as exit_code, e.signal as signal,
        coalesce(d.class, e.class) as class, coalesce(d.signature, e.signature) as signature,
        if(d is null, e.rule, d.rule) as rule, d.template as template, d.retry_after as retry_after,
        s.host as host, s.phase as phase, s.inputs as inputs, c.decision as decision, c.shadow as shadow,
        d.evidence as evidence, s.ord as started_ord, coalesce(e.ord, if(told, cut_ord, null)) as ended_ord,
        s.id as started_id, coalesce(e.id, if(told, cut_id, null)) as ended_id
    from (select * replace (if(e.status = 'failed', d, null) as d) from closed)
    union all by name
    select build, run, state, name, kind[7:] as status, ts as started, ts as ended, reason as error, inputs,
        ord as ended_ord, id as ended_id
    from normal where kind in ('state_reused', 'state_skipped')
)
select x.build, pipeline, target, cast(run as integer) as run, cast(state as integer) as state,
    coalesce(name, max(name) over (partition by x.build, state)) as name,
    cast(attempt as integer) as attempt, status, started, ended, cast(duration as double) as duration, error,
    cast(exit_code as integer) as exit_code, cast(signal as integer) as signal, x.class, g.family as "group", signature,
    rule, template, retry_after, host, phase, inputs, decision, shadow, evidence,
    started_ord, ended_ord, started_id, ended_id
from executed x left join begun b on x.build = b.build left join class_groups g on x.class = g.class
