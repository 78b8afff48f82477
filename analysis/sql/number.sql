-- Interchange events as facts: sorted, run and attempt given where they are missing, beginnings added where only the end
-- was told. In: facts (kind is a status). Out: as facts, kinds of core events, `ord` orders the facts of a build.
create or replace temp table numbered as
with lines as (
    select *, kind in ('completed', 'failed', 'interrupted') as is_end,
        count(run) over b = count(*) over b as runs_given,
        count(seq) over b = count(*) over b as seqs_given
    from facts
    where kind in ('started', 'completed', 'failed', 'interrupted', 'reused', 'skipped')
    window b as (partition by build)
),
sorted as (
    select *, row_number() over (
        partition by build order by if(runs_given, run, 0), if(seqs_given, seq, 0), ts, id
    ) as pos
    from lines
),
once as (  -- a line that merely repeats the one before it says nothing
    select * from sorted
    qualify not coalesce(
        (state, kind, ts, coalesce(run, 0), coalesce(attempt, 0), coalesce(error, ''))
        = lag((state, kind, ts, coalesce(run, 0), coalesce(attempt, 0), coalesce(error, '')))
            over (partition by build order by pos), false)
),
before as (
    select *,
        lag(kind) over (partition by build, state order by pos) as before_here,
        -- attempts told by number: all have one, and none begins or ends twice
        count(attempt) over s = count(*) over s
            and coalesce(max(told) over s, 1) = 1 as attempts_given
    from (
        select *, case when kind = 'started' or is_end
            then count(*) over (partition by build, state, attempt, kind = 'started') end as told
        from once where kind in ('started', 'completed', 'failed', 'interrupted')
    )
    window s as (partition by build, state)
    union all by name
    select *, null as told, null as before_here, true as attempts_given from once where kind in ('reused', 'skipped')
),
opening as (
    select *,
        case
            when kind = 'started' then true
            when not is_end then false
            when attempts_given then not bool_or(kind = 'started') over (partition by build, state, attempt, is_attempt)
            else before_here is distinct from 'started'
        end as opens
    from (select *, kind not in ('reused', 'skipped') as is_attempt,
        last_value(if(kind = 'skipped', null, kind) ignore nulls) over (
            partition by build, state order by pos rows between unbounded preceding and 1 preceding) as settled_here
        from before)
),
run_marks as (
    select *,
        last_value(if(opens or kind = 'reused', state, null) ignore nulls) over (
            partition by build order by pos rows between unbounded preceding and 1 preceding) as opened_last
    from opening
),
run_numbers as (
    select * replace (
        case when runs_given then run else 1 + (count(*) filter (
            (opens or kind = 'reused') and (
                state < opened_last
                or state = opened_last and settled_here in ('completed', 'started', 'reused'))
        ) over (partition by build order by pos)) end as run,
        case when not is_attempt then null when attempts_given then attempt else (count(*) filter (opens)
            over (partition by build, state order by pos)) end as attempt)
    from run_marks
)
select * exclude (is_end, runs_given, seqs_given, told, before_here, attempts_given, is_attempt, settled_here,
                  opened_last, seq) from run_numbers
