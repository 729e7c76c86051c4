"""The table of an ablation: its rows as data, as markdown and as aligned text."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lavis.ablation.comparison import Interval, Score, compare
from lavis.ablation.reading import Look, RunRecord
from lavis.ablation.statistics import EXACT_FLIPS
from lavis.ablation.units import Clusters, make_units
from lavis.common.errors import ConfigError
from lavis.common.registry import registry
from lavis.store.entry_files import write_atomically
from lavis.tasks.metrics import Metric

# Below this many clusters a percentile interval may cover less than it says (docs/design/ablation.md).
FEW_CLUSTERS = 20


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a table is computed.

    Attributes:
        metric: the rule; None for the headline of the first run.
        clusters: what the bootstrap draws.
        n_resamples: how many draws.
        seed: of the draws.

    Raises:
        ConfigError: fewer than 100 draws, which have no 95 % interval to speak of, or a seed below 0.
    """

    metric: str | None = None
    clusters: Clusters = "media"
    n_resamples: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_resamples < 100:
            raise ConfigError(f"resamples is {self.n_resamples}; an interval needs 100 draws or more.")
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}; it is 0 or more.")


@dataclasses.dataclass(frozen=True)
class Row:
    """One row: a run, its score, and how many looks it took whose evidence no row above it had read."""

    run: RunRecord
    score: Score
    n_new_looks: int


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows on one split, the reference first.

    Attributes:
        split: which.
        metric: the rule that every score is by.
        settings: how it was computed.
        n_clusters: what there was to draw from.
        rows: in the order of the runs.
    """

    split: str
    metric: Metric
    settings: Settings
    n_clusters: int
    rows: tuple[Row, ...]

    @property
    def notes(self) -> list[str]:
        """What a reader of the numbers must know."""
        what, name = self.settings.clusters, self.metric.name
        notes = [
            f"{name}: {self.metric.source}.",
            f"[…]: 95 % interval, percentile bootstrap over {self.n_clusters} {what}, "
            f"{self.settings.n_resamples} draws, seed {self.settings.seed}; differences are paired with "
            f"{self.rows[0].run.name!r}.",
        ]
        compared = [row.score.against_first for row in self.rows if row.score.against_first is not None]
        tests = list(dict.fromkeys(one.test for one in compared))
        if tests:
            notes.append(
                f"p: {', '.join(tests)}, two-sided; questions count as independent; "
                "not corrected for the number of rows."
            )
        if any(one.p_by_media is not None for one in compared):
            notes.append(
                "p by medium: a medium's differences change sign together (all signs are tried up to "
                f"{EXACT_FLIPS} media that differ, else drawn); where questions share media, read this one."
            )
        intervals = [row.score.interval for row in self.rows]
        if any(
            around is not None and around[0] == around[1] for around in (*intervals, *(o.interval for o in compared))
        ):
            notes.append("an interval without width: all questions came out alike, which is not certainty.")
        notes.append("calls and tokens: what the answers stand for, those out of the completion cache too.")
        notes.append("looks: expert looks behind the evidence that was read, and of them those of no row above.")
        notes.append("wall s: of a row's last start; rows further down find evidence and completions kept.")
        if self.n_clusters < FEW_CLUSTERS:
            notes.append(f"{self.n_clusters} {what} are few: the intervals may cover less than 95 %.")
        left_out = {row.run.name: row.score.left_out for row in self.rows if row.score.left_out}
        if left_out:
            said = ", ".join(f"{row} {count}" for row, count in left_out.items())
            notes.append(f"{name} leaves questions out of its count, by its rule: {said}.")
        absent = {row.run.name: row.run.n_absent for row in self.rows if row.run.n_absent}
        if absent:
            said = ", ".join(f"{row} {count}" for row, count in absent.items())
            notes.append(f"evidence that was asked for and could not be had: {said}.")
        return notes

    def to_json(self) -> dict[str, Any]:
        """Return plain data, the same for the same answers whenever and however often a run was started."""
        return {
            "split": self.split,
            "metric": {"name": self.metric.name, "source": self.metric.source},
            "statistics": {
                **dataclasses.asdict(self.settings),
                "metric": self.metric.name,
                "n_clusters": self.n_clusters,
            },
            "rows": [
                {
                    "name": row.run.name,
                    "run_id": row.run.run_id,
                    **dataclasses.asdict(row.score),
                    "n_questions": len(row.run.rows),
                    **row.run.counts,
                    "usage": row.run.usage,
                    "looks": len(row.run.looks),
                    "new_looks": row.n_new_looks,
                    "absent": row.run.n_absent,
                }
                for row in self.rows
            ],
            "notes": self.notes,
        }

    def timing(self) -> dict[str, Any]:
        """Return what depends on the start: by row, wall time of the last one and answers out of the cache."""
        return {row.run.name: {"wall_s": row.run.wall_s, "kept_completions": row.run.n_kept} for row in self.rows}

    def cells(self) -> list[list[str]]:
        """Return the table as texts, the head first."""
        by_media = any(
            row.score.against_first is not None and row.score.against_first.p_by_media is not None for row in self.rows
        )
        head = ["row", f"{self.metric.name} % [95 %]", "difference [95 %]", "better/worse", "p"]
        head += ["p by medium"] if by_media else []
        head += ["n", "answered/unparsed/failed", "calls", "tokens in/out", "USD", "looks (new)", "wall s"]
        return [head, *(self._row_cells(row, by_media=by_media) for row in self.rows)]

    def _row_cells(self, row: Row, *, by_media: bool) -> list[str]:
        score, run, usage = row.score, row.run, row.run.usage
        against = score.against_first
        cells = [run.name, _with_interval(score.percent, score.interval, "")]
        if against is None:
            cells += ["-", "-", "-"] + (["-"] if by_media else [])
        else:
            cells += [_with_interval(against.difference, against.interval, "+"), f"{against.better}/{against.worse}"]
            cells += [_p(against.p)] + ([_p(against.p_by_media)] if by_media else [])
        usd = usage["usd"]
        return [
            *cells,
            str(score.n),
            "/".join(str(count) for count in run.counts.values()),
            str(usage["calls"]),
            f"{usage['input_tokens']}/{usage['output_tokens']}",
            "-" if usd is None else f"{usd:.4f}",
            f"{len(run.looks)} ({row.n_new_looks})",
            f"{run.wall_s:.1f}",
        ]

    def markdown(self) -> str:
        """Return the table in markdown, its notes below."""
        head, *rows = ([cell.replace("|", "\\|") for cell in line] for line in self.cells())
        lines = [
            f"**{self.split}**",
            "",
            _piped(head),
            _piped(["---", *("---:" for _ in head[1:])]),
            *map(_piped, rows),
        ]
        return "\n".join([*lines, "", *(f"- {note}" for note in self.notes), ""])

    def text(self) -> Iterator[str]:
        """Yield the lines of the table for a terminal, its notes below."""
        cells = self.cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        yield f"split {self.split}"
        for name, *others in cells:
            yield "  ".join(
                [name.ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True))]
            )
        yield from self.notes


def make_tables(runs: Mapping[str, Sequence[RunRecord]], settings: Settings) -> list[Table]:
    """Make one table a split, the first run of each being what the others are compared with.

    Raises:
        ConfigError: no metric is given and the first run names none, or the name is unknown.
    """
    tables = []
    for split, records in runs.items():
        name = settings.metric or next(iter(records[0].metrics), None)
        if name is None:
            raise ConfigError(f"the rows of {records[0].run_id} name no metric; give --metric NAME.")
        metric: Metric = registry.require("metric", name)
        units = make_units(records, metric, settings.clusters)
        scores = compare(units, n_resamples=settings.n_resamples, seed=settings.seed)
        seen: set[Look] = set()
        rows = []
        for record, score in zip(records, scores, strict=True):
            rows.append(Row(record, score, len(record.looks - seen)))
            seen |= record.looks
        tables.append(Table(split, metric, settings, units.n_clusters, tuple(rows)))
    return tables


def write_tables(folder: Path, tables: Sequence[Table]) -> None:
    """Write ``table.json`` and ``table.md``; what depends on times stands below ``timing``."""
    document = {
        "tables": [table.to_json() for table in tables],
        "timing": {table.split: table.timing() for table in tables},
    }
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(folder / "table.json", text)
    write_atomically(folder / "table.md", "\n".join(table.markdown() for table in tables))


def _with_interval(value: float | None, around: Interval | None, sign: str) -> str:
    if value is None:
        return "-"
    said = f"{value:{sign}.2f}"
    return said if around is None else f"{said} [{around[0]:{sign}.2f}, {around[1]:{sign}.2f}]"


def _p(p: float | None) -> str:
    if p is None:
        return "-"
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"


def _piped(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
