"""Endless and mixed loaders over real torch loaders."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable

import pytest
import torch
from torch.utils.data import DataLoader

from lavis.common.errors import ConfigError
from lavis.datasets.datasets.dataloader_utils import IterLoader, MultiIterLoader, PrefetchLoader
from lavis.runners.samplers import TrainSampler


def shuffled(n: int = 7, batch_size: int = 2, workers: int = 0) -> DataLoader:
    data = list(range(n))
    sampler = TrainSampler(data, rank=0, world_size=1, seed=3)
    return DataLoader(data, batch_size=batch_size, sampler=sampler, generator=sampler.generator, num_workers=workers)


def take(loader: object, count: int) -> list[list[int]]:
    return [next(loader).tolist() for _ in range(count)]  # type: ignore[call-overload]


def test_it_never_ends_counts_passes_shuffles_anew_and_does_not_wait() -> None:
    loader = IterLoader(shuffled())
    began_s = time.monotonic()

    first, second = take(loader, 4), take(loader, 4)

    assert time.monotonic() - began_s < 2.0  # one wait of 2 s between passes is what the reference has
    assert sorted(flat(first)) == sorted(flat(second)) == list(range(7))
    assert first != second
    assert loader.epoch == 1
    assert len(loader) == 4


def flat(batches: Iterable[list[int]]) -> list[int]:
    return [number for batch in batches for number in batch]


@pytest.mark.parametrize("done", [1, 3, 4, 6, 8])
@pytest.mark.parametrize("workers", [0, 1])
def test_another_loader_goes_on_where_it_was(done: int, workers: int) -> None:
    whole = IterLoader(shuffled())
    take(whole, done)

    again = IterLoader(shuffled(workers=workers))
    again.load_state_dict(whole.state_dict())

    assert take(again, 6) == take(whole, 6)


def test_a_loader_without_a_position_is_read_up_to_it() -> None:
    plain = IterLoader(DataLoader(list(range(5)), batch_size=1))
    plain.load_state_dict({"epoch": 2, "batches": 3})

    assert take(plain, 3) == [[3], [4], [0]]
    assert plain.epoch == 3


def test_an_empty_loader_is_an_error_and_not_a_loop() -> None:
    with pytest.raises(ConfigError, match="empty"):
        next(IterLoader([]))


def test_a_mixture_draws_by_ratio_and_goes_on() -> None:
    random.seed(0)
    mixed = MultiIterLoader([IterLoader(["a"]), IterLoader(["b"])], ratios=[3, 1])
    drawn = [next(mixed) for _ in range(2000)]
    assert drawn.count("a") / 2000 == pytest.approx(0.75, abs=0.03)

    one = MultiIterLoader([IterLoader(shuffled()), IterLoader(shuffled(5))])
    random.seed(1)
    take(one, 5)
    state, chance = one.state_dict(), random.getstate()
    expected = take(one, 5)
    other = MultiIterLoader([IterLoader(shuffled()), IterLoader(shuffled(5))])
    other.load_state_dict(state)
    random.setstate(chance)
    assert take(other, 5) == expected


def test_a_mixture_refuses_wrong_ratios_and_finite_loaders() -> None:
    endless = IterLoader(["a"])
    for ratios in ([1.0], [1.0, 0.0]):
        with pytest.raises(ConfigError, match="ratios"):
            MultiIterLoader([endless, endless], ratios)
    with pytest.raises(ConfigError, match="IterLoader"):
        MultiIterLoader([["a"]])
    with pytest.raises(ConfigError, match="loaders"):
        MultiIterLoader([endless]).load_state_dict([])


@pytest.mark.skipif(torch.cuda.is_available(), reason="checks what is done without a GPU")
def test_prefetching_without_a_gpu_is_the_loader_itself() -> None:
    loader = shuffled()
    ahead = PrefetchLoader(loader)

    assert len(ahead) == 4
    assert ahead.batch_size == 2
    assert ahead.sampler is loader.sampler
    assert sorted(flat(batch.tolist() for batch in ahead)) == list(range(7))
