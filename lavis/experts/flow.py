"""Optical flow as words: how the camera turns and moves, when, and what moves by itself."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Clip
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.egomotion import CameraStep, camera_step
from lavis.experts.words import between_moments, capital, listed, runs

AXES = (("to the left", "to the right"), ("down", "up"), ("backward", "forward"))  # camera x, -y, z
MIN_COMPONENT = 0.42  # of a unit vector: two directions are named from about 25 degrees between them
USUAL_RATE_HZ = 20.0
MIN_STRAY_SHARE, MAX_STRAY_SHARE = 0.02, 0.5


@dataclasses.dataclass(frozen=True)
class Motion:
    """What is said of the camera at one sampled time: equal motions of neighbours become one segment."""

    turn: str
    tilt: str
    move: str

    def words(self, turn_rate: float, tilt_rate: float, unit: str) -> str:
        """Return ``turns left at 15 degrees per second and moves forward``."""
        parts = []
        if self.turn:
            parts.append(f"turns {self.turn} at {_number(turn_rate)} degrees per {unit}")
        if self.tilt:
            parts.append(f"tilts {self.tilt} at {_number(tilt_rate)} degrees per {unit}")
        if self.move:
            parts.append(f"moves {self.move}")
        return listed(parts) or "stays still"


class FlowExpert(Expert):
    """Separates the camera's turns from its translation by the pinhole motion field, robustly.

    Turn and sideways motion look alike in front of a flat wall; where the flow can't tell them
    apart, the turn alone is said.

    Args:
        horizontal_fov_deg: of the camera; scales every angle.
        min_turn_deg_per_s: slower turns and tilts are not mentioned (per frame where no rate is
            known, as many as at 20 frames per s).
        max_segments: at most so many stretches of time; the longest are kept.
    """

    card = ExpertCard(
        name="flow",
        modality="flow",
        skill="A1",
        summary="camera motion over time: turns left or right in degrees, moves forward or sideways, moving objects",
        version="1",
        cue=r"\b(camera|motion|mov(es|ing|ed)|turned|walked|did I|way here|pan(s|ning)?|rotat\w+|faster|slower)\b",
    )

    def __init__(
        self, *, horizontal_fov_deg: float = 60.0, min_turn_deg_per_s: float = 2.0, max_segments: int = 8
    ) -> None:
        if not 1.0 <= horizontal_fov_deg < 180.0:
            raise ConfigError(f"model.experts.flow.horizontal_fov_deg: {horizontal_fov_deg} is not between 1 and 180.")
        self.horizontal_fov_deg = horizontal_fov_deg
        self.min_turn_deg_per_s = min_turn_deg_per_s
        self.max_segments = max_segments

    def write(self, clip: Clip) -> str:
        """Describe the camera's motion in a clip of flow.

        Args:
            clip: flow [t, h, w, 2] px (right, down) from each sampled frame to the medium's next one, NaN
                where unknown.

        Returns:
            ``On the whole the camera turns left by about 30 degrees.``, then its motion over time, then what moves
            by itself.

        Raises:
            ModalityError: no sampled flow is known; names the medium and the path.
        """
        found = [camera_step(flow_px, horizontal_fov_deg=self.horizontal_fov_deg) for flow_px in clip.array]
        views = [view for view, step in enumerate(found) if step is not None]
        steps = [step for step in found if step is not None]
        if not steps:
            raise ModalityError(f"{clip.media_id}: no {clip.modality} vector is known ({clip.path}).")
        timeline = Timeline(clip, views)
        motions = [self._motion(step, clip.rate_hz) for step in steps]
        lines = [
            _overall(steps, motions, timeline, self.min_turn_deg_per_s),
            self._over_time(steps, motions, timeline),
            *_moving_objects(clip, views, steps),
        ]
        return "\n".join(lines)

    def _motion(self, step: CameraStep, rate_hz: float | None) -> Motion:
        least = self.min_turn_deg_per_s / (rate_hz or USUAL_RATE_HZ)
        turn_deg = _turn_deg(step)
        return Motion(
            turn="" if abs(turn_deg) < least else "right" if turn_deg > 0 else "left",
            tilt="" if abs(step.up_deg) < least else "up" if step.up_deg > 0 else "down",
            move=_move(step),
        )

    def _over_time(self, steps: list[CameraStep], motions: list[Motion], timeline: Timeline) -> str:
        segments = runs(motions)
        by_length = sorted(segments, key=lambda s: (timeline.edges[s[0]] - timeline.edges[s[1] + 1], s))
        kept = sorted(by_length[: self.max_segments])
        words = []
        for first, last in kept:
            weights = np.diff(timeline.edges[first : last + 2])
            turn = np.average([abs(_turn_deg(step)) for step in steps[first : last + 1]], weights=weights)
            tilt = np.average([abs(step.up_deg) for step in steps[first : last + 1]], weights=weights)
            said = motions[first].words(float(turn) * timeline.rate, float(tilt) * timeline.rate, timeline.unit)
            words.append(f"from {timeline.at(first)} to {timeline.at(last + 1)} the camera {said}")
        left_out = len(segments) - len(kept)
        end = f"; {left_out} shorter stretches are left out." if left_out else "."
        return capital("; ".join(words)) + end


class Timeline:
    """When sampled steps are, and which stretch of time each stands for.

    Args:
        clip: flow.
        views: positions in the clip of the steps that are known.

    Attributes:
        rate: steps per unit of time; 1 where no rate is known and time is counted in frames.
        unit: ``second`` or ``frame``.
        middles: of the steps, in that unit; the flow of frame i happens between i and i + 1.
        edges: the borders between what each step stands for: half way to its neighbours, at the ends as
            far beyond as on the inner side.
    """

    def __init__(self, clip: Clip, views: list[int]) -> None:
        indices = clip.indices or tuple(range(len(clip.array)))
        self.rate = clip.rate_hz or 1.0
        self.unit = "second" if clip.rate_hz else "frame"
        self._in_seconds = bool(clip.rate_hz)
        middles = np.array([indices[view] + 0.5 for view in views])
        between = (middles[1:] + middles[:-1]) / 2
        reach = (middles[1] - middles[0]) / 2 if len(middles) > 1 else 0.5
        reach_end = (middles[-1] - middles[-2]) / 2 if len(middles) > 1 else 0.5
        edges = np.concatenate([[max(0.0, middles[0] - reach)], between, [middles[-1] + reach_end]])
        self.middles = middles / self.rate
        self.edges = edges / self.rate

    def at(self, edge: int) -> str:
        """Return the border before step ``edge`` as words: ``2.0 s`` or ``frame 12``."""
        return f"{self.edges[edge]:.1f} s" if self._in_seconds else f"frame {self.edges[edge]:.0f}"

    def integral(self, per_step: list[float]) -> float:
        """Integrate a quantity per frame over the whole time, its rate interpolated between the samples."""
        rates = np.array(per_step) * self.rate
        inner = float(np.sum(np.diff(self.middles) * (rates[1:] + rates[:-1]) / 2))
        return inner + float(
            rates[0] * (self.middles[0] - self.edges[0]) + rates[-1] * (self.edges[-1] - self.middles[-1])
        )


def _turn_deg(step: CameraStep) -> float:
    """Return the turn to the right about the vertical: a camera that looks down shows part of it as a roll."""
    return math.copysign(math.hypot(step.right_deg, step.roll_deg), step.right_deg)


def _number(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"


def _move(step: CameraStep) -> str:
    if step.direction is None:
        return ""
    right, down, forward = step.direction
    parts = [
        (abs(amount), names[amount > 0])
        for amount, names in zip((right, -down, forward), AXES, strict=True)
        if abs(amount) >= MIN_COMPONENT
    ]
    return " and ".join(name for _, name in sorted(parts, reverse=True))


def _overall(steps: list[CameraStep], motions: list[Motion], timeline: Timeline, least_deg: float) -> str:
    right_deg = timeline.integral([_turn_deg(step) for step in steps])
    up_deg = timeline.integral([step.up_deg for step in steps])
    parts = []
    if abs(right_deg) >= max(3.0, least_deg):
        parts.append(f"turns {'right' if right_deg > 0 else 'left'} by about {abs(right_deg):.0f} degrees")
    elif any(motion.turn for motion in motions):
        parts.append("turns but ends looking where it began")
    if abs(up_deg) >= max(3.0, least_deg):
        parts.append(f"tilts {'up' if up_deg > 0 else 'down'} by about {abs(up_deg):.0f} degrees")
    lengths: dict[str, float] = {}
    for motion, length in zip(motions, np.diff(timeline.edges), strict=True):
        lengths[motion.move] = lengths.get(motion.move, 0.0) + float(length)
    most = max(sorted(lengths), key=lambda move: lengths[move])
    if most:
        parts.append(f"{'' if len(lengths) == 1 else 'mostly '}moves {most}")
    return f"On the whole the camera {listed(parts) or 'stays still'}."


def _moving_objects(clip: Clip, views: list[int], steps: list[CameraStep]) -> list[str]:
    said = [_moving_object(step) for step in steps]
    found = [(first, last) for first, last in runs(said) if said[first]]
    if not found:
        return []
    words = [f"{said[first]} ({between_moments(clip, views[first], views[last])})" for first, last in found[:3]]
    return [f"Something moves by itself: {'; '.join(words)}."]


def _moving_object(step: CameraStep) -> str:
    """Return ``on the left, going right``; empty without one."""
    share = len(step.stray) / step.n_points
    if not MIN_STRAY_SHARE <= share <= MAX_STRAY_SHARE:
        return ""
    across, _, right_px, down_px = np.median(step.stray, axis=0)
    where = "on the left" if across < 1 / 3 else "on the right" if across > 2 / 3 else "in the centre"
    if step.direction is not None:  # what is left over then also holds the translation
        return where
    ways = ((abs(right_px), "left" if right_px < 0 else "right"), (abs(down_px), "up" if down_px < 0 else "down"))
    return f"{where}, going {max(ways)[1]}"
