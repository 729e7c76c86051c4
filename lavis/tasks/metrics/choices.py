"""What the rules for questions with options share."""

from __future__ import annotations

from lavis.tasks.rows import ResultRow


def withheld(row: ResultRow) -> bool:
    """Whether no gold is known: such a question cannot be judged and is left out."""
    return not row.gold and "gold_choice" not in row.tags


def letter_is_gold(row: ResultRow) -> float | None:
    """Score the letter of the answer, 1 if it is that of the right option.

    An answer without a known choice is compared as it stands, case and all. None where the question has
    no options or its gold is withheld.
    """
    if withheld(row) or not row.options:
        return None
    return float(bool(row.gold_letter) and row.letter == row.gold_letter)


def category(row: ResultRow) -> tuple[str, ...]:
    """Return the question's category as its only group."""
    return (row.category,) if row.category else ()


def tagged(row: ResultRow, *names: str) -> tuple[str, ...]:
    """Return the values of those tags that the row has."""
    return tuple(row.tags[name] for name in names if row.tags.get(name))
