-- The sums of all chosen builds. In: chosen.
select cast(sum(runs) as bigint) as runs, cast(sum(start_overs) as bigint) as start_overs, sum(waited) as waited,
    count(*) filter (first_ended) as ended, count(*) filter (first_green) as first_green,
    cast(sum(executed) as bigint) as attempts, cast(sum(failed) as bigint) as failures, cast(sum(interrupted) as bigint) as interrupted, cast(sum(unmeasured) as bigint) as unmeasured,
    count(*) filter (degraded) as degraded, sum(seconds) as seconds, sum(failed_seconds) as failed,
    sum(repeated_seconds) as repeated, sum(interrupted_seconds) as cut
from chosen
