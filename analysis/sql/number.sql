-- Interchange events as facts: sorted, run and attempt given where they are missing, beginnings marked where only the end
-- was told. In: facts (kind is a status). Out: numbered, where `pos` orders the lines of a build.
create or replace temp table numbered as
with per_build as (
    select build, row_number() over () as b, count(run) = count(*) as runs_given, count(seq) = count(*) as seqs_given
    from facts where kind in ('started', 'completed', 'failed', 'interrupted', 'reused', 'skipped') group by build
),
sorted as (
    select facts.*, b, runs_given, kind in ('completed', 'failed', 'interrupted') as is_end,
        kind in ('reused', 'skipped') as is_settled,
        row_number() over (
            partition by b order by if(runs_given, run, 0), if(seqs_given, seq, 0), ts, id
        ) as pos
    from facts join per_build using (build)
    where kind in ('started', 'completed', 'failed', 'interrupted', 'reused', 'skipped')
),
once as (  -- a line that merely repeats the one before it says nothing
    select * exclude (repeats) from (
        select *, coalesce(
            state = lag(state) over w and kind = lag(kind) over w and ts = lag(ts) over w
            and run is not distinct from lag(run) over w and attempt is not distinct from lag(attempt) over w
            and error is not distinct from lag(error) over w, false) as repeats
        from sorted window w as (partition by b order by pos)
    ) where not repeats
),
told as (  -- attempts told by number: all lines of the state have one, and none begins or ends twice
    select b, state, coalesce(bool_and(attempt is not null and starts <= 1 and ends <= 1), true) as attempts_given
    from (
        select b, state, attempt, count(*) filter (kind = 'started') as starts, count(*) filter (is_end) as ends
        from once where not is_settled group by b, state, attempt
    ) group by b, state
),
before as (
    select once.*, coalesce(told.attempts_given, true) as attempts_given,
        lag(if(is_settled, null, kind) ignore nulls) over here as before_here,
        last_value(if(kind = 'skipped', null, kind) ignore nulls) over (
            here rows between unbounded preceding and 1 preceding) as settled_here
    from once left join told using (b, state)
    window here as (partition by b, state order by pos)
),
orphans as (  -- ends told by number whose beginning was not told
    select b, state, attempt from before where attempts_given and not is_settled
    group by b, state, attempt having not bool_or(kind = 'started')
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
select * exclude (b, is_end, runs_given, attempts_given, before_here, settled_here, opened_last, attempt_here, is_settled)
    replace (
        if(runs_given, run, 1 + count(*) filter (
            (opens or kind = 'reused') and (
                state < opened_last or state = opened_last and settled_here in ('completed', 'started', 'reused'))
        ) over (partition by b order by pos)) as run,
        if(is_settled, null, attempt_here) as attempt)
from run_marks
