"""Truth: colours that people name without doubt."""

from __future__ import annotations

import numpy as np
import pytest

from lavis.experts.colors import NAMES, color_indices, dominant_colors


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((0, 0, 0), "black"),
        ((255, 255, 255), "white"),
        ((128, 128, 128), "grey"),
        ((200, 30, 30), "red"),
        ((255, 140, 0), "orange"),
        ((110, 70, 40), "brown"),
        ((139, 69, 19), "brown"),
        ((222, 200, 165), "beige"),
        ((245, 220, 40), "yellow"),
        ((40, 140, 60), "green"),
        ((110, 140, 60), "green"),
        ((30, 60, 200), "blue"),
        ((120, 180, 230), "blue"),
        ((110, 40, 160), "purple"),
        ((255, 150, 190), "pink"),
        ((250, 246, 240), "white"),
    ],
)
def test_plain_colours_have_their_plain_names(rgb: tuple[int, int, int], name: str) -> None:
    assert NAMES[int(color_indices(np.array([rgb], dtype=np.uint8))[0])] == name


def test_every_pixel_has_a_name_and_light_does_not_matter_much() -> None:
    cube = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3), axis=-1).reshape(-1, 3).astype(np.uint8)
    indices = color_indices(cube)
    assert indices.min() >= 0 and indices.max() < len(NAMES)
    for strength in (0.5, 0.75, 1.0):
        assert dominant_colors((np.array([[40, 150, 70]]) * strength).astype(np.uint8)) == ("green",)


def test_the_largest_share_comes_first_and_small_ones_are_left_out() -> None:
    picture = np.full((100, 100, 3), 255, dtype=np.uint8)
    picture[:30] = (200, 30, 30)
    picture[95:] = (30, 60, 200)
    assert dominant_colors(picture) == ("white", "red")
    assert dominant_colors(picture, min_share=0.01) == ("white", "red", "blue")
    assert dominant_colors(picture, max_names=1) == ("white",)


def test_a_large_picture_is_thinned_without_changing_its_colours() -> None:
    picture = np.zeros((1080, 1920, 3), dtype=np.uint8)
    picture[:, 960:] = (200, 30, 30)
    assert set(dominant_colors(picture)) == {"black", "red"}
