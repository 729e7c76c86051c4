"""What `lavis ask` shows on a terminal: the medium, who was asked and why, what they said, the answer."""

from __future__ import annotations

import dataclasses
import shutil
import textwrap
from collections.abc import Mapping, Set
from typing import Any

from lavis.common.secrets import redact
from lavis.datasets.media_folder import FoundMedium
from lavis.datasets.question import Question
from lavis.models.mexa_models.answer import Answer

LABEL_WIDTH = 12
INDENT = "    "
# Lines of the screen that are not evidence, and what each expert may have at least.
OTHER_LINES = 16
MIN_LINES = 4
# Of a terminal that does not say its size.
COLUMNS, LINES = 110, 45
MAX_COLUMNS = 120


def shown_medium(question: Question, found: FoundMedium, left_out: Mapping[str, str], *, full: bool = False) -> str:
    """Return what is known before anybody looks; ``full`` tells of every expert why it is left out."""
    media = question.media
    there = ", ".join(f"{name} ({path.name})" for name, path in media.sources.items())
    lines = _labelled("Medium", f"{media.media_id}: {there}")
    if (pose := media.side.get("pose")) is not None:
        x_m, y_m, z_m = pose.position_m
        gaze = ", ".join(f"{part:.2f}" for part in pose.forward)
        lines += _labelled("Pose", f"at {x_m:.2f}, {y_m:.2f}, {z_m:.2f} m, looking towards {gaze}")
    if found.unused:
        lines += _labelled("Not used", ", ".join(found.unused))
    lines += _labelled("Question", question.text)
    if question.situation:
        lines += _labelled("Situation", question.situation)
    if question.options:
        lines += _labelled("Options", "; ".join(question.options))
    if left_out and not full:
        lines += _labelled("Left out", f"{', '.join(left_out)} (`lavis list experts` tells how to enable them)")
    for number, (name, reason) in enumerate(left_out.items() if full else ()):
        lines += _labelled("" if number else "Left out", f"{name}: {reason}")
    return _printable("\n".join(lines) + "\n")


def shown_answer(answer: Answer, kept: Set[str], elapsed_s: float, *, full: bool = False) -> str:
    """Return who was asked, what they said and the answer.

    Args:
        answer: with everything that led to it.
        kept: the experts whose evidence lay in the cache.
        elapsed_s: what the whole command took.
        full: show all of the evidence; else about a screenful.
    """
    chosen = ", ".join(answer.selection.experts) or "nobody"
    lines = _labelled("Asked", chosen)
    if answer.selection.reason:
        lines += _labelled("because", answer.selection.reason)
    height = shutil.get_terminal_size((COLUMNS, LINES)).lines
    n_lines = max(MIN_LINES, (height - OTHER_LINES) // max(1, len(answer.evidence)) - 1)
    cut = False
    for item in answer.evidence:
        origin = "kept from before" if item.expert in kept else f"{item.latency_s:.1f} s"
        told = item.text or f"no evidence: {(item.error or '').removeprefix('Question asked: ')}"
        wrapped = [part for line in told.splitlines() for part in _wrapped(line)]
        shown = wrapped if full else wrapped[:n_lines]
        cut = cut or len(shown) < len(wrapped)
        note = f"; {item.note}" if item.note else ""
        lines += ["", f"[{item.expert}] {origin}{note}", *shown]
        lines += [f"{INDENT}… {len(wrapped) - len(shown)} more lines"] if len(shown) < len(wrapped) else []
    if cut:
        lines += ["", "--full shows all of the evidence, --json everything."]
    said = {"answered": answer.text, "unparsed": "none: the reply holds no answer", "failed": f"none: {answer.error}"}
    lines += ["", *_labelled("Answer", said[answer.status])]
    if answer.completion is not None:
        if answer.status == "unparsed":
            lines += _labelled("Reply", answer.completion.text)
        usage = answer.completion.usage
        cost = "" if answer.usd is None else f", {answer.usd:.4f} USD"
        lines += _labelled(
            "",
            f"{answer.completion.model}: {usage.input_tokens} tokens in, {usage.output_tokens} out{cost}; "
            f"{elapsed_s:.1f} s in all",
        )
    text: str = redact(_printable("\n".join(lines) + "\n"))
    return text


def document(
    question: Question,
    found: FoundMedium,
    left_out: Mapping[str, str],
    answer: Answer,
    kept: Set[str],
    elapsed_s: float,
) -> dict[str, Any]:
    """Return all of it as plain data, for ``--json``."""
    media = question.media
    pose = media.side.get("pose")
    return {
        "question": question.text,
        "options": list(question.options),
        "situation": question.situation,
        "medium": {
            "media_id": media.media_id,
            "sources": {name: str(path) for name, path in media.sources.items()},
            "pose": None if pose is None else dataclasses.asdict(pose),
            "unused": list(found.unused),
        },
        "left_out": dict(left_out),
        "answer": answer.to_json(),
        "evidence_from_cache": sorted(set(answer.selection.experts) & kept),
        "elapsed_s": round(elapsed_s, 3),
    }


def _labelled(label: str, text: str) -> list[str]:
    lead = f"{label:<{LABEL_WIDTH}}"
    wrapped = textwrap.wrap(
        " ".join(text.split()), _columns(), initial_indent=lead, subsequent_indent=" " * LABEL_WIDTH
    )
    return wrapped or [lead.rstrip()]


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, _columns(), initial_indent=INDENT, subsequent_indent=INDENT + "  ") or [""]


def _columns() -> int:
    return max(40, min(MAX_COLUMNS, shutil.get_terminal_size((COLUMNS, LINES)).columns))


def _printable(text: str) -> str:
    """Take from texts of media what would steer a terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)
