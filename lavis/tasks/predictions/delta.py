"""What a video adds to what was known: two files of answers to the same questions compared."""

from __future__ import annotations

from collections.abc import Sequence

from lavis.common.errors import LavisError
from lavis.tasks.metrics import Metric
from lavis.tasks.metrics.videommmu import DELTA_TRACK, delta_knowledge
from lavis.tasks.predictions.prediction import RowSet
from lavis.tasks.predictions.scoring import score_rows


def delta_scores(after: RowSet, before: RowSet, metrics: Sequence[Metric]) -> dict[str, float]:
    """Return delta knowledge on Video-MMMU's adaptation track, in percent, by each metric that counts that track.

    Args:
        after: answers with the video.
        before: answers to the question alone.
        metrics: the rules.

    Raises:
        LavisError: a file lacks the track or a question of it that the other has, no metric counts by
            track, or everything was known before.
    """
    asked = [
        {row.question_id for row in found.rows if row.tags.get("track") == DELTA_TRACK} for found in (after, before)
    ]
    for questions, which in zip(asked, ("FILE", "--before"), strict=True):
        if not questions:
            raise LavisError(f"{which} has no question of the track {DELTA_TRACK!r}, which delta knowledge compares.")
    for question in sorted(asked[0] ^ asked[1]):
        raise LavisError(f"question {question!r} of the track {DELTA_TRACK!r} is in one file only; compare equal sets.")
    percents = [
        {
            name: summary.by_group[DELTA_TRACK][0]
            for name, summary in score_rows(found, metrics).summaries.items()
            if DELTA_TRACK in summary.by_group
        }
        for found in (after, before)
    ]
    shared = [name for name in percents[0] if name in percents[1]]
    if not shared:
        names = ", ".join(metric.name for metric in metrics)
        raise LavisError(f"none of {names} counts by track; name one that does: --metric videommmu_lmms_eval.")
    return {name: round(delta_knowledge(percents[0][name], percents[1][name]), 4) for name in shared}
