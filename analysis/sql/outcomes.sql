-- What became of the builds. In: chosen.
select count(*) as builds,
    count(*) filter (status = 'completed' and bad_runs = 0 and failures = 0) as completed_first,
    count(*) filter (status = 'completed' and bad_runs = 0 and failures > 0) as completed_in_place,
    count(*) filter (status = 'completed' and bad_runs > 0) as completed_after_start_over,
    count(*) filter (status = 'failed') as failed,
    count(*) filter (status = 'interrupted') as interrupted,
    count(*) filter (status in ('in_progress', 'pending')) as in_progress,
    count(*) filter (held) as held, count(*) filter (abandoned) as abandoned
from chosen
