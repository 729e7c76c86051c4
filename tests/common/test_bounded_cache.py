"""What is kept, in which order it goes, and that it does not travel."""

from __future__ import annotations

import pickle

from lavis.common.bounded_cache import BoundedCache


def test_the_least_recently_used_goes_first_by_bytes() -> None:
    cache: BoundedCache[bytes] = BoundedCache(10, len)
    cache.put("a", b"1234")
    cache.put("b", b"1234")
    assert cache.get("a") == b"1234"
    cache.put("c", b"1234")
    assert (cache.get("b"), cache.get("a"), cache.get("c"), cache.n_bytes) == (None, b"1234", b"1234", 8)


def test_what_is_larger_than_the_cache_is_not_kept_and_drives_nothing_out() -> None:
    cache: BoundedCache[bytes] = BoundedCache(4, len)
    cache.put("small", b"12")
    cache.put("large", b"12345")
    assert (cache.get("large"), cache.get("small"), cache.n_bytes) == (None, b"12", 2)


def test_a_cache_of_no_bytes_keeps_nothing() -> None:
    cache: BoundedCache[bytes] = BoundedCache(0, len)
    cache.put("a", b"1")
    assert cache.get("a") is None


def test_a_value_is_counted_once() -> None:
    cache: BoundedCache[bytes] = BoundedCache(10, len)
    cache.put("a", b"1234")
    cache.put("a", b"1234")
    assert cache.n_bytes == 4
    cache.clear()
    assert (cache.get("a"), cache.n_bytes) == (None, 0)


def test_another_process_begins_with_none() -> None:
    cache: BoundedCache[bytes] = BoundedCache(10, len)
    cache.put("a", b"1234")
    travelled = pickle.loads(pickle.dumps(cache))
    assert (travelled.get("a"), travelled.n_bytes, travelled.max_bytes) == (None, 0, 10)
    assert cache.get("a") == b"1234"
