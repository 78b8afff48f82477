-- The costliest builds. In: chosen.
select build, pipeline, target, status, current, runs, failures, epoch_ms(started) as began, seconds / 3600 as hours,
    lost / 3600 as hours_lost, hosts, classes, signatures, failed_states
from chosen order by lost desc, failures desc, started desc, build limit $most
