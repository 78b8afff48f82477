-- Facts in the order in which they were recorded, and one line per build that says how it stands.

create table migration (
    number integer primary key,
    name text not null,
    applied_ms integer not null
) strict;

create table build (
    id integer primary key,
    build text not null unique,
    number integer,              -- 7 of b-0007: how the next id is found
    token integer not null,      -- the present writer's; every older writer is turned away
    renewed_ms integer,          -- when the present writer last said that it lives
    pipeline text,
    target text,
    phase text,
    current integer,
    status text not null,
    held integer not null,
    abandoned integer not null,
    degraded integer not null,
    runs integer not null,
    started_ms integer not null,
    updated_ms integer not null,
    holder text
) strict;

create index build_by_number on build (number);
create index build_by_start on build (started_ms);
create index build_by_pipeline on build (pipeline, target, started_ms);

create table event (
    id integer primary key,      -- over all builds, ever growing: what incremental reading goes by
    build text not null,
    seq integer not null,
    ts integer not null,         -- milliseconds since 1970, UTC
    kind text not null,
    body text not null,          -- JSON
    token integer not null,      -- which writer of the build wrote it
    unique (build, seq)          -- two writers cannot both write the next fact
) strict;

create trigger event_of_the_present_writer before insert on event
when new.build <> '@project' and new.token is not (select token from build where build = new.build)
begin
    select raise(abort, 'leased');
end;

create trigger event_is_never_edited before update on event
begin
    select raise(abort, 'facts are never edited');
end;

create trigger event_is_never_removed before delete on event
begin
    select raise(abort, 'facts are never removed');
end;
