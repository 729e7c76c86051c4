"""How a camera moved between two frames, out of the flow between them.

The motion field of a pinhole camera (Longuet-Higgins and Prazdny, 1980), camera frame x right,
y down, z forward, image points (u, v) in units of the focal length: a turn moves each point by
``B(u, v) w`` whatever its depth; a translation moves it along ``A(u, v) t``, by an amount that
depends on its depth. For every direction of ``t`` the part of the flow across ``A t`` is linear in
``w`` (the subspace method of Heeger and Jepson, 1992); the direction that leaves the least wins.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MAX_POINTS = 400
MIN_POINTS = 12
N_DIRECTIONS = 96
REFINEMENT_STEPS_DEG = (8.0, 3.0, 1.0, 0.4)
STILL_PX = 0.1  # median residual below which nothing more than rounding is left to explain
TRANSLATION_GAIN = 0.5  # a translation must at least halve what a turn alone leaves: noise can't


@dataclasses.dataclass(frozen=True)
class CameraStep:
    """A camera's motion from one frame to the next.

    Attributes:
        right_deg, up_deg, roll_deg: turn to the right, tilt up, roll clockwise.
        direction: unit vector of the translation (right, down, forward); None where none can be told.
        translation_px: median flow that the translation explains; 0 without one.
        flow_px: median length of the flow.
        stray: for points that neither explains, their place and flow left over, [n, 4] as
            (u, v in shares of width and height, right and down in px).
        n_points: points used.
    """

    right_deg: float
    up_deg: float
    roll_deg: float
    direction: tuple[float, float, float] | None
    translation_px: float
    flow_px: float
    stray: Floats
    n_points: int


def camera_step(flow_px: npt.NDArray[np.float32], *, horizontal_fov_deg: float) -> CameraStep | None:
    """Explain one flow map by a moving camera.

    Args:
        flow_px: [h, w, 2] px (right, down) to the next frame, NaN where unknown.
        horizontal_fov_deg: of the camera; decides how many degrees a pixel is.

    Returns:
        The step, or None where too little of the flow is known.
    """
    height, width, _ = flow_px.shape
    focal_px = width / 2 / np.tan(np.deg2rad(horizontal_fov_deg) / 2)
    where, flow = _points(flow_px)
    if len(flow) < MIN_POINTS:
        return None
    # The field is taken half way along the flow: right to second order, so that a turn of several
    # degrees between frames is still a turn.
    u = (where[:, 0] + 0.5 * flow[:, 0] + 0.5 - width / 2) / focal_px
    v = (where[:, 1] + 0.5 * flow[:, 1] + 0.5 - height / 2) / focal_px
    turning = focal_px * _turn_field(u, v)

    turn, left = _fit_turn(turning, flow)
    direction: Floats | None = None
    residual = np.hypot(left[:, 0], left[:, 1])
    translation = np.zeros_like(flow)
    if np.median(residual) > STILL_PX:
        candidate, moved_turn, across = _fit_translation(u, v, turning, flow)
        if np.median(across) < TRANSLATION_GAIN * np.median(residual):
            turn, residual = moved_turn, across
            translation = flow - turning @ turn
            along = _translation_field(u, v, candidate[None])[0]
            inner = np.sum(along * translation, axis=1)
            if np.median(np.sign(inner)) < 0:
                candidate, inner = -candidate, -inner
            direction = candidate
            # What goes against the translation lies behind the camera or moves by itself.
            residual = np.where(inner < 0, np.hypot(translation[:, 0], translation[:, 1]), residual)
    stray = residual > max(0.5, 6.0 * float(np.median(residual)), 0.05 * float(np.median(np.hypot(*flow.T))))
    left = flow - turning @ turn
    shares = np.stack([(where[:, 0] + 0.5) / width, (where[:, 1] + 0.5) / height], axis=1)
    degrees = np.rad2deg(turn)
    return CameraStep(
        right_deg=float(degrees[1]),
        up_deg=float(degrees[0]),
        roll_deg=float(degrees[2]),
        direction=None if direction is None else (float(direction[0]), float(direction[1]), float(direction[2])),
        translation_px=0.0 if direction is None else float(np.median(np.hypot(translation[:, 0], translation[:, 1]))),
        flow_px=float(np.median(np.hypot(flow[:, 0], flow[:, 1]))),
        stray=np.concatenate([shares[stray], left[stray]], axis=1),
        n_points=len(flow),
    )


def own_motion(flow_px: npt.NDArray[np.float32], step: CameraStep, *, horizontal_fov_deg: float) -> Floats:
    """Return the flow that a camera's step can't explain, whatever the depth.

    Args:
        flow_px: [h, w, 2] px (right, down), NaN where unknown.
        step: what :func:`camera_step` found in it.
        horizontal_fov_deg: of the camera.

    Returns:
        [h, w, 2] px: without the turn and, where the camera moves, without what a still point at some depth
        in front of it would do. It is then a lower bound: motion along the camera's own looks like depth.
    """
    height, width, _ = flow_px.shape
    focal_px = width / 2 / np.tan(np.deg2rad(horizontal_fov_deg) / 2)
    flow = flow_px.reshape(-1, 2).astype(np.float64)
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    u = (columns.ravel() + 0.5 * flow[:, 0] + 0.5 - width / 2) / focal_px
    v = (rows.ravel() + 0.5 * flow[:, 1] + 0.5 - height / 2) / focal_px
    turn = np.deg2rad([step.up_deg, step.right_deg, step.roll_deg])
    left = flow - focal_px * _turn_field(u, v) @ turn
    if step.direction is not None:
        along = _translation_field(u, v, np.array([step.direction]))[0]
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        left -= np.maximum(np.sum(along * left, axis=1, keepdims=True), 0.0) * along
    return np.asarray(left.reshape(height, width, 2))


def _points(flow_px: npt.NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Return (x, y) and flow of known points on a regular grid."""
    height, width, _ = flow_px.shape
    stride = max(1, int(np.sqrt(height * width / MAX_POINTS)))
    rows = np.arange(stride // 2, height, stride)
    columns = np.arange(stride // 2, width, stride)
    grid_x, grid_y = np.meshgrid(columns, rows)
    flow = flow_px[grid_y, grid_x].reshape(-1, 2).astype(np.float64)
    known = np.isfinite(flow).all(axis=1)
    where = np.stack([grid_x.ravel(), grid_y.ravel()], axis=1).astype(np.float64)
    return where[known], flow[known]


def _turn_field(u: Floats, v: Floats) -> Floats:
    """Return B [n, 2, 3]: motion of each point per radian of tilt up, turn right and roll clockwise."""
    return np.stack(
        [np.stack([u * v, -(1 + u * u), v], axis=1), np.stack([1 + v * v, -u * v, -u], axis=1)],
        axis=1,
    )


def _translation_field(u: Floats, v: Floats, directions: Floats) -> Floats:
    """Return A t [k, n, 2] for directions [k, 3]: which way each point moves."""
    right, down, forward = (directions[:, axis, None] for axis in range(3))
    return np.stack([u * forward - right, v * forward - down], axis=2)


def _weights(residual: Floats) -> Floats:
    """Cauchy weights [..., n]: what does not fit the many has little say."""
    scale = np.maximum(1.5 * np.median(residual, axis=-1, keepdims=True), 1e-3)
    return np.asarray(1.0 / (1.0 + (residual / scale) ** 2))


def _fit_turn(turning: Floats, flow: Floats) -> tuple[Floats, Floats]:
    weights = np.ones(len(flow))
    for _ in range(8):
        gram = np.einsum("n,nij,nik->jk", weights, turning, turning)
        turn = np.linalg.solve(gram, np.einsum("n,nij,ni->j", weights, turning, flow))
        left = flow - turning @ turn
        weights = _weights(np.hypot(left[:, 0], left[:, 1]))
    return turn, left


def _fit_translation(u: Floats, v: Floats, turning: Floats, flow: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the direction, the turn and the flow across the translation [n] that fit best."""
    directions = _half_sphere(N_DIRECTIONS)
    best = _best_of(directions, u, v, turning, flow)
    for step_deg in REFINEMENT_STEPS_DEG:
        best = _best_of(_around(best[0], step_deg), u, v, turning, flow)
    return best


def _best_of(directions: Floats, u: Floats, v: Floats, turning: Floats, flow: Floats) -> tuple[Floats, Floats, Floats]:
    along = _translation_field(u, v, directions)
    length = np.maximum(np.linalg.norm(along, axis=2, keepdims=True), 1e-9)
    across = np.stack([-along[..., 1], along[..., 0]], axis=2) / length
    rows = np.einsum("kni,nij->knj", across, turning)
    target = np.einsum("kni,ni->kn", across, flow)
    weights = np.ones(target.shape)
    ridge = 1e-9 * np.eye(3)
    for _ in range(4):
        gram = np.einsum("kn,kni,knj->kij", weights, rows, rows) + ridge
        turns = np.linalg.solve(gram, np.einsum("kn,kni,kn->ki", weights, rows, target)[..., None])[..., 0]
        left = np.abs(target - np.einsum("kni,ki->kn", rows, turns))
        weights = _weights(left)
    # One cap for all: a direction can't win by explaining a bare majority very well. A point that
    # moves against the rest would lie behind the camera: this tells the two explanations of a plane
    # apart. Rounded, so that equal fits are decided by order and not by the last bit.
    cap_px = 3.0 * max(STILL_PX, float(np.median(left, axis=1).min()))
    ahead_px = np.einsum("kni,kni->kn", along / length, flow - np.einsum("nij,kj->kni", turning, turns))
    sign = np.where(np.median(ahead_px, axis=1, keepdims=True) < 0, -1.0, 1.0)
    behind = sign * ahead_px < -cap_px
    cost = np.round(np.mean(np.where(behind, cap_px, np.minimum(left, cap_px)), axis=1), 9)
    winner = int(np.argmin(cost))
    return directions[winner], turns[winner], left[winner]


def _half_sphere(n_directions: int) -> Floats:
    """Return unit vectors [k, 3] spread evenly over half a sphere, straight ahead first."""
    k = np.arange(n_directions) + 0.5
    forward = 1.0 - k / n_directions
    angle = np.pi * (1.0 + 5.0**0.5) * k
    radius = np.sqrt(1.0 - forward**2)
    spread = np.stack([radius * np.cos(angle), radius * np.sin(angle), forward], axis=1)
    axes = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    return np.concatenate([axes, spread])


def _around(direction: Floats, step_deg: float) -> Floats:
    """Return a direction and two rings of neighbours, at one and two steps."""
    helper = np.array([1.0, 0.0, 0.0]) if abs(direction[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    first = np.cross(direction, helper)
    first /= np.linalg.norm(first)
    second = np.cross(direction, first)
    angles = np.arange(8) * np.pi / 4
    ring = np.cos(angles)[:, None] * first + np.sin(angles)[:, None] * second
    steps = [np.cos(s) * direction + np.sin(s) * ring for s in np.deg2rad([step_deg, 2 * step_deg])]
    return np.concatenate([direction[None], *steps])
