"""Virtual time: it jumps, it stands still while something is in flight, and it lets nothing fail unseen."""

import asyncio
import threading
import time

import pytest

from strapline_simulator.clock import VirtualClockLoop, run_virtual


def test_a_month_of_sleep_takes_no_time():
    async def main():
        await asyncio.sleep(30 * 86400)
        return asyncio.get_running_loop().time()

    started = time.monotonic()
    assert run_virtual(main()) == pytest.approx(30 * 86400)
    assert time.monotonic() - started < 5


def test_time_stands_still_while_a_message_is_in_flight():
    async def main():
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        loop.hold("letter")

        def arrive():
            loop.release("letter")
            arrived.set()

        carrier = threading.Timer(0.2, lambda: loop.call_soon_threadsafe(arrive))
        carrier.start()
        ticking = asyncio.create_task(asyncio.sleep(3600))
        await arrived.wait()
        at = loop.time()
        await ticking
        carrier.join()
        return at, loop.time()

    at, end = run_virtual(main())
    assert at == 0.0
    assert end == pytest.approx(3600)


class Ticker:
    """Ticks every 10 s and says something on each third tick."""

    def __init__(self):
        self.ticks = 0
        self.deadline = 10.0
        self.said = []
        self.calls = 0

    def next_deadline(self):
        return self.deadline

    def advance(self, until):
        self.calls += 1
        while self.deadline <= until:
            at = self.deadline
            self.ticks += 1
            self.deadline += 10.0
            if self.ticks % 3 == 0:
                return at
        return None

    def deliver(self):
        self.said.append(asyncio.get_running_loop().time())


def test_an_actor_runs_ahead_and_is_heard_at_its_own_time():
    async def main():
        ticker = Ticker()
        asyncio.get_running_loop().add_actor(ticker)
        await asyncio.sleep(100)
        return ticker

    ticker = run_virtual(main())
    assert ticker.ticks == 10
    assert ticker.said == [30.0, 60.0, 90.0]
    assert ticker.calls <= 5


def test_two_actors_never_overtake_each_other():
    class Recorder(Ticker):
        def __init__(self, journal, first, name):
            super().__init__()
            self.deadline = first
            self.journal = journal
            self.name = name

        def advance(self, until):
            if self.deadline > until:
                return None
            at, self.deadline = self.deadline, self.deadline + 10.0
            self.journal.append((at, self.name))
            return at

    async def main():
        journal = []
        for first, name in ((3.0, "a"), (4.0, "b")):
            asyncio.get_running_loop().add_actor(Recorder(journal, first, name))
        await asyncio.sleep(50)
        return journal

    journal = run_virtual(main())
    assert journal == sorted(journal)
    assert len(journal) == 10


def test_an_exception_in_a_callback_ends_the_run():
    async def main():
        asyncio.get_running_loop().call_later(1, lambda: 1 // 0)
        await asyncio.sleep(10)

    with pytest.raises(ZeroDivisionError):
        run_virtual(main())


def test_a_run_with_nothing_left_to_do_says_so():
    async def main():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="nothing left to do"):
        run_virtual(main())


def test_release_without_hold_is_harmless():
    loop = VirtualClockLoop()
    loop.release("nothing")
    assert loop.holds == 0
    loop.close()


def test_who_sets_his_timer_again_until_his_moment_has_come_is_not_woken_for_ever():
    """Time has whole microseconds, and a deadline that is a sum of floats lies a hair beside one of them."""

    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.sleep(8192.38)
        deadline, wakings, done = 8192.380000000001, [], asyncio.Event()

        def wake():
            wakings.append(loop.time())
            if loop.time() >= deadline:
                done.set()
            elif len(wakings) < 10:
                loop.call_at(deadline, wake)

        loop.call_at(deadline, wake)
        async with asyncio.timeout(1.0):
            await done.wait()
        return wakings

    assert len(run_virtual(main())) <= 2
