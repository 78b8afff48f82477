"""New facts become segments: the builds they touch are taken whole, cut into parts that fit in memory, and folded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from analysis.attempts import meanings, present_rules
from analysis.database import frame, quoted, script
from analysis.facts import FACTS
from analysis.tables import ATTEMPT_LOSSES
from toolkit.core.classes import GROUP_OF

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from analysis.mirror import Manifest

TABLES: Final = {"facts": None, "attempts": "build, started_ord", "runs": "build, run", "builds": "build"}
"""What a segment holds, and how it is sorted; facts stand as they came."""
FOLDED: Final = (
    "named",
    "lines",
    "told",
    "odd",
    "numbered",
    "run_begins",
    "begun",
    "normal",
    "executed",
    "meanings",
    "losses",
)
"""The tables made on the way."""
CHUNK: Final = 500_000
"""Facts that are folded at once: this bounds the memory."""
STRADDLING: Final = 0.1
"""As long as no larger share of the facts is of builds that lie in several parts, parts are ranges of ids."""
SMALL: Final = 150_000
"""Segments with fewer facts are merged when there are `MANY`."""
MANY: Final = 8
STALE: Final = 0.3
"""A segment with a larger share of superseded builds is written anew."""
ROWS: Final = 60_000
"""Rows in a row group."""


def take_in(con: duckdb.DuckDBPyConnection, staging: Path, manifest: Manifest, chunk: int = CHUNK) -> Manifest:
    """Fold the staged facts, together with what is known of their builds, into new segments."""
    con.execute("create temp table class_groups as select * from (values ('', '')) t(class, family) where false")
    con.executemany("insert into class_groups values (?, ?)", list(GROUP_OF.items()))
    columns = ", ".join(f'"{name}"' for name in FACTS)
    pieces = [f"select {columns} from read_parquet('{quoted(staging)}/facts-*.parquet')"]  # noqa: S608 - our own paths
    con.execute(f"create temp table changed as select distinct build from ({pieces[0]})")  # noqa: S608
    con.execute("create temp table known (segment integer, build varchar)")
    if manifest.segments:
        builds = manifest.relation("builds")
        con.execute(f"insert into known select segment, build from {builds} where build in (from changed)")  # noqa: S608
        held = {row[0] for row in con.execute("select distinct segment from known").fetchall()}
        if holding := [name for name in manifest.segments if number_of(name) in held]:
            facts = manifest.relation("facts", holding)
            pieces.append(f"select {columns} from {facts} where build in (select build from known)")  # noqa: S608
    whole = " union all ".join(pieces)
    total = one(con, f"select count(*) from ({whole})")  # noqa: S608
    for part in cut(con, pieces[0], whole, staging, -(-total // chunk)):
        manifest = write_segment(con, part, manifest)
    return tidy(con, supersede(con, manifest))


def one(con: duckdb.DuckDBPyConnection, query: str) -> int:
    """Give the single number that a query returns."""
    return int(con.execute(query).fetchall()[0][0] or 0)


def cut(con: duckdb.DuckDBPyConnection, fresh: str, whole: str, staging: Path, parts: int) -> list[str]:
    """Cut the facts into parts of about equal size, a build never in two of them; give the query of each.

    Builds of a time lie together, so a part is a range of the fresh ids. Builds that reach beyond their range, and
    those that are known from before, are dealt out by their names; where these are too many, all are.
    """
    if parts <= 1:
        return [whole]
    first, last = con.execute(f"select min(id), max(id) from ({fresh})").fetchall()[0]  # noqa: S608 - our own query
    step = -(-(last - first + 1) // parts)
    place = f"floor(({{}}(id) - {first}) / {step})"
    con.execute(
        f"create temp table straddling as select build from ({whole}) group by build "  # noqa: S608 - numbers
        f"having {place.format('min')} <> {place.format('max')}"
    )
    away = f"from ({whole}) where build in (from straddling)"
    total, reaching = (one(con, f"select count(*) {query}") for query in (f"from ({whole})", away))
    few = reaching <= total * STRADDLING
    folder = quoted(staging / "parts")
    con.execute(
        f"copy (select *, hash(build) % {parts} as part {away if few else f'from ({whole})'}) "
        f"to '{folder}' (format parquet, compression lz4, partition_by (part))"
    )
    queries = []
    for part in range(parts):
        low = first + part * step
        pieces = [f"from ({whole}) where id >= {low} and id < {low + step} and build not in (from straddling)"] * few
        if (staging / "parts" / f"part={part}").exists():
            pieces.append(f"select * exclude (part) from read_parquet('{folder}/part={part}/*.parquet')")  # noqa: S608
        queries.extend([" union all by name ".join(pieces)] if pieces else [])
    return queries


def write_segment(con: duckdb.DuckDBPyConnection, facts: str, manifest: Manifest) -> Manifest:
    """Fold some builds' facts and write them as one segment."""
    con.execute(f"create or replace temp view facts as {facts}")
    if not one(con, "select count(*) from facts"):
        return manifest
    for step in ("number", "normal", "attempts", "runs", "builds"):
        con.execute(script(step))
    if understand(con):
        manifest = manifest.but(rules=present_rules())
    con.execute(script("losses"))
    folded = {name: f"(select * exclude (b) from {name})" for name in TABLES if name != "facts"}  # noqa: S608
    lost = ", ".join(f"l.{name}" for name in ATTEMPT_LOSSES)
    folded["attempts"] = f"(select a.* exclude (b), {lost} from attempts a join losses l on a.rowid = l.place)"  # noqa: S608
    after = save(con, manifest, {"facts": "facts", **folded})
    for name in (*FOLDED, *folded):
        con.execute(f"drop table {name}")
    return after


