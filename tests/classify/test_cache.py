"""The bounded cache: what it keeps, and that neither entries nor bytes outgrow it."""

from streams.classify.cache import BoundedCache


def test_a_kept_value_is_found() -> None:
    cache: BoundedCache[str, int] = BoundedCache(10, 1000)
    cache.keep("a", 1, 50)
    assert cache.get("a") == 1


def test_a_full_cache_is_emptied_by_count() -> None:
    cache: BoundedCache[int, int] = BoundedCache(10, 1_000_000)
    for number in range(1000):
        cache.keep(number, number, 1)
        assert len(cache) <= 10
    assert 999 in cache


def test_a_full_cache_is_emptied_by_bytes() -> None:
    cache: BoundedCache[int, int] = BoundedCache(1_000_000, 1000)
    for number in range(1000):
        cache.keep(number, number, 100)
        assert len(cache) <= 10
