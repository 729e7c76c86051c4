"""A run as pages: each question with what every expert said and what the reasoner made of it.

Pages need nothing from a network and run no script of the media's making: every text is escaped.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lavis.common.registry import registry
from lavis.datasets.question import Question
from lavis.experts.evidence import Evidence
from lavis.models.mexa_models.answer import Answer
from lavis.store.entry_files import write_lines_atomically
from lavis.tasks.rows import ResultRow

QUESTIONS_PER_PAGE = 200

STYLE = """
:root { color-scheme: light dark; --line: #8884; --right: #1a7f37; --wrong: #b42318; --dim: #767676; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { text-align: left; padding: .2rem .9rem .2rem 0; }
th { font-weight: 600; border-bottom: 1px solid var(--line); } td.number { text-align: right; }
article { border-top: 1px solid var(--line); padding: .8rem 0; } article h2 { font-size: 1rem; margin: 0 0 .2rem; }
.right { color: var(--right); } .wrong { color: var(--wrong); } .dim { color: var(--dim); font-size: .85rem; }
details { margin: .3rem 0; } summary { cursor: pointer; } pre { white-space: pre-wrap; margin: .3rem 0 .6rem 1rem; }
nav a { margin-right: .6rem; }
""".strip()


def write_report(
    folder: Path,
    title: str,
    splits: Mapping[str, Mapping[str, Any]],
    rows: Mapping[str, Iterable[tuple[Question, Answer]]],
) -> Path:
    """Write ``index.html`` with the scores, and pages of questions beside it.

    Args:
        folder: ``<run>/report``.
        title: the run's name.
        splits: the metrics of each split.
        rows: per split its questions and answers in order; one page is held at a time.

    Returns:
        The path of ``index.html``.
    """
    links: dict[str, list[str]] = {}
    for split, pairs in rows.items():
        headline = _metric_names(splits[split])[0]
        links[split] = []
        for number, page in enumerate(_batches(pairs, QUESTIONS_PER_PAGE), start=1):
            name = f"{split}-{number:04d}.html"
            body = (line for question, answer in page for line in _article(question, answer, headline))
            write_lines_atomically(folder / name, _page(f"{title}: {split}, page {number}", body, back=True))
            links[split].append(name)
    scores = itertools.chain.from_iterable(_scores(split, splits[split], links[split]) for split in splits)
    write_lines_atomically(folder / "index.html", _page(title, scores))
    return folder / "index.html"


def _page(title: str, body: Iterable[str], *, back: bool = False) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>\n"
    if back:
        yield '<nav><a href="index.html">scores</a></nav>\n'
    yield f"<h1>{html.escape(title)}</h1>\n"
    yield from body
    yield "</body></html>\n"


def _scores(split: str, metrics: Mapping[str, Any], pages: list[str]) -> Iterator[str]:
    yield f"<h2>{html.escape(split)}</h2>\n"
    yield (
        f"<p>{metrics['n']} questions: {metrics['answered']} answered, {metrics['unparsed']} unparsed, "
        f"{metrics['failed']} failed. Every question counts; what has no answer is wrong under an exact match.</p>\n"
    )
    by_type = metrics["by_type"]
    # Metrics whose authors count by other question types stand in a table of their own.
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, table in by_type.items():
        groups.setdefault(tuple(sorted(table)), []).append(name)
    for categories, names in groups.items():
        heads = "".join(f"<th>{html.escape(category)}</th>" for category in categories)
        yield f"<table><tr><th>metric</th><th>%</th>{heads}</tr>\n"
        for name in names:
            cells = "".join(_cell(by_type[name][category]) for category in categories)
            yield f'<tr><td>{html.escape(name)}</td><td class="number">{metrics[name]:.2f}</td>{cells}</tr>\n'
        yield "</table>\n"
    for name, count in metrics.get("left_out", {}).items():
        yield f"<p>{html.escape(name)} leaves out {count} questions, as its authors do.</p>\n"
    yield from _experts(metrics.get("experts", {}))
    if metrics["failures"]:
        yield "<h3>Failures</h3>\n<ul>\n"
        yield from (f"<li>{count} × {html.escape(reason)}</li>\n" for reason, count in metrics["failures"].items())
        yield "</ul>\n"
    yield "<nav>" + "".join(f'<a href="{name}">page {number}</a>' for number, name in enumerate(pages, 1)) + "</nav>\n"


def _metric_names(metrics: Mapping[str, Any]) -> list[str]:
    return list(metrics["by_type"])


def _cell(entry: Mapping[str, Any]) -> str:
    return f'<td class="number">{entry["percent"]:.1f} <span class="dim">n={entry["n"]}</span></td>'


def _article(question: Question, answer: Answer, headline: str) -> Iterator[str]:
    right = registry.require("metric", headline).score(ResultRow.of(question, answer)) == 1.0
    yield f'<article id="{html.escape(question.question_id, quote=True)}">\n<h2>{html.escape(question.text)}</h2>\n'
    if question.situation:
        yield f"<div>{html.escape(question.situation)}</div>\n"
    if question.options:
        yield f"<div>Options: {html.escape('; '.join(question.options))}</div>\n"
    said = html.escape(answer.text) if answer.status == "answered" else f"<em>{answer.status}</em>"
    yield (
        f'<div><strong class="{"right" if right else "wrong"}">{said}</strong> '
        f"(gold: {html.escape('; '.join(question.answers))})</div>\n"
    )
    yield (
        f'<div class="dim">{html.escape(question.question_id)} · {html.escape(question.media.media_id)} · '
        f"asked: {html.escape(', '.join(answer.selection.experts) or 'nobody')}"
        f" ({html.escape(answer.selection.reason)})</div>\n"
    )
    for evidence in answer.evidence:
        text = evidence.text or f"no evidence: {evidence.error}"
        yield (
            f"<details><summary>{html.escape(evidence.expert)}{_provenance(evidence)}</summary>"
            f"<pre>{html.escape(text)}</pre></details>\n"
        )
    if answer.shortened:
        taken = "; ".join(answer.shortened)
        yield f'<div class="dim">shortened to fit the context: {html.escape(taken)}</div>\n'
    if answer.completion is not None:
        completion = answer.completion
        spoken = completion.text if not completion.reasoning else f"{completion.reasoning}\n\n{completion.text}"
        usage = completion.usage
        yield (
            f"<details><summary>{html.escape(completion.model)}: {usage.input_tokens} tokens in, "
            f"{usage.output_tokens} out</summary><pre>{html.escape(spoken)}</pre></details>\n"
        )
    if answer.error:
        yield f'<div class="wrong">{html.escape(answer.error)}</div>\n'
    yield "</article>\n"


def _provenance(evidence: Evidence) -> str:
    """Return what is known of a piece of evidence without opening it: that there is none, its model, cost and notes."""
    used = evidence.usage
    usd = "" if used is None or used.usd is None else f", {used.usd:.4f} USD"
    tokens = "" if used is None else f"{used.input_tokens} tokens in, {used.output_tokens} out{usd}"
    asked = ": ".join(part for part in (evidence.model, tokens) if part)
    told = "; ".join(part for part in (asked, evidence.note) if part)
    failed = ' <span class="wrong">failed</span>' if evidence.error else ""
    return failed + (f' <span class="dim">{html.escape(told)}</span>' if told else "")


def _experts(experts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    if not experts:
        return
    yield "<h3>Experts</h3>\n<table><tr><th>expert</th><th>questions</th><th>without evidence</th></tr>\n"
    for name, asked in experts.items():
        failed = f'<span class="wrong">{asked["failed"]}</span>' if asked["failed"] else "0"
        yield (
            f'<tr><td>{html.escape(name)}</td><td class="number">{asked["questions"]}</td>'
            f'<td class="number">{failed}</td></tr>\n'
        )
    yield "</table>\n"


def _batches(pairs: Iterable[tuple[Question, Answer]], size: int) -> Iterator[list[tuple[Question, Answer]]]:
    iterator = iter(pairs)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
