-- Interchange events in order: run and attempt given where they are missing, beginnings marked where only the end was
-- told. In: facts (kind is a status). Out: named, which gives builds short numbers `b`; numbered, where `pos` orders the
-- lines of a build. What this does not need stays in facts, to be had by `id`: sorting wide rows is what takes the time.
--
-- Most builds are plain: their runs are told, and what begins and ends in a state is told by number or happens once. Only
-- the odd ones are gone through in order.
create or replace temp table named as
select build, row_number() over () as b, runs_given, seqs_given from (
    select build, count(run) filter (is_line) = count(*) filter (is_line) as runs_given,
        count(seq) filter (is_line) = count(*) filter (is_line) as seqs_given
    from (select build, run, seq, kind in ('started', 'completed', 'failed', 'interrupted', 'reused', 'skipped') as is_line from facts)
    group by build
);

create or replace temp table lines as
with placed as (
    select id, b, state, kind, run, attempt, ts, duration, runs_given, decision is not null as decides, hash(error) as error,
        kind in ('completed', 'failed', 'interrupted') as is_end, kind in ('reused', 'skipped') as is_settled,
        if(runs_given, run, 0) as run_place, if(seqs_given, seq, 0) as seq_place
    from facts join named using (build)
    where kind in ('started', 'completed', 'failed', 'interrupted', 'reused', 'skipped')
)
select * exclude (repeats, error, run_place, seq_place) from (
    select *, row_number() over here as pos, coalesce(  -- a line that merely repeats the one before it says nothing
        state = lag(state) over here and kind = lag(kind) over here and ts = lag(ts) over here
        and run is not distinct from lag(run) over here and attempt is not distinct from lag(attempt) over here
        and error is not distinct from lag(error) over here, false) as repeats
    from placed
    window here as (partition by b order by run_place, seq_place, ts, id)
) where not repeats;

create or replace temp table told as
select *, attempts_given or happens_once as is_plain from (
    select b, state,
        -- attempts told by number: all lines of the state have one, and none begins or ends twice
        bool_and(attempt is not null and starts <= 1 and ends <= 1) as attempts_given,
        count(*) = 1 and bool_and(attempt is null and starts <= 1 and ends <= 1 and coalesce(first_start < first_end, true))
            as happens_once,
        bool_or(starts = 0) as has_orphans
    from (
        select b, state, attempt, count(*) filter (kind = 'started') as starts, count(*) filter (is_end) as ends,
            min(pos) filter (kind = 'started') as first_start, min(pos) filter (is_end) as first_end
        from lines where not is_settled group by b, state, attempt
    ) group by b, state
);

create or replace temp table odd as
select b from lines where not runs_given union select b from told where not is_plain;

create or replace temp table numbered as
with orphans as (  -- ends told by number whose beginning was not told
    select b, state, attempt from lines where not is_settled and (b, state) in (select (b, state) from told where has_orphans)
    group by b, state, attempt having not bool_or(kind = 'started')
),
before as (
    select l.*, coalesce(t.attempts_given, true) as attempts_given,
        lag(if(is_settled, null, kind) ignore nulls) over here as before_here,
        last_value(if(kind = 'skipped', null, kind) ignore nulls) over (
            here rows between unbounded preceding and 1 preceding) as settled_here
    from lines l left join told t on l.b = t.b and l.state = t.state
    where l.b in (from odd)
    window here as (partition by l.b, l.state order by pos)
),
opening as (
    select before.*, case
        when kind = 'started' then true
        when not is_end then false
        when attempts_given then orphans.b is not null
        else before_here is distinct from 'started' end as opens
    from before left join orphans
        on before.b = orphans.b and before.state = orphans.state and before.attempt = orphans.attempt
),
run_marks as (
    select *,
        if(attempts_given, attempt, count(*) filter (opens) over (partition by b, state order by pos)) as attempt_here,
        last_value(if(opens or kind = 'reused', state, null) ignore nulls) over (
            partition by b order by pos rows between unbounded preceding and 1 preceding) as opened_last
    from opening
)
select b, id, pos, kind, ts, state, duration, decides, opens,
    if(runs_given, run, 1 + count(*) filter (
        (opens or kind = 'reused') and (
            state < opened_last or state = opened_last and settled_here in ('completed', 'started', 'reused'))
    ) over (partition by b order by pos)) as run,
    if(is_settled, null, attempt_here) as attempt
from run_marks
union all by name
select l.b, id, pos, kind, ts, l.state, duration, decides, kind = 'started' or is_end and o.b is not null as opens, run,
    if(is_settled, null, coalesce(l.attempt, 1)) as attempt
from lines l left join orphans o on l.b = o.b and l.state = o.state and l.attempt is not distinct from o.attempt
where l.b not in (from odd)
