-- Facts as a store keeps them, their bodies opened. {stored} is what to read.
select id, build, kind, make_timestamptz(ts_ms * 1000) as ts,
    b.run, b.state, b.attempt, cast(seq as integer) as seq, b.name, b.pipeline, b.target,
    cast(b.labels as varchar) as labels, b.host, b.phase, b.arm, b.holder is not null as held,
    coalesce(b.reason, b.note, b.why, if(kind = 'run_started', 'first', null)) as reason, b.by as who, b.outcome, b.error,
    try_cast(b.exit_code as integer) as exit_code, b.signal, b.failure_class as class, b.signature, b.rule, b.template,
    b.retry_after, b.duration, b.inputs, cast(b.evidence as varchar) as evidence,
    if(kind = 'decided', cast(json_merge_patch('{{}}', json_object(
        'action', b.action, 'reason', b.reason, 'rule', b.rule, 'wait', b.wait, 'phase', b.phase)) as varchar), null) as decision,
    cast(b.shadow as varchar) as shadow
from (
    select * exclude (body), from_json(body, '{{
        "run": "INTEGER", "state": "INTEGER", "attempt": "INTEGER", "name": "VARCHAR", "pipeline": "VARCHAR",
        "target": "VARCHAR", "labels": "JSON", "host": "VARCHAR", "phase": "VARCHAR", "arm": "VARCHAR",
        "holder": "VARCHAR", "reason": "VARCHAR", "note": "VARCHAR", "why": "VARCHAR", "by": "VARCHAR",
        "outcome": "VARCHAR", "error": "VARCHAR", "exit_code": "BIGINT", "signal": "INTEGER",
        "failure_class": "VARCHAR", "signature": "VARCHAR", "rule": "VARCHAR", "template": "VARCHAR",
        "retry_after": "DOUBLE", "duration": "DOUBLE", "inputs": "VARCHAR", "evidence": "JSON", "action": "VARCHAR",
        "wait": "DOUBLE", "shadow": "JSON"}}') as b
    from {stored}
)
