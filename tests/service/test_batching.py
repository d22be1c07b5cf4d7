"""Items that arrive together are worked on together, and each gets its own answer."""

from __future__ import annotations

import asyncio
import threading

import pytest

pytest.importorskip("fastapi", reason="needs FastAPI: pip install -e .[serve]")

from anodice.service.batching import Batcher


def test_answers_belong_to_their_items_and_batches_are_bounded():
    sizes = []

    def work(items):
        sizes.append(len(items))
        return [item * item for item in items]

    async def ask():
        async with Batcher(work, most=8, wait=0.05) as batcher:
            return await asyncio.gather(*(batcher(k) for k in range(50)))

    assert asyncio.run(ask()) == [k * k for k in range(50)]
    assert max(sizes) == 8
    assert sum(sizes) == 50
    assert len(sizes) == 7


def test_what_arrives_while_others_are_worked_on_waits_for_the_next_batch():
    first, sizes = threading.Event(), []

    def work(items):
        first.wait(10)
        sizes.append(len(items))
        return items

    async def ask():
        async with Batcher(work, most=8, wait=0) as batcher:
            early = asyncio.create_task(batcher(0))
            await asyncio.sleep(0.05)
            late = [asyncio.create_task(batcher(k)) for k in range(1, 6)]
            await asyncio.sleep(0.05)
            first.set()
            return await asyncio.gather(early, *late)

    assert asyncio.run(ask()) == list(range(6))
    assert sizes == [1, 5]


def test_an_error_reaches_its_batch_alone_and_leavers_harm_nobody():
    def work(items):
        if "bad" in items:
            raise ValueError("bad")
        return items

    async def ask():
        async with Batcher(work, most=1, wait=0) as batcher:
            left = asyncio.create_task(batcher("gone"))
            await asyncio.sleep(0)
            left.cancel()
            return await asyncio.gather(batcher("bad"), batcher("good"), return_exceptions=True)

    bad, good = asyncio.run(ask())
    assert isinstance(bad, ValueError)
    assert good == "good"
