"""Scoring together what arrives together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """Hands items to a function in batches, in one thread, and each caller the answer to its own.

    Args:
        work: items, at least one -> as many answers in their order.
        most: items in a batch.
        wait: seconds that the first item of a batch waits for others; while a batch is worked on, others gather anyway.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Answer]], *, most: int, wait: float) -> None:
        self.work, self.most, self.wait = work, most, wait
        self._queue: asyncio.Queue[tuple[Item, asyncio.Future[Answer]]] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scoring")
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Batcher[Item, Answer]:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *error: object) -> None:
        """Answer what is waiting, then stop."""
        await self._queue.join()
        assert self._task is not None
        self._task.cancel()
        self._thread.shutdown()

    async def __call__(self, item: Item) -> Answer:
        """The answer to one item; an error of its batch is raised."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((item, answer))
        return await answer

    async def _run(self) -> None:
        while True:
            batch = await self._gather()
            wanted = [(item, answer) for item, answer in batch if not answer.cancelled()]  # somebody may have left
            if wanted:
                await self._answer(wanted)
            for _ in batch:
                self._queue.task_done()

    async def _gather(self) -> list[tuple[Item, asyncio.Future[Answer]]]:
        batch = [await self._queue.get()]
        loop = asyncio.get_running_loop()
        end = loop.time() + self.wait
        while len(batch) < self.most:
            try:
                batch.append(self._queue.get_nowait())
                continue
            except asyncio.QueueEmpty:
                pass
            try:
                batch.append(await asyncio.wait_for(self._queue.get(), max(0.0, end - loop.time())))
            except TimeoutError:
                break
        return batch

    async def _answer(self, batch: Sequence[tuple[Item, asyncio.Future[Answer]]]) -> None:
        items = [item for item, _ in batch]
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, self.work, items)
        except Exception as error:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), one in zip(batch, found, strict=True):
            if not answer.done():
                answer.set_result(one)
