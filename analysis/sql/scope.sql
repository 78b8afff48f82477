-- The builds that a report speaks of, and their attempts with what was lost in them.
-- Time is lost in attempts that failed, charged to their own state, and in attempts at states that had completed in an
-- earlier run, charged to the state that failed in the run before.
create or replace temp table chosen as
select * from builds
where ($pipeline is null or pipeline = $pipeline) and ($target is null or target = $target)
    and ($since is null or started >= cast($since as timestamptz)) and ($until is null or started < cast($until as timestamptz))
