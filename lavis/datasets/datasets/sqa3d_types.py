"""The question types by which SQA3D is counted: LEO's rule and CREMA's."""

from __future__ import annotations


def leo_type(question: str) -> str:
    """Return LEO's question type: the first word of the question, or ``others``."""
    text = question.lstrip().lower()
    return next((name for name in ("what", "is", "how", "can", "which") if text.startswith(name)), "others")


def crema_type(question: str) -> str:
    """Return CREMA's question type: the first of its words found anywhere, case kept, or ``Other``."""
    return next((name for name in ("What", "How", "Can", "Is", "Which") if name in question), "Other")
