"""How evidence words things: counts, plurals, lists, moments and lengths, the same in every expert."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lavis.datasets.loaders.base import Clip

NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
).split()
IRREGULAR = {
    "person": "people",
    "mouse": "mice",
    "knife": "knives",
    "shelf": "shelves",
    "loaf": "loaves",
    "leaf": "leaves",
    "bus": "buses",
    "sheep": "sheep",
    "clothes": "clothes",
    "furniture": "furniture",
}


def count_word(number: int) -> str:
    """Return a count as benchmarks spell it: words up to twenty, digits beyond."""
    return NUMBERS[number] if 0 <= number < len(NUMBERS) else str(number)


def plural(label: str) -> str:
    """Return the plural of an object's name; the last word carries it."""
    for singular, many in IRREGULAR.items():
        if label.endswith(singular):
            return label[: -len(singular)] + many
    if label.endswith(("x", "z", "ch", "sh", "ss")):
        return label + "es"
    if label.endswith("s"):
        return label
    if label.endswith("y") and label[-2:-1] not in "aeiou":
        return label[:-1] + "ies"
    return label + "s"


def counted(number: int, label: str, *, adjective: str = "") -> str:
    """Return ``three brown chairs``."""
    name = label if number == 1 else plural(label)
    return " ".join(part for part in (count_word(number), adjective, name) if part)


def listed(parts: Iterable[str]) -> str:
    """Return ``a, b and c``."""
    parts = list(parts)
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def capital(text: str) -> str:
    """Return a sentence with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def metres(length_m: float) -> str:
    """Return a length to the decimetre: ``1.2 m``."""
    return f"{length_m:.1f} m"


def moment(clip: Clip, view: int) -> str:
    """Return when a view of a clip is: ``3.2 s``; ``frame 12`` where no rate is known."""
    if clip.timestamps_s:
        return f"{clip.timestamps_s[view]:.1f} s"
    return f"frame {clip.indices[view] if clip.indices else view}"


def at_moment(clip: Clip, view: int) -> str:
    """Return ``at 3.2 s`` or ``in frame 12``."""
    return f"{'at' if clip.timestamps_s else 'in'} {moment(clip, view)}"


def between_moments(clip: Clip, first: int, last: int) -> str:
    """Return ``at 3.2 s``, or ``from 3.2 s to 4.0 s`` for a run of views."""
    return at_moment(clip, first) if first == last else f"from {moment(clip, first)} to {moment(clip, last)}"


def spread(n_items: int, n_kept: int) -> list[int]:
    """Return ``n_kept`` of ``n_items`` positions, evenly spread, the first and the last among them."""
    if n_items <= n_kept:
        return list(range(n_items))
    if n_kept == 1:
        return [n_items - 1]
    return [(k * (n_items - 1) + (n_kept - 1) // 2) // (n_kept - 1) for k in range(n_kept)]


def runs(values: Sequence[object]) -> list[tuple[int, int]]:
    """Return (first, last) of every run of equal neighbours."""
    starts = [k for k in range(len(values)) if k == 0 or values[k] != values[k - 1]]
    ends = [*(start - 1 for start in starts[1:]), len(values) - 1]
    return list(zip(starts, ends, strict=False))


def thirds(size: int) -> tuple[slice, slice, slice]:
    """Return the first, middle and last third of an axis."""
    low, high = size // 3, size - size // 3
    return slice(0, low or size), slice(low, high), slice(high if low else 0, size)
