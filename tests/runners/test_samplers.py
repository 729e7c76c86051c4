"""Which rank sees which sample."""

from __future__ import annotations

import pytest

from lavis.runners.samplers import EvalSampler, TrainSampler


@pytest.mark.parametrize(("count", "world_size"), [(7, 2), (5, 3), (1, 4), (8, 4), (0, 2)])
def test_evaluation_gives_each_sample_to_one_rank(count: int, world_size: int) -> None:
    shares = [list(EvalSampler(range(count), rank=rank, world_size=world_size)) for rank in range(world_size)]
    assert sorted(index for share in shares for index in share) == list(range(count))
    lengths = [len(EvalSampler(range(count), rank=rank, world_size=world_size)) for rank in range(world_size)]
    assert lengths == [len(share) for share in shares]


def test_training_covers_the_data_in_an_order_of_seed_and_pass() -> None:
    def order(epoch: int, seed: int = 1) -> list[int]:
        shares = []
        for rank in range(2):
            sampler = TrainSampler(range(10), rank=rank, world_size=2, seed=seed)
            sampler.set_epoch(epoch)
            shares.append(list(sampler))
        return shares[0] + shares[1]

    assert sorted(order(0)) == list(range(10))
    assert order(0) == order(0)
    assert order(0) != order(1)
    assert order(0) != order(0, seed=2)


def test_a_skip_counts_for_one_pass() -> None:
    sampler = TrainSampler(range(10), rank=0, world_size=1, seed=1)
    whole = list(sampler)
    sampler.skip = 4
    assert list(sampler) == whole[4:]
    assert list(sampler) == whole


def test_workers_are_seeded_by_rank_and_pass() -> None:
    seeds = set()
    for rank in range(3):
        sampler = TrainSampler(range(10), rank=rank, world_size=3, seed=1)
        for epoch in range(3):
            sampler.set_epoch(epoch)
            seeds.add(sampler.generator.initial_seed())
    assert len(seeds) == 9
