"""Media below a folder: ids, the mistakes that would mix them up, and the share of a rank."""

from __future__ import annotations

from pathlib import Path

import pytest

from lavis.common.errors import ConfigError
from lavis.extract.media import find_media, share_of_rank

KINDS = {"files": (".mp4", ".mkv"), "folders": (".jpg", ".png")}


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_ids_are_paths_without_suffix_and_sorted(tmp_path: Path) -> None:
    touch(tmp_path, "b.mp4", "1106/4010069381.mkv", "a.v2.mp4", "frames/x/00001.jpg", "frames/x/00002.jpg")
    touch(tmp_path, ".hidden.mp4", "notes.txt", ".cache/c.mp4")
    media = find_media(tmp_path, **KINDS)
    assert [medium.media_id for medium in media] == ["1106/4010069381", "a.v2", "b", "frames/x"]
    assert media[3].path == tmp_path / "frames" / "x" and media[1].path == tmp_path / "a.v2.mp4"


def test_two_media_of_one_id_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "a/1.jpg")
    with pytest.raises(ConfigError, match=r"one id, 'a'"):
        find_media(tmp_path, **KINDS)


def test_a_medium_inside_another_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg", "a/b.mp4")
    with pytest.raises(ConfigError, match=r"b\.mp4 lies inside another medium"):
        find_media(tmp_path, **KINDS)


def test_the_folder_of_one_medium_names_the_folder_above(tmp_path: Path) -> None:
    touch(tmp_path, "m/1.jpg")
    with pytest.raises(ConfigError, match=f"name the folder above it, {tmp_path}"):
        find_media(tmp_path / "m", **KINDS)
    with pytest.raises(ConfigError, match="holds no medium"):
        find_media(tmp_path, files=(".wav",), folders=())
    with pytest.raises(ConfigError, match="does not exist"):
        find_media(tmp_path / "absent", **KINDS)


def test_a_link_back_up_ends(tmp_path: Path) -> None:
    touch(tmp_path, "a/b.mp4")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert [medium.media_id for medium in find_media(tmp_path, **KINDS)] == ["a/b"]


def test_ranks_share_every_medium_once(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{n}.mp4" for n in range(7)))
    media = find_media(tmp_path, **KINDS)
    shares = [share_of_rank(media, rank=rank, world_size=3) for rank in range(3)]
    assert sorted(medium.media_id for share in shares for medium in share) == [str(n) for n in range(7)]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
