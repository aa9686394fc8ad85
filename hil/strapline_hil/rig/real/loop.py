"""An event loop in a thread of its own."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """An event loop that goes on by itself. What nobody caught on it is raised at the next call."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._failure: BaseException | None = None
        self._loop.set_exception_handler(self._note)
        self._thread = Thread(target=self._loop.run_forever, name="strapline-chain", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """On the loop, to its end."""
        task = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return task.result()
        except KeyboardInterrupt:
            task.cancel()
            raise

    def time(self) -> float:
        return self._loop.time()

    def raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def end(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do this on the loop, and end it; nothing where it has ended."""
        if self._loop.is_closed():
            return
        try:
            self.run(last())
            self.run(self._loop.shutdown_asyncgens())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _note(self, _loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        self._failure = self._failure or context.get("exception") or RuntimeError(str(context["message"]))