def understand(con: duckdb.DuckDBPyConnection) -> bool:
    """Find class and signature of the failures that name none from their messages, as `meanings`; tell if any do."""
    key = ("error", "exit_code", "signal", "class", "signature")
    blind = "from attempts where status = 'failed' and (class is null or signature is null)"
    found = meanings(frame(con, f"select distinct {', '.join(key)} {blind}"))
    told = ", ".join(
        f"unnest(cast(${name} as {'integer' if name in {'exit_code', 'signal'} else 'varchar'}[])) as {name}"
        for name in found.columns
    )
    con.execute(f"create or replace temp table meanings as select {told}", found.to_dict(as_series=False))
    return bool(found.height)


def save(con: duckdb.DuckDBPyConnection, manifest: Manifest, relations: dict[str, str]) -> Manifest:
    """Write relations as a new segment; it counts once the manifest is written."""
    name = f"segment-{manifest.next:06d}"
    folder = manifest.folder / name
    folder.mkdir()
    told: dict[str, Any] = {"files": {}, "moved": 0}
    for part, order in TABLES.items():
        file = folder / f"{part}.parquet"
        sorted_by = f"order by {order}" if order else ""
        con.execute(
            f"copy (select {manifest.next} as segment, * from {relations[part]} {sorted_by}) "  # noqa: S608 - as above
            f"to '{quoted(file)}' (format parquet, compression zstd, row_group_size {ROWS})"
        )
        told["files"][file.name] = file.stat().st_size
        told[part] = one(con, f"select count(*) from read_parquet('{quoted(file)}')")  # noqa: S608
    return manifest.but(segments={**manifest.segments, name: told}, next=manifest.next + 1)


def supersede(con: duckdb.DuckDBPyConnection, manifest: Manifest) -> Manifest:
    """Note which builds moved out of which older segments: `known`, and those noted before."""
    if not one(con, "select count(*) from known"):
        return manifest
    if manifest.superseded is not None:
        con.execute(f"insert into known from read_parquet('{quoted(manifest.folder / manifest.superseded)}')")
    return note(con, manifest)


def note(con: duckdb.DuckDBPyConnection, manifest: Manifest) -> Manifest:
    """Write `known`, as far as it speaks of segments that count."""
    numbers = ", ".join(str(number_of(name)) for name in manifest.segments)
    con.execute(f"delete from known where segment not in ({numbers})")  # noqa: S608 - numbers
    counts = dict(con.execute("select segment, count(*) from known group by segment").fetchall())
    file = f"superseded-{manifest.next:06d}.parquet" if counts else None
    if file is not None:
        con.execute(f"copy known to '{quoted(manifest.folder / file)}' (format parquet)")
    segments = {name: {**told, "moved": counts.get(number_of(name), 0)} for name, told in manifest.segments.items()}
    return manifest.but(segments=segments, superseded=file)


def tidy(con: duckdb.DuckDBPyConnection, manifest: Manifest) -> Manifest:
    """Merge small segments when there are many, and write those anew in which much is superseded."""
    small = [name for name, told in manifest.segments.items() if told["facts"] < SMALL]
    stale = [name for name, told in manifest.segments.items() if told["moved"] > STALE * told["builds"]]
    chosen = sorted({*(small if len(small) >= MANY else []), *stale})
    if not chosen:
        return manifest
    relations = {part: f"(select * exclude (segment) from {manifest.relation(part, chosen)})" for part in TABLES}  # noqa: S608
    after = save(con, manifest, relations)
    return note(con, after.but(segments={name: told for name, told in after.segments.items() if name not in chosen}))


def number_of(name: str | Path) -> int:
    """Give the number in a segment's name."""
    return int(str(name).rpartition("-")[2])
