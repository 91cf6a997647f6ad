"""When an upstream is left alone, and for how long."""

from __future__ import annotations

import pytest

from pakhus.domain.errors import UpstreamBlocked
from pakhus.remote.autoblock import LONGEST, THRESHOLD, AutoBlock

from .conftest import Clock

KEY = ("http://up.test/", "http://up.test:80")


def fail(block: AutoBlock, times: int = 1) -> None:
    for _ in range(times):
        with block.attempt(KEY, "up.test") as attempt:
            attempt.failed()


def refused(block: AutoBlock) -> bool:
    try:
        with block.attempt(KEY, "up.test"):
            return False
    except UpstreamBlocked:
        return True


def test_a_success_between_failures_starts_the_count_anew(clock: Clock) -> None:
    block = AutoBlock(clock)
    for _ in range(5):
        fail(block, THRESHOLD - 1)
        with block.attempt(KEY, "up.test") as attempt:
            attempt.answered(404)
    assert not block.is_blocked(KEY)


def test_the_block_doubles_up_to_its_longest(clock: Clock) -> None:
    block = AutoBlock(clock)
    fail(block, THRESHOLD)
    for seconds in (10, 20, 40, 80, 160, LONGEST, LONGEST):
        clock.now += seconds - 0.1
        assert refused(block)
        clock.now += 0.2
        fail(block)


def test_only_one_request_at_a_time_probes_a_blocked_upstream(clock: Clock) -> None:
    block = AutoBlock(clock)
    fail(block, THRESHOLD)
    clock.now += 11
    with block.attempt(KEY, "up.test") as probe:
        assert refused(block)
        probe.answered(200)
        assert not refused(block)  # others need not wait for the whole body


def test_a_probe_that_is_abandoned_lets_the_next_one_try(clock: Clock) -> None:
    block = AutoBlock(clock)
    fail(block, THRESHOLD)
    clock.now += 11
    with pytest.raises(KeyboardInterrupt), block.attempt(KEY, "up.test"):
        raise KeyboardInterrupt
    assert block.is_blocked(KEY)
    assert not refused(block)


def test_requests_that_were_under_way_do_not_lengthen_the_block(clock: Clock) -> None:
    block = AutoBlock(clock)
    attempts = [block.attempt(KEY, "up.test") for _ in range(10)]
    entered = [attempt.__enter__() for attempt in attempts]
    for one in entered:
        one.failed()
    clock.now += 10.1
    assert not refused(block)


def test_one_request_counts_once(clock: Clock) -> None:
    block = AutoBlock(clock)
    with block.attempt(KEY, "up.test") as attempt:
        attempt.answered(500)
        for _ in range(5):
            attempt.failed()
    assert not block.is_blocked(KEY)


def test_upstreams_are_blocked_apart(clock: Clock) -> None:
    block = AutoBlock(clock)
    fail(block, THRESHOLD)
    with block.attempt(("http://other.test/", KEY[1]), "other.test") as attempt:
        attempt.answered(200)
    assert refused(block)
