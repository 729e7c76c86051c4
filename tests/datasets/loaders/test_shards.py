"""Shards that webdataset wrote: read in place, by index, from threads and processes; damaged ones are refused."""

from __future__ import annotations

import concurrent.futures
import gzip
import io
import multiprocessing
import os
import pickle
import stat
import tarfile
from pathlib import Path

import numpy as np
import pytest
from pdfs import pdf
from PIL import Image
from sounds import tone, write_sound

from lavis.common.errors import AnnotationError, ConfigError, ModalityError
from lavis.datasets.loaders.audio import AudioLoader
from lavis.datasets.loaders.base import Loader, Sampling
from lavis.datasets.loaders.charts import ChartLoader
from lavis.datasets.loaders.frames import FramesLoader
from lavis.datasets.loaders.pages import PagesLoader
from lavis.datasets.loaders.shards import ShardPath, ShardSet, is_sharded, local_copy
from lavis.datasets.loaders.shards import index as index_module
from lavis.datasets.loaders.shards.tar import read_members
from lavis.datasets.loaders.tables import TableLoader
from lavis.datasets.loaders.volume import VolumeLoader
from lavis.datasets.question import Media

N_FRAMES = 6
PATTERN = "frames-{000000..000002}.tar"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def picture(number: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((4, 5, 3), number, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Seven scenes of six frames in three shards; scene3 is spread over two of them, as a ShardWriter would do."""
    import webdataset

    folder = tmp_path / "root"
    folder.mkdir()
    frames = [(scene, frame) for scene in range(7) for frame in range(1, N_FRAMES + 1)]
    for shard, part in enumerate((frames[:14], frames[14:20], frames[20:])):
        with webdataset.TarWriter(str(folder / f"frames-{shard:06d}.tar")) as writer:
            for scene, frame in part:
                writer.write({"__key__": f"scene{scene}/{frame:05d}", "png": picture(10 * scene + frame)})
    return folder


def tar_of(path: Path, members: dict[str, bytes], **options: object) -> Path:
    with tarfile.open(path, "w", **options) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1_700_000_000
            tar.addfile(info, io.BytesIO(content))
    return path


def test_which_storages_are_shards() -> None:
    for storage in (PATTERN, "frames-*.tar", "/a/b.tar", "pipe:cat x", "a.tar::b.tar", "a.tgz"):
        assert is_sharded(storage)
    for storage in ("frames", "/data/frames/", "tar", "frames.tar.d", "captions.json"):
        assert not is_sharded(storage)


@pytest.mark.parametrize(
    "storage", [PATTERN, "frames-*.tar", "::".join(f"frames-{shard:06d}.tar" for shard in range(3))]
)
def test_every_frame_of_every_medium_is_read_through_the_usual_loader(root: Path, storage: str) -> None:
    shards = ShardSet(storage, root)

    assert shards.media_ids() == [f"scene{scene}" for scene in range(7)]
    for scene in range(7):
        path = shards.locate(f"scene{scene}")
        assert path.is_dir() and path.exists() and not path.is_file()
        assert FramesLoader().count(path, media_id="m")[0] == N_FRAMES
        clip = FramesLoader().load(path, media_id="m", sampling=Sampling((0, 3, 5)))
        assert clip.array[:, 0, 0, 0].tolist() == [10 * scene + frame for frame in (1, 4, 6)]


def test_a_root_that_looks_like_a_pattern_is_a_name(root: Path) -> None:
    odd = root.rename(root.with_name("run[1]{a,b}"))
    for storage in (PATTERN, "frames-*.tar", "frames-000000.tar"):
        shards = ShardSet(storage, odd)
        assert read_scene(shards.locate("scene1")) == [11, 12, 13, 14, 15, 16]
        assert not shards.locate("scene9").exists()
        assert (shards.folder / "scene0" / "00001.png").read_bytes() == picture(1)


def test_a_medium_that_is_in_no_shard_is_reported_by_its_loader(root: Path) -> None:
    path = ShardSet(PATTERN, root).locate("scene9")
    assert not path.exists() and not path.is_dir() and not path.is_file()
    with pytest.raises(ModalityError, match=r"m: .*frames-\{000000\.\.000002\}\.tar!/scene9 does not exist"):
        FramesLoader().load(path, media_id="m")


def test_files_by_suffix_and_the_first_suffix_wins(root: Path) -> None:
    import webdataset

    flow = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    stream = io.BytesIO()
    np.save(stream, flow)
    with webdataset.TarWriter(str(root / "media-000000.tar")) as writer:
        writer.write({"__key__": "a/v1", "flow.npy": stream.getvalue(), "txt": b"one", "json": {"n": 1}})
        writer.write({"__key__": "a/v2", "flow.npy": stream.getvalue(), "txt": b"two"})
    shards = ShardSet("media-{000000..000000}.tar", root)

    assert shards.media_ids([".flow.npy"]) == ["a/v1", "a/v2"]
    assert shards.media_ids([".json"]) == ["a/v1"]
    path = shards.locate("a/v1", [".mp4", ".flow.npy", ".txt"])
    assert str(path) == f"{root}/media-000000.tar!/a/v1.flow.npy"
    assert (path.name, path.stem, path.suffix, path.parent.name) == ("v1.flow.npy", "v1.flow", ".npy", "a")
    with path.open("rb") as file:
        np.testing.assert_array_equal(np.load(file), flow)
    assert path.with_name("v2.txt").read_text() == "two"
    assert (path.parent / "v1.txt").read_bytes() == b"one"
    assert sorted(entry.name for entry in path.parent.iterdir()) == [
        "v1.flow.npy",
        "v1.json",
        "v1.txt",
        "v2.flow.npy",
        "v2.txt",
    ]


def test_the_path_behaves_like_a_path(root: Path) -> None:
    path = ShardSet(PATTERN, root).locate("scene1") / "00002.png"
    assert path.is_file() and not path.is_dir() and isinstance(path.parent, ShardPath)
    assert path.stat().st_size == len(picture(12)) and stat.S_ISREG(path.stat().st_mode)
    assert stat.S_ISDIR(path.parent.stat().st_mode)
    assert abs(path.stat().st_mtime - os.stat(root / "frames-000000.tar").st_mtime) < 60
    assert pickle.loads(pickle.dumps(path)) == path and hash(path) == hash(ShardPath(str(path)))
    with path.open("rb") as file:
        assert file.read(4) == b"\x89PNG" and file.tell() == 4
        file.seek(-3, os.SEEK_END)
        assert file.read() == picture(12)[-3:] and file.read() == b""
        with pytest.raises(OSError):
            file.fileno()  # the number of the whole tar would not be that of the member
    with pytest.raises(io.UnsupportedOperation, match="only be read"):
        path.open("wb")
    with pytest.raises(io.UnsupportedOperation):
        list(path.parent.glob("*"))
    with pytest.raises(FileNotFoundError):
        (path.parent / "00099.png").open("rb")
    with pytest.raises(IsADirectoryError):
        path.parent.open("rb")
    with pytest.raises(NotADirectoryError):
        list((path.parent / "deeper").iterdir())
    with pytest.raises(FileNotFoundError):
        (path.parent / "deeper").stat()


def test_sound_is_decoded_in_place_and_local_copy_gives_a_real_file(root: Path, cache: Path) -> None:
    import webdataset

    sound = write_sound(root / "s.wav", tone(1, 16000)[None], 16000)
    with webdataset.TarWriter(str(root / "audio.tar")) as writer:
        writer.write({"__key__": "first", "wav": tone(1, 8000).tobytes()})
        writer.write({"__key__": "s", "wav": sound.read_bytes()})
    path = ShardSet("audio.tar", root).locate("s", [".flac", ".wav"])

    np.testing.assert_array_equal(
        AudioLoader().load(path, media_id="s").array, AudioLoader().load(sound, media_id="s").array
    )
    copy = local_copy(path)
    assert copy.is_relative_to(cache) and copy.name == "s.wav" and copy.read_bytes() == sound.read_bytes()
    before = copy.stat().st_mtime_ns
    assert local_copy(path) == copy and copy.stat().st_mtime_ns == before
    assert local_copy(sound) is sound
    with pytest.raises(FileNotFoundError):
        local_copy(path.with_name("absent.wav"))


def test_the_index_is_made_once_and_again_when_the_shard_changes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scans = []
    read_members = index_module.read_members
    monkeypatch.setattr(index_module, "read_members", lambda path: scans.append(path) or read_members(path))
    shard = tar_of(root / "one.tar", {"a.txt": b"old"})
    path = ShardSet("one.tar", root).locate("a", [".txt"])
    index_module._shard_index.cache_clear()  # as a new process would find it
    assert ShardSet("one.tar", root).locate("a", [".txt"]).read_bytes() == b"old"
    assert len(scans) == 1

    fingerprint = Media("a", {"text": path}).fingerprint("text")
    tar_of(shard, {"b.txt": b"other", "a.txt": b"newer"})
    assert path.read_bytes() == b"newer"
    assert len(scans) == 2
    assert Media("a", {"text": path}).fingerprint("text") != fingerprint


def test_a_damaged_index_is_made_again(root: Path, cache: Path) -> None:
    path = ShardSet(PATTERN, root).locate("scene1")
    names = sorted(entry.name for entry in path.iterdir())
    for stored in (cache / "shards" / "index").iterdir():
        stored.write_bytes(stored.read_bytes()[:100])
    index_module._shard_index.cache_clear()
    assert sorted(entry.name for entry in path.iterdir()) == names


def test_a_fingerprint_lists_the_members_and_only_them(root: Path) -> None:
    shards = ShardSet(PATTERN, root)
    prints = {scene: Media(scene, {"frame": shards.locate(scene)}).fingerprint("frame") for scene in shards.media_ids()}
    assert len(set(prints.values())) == 7
    assert sorted(name for name, _, _ in shards.locate("scene3").listing()) == [f"{n:05d}.png" for n in range(1, 7)]
    again = Media("scene3", {"frame": ShardSet("frames-*.tar", root).locate("scene3")}).fingerprint("frame")
    assert again == prints["scene3"]


def read_scene(path: Path) -> list[int]:
    return FramesLoader().load(path, media_id="m").array[:, 0, 0, 0].tolist()


def test_threads_and_forked_processes_read_the_same_shard(root: Path) -> None:
    shards = ShardSet(PATTERN, root)
    paths = [shards.locate(f"scene{scene}") for scene in range(7)]
    expected = [[10 * scene + frame for frame in range(1, 7)] for scene in range(7)]
    with paths[0].joinpath("00001.png").open("rb") as file:  # open across the fork
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            assert list(threads.map(read_scene, paths * 5)) == expected * 5
        with multiprocessing.get_context("fork").Pool(2) as workers:
            assert workers.map(read_scene, paths) == expected
        assert file.read() == picture(1)
    assert pickle.loads(pickle.dumps(shards)).locate("scene4") == paths[4]


def test_open_files_do_not_pile_up(root: Path) -> None:
    path = ShardSet(PATTERN, root).locate("scene1")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        read_scene(path)
    assert len(os.listdir("/proc/self/fd")) == before


# -- pipes -------------------------------------------------------------------------------------------------------------


def test_pipes_are_fetched_once(root: Path, tmp_path: Path) -> None:
    storage = f"pipe:cat '{root}/frames-{{000000..000002}}.tar'"
    assert ShardSet(storage, tmp_path).media_ids() == [f"scene{scene}" for scene in range(7)]
    for shard in root.glob("*.tar"):
        shard.unlink()
    index_module._shard_index.cache_clear()
    assert read_scene(ShardSet(storage, tmp_path).locate("scene3")) == [31, 32, 33, 34, 35, 36]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("cat /nowhere/x.tar", r"pipe:cat /nowhere/x\.tar ended with code 1: .*No such file"),
        ("no-such-program-at-all x", "cannot be started"),
        ("printf abc", "truncated after 0 bytes"),
        ("true", "truncated after 0 bytes"),
    ],
)
def test_a_pipe_that_fails_is_an_error_and_leaves_nothing(cache: Path, command: str, message: str) -> None:
    with pytest.raises(ModalityError, match=message):
        ShardSet(f"pipe:{command}", Path("/"))
    assert not list((cache / "shards" / "pipes").glob("*.tar")) and not list(
        (cache / "shards" / "pipes").glob("*.part")
    )


def test_a_pipe_that_fails_after_a_whole_shard_is_an_error(root: Path) -> None:
    script = root / "fails.sh"
    script.write_text("#!/bin/sh\ncat frames-000000.tar\necho gone >&2\nexit 3\n".replace("frames", f"{root}/frames"))
    script.chmod(0o755)
    with pytest.raises(ModalityError, match="ended with code 3: gone"):
        ShardSet(f"pipe:{script}", root)


def test_a_pipe_that_hangs_is_given_up(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lavis.datasets.loaders.shards.pipes.IDLE_S", 0.2)
    with pytest.raises(ModalityError, match=r"pipe:sleep 60 wrote nothing for 0\.2 s"):
        ShardSet("pipe:sleep 60", root)


def test_pipes_see_no_shell(root: Path) -> None:
    for command in ("cat a.tar | gzip -dc", "cat a.tar > b.tar"):
        with pytest.raises(ConfigError, match="needs a shell"):
            ShardSet(f"pipe:{command}", root)
    for command in ("", "cat 'a"):
        with pytest.raises(ConfigError, match="pipe:"):
            ShardSet(f"pipe:{command}", root)
    tar_of(root / "$HOME.tar", {"a.txt": b"literal"})
    assert ShardSet(f"pipe:cat {root}/$HOME.tar", root).locate("a", [".txt"]).read_bytes() == b"literal"


# -- bad shards --------------------------------------------------------------------------------------------------------


def refused(path: Path, message: str) -> None:
    with pytest.raises(ModalityError, match=message) as caught:
        ShardSet(path.name, path.parent)
    assert str(path) in str(caught.value)


def test_shards_cut_at_any_place_are_refused(root: Path) -> None:
    whole = (root / "frames-000001.tar").read_bytes()
    end = len(whole.rstrip(b"\0"))
    members = -(-end // 512) * 512
    for length in (0, 100, 512, 700, 1024, members // 2 // 512 * 512, members - 512, members):
        (root / "cut.tar").write_bytes(whole[:length])
        refused(root / "cut.tar", "truncated")


def test_damaged_headers_and_joined_archives_are_refused(root: Path) -> None:
    shard = tar_of(root / "bad.tar", {"a.txt": b"x" * 600, "b.txt": b"y"})
    whole = bytearray(shard.read_bytes())
    whole[1536 + 3] ^= 1  # in the second header
    shard.write_bytes(whole)
    refused(shard, "header at byte 1536 is damaged")
    one = tar_of(root / "one.tar", {"a.txt": b"x"}).read_bytes()
    (root / "two.tar").write_bytes(one + tar_of(root / "other.tar", {"b.txt": b"x"}).read_bytes())
    refused(root / "two.tar", "goes on after its end mark")
    (root / "noise.tar").write_bytes(np.random.default_rng(0).bytes(2048))
    refused(root / "noise.tar", "damaged")
    (root / "none.tar").write_bytes(bytes(10240))
    refused(root / "none.tar", "holds no files")


@pytest.mark.parametrize("name", ["../x.txt", "/etc/x.txt", "a/../../x.txt", "a//x.txt", "a/./x.txt"])
def test_names_that_leave_the_shard_are_refused(root: Path, name: str) -> None:
    refused(tar_of(root / "bad.tar", {"ok.txt": b"", name: b"x"}), "does not stay inside")


def test_names_twice_are_refused_within_and_across_shards(root: Path) -> None:
    with tarfile.open(root / "twice.tar", "w") as tar:
        for content in (b"1", b"22"):
            info = tarfile.TarInfo("a.txt")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    refused(root / "twice.tar", r"holds 'a\.txt' twice")
    tar_of(root / "p-0.tar", {"a.txt": b"1", "s/1.png": b""})
    tar_of(root / "p-1.tar", {"a.txt": b"2", "s/1.png": b""})
    shards = ShardSet("p-{0,1}.tar", root)
    with pytest.raises(ModalityError, match=r"both in shard .*p-0\.tar and in .*p-1\.tar"):
        shards.locate("a", [".txt"])
    with pytest.raises(ModalityError, match=r"'1\.png' is both in shard"):
        list(shards.locate("s").iterdir())


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(root: Path, kind: bytes) -> None:
    with tarfile.open(root / "link.tar", "w") as tar:
        info = tarfile.TarInfo("a.txt")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    refused(root / "link.tar", r"'a\.txt' is a .*, not a plain file")


def test_sizes_that_lie_neither_hang_nor_read_outside(root: Path) -> None:
    shard = tar_of(root / "lies.tar", {"a.txt": b"x" * 600})
    honest = shard.read_bytes()
    for field in (b"\xff" * 12, b"\x80" + b"\x7f" * 11, b"77777777777\0", b"notanumber!\0"):
        lying = bytearray(honest)
        lying[124:136] = field
        lying[148:156] = b"%06o\0 " % (sum(lying[:148]) + 256 + sum(lying[156:512]))
        shard.write_bytes(lying)
        refused(shard, "damaged|truncated|gives it")


@pytest.mark.parametrize(
    "record",
    [
        b"x path=a\n",
        b"0 path=a\n",
        b"99 path=a\n",
        b"9 path=a ",
        b" path=a=b\n",
        b"7 patha\n",
        b"9" * 9000 + b" path=a\n",
    ],
)
def test_pax_records_that_lie_neither_hang_nor_pass(root: Path, record: bytes) -> None:
    with tarfile.open(root / "lies.tar", "w") as tar:
        info = tarfile.TarInfo("pax")
        info.type, info.size = tarfile.XHDTYPE, len(record)
        tar.addfile(info, io.BytesIO(record))
        tar.addfile(tarfile.TarInfo("a.txt"))
    refused(root / "lies.tar", r"pax header .* is damaged")


def test_flipped_bytes_end_in_members_or_a_named_error(root: Path) -> None:
    """In half of the trials the checksums are set right again, so that the fields themselves are tried."""
    whole = (root / "frames-000001.tar").read_bytes()
    generator = np.random.default_rng(0)
    for trial in range(300):
        damaged = bytearray(whole)
        for at in generator.integers(0, len(whole), 6):
            damaged[at] = generator.integers(256)
        for at in range(0, len(damaged), 512) if trial % 2 else ():
            if damaged[at + 257 : at + 262] == b"ustar":
                total = sum(damaged[at : at + 148]) + 256 + sum(damaged[at + 156 : at + 512])
                damaged[at + 148 : at + 156] = b"%06o\0 " % total
        (root / "flipped.tar").write_bytes(damaged)
        try:
            assert all(member.size_bytes <= len(whole) for member in read_members(root / "flipped.tar"))
        except ModalityError as error:
            assert "flipped.tar" in str(error)


def test_compressed_shards_say_how_to_read_them(root: Path) -> None:
    (root / "z.tar").write_bytes(gzip.compress((root / "frames-000000.tar").read_bytes()))
    refused(root / "z.tar", r"is compressed .* pipe:gzip -dc")
    with pytest.raises(ConfigError, match=r"ends in \.tar"):
        ShardSet("z.tar.gz", root)
    assert ShardSet(f"pipe:gzip -dc {root}/z.tar", root).media_ids() == ["scene0", "scene1", "scene2"]


def test_missing_shards_and_patterns_are_errors(root: Path) -> None:
    with pytest.raises(ModalityError, match=r"frames-000003\.tar cannot be opened"):
        ShardSet("frames-{000000..000003}.tar", root)
    with pytest.raises(ModalityError, match="no shard matches"):
        ShardSet("nothing-*.tar", root)
    with pytest.raises(ConfigError, match="names a shard twice"):
        ShardSet("frames-000000.tar::frames-*.tar", root)


@pytest.mark.parametrize("media_id", ["../scene1", "/scene1", "", "a/../scene1", "."])
def test_ids_that_leave_the_shards_are_refused(root: Path, media_id: str) -> None:
    with pytest.raises(AnnotationError, match="does not stay inside"):
        ShardSet(PATTERN, root).locate(media_id)


@pytest.mark.parametrize("tar_format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_long_names_other_alphabets_and_folders_of_every_tar_format(root: Path, tar_format: int) -> None:
    long = "/".join(["part" * 12] * (3 if tar_format == tarfile.USTAR_FORMAT else 6)) + "/größe.txt"
    shard = root / "names.tar"
    with tarfile.open(shard, "w", format=tar_format) as tar:
        folder = tarfile.TarInfo("./")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in ((long, b"long"), ("./dot.txt", b"dot")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    shards = ShardSet("names.tar", root)
    assert shards.locate(long.removesuffix(".txt"), [".txt"]).read_bytes() == b"long"
    assert shards.locate("dot", [".txt"]).read_bytes() == b"dot"


def test_a_shard_that_changes_under_an_open_index_is_noticed(root: Path) -> None:
    shard = tar_of(root / "one.tar", {"a.txt": b"old"})
    found = ShardSet("one.tar", root).locate("a", [".txt"])._found()  # type: ignore[attr-defined]
    tar_of(shard, {"b.txt": b"other", "a.txt": b"newer"})
    from lavis.datasets.loaders.shards.path import _MemberFile

    with pytest.raises(OSError, match="was changed while it was read"):
        _MemberFile(*found)


def test_every_kind_of_file_is_read_from_a_shard_as_from_a_folder(root: Path) -> None:
    import nibabel
    import webdataset

    voxels = np.random.default_rng(0).random((2, 3, 4)).astype(np.float32)
    np.save(root / "v.npy", voxels)
    nibabel.save(nibabel.Nifti1Image(voxels.T, np.eye(4)), root / "n.nii.gz")
    (root / "p.pdf").write_bytes(pdf([(100, 100, "text")]))
    (root / "c.png").write_bytes(picture(7))
    (root / "c.csv").write_text("a,b\n1,2\n")
    with webdataset.TarWriter(str(root / "all.tar")) as writer:
        for name in ("v.npy", "n.nii.gz", "p.pdf", "c.png", "c.csv"):
            key, _, ending = name.partition(".")
            content = (root / name).read_bytes()
            # webdataset compresses what is called .gz itself
            writer.write({"__key__": key, ending: gzip.decompress(content) if name.endswith(".gz") else content})
    shards = ShardSet("all.tar", root)

    def both(loader: Loader, name: str) -> tuple[object, object]:
        path = shards.locate(name.partition(".")[0], [f".{name.partition('.')[2]}"])
        assert isinstance(path, ShardPath)
        return loader.load(path, media_id="m"), loader.load(root / name, media_id="m")

    for name in ("v.npy", "n.nii.gz"):
        packed, plain = both(VolumeLoader(), name)
        np.testing.assert_array_equal(packed.array, voxels)
        assert packed.unit == plain.unit and packed.extras.keys() == plain.extras.keys()
    packed, plain = both(PagesLoader(), "p.pdf")
    assert packed.texts == plain.texts == ("text",)
    np.testing.assert_array_equal(packed.clip.array, plain.clip.array)
    packed, plain = both(ChartLoader(), "c.png")
    assert packed.table.rows == plain.table.rows == (("1", "2"),)
    np.testing.assert_array_equal(packed.clip.array, plain.clip.array)
    packed, plain = both(TableLoader(), "c.csv")
    assert (packed.header, packed.rows) == (plain.header, plain.rows)
