"""What is written and drawn in frames, read by a vision model: text, slides, equations, geometry."""

from __future__ import annotations

from lavis.datasets.loaders.base import Clip
from lavis.experts.card import ExpertCard
from lavis.experts.served.choosing import sharp_and_different
from lavis.experts.served.vision import VisionExpert

# Small print needs it; above it most models shrink a picture themselves.
READING_SIDE_PX = 1280


class ReadingExpert(VisionExpert):
    """Shows sharp frames that differ, large enough to be read."""

    usual_images = 4
    usual_side_px = READING_SIDE_PX

    def choose(self, clip: Clip) -> list[int]:
        """Return sharp frames that differ from each other."""
        return sharp_and_different(clip.array, self.n_images)


class TextTranscriptExpert(ReadingExpert):
    """Copies the writing in frames."""

    card = ExpertCard(
        name="vlm_ocr",
        modality="frame",
        skill="E1",
        summary="all writing in the pictures, word for word, and where it stands",
        version="1",
        cost="served",
    )
    instruction = (
        "Copy all writing in the pictures word for word, in its own language, in the order in which one reads it, a "
        "line for each line, and say where it stands (sign, shirt, screen, upper left …). Mark what you cannot read as "
        "[unreadable], do not guess. Repeat nothing that an earlier picture has. If there is no writing, say so."
    )


class SlideDescriptionExpert(ReadingExpert):
    """Reads slides and posters, with what is drawn on them."""

    card = ExpertCard(
        name="vlm_slides",
        modality="frame",
        skill="E2",
        summary="slides and posters: title, points in order, formulas, and what figures on them show",
        version="1",
        cost="served",
    )
    usual_images = 6
    instruction = (
        "These pictures show slides, a poster or a board. For each different one give its title, its text word for "
        "word in reading order, formulas in LaTeX, and in a sentence or two what each figure, diagram or table on it "
        "shows, with its numbers. Mark what you cannot read as [unreadable]. Tell a slide that comes again once."
    )


class EquationExpert(ReadingExpert):
    """Writes equations as LaTeX."""

    card = ExpertCard(
        name="vlm_equation",
        modality="frame",
        skill="G1",
        summary="equations and formulas in the pictures as LaTeX",
        version="1",
        cost="served",
    )
    instruction = (
        "Write every equation, formula and mathematical expression in the pictures as LaTeX, one a line, in the order "
        "in which they stand, with its number or name where it has one. Copy them, right or wrong: do not correct or "
        "solve them. Mark a symbol that you cannot read as \\square. If there is none, say so."
    )


class GeometryExpert(ReadingExpert):
    """Writes a figure of geometry as facts."""

    card = ExpertCard(
        name="vlm_geometry",
        modality="frame",
        skill="G2",
        summary="a geometric figure as facts: points, lines, lengths, angles, parallels, circles, what is marked equal",
        version="1",
        cost="served",
    )
    instruction = (
        "Write the figure of geometry as facts, one a line, in a form like: Triangle(A, B, C); Length(A, B) = 5; "
        "Angle(A, B, C) = 40 deg; Parallel(AB, CD); Perpendicular(AB, CD); PointOn(D, AB); Circle(O, radius 3); "
        "Tangent(AB, O); Equal(AB, CD). State only what labels and marks give, and under 'Looks like:' what merely "
        "looks so. Do not solve anything. If there is no such figure, say so."
    )
