"""Files, paths and downloads; the downloads from a real server."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lavis.common import utils
from lavis.common.errors import ConfigError
from lavis.common.paths import LIBRARY_ROOT

CONTENT = b"the weights of a small model"
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def files_below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# -- paths -----------------------------------------------------------------------------------


def test_addresses_are_told_from_paths() -> None:
    assert utils.is_url("https://a.example/b.pth") and utils.is_url("http://a.example")
    assert not any(map(utils.is_url, ("/a/b.pth", "b.pth", "file:///a", "C:/a", Path("x"))))


def test_paths_start_from_the_cache_and_from_the_package(cache: Path) -> None:
    assert utils.get_cache_path("a/b") == str(cache / "a" / "b")
    assert utils.get_cache_path("/a/b") == "/a/b"
    assert utils.get_abs_path("configs") == str(LIBRARY_ROOT / "configs")


def test_abspath_leaves_addresses_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert utils.abspath("~/a") == str(tmp_path / "a")
    assert utils.abspath("https://a.example/../b") == "https://a.example/../b"


def test_a_run_is_named_to_the_second() -> None:
    """LAVIS cuts the minute to its tens, so that two runs of ten minutes share a folder."""
    assert len(utils.now()) == 14 and utils.now().isdigit()


def test_folders_are_made_and_deleted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "a" / "b"
    assert utils.makedir(folder) and utils.makedir(folder)
    (folder / "f").write_bytes(b"x" * 1024 * 512)
    assert utils.get_file_size(folder / "f") == 0.5  # of 1024² bytes
    assert not utils.makedir(folder / "f")
    assert str(folder / "f") in caplog.text
    utils.cleanup_dir(tmp_path / "a")
    utils.cleanup_dir(tmp_path / "a")
    assert not (tmp_path / "a").exists()


# -- files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json", {"b": [1, None, "ü"]}),
        ("a.jsonl", [{"b": 1}, ["line sep\u2028arator"], "ü"]),
        ("a.csv", [{"id": "1", "text": 'two\nlines, "quoted"'}, {"id": "2", "text": "ü"}]),
        ("a.txt", ["one", "", "form\x0cfeed"]),
        ("a.yaml", {"b": [1, None, "ü"]}),
        ("deep/er/a.yml", {"z": 1, "a": 2}),
    ],
)
def test_what_is_saved_is_loaded_by_its_ending(name: str, data: Any, tmp_path: Path) -> None:
    utils.save_file(data, tmp_path / name)
    assert utils.load_file(tmp_path / name) == data


def test_arrays_are_loaded_or_mapped(tmp_path: Path) -> None:
    array = np.arange(6.0).reshape(2, 3)
    utils.save_file(array, tmp_path / "a.npy")
    assert np.array_equal(utils.load_file(tmp_path / "a.npy"), array)
    assert isinstance(utils.load_file(tmp_path / "a.npy", mmap_mode="r"), np.memmap)


def test_lines_are_appended_where_they_can_be_read_back(tmp_path: Path) -> None:
    for row in ({"a": 1}, {"a": 2}):
        utils.save_file(row, tmp_path / "a.jsonl", append_to_json=True)
    assert utils.load_file(tmp_path / "a.jsonl") == [{"a": 1}, {"a": 2}]
    with pytest.raises(ConfigError, match=r"a\.json: .*\.jsonl"):
        utils.save_file({}, tmp_path / "a.json", append_to_json=True)


def test_pickles_are_neither_read_nor_written(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ConfigError, match=r"o\.npy"):
        utils.load_file(tmp_path / "o.npy")
    with pytest.raises(ConfigError, match="pickles run code"):
        utils.load_file(tmp_path / "o.npy", allow_pickle=True)
    for act in (lambda path: utils.load_file(path), lambda path: utils.save_file(1, path)):
        with pytest.raises(ConfigError, match=r"'\.pkl' are not handled; use one of \.csv"):
            act(tmp_path / "a.pkl")
    with pytest.raises(ValueError, match="Object arrays"):
        utils.save_file(np.array([{}], dtype=object), tmp_path / "p.npy")


def test_a_broken_file_is_named_with_the_place(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1,\n "b": }')
    with pytest.raises(ConfigError, match=r"a\.json: is no JSON at line 2, column 7"):
        utils.load_json(tmp_path / "a.json")
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n\n{"a"}\n')
    with pytest.raises(ConfigError, match=r"a\.jsonl: is no JSON at line 3"):
        utils.load_file(tmp_path / "a.jsonl")
    (tmp_path / "a.yaml").write_text("a: !!python/object:os.system x")
    with pytest.raises(ConfigError, match=r"a\.yaml"):
        utils.load_file(tmp_path / "a.yaml")


# -- downloads -------------------------------------------------------------------------------


def test_a_url_is_cached_and_asked_for_once(file_server: Any, cache: Path) -> None:
    file_server.files["/m/weights.pth"] = CONTENT
    path = utils.cache_url(file_server.url + "/m/weights.pth?download=true")
    assert Path(path).read_bytes() == CONTENT
    assert Path(path).is_relative_to(cache / "hub") and Path(path).name == "weights.pth"
    assert utils.cache_url(file_server.url + "/m/weights.pth?download=true") == path
    assert len(file_server.asked) == 1
    assert files_below(cache) == ["weights.pth"]


def test_addresses_that_end_alike_do_not_collide(file_server: Any) -> None:
    file_server.files |= {"/a/model.pth": b"a", "/b/model.pth": b"b"}
    paths = [Path(utils.cache_url(file_server.url + name)) for name in ("/a/model.pth", "/b/model.pth")]
    assert [path.read_bytes() for path in paths] == [b"a", b"b"]


def test_the_hash_in_a_name_is_checked(file_server: Any, cache: Path) -> None:
    good, bad = f"/net-{SHA[:8]}.pth", "/net-0badc0de.pth"
    file_server.files |= {good: CONTENT, bad: CONTENT}
    assert Path(utils.cache_url(file_server.url + good)).read_bytes() == CONTENT
    with pytest.raises(ConfigError, match=f"{SHA}.*0badc0de"):
        utils.cache_url(file_server.url + bad)
    assert files_below(cache) == [good[1:]]
    assert Path(utils.cache_url(file_server.url + bad, check_hash=False)).read_bytes() == CONTENT


def test_a_spoilt_copy_in_the_cache_is_replaced(file_server: Any) -> None:
    name = f"/net-{SHA[:12]}.pth"
    file_server.files[name] = CONTENT
    path = Path(utils.cache_url(file_server.url + name))
    path.write_bytes(b"spoilt")
    assert Path(utils.cache_url(file_server.url + name)).read_bytes() == CONTENT


def test_a_download_that_breaks_off_leaves_nothing(file_server: Any, cache: Path) -> None:
    file_server.files["/weights.pth"] = CONTENT
    file_server.cut.add("/weights.pth")
    with pytest.raises(OSError, match=r"/weights\.pth"):
        utils.cache_url(file_server.url + "/weights.pth")
    assert files_below(cache) == []
    file_server.cut.clear()
    assert Path(utils.cache_url(file_server.url + "/weights.pth")).read_bytes() == CONTENT


def test_what_is_not_there_is_named(file_server: Any, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"/absent\.pth.*404"):
        utils.cache_url(file_server.url + "/absent.pth")
    with pytest.raises(ConfigError, match="ftp://"):
        utils.download_url("ftp://a.example/b", str(tmp_path))
    with pytest.raises(ConfigError, match="names no file"):
        utils.cache_url(file_server.url + "/")


def test_a_file_is_downloaded_unless_it_is_there_and_right(file_server: Any, tmp_path: Path) -> None:
    file_server.files["/a.txt"] = CONTENT
    md5 = hashlib.md5(CONTENT).hexdigest()
    utils.download_url(file_server.url + "/a.txt", str(tmp_path / "in"), filename="b.txt", md5=md5.upper())
    utils.download_url(file_server.url + "/a.txt", str(tmp_path / "in"), filename="b.txt", md5=md5)
    assert len(file_server.asked) == 1
    (tmp_path / "in" / "b.txt").write_text("older")
    utils.download_url(file_server.url + "/a.txt", str(tmp_path / "in"), filename="b.txt")
    assert (tmp_path / "in" / "b.txt").read_text() == "older"
    utils.download_url(file_server.url + "/a.txt", str(tmp_path / "in"), filename="b.txt", md5=md5)
    assert (tmp_path / "in" / "b.txt").read_bytes() == CONTENT
    with pytest.raises(ConfigError, match=md5):
        utils.download_url(file_server.url + "/a.txt", str(tmp_path / "in"), filename="c.txt", md5="0" * 32)
    assert files_below(tmp_path / "in") == ["b.txt"]


def zip_of(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tar_of(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.mark.parametrize(("name", "pack"), [("/d.zip", zip_of), ("/d.tar.gz", tar_of)])
def test_an_archive_is_unpacked_and_never_outside_its_folder(
    name: str, pack: Any, file_server: Any, tmp_path: Path
) -> None:
    file_server.files[name] = pack({"in/a.txt": b"a"})
    utils.download_and_extract_archive(
        file_server.url + name, str(tmp_path / "got"), str(tmp_path / "out"), remove_finished=True
    )
    assert files_below(tmp_path / "got") == []
    assert (tmp_path / "out" / "in" / "a.txt").read_bytes() == b"a"

    file_server.files["/evil" + name[1:]] = pack({"../evil.txt": b"a"})
    with pytest.raises(ValueError, match=r"\.\./evil\.txt"):
        utils.download_and_extract_archive(file_server.url + "/evil" + name[1:], str(tmp_path / "got"))
    assert not (tmp_path / "evil.txt").exists()
