"""One room rendered to files, in every modality."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lavis.datasets.loaders.base import Array
from lavis.datasets.sample.camera import HEIGHT_PX, N_FRAMES, RATE_HZ, WIDTH_PX, Camera, camera_path, grid_px
from lavis.datasets.sample.plan import Room
from lavis.datasets.sample.raycast import Hits, cast_view, geometry
from lavis.datasets.sample.shading import picture, shade
from lavis.datasets.sample.views import View, measure

FLOW_STEP_PX = 1 / 32
POINTS_PER_M2 = 150
JPEG_QUALITY = 92


def record_room(room: Room, root: Path, n_frames: int = N_FRAMES) -> None:
    """Write frames, video, depth, normals, flow, points, instances and truth of one room under ``root``.

    The same room gives the same bytes (the video: with the same OpenCV and number of cores).
    """
    cameras = camera_path(room.walk, n_frames)
    folders = {name: _folder(root / name / room.scene_id) for name in ("frames", "depth", "norm", "flow")}
    frames, views = [], []
    for number, camera in enumerate(cameras):
        hits = cast_view(room, camera)
        frames.append(picture(room, camera, hits))
        views.append(measure(room, camera, hits))
        name = f"{number:05d}"
        Image.fromarray(frames[-1]).save(folders["frames"] / f"{name}.jpg", quality=JPEG_QUALITY, subsampling=0)
        Image.fromarray(depth_mm(hits)).save(folders["depth"] / f"{name}.png")
        Image.fromarray(coded_normals(camera, hits)).save(folders["norm"] / f"{name}.png")
        if number + 1 < len(cameras):
            save_flow(folders["flow"] / f"{name}.npz", flow_px(cameras[number + 1], hits))
    write_video(_folder(root / "video") / f"{room.scene_id}.mp4", frames)
    cloud = points(room)
    path = _folder(root / "pc") / f"{room.scene_id}.npz"
    np.savez_compressed(path, xyz=cloud["xyz"], rgb=cloud["rgb"], instance=cloud["instance"])
    write_json(_folder(root / "instances") / f"{room.scene_id}.json", instances(room))
    write_json(_folder(root / "truth") / f"{room.scene_id}.json", _truth(room, views))


def depth_mm(hits: Hits) -> Array:
    """Return depth along the camera's axis [h, w] uint16 mm."""
    stored: Array = np.rint(hits.depth_m * 1000).astype(np.uint16)
    return stored.reshape(HEIGHT_PX, WIDTH_PX)


def coded_normals(camera: Camera, hits: Hits) -> Array:
    """Return normals in the camera frame as RGB [h, w, 3] uint8: ``(n + 1) · 127.5``."""
    local = hits.normals @ camera.axes.T
    stored: Array = np.rint((local + 1) * 127.5).astype(np.uint8)
    return stored.reshape(HEIGHT_PX, WIDTH_PX, 3)


def flow_px(following: Camera, hits: Hits) -> Array:
    """Return where every pixel's point moves in the following camera [h, w, 2] float32 px (right, down)."""
    spots, _ = following.project(hits.points_m)
    moved: Array = spots - np.stack(grid_px(), axis=-1)
    return moved.reshape(HEIGHT_PX, WIDTH_PX, 2).astype(np.float32)


def save_flow(path: Path, flow: Array) -> None:
    """Write flow rounded to 1/32 px as float16, channel by channel, which packs best."""
    rounded = (np.rint(flow / FLOW_STEP_PX) * FLOW_STEP_PX).astype(np.float16)
    np.savez_compressed(path, flow=np.asfortranarray(rounded))


def write_video(path: Path, frames: list[Array]) -> None:
    """Write frames [h, w, 3] uint8 RGB as MPEG-4 video."""
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE_HZ, (WIDTH_PX, HEIGHT_PX))
    if not writer.isOpened():
        raise OSError(f"OpenCV cannot write {path}: it has no MPEG-4 encoder; install opencv-python-headless.")
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()


def points(room: Room) -> dict[str, Array]:
    """Return points on all surfaces: xyz [n, 3] float32 m, rgb [n, 3] uint8, instance [n] int32 (0: the room)."""
    scene = geometry(room)
    generator = np.random.default_rng(0)
    xyz, box, face = [], [], []
    for number, corners in enumerate([scene.shell_m, *scene.corners_m], start=-1):
        size = corners[1] - corners[0]
        for side in range(6):
            across = [axis for axis in range(3) if axis != side // 2]
            n_points = int(np.ceil(size[across].prod() * POINTS_PER_M2))
            spots = corners[0] + generator.random((n_points, 3)) * size
            # A box shows its outside, the room its inside: the same face lies at opposite ends.
            spots[:, side // 2] = corners[(side % 2) ^ (number < 0), side // 2]
            xyz.append(spots)
            box.append(np.full(n_points, number))
            face.append(np.full(n_points, side))
    hits = Hits(np.zeros(sum(map(len, xyz))), np.concatenate(box), np.concatenate(face), np.concatenate(xyz))
    return {
        "xyz": hits.points_m.astype(np.float32),
        "rgb": np.rint(shade(room, hits)).astype(np.uint8),
        "instance": scene.instances(hits.box).astype(np.int32),
    }


def instances(room: Room) -> dict[str, Any]:
    """Return the room's things as the instances loader reads them."""
    records = [
        {
            "instance_id": number,
            "label": thing.label,
            "center_m": [round(value, 4) for value in thing.center_m],
            "size_m": [round(value, 4) for value in thing.size_m],
            "color": thing.color,
        }
        for number, thing in enumerate(room.things, start=1)
    ]
    return {"scene_id": room.scene_id, "room": room.name, "instances": records}


def write_json(path: Path, data: Any) -> None:
    """Write JSON with sorted keys, one space of indent and a final newline."""
    path.write_text(json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _truth(room: Room, views: list[View]) -> dict[str, Any]:
    steps = []
    for first, second in itertools.pairwise(views):
        moved = np.array(second.camera.position_m) - np.array(first.camera.position_m)
        backward = float(moved @ first.camera.axes[2]) < 0
        steps.append(
            {
                "turn_left_deg_per_s": round((second.camera.yaw_deg - first.camera.yaw_deg) * RATE_HZ, 3),
                "forward_m_per_s": round(float(np.linalg.norm(moved)) * RATE_HZ * (-1 if backward else 1), 3),
            }
        )
    return {"rate_hz": RATE_HZ, "scene_id": room.scene_id, "steps": steps, "views": [view.to_json() for view in views]}


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path
