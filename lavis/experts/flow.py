"""Optical flow as words: how the camera turns and moves, when, and which objects move by themselves."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Clip
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.detector import GRAPH, WEIGHTS, Detection
from lavis.experts.egomotion import CameraStep, camera_step, own_motion
from lavis.experts.objects import at_place
from lavis.experts.objects_in_maps import objects_by_view, values_of
from lavis.experts.tracks import Track, follow
from lavis.experts.words import between_moments, capital, listed, runs

AXES = (("to the left", "to the right"), ("down", "up"), ("backward", "forward"))  # camera x, -y, z
MIN_COMPONENT = 0.42  # of a unit vector: two directions are named from about 25 degrees between them
USUAL_RATE_HZ = 20.0
MIN_STRAY_SHARE, MAX_STRAY_SHARE = 0.02, 0.5
MIN_OWN_PX = 0.75  # slower is within what flow methods err
OWN_OVER_REST = 4.0  # how much faster than the rest of the picture after the camera's motion is taken out
MAX_MOVERS = 4


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
    apart, the turn alone is said. Where the medium has frames too, the objects that are detected in them
    are compared with the camera's motion.

    Args:
        horizontal_fov_deg: of the camera; scales every angle.
        min_turn_deg_per_s: slower turns and tilts are not mentioned (per frame where no rate is
            known, as many as at 20 frames per s).
        max_segments: at most so many stretches of time; the longest are kept.
        objects: whether to look for objects in the frames.
    """

    card = ExpertCard(
        name="flow",
        modality="flow",
        skill="A1",
        summary="camera motion over time: turns in degrees, moves forward or sideways; objects that move by themselves",
        version="2",
        cost="local",
        companions=("frame",),
    )
    weights = (WEIGHTS, GRAPH)

    def __init__(
        self,
        *,
        horizontal_fov_deg: float = 60.0,
        min_turn_deg_per_s: float = 2.0,
        max_segments: int = 8,
        objects: bool = True,
    ) -> None:
        if not 1.0 <= horizontal_fov_deg < 180.0:
            raise ConfigError(f"model.experts.flow.horizontal_fov_deg: {horizontal_fov_deg} is not between 1 and 180.")
        self.horizontal_fov_deg = horizontal_fov_deg
        self.min_turn_deg_per_s = min_turn_deg_per_s
        self.max_segments = max_segments
        self.objects = objects

    @classmethod
    def needed_weights(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the detector's files, unless objects are left out."""
        return cls.weights if options.get("objects", True) else ()

    def write(self, clip: Clip, *, frame: Clip | None = None) -> str:
        """Describe the camera's motion in a clip of flow.

        Args:
            clip: flow [t, h, w, 2] px (right, down) from each sampled frame to the medium's next one, NaN
                where unknown.
            frame: pictures [t, h, w, 3] uint8 RGB of the same views; None where there are none.

        Returns:
            ``On the whole the camera turns left by about 30 degrees.``, then its motion over time, then what moves
            by itself: with frames by name, ``the person at the right moves left, 12 px a frame``.

        Raises:
            ModalityError: no sampled flow is known, or the frames are of other views; names the medium and the path.
            WeightsError: there are frames, and the detector's files are not in the cache.
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
        if frame is not None and self.objects:
            lines += self._named_objects(clip, found, objects_by_view(clip, frame))
        return "\n".join(lines)

    def _named_objects(
        self, clip: Clip, steps: Sequence[CameraStep | None], seen: Sequence[Sequence[Detection]]
    ) -> list[str]:
        """Return which detected objects move against the camera's motion, and which don't."""
        rests = [
            None if step is None else own_motion(flow_px, step, horizontal_fov_deg=self.horizontal_fov_deg)
            for flow_px, step in zip(clip.array, steps, strict=True)
        ]
        movers: list[tuple[int, float, str]] = []
        still: dict[str, None] = {}
        for track in follow(seen):
            moved = [_own_px(rests[view], one) for view, one in zip(track.views, track.found, strict=True)]
            kept = [(k, own) for k, own in enumerate(moved) if own is not None and own[2]]
            if kept:
                right_px, down_px = (float(np.mean([own[axis] for _, own in kept])) for axis in (0, 1))
                movers.append(
                    (-len(kept), -math.hypot(right_px, down_px), _mover(clip, track, kept, right_px, down_px))
                )
            elif any(own is not None for own in moved):
                still[track.label] = None
        words = [text for _, _, text in sorted(movers)[:MAX_MOVERS]]
        lines = [f"Against the background: {'; '.join(words)}."] if words else []
        return lines + ([f"Without motion of their own: {listed(still)}."] if still else [])

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


def _own_px(rest_px: np.ndarray[Any, np.dtype[np.float64]] | None, one: Detection) -> tuple[float, float, bool] | None:
    """Return an object's own motion (right, down) in px and whether it stands out; None where it is not known."""
    values = None if rest_px is None else values_of(rest_px, one)
    if rest_px is None or values is None:
        return None
    right_px, down_px = (float(value) for value in np.median(values, axis=0))
    rest = float(np.nanmedian(np.hypot(rest_px[..., 0], rest_px[..., 1])))
    return right_px, down_px, math.hypot(right_px, down_px) >= max(MIN_OWN_PX, OWN_OVER_REST * rest)


def _mover(
    clip: Clip, track: Track, kept: Sequence[tuple[int, tuple[float, float, bool]]], right_px: float, down_px: float
) -> str:
    """Return ``the person at the right moves left, 12 px a frame (from 0.5 s to 1.4 s)``."""
    first, last = kept[0][0], kept[-1][0]
    across, along = abs(right_px), abs(down_px)
    way = ("right" if right_px > 0 else "left") if across >= along else ("down" if down_px > 0 else "up")
    when = between_moments(clip, track.views[first], track.views[last])
    place = at_place(track.found[first].box)
    return f"the {track.label} {place} moves {way}, {_number(math.hypot(across, along))} px a frame ({when})"
