"""Files of weights: what is read, what is refused without being run, and writing that never leaves half a file."""

from __future__ import annotations

import os
import pickle
import resource
from pathlib import Path
from typing import Any

import pytest
import torch

from lavis.common.errors import WeightsError
from lavis.models.crema_models.weight_files import open_weights, save_weights

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b.c": torch.tensor([1, 2, 3])}


def same(found: Any) -> bool:
    return set(found) == set(TENSORS) and all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)


def test_a_file_of_this_project_comes_back_with_what_it_says_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "new" / "adapters.safetensors"
    save_weights(TENSORS, path, {"modalities": "rgb_depth"})
    found = open_weights(str(path))
    assert same(found.tensors)
    assert found.about == {"modalities": "rgb_depth"}
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_a_pth_is_read_in_both_formats_of_torch_bare_or_below_model(zipped: bool, nested: bool, tmp_path: Path) -> None:
    """A runner's file has ``{model, optimizer, config, epoch}``; files from before torch 1.6 are no zip."""
    path = tmp_path / "checkpoint.pth"
    held = {"model": TENSORS, "config": {"model": {"modalities": "rgb_pc"}}, "epoch": 3} if nested else TENSORS
    torch.save(held, path, _use_new_zipfile_serialization=zipped)
    found = open_weights(str(path))
    assert same(found.tensors)
    assert found.about == ({"modalities": "rgb_pc"} if nested else {})


def test_a_zip_is_mapped_not_read(tmp_path: Path) -> None:
    """What is written into the file afterwards shows in the tensor: both are the same pages."""
    path = tmp_path / "checkpoint.pth"
    torch.save({"a": torch.full((4096,), 7.0)}, path)
    tensor = open_weights(str(path)).tensors["a"]
    content = path.read_bytes()
    start = content.index(torch.full((16,), 7.0).numpy().tobytes())
    with path.open("r+b") as stream:
        stream.seek(start)
        stream.write(torch.full((4096,), 8.0).numpy().tobytes())
    assert tensor.tolist() == [8.0] * 4096


class Dropper:
    """Creates a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_never_run(zipped: bool, tmp_path: Path) -> None:
    path, trace = tmp_path / "evil.pth", tmp_path / "trace"
    torch.save({"model": TENSORS, "extra": Dropper(str(trace))}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=r"evil\.pth: .*holds code, which is never run"):
        open_weights(str(path))
    assert not trace.exists()


def test_the_trap_above_would_have_sprung(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Dropper(str(tmp_path / "trace"))))
    assert (tmp_path / "trace").is_dir()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_truncated_file_is_said_to_be_damaged(suffix: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / f"cut{suffix}"
    if suffix == ".pth":
        torch.save(TENSORS, path)
    else:
        save_weights(TENSORS, path, {})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(WeightsError, match=r"cut.*cannot be read as"):
        open_weights(str(path))


@pytest.mark.parametrize("held", [[1, 2], {"model": {"a": "text"}}, {"a": torch.zeros(1), "b": 3}])
def test_what_is_not_tensors_by_name_is_refused(held: Any, tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save(held, path)
    with pytest.raises(WeightsError, match=r"other\.pth.*(not tensors by name|does not hold tensors by name)"):
        open_weights(str(path))


def test_a_file_that_is_not_there_is_said_with_where_files_come_from(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no such file of weights; docs/crema\.md"):
        open_weights(str(tmp_path / "crema_initial.pth"))


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """The system lets a file have 4000 bytes, as a full disk would, and the new one has ten times as many."""
    path = tmp_path / "adapters.safetensors"
    save_weights(TENSORS, path, {})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
    try:
        with pytest.raises(WeightsError, match=r"(?s)cannot be written .* still there"):
            save_weights({"a": torch.zeros(10_000)}, path, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert same(open_weights(str(path)).tensors)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_home_folder_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    save_weights(TENSORS, tmp_path / "x.safetensors", {})
    assert same(open_weights("~/x.safetensors").tensors)
