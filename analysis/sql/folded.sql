-- All attempts of the latest builds in which something failed. In: chosen, done.
select build, pipeline, target, run, state, name, attempt, status, started, ended, duration, error, exit_code, signal,
    failure_class as class, "group", failure_signature as signature, rule, host, phase, inputs
from done semi join (
    select build from chosen where failed > 0 order by started desc nulls last, build desc limit $most
) using (build)
