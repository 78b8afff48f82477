-- Facts in the order in which they were recorded, and one line per build that says how it stands; in the schema
-- `toolkit`, with the tables and columns of the SQLite store.

create table migration (
    number integer primary key,
    name text not null,
    applied_ms bigint not null
);

-- Whoever writes locks this line until the commit. So events become visible in the order of their ids, and somebody who
-- reads on from the last id seen misses nothing; a sequence would promise neither.
create table counter (
    one boolean primary key default true check (one),
    event bigint not null,
    build bigint not null
);

insert into counter (event, build) values (0, 0);

create table build (
    id bigint primary key,
    build text not null unique,
    number bigint,               -- 7 of b-0007: how the next id is found
    token bigint not null,       -- the present writer's; every older writer is turned away
    renewed_ms bigint,           -- when the present writer last said that it lives
    pipeline text,
    target text,
    phase text,
    current bigint,
    status text not null,
    held integer not null,
    abandoned integer not null,
    degraded integer not null,
    runs bigint not null,
    started_ms bigint not null,
    updated_ms bigint not null,
    holder text
);

create index build_by_number on build (number);
create index build_by_start on build (started_ms);
create index build_by_pipeline on build (pipeline, target, started_ms);

create table event (
    id bigint primary key,       -- over all builds, ever growing: what incremental reading goes by
    build text not null,
    seq bigint not null,
    ts bigint not null,          -- milliseconds since 1970, UTC
    kind text not null,
    body text not null,          -- JSON
    token bigint not null,       -- which writer of the build wrote it
    batch uuid not null,         -- made by the client: how it finds out whether a commit without an answer happened
    unique (build, seq)          -- two writers cannot both write the next fact
);

create index event_by_batch on event (batch) where seq = 1 or build = '@project';

create function only_the_present_writer() returns trigger language plpgsql as $$
begin
    if new.build <> '@project' and new.token is distinct from (select token from build where build = new.build) then
        raise exception 'leased' using errcode = 'TK001';
    end if;
    return new;
end
$$;

create trigger event_of_the_present_writer before insert on event
for each row execute function only_the_present_writer();

create function facts_stay() returns trigger language plpgsql as $$
begin
    raise exception 'facts are never edited or removed' using errcode = 'TK002';
end
$$;

create trigger event_is_never_edited before update or delete on event
for each row execute function facts_stay();

create trigger event_is_never_removed before truncate on event
for each statement execute function facts_stay();

-- Each of these is a transaction of one statement: no client holds a lock while the network makes up its mind.

create function record(
    wanted_build text, wanted_token bigint, first_seq bigint, wanted_batch uuid, moments bigint[], kinds text[], bodies text[]
) returns void language plpgsql as $$
declare
    before bigint;
begin
    update counter set event = event + cardinality(moments) returning event - cardinality(moments) into before;
    insert into event (id, build, seq, ts, kind, body, token, batch)
    select before + place, wanted_build, first_seq + place - 1, told.ts, told.kind, told.body, wanted_token, wanted_batch
    from unnest(moments, kinds, bodies) with ordinality as told (ts, kind, body, place);
end
$$;

create function append(
    wanted_build text, wanted_token bigint, first_seq bigint, wanted_batch uuid, moments bigint[], kinds text[],
    bodies text[], stands jsonb
) returns void language plpgsql as $$
begin
    perform record(wanted_build, wanted_token, first_seq, wanted_batch, moments, kinds, bodies);
    update build set (
        phase, current, status, held, abandoned, degraded, runs, updated_ms, holder, pipeline, target, started_ms
    ) = (
        select phase, current, status, held, abandoned, degraded, runs, updated_ms, holder, pipeline, target, started_ms
        from jsonb_populate_record(null::build, stands)
    )
    where build = wanted_build;
end
$$;

create function append_project(
    wanted_batch uuid, moments bigint[], kinds text[], bodies text[]
) returns void language plpgsql as $$
begin
    perform from counter for update;
    perform record(
        '@project', 0, (select coalesce(max(seq), 0) + 1 from event where build = '@project'),
        wanted_batch, moments, kinds, bodies
    );
end
$$;

create function take_over(wanted_build text, replacing bigint) returns bigint language plpgsql as $$
declare
    taken bigint;
begin
    perform from counter for update;
    update build set token = token + 1, renewed_ms = null
    where build = wanted_build and (replacing is null or token = replacing) returning token into taken;
    return taken;
end
$$;
