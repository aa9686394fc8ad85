# ruff: noqa: SLF001 - folding is the one place that knows a tag's insides; its tests hold it to the tag's own word
"""The tag's motion detector through known movement, window by window: the decisions that `Motion.feed` makes each second."""

from typing import Any, Protocol

from strapline_simulator.fleet.engine_motion import Activity

_WINDOW = 10


class Limb(Protocol):
    """A tag and who wears it."""

    tag: Any
    wearer: Any


class KnownTravel:
    """How far the vector travels in a second that is lived through, as the tag's detector adds it up: known from the movement itself."""

    def __init__(self, limb: Limb) -> None:
        self._limb = limb

    def travel(self, _samples: Any, _count: int) -> int:
        """In place of `Motion._travel`."""
        wearer, motion = self._limb.wearer, self._limb.tag.motion
        travelled, last = wearer.moves().travel(int(wearer.now_s), 1, (motion._x, motion._y, motion._z))
        motion._x, motion._y, motion._z = last
        return int(travelled)


class MotionFold:
    """Of one tag. `walk` goes on until something would be told; `settle` makes the detector what it then is."""

    def __init__(self, motion: Any, activity: Activity, second: int) -> None:
        situation = motion._situation
        self._motion = motion
        self._activity = activity
        self.second = second
        """The next to be fed."""
        self._feeds = second + _WINDOW - 1 - motion.due // 1000
        self._travelled, self._still = motion._travelled, motion._still
        self._moving, self._resting = situation.moving, situation.resting
        self._last = motion._x, motion._y, motion._z
        self._began_moving = bool(self._moving)
        self._changes: list[tuple[int, bool]] = []
        """Of moving: from which second's feed on."""
        self._repeats: list[tuple[int, int]] = []
        """From which second up to which each period was as the one before."""
        self._mark: tuple[int, Any] | None = None
        """Where movement comes: the second, and how things stood."""

    def walk(self, end: int) -> int:
        """Up to this second at most; gives where it stopped: at the second whose feed would tell something."""
        while self.second < end:
            if not self._feeds and (self._skip(end) or self._repeat(end) or self._march(end)):
                continue
            if self._window(end) or self._wait(end):
                continue
            state = self._feeds, self._travelled, self._still, self._moving, self._resting, self._last
            was_moving = self._moving
            if not self._feed():
                self._feeds, self._travelled, self._still, self._moving, self._resting, self._last = state
                break
            self._note(self.second, was_moving)
            self.second += 1
        return self.second

    def _note(self, second: int, was_moving: bool) -> None:
        if self._moving != was_moving:
            self._changes.append((second, self._moving))

    def moving_at(self, second: int) -> bool:
        """Behind the feed of this second, which has been walked."""
        moving: bool = self._began_moving
        for since, until in self._repeats:
            if since <= second < until:
                period_s = self._activity.period_s
                second = since - period_s + (second - since) % period_s
        for since, is_moving in self._changes:
            if since > second:
                break
            moving = is_moving
        return moving

    def _skip(self, end: int) -> bool:
        """Windows without any movement, all at once, as long as the tag does not come to rest by them."""
        quiet_s = min(self._quiet_s(), end - self.second)
        if not self._resting:
            quiet_s = min(quiet_s, self._motion._config.rest_after_s - self._still - _WINDOW)
        windows = quiet_s // _WINDOW
        if windows <= 0:
            return False
        was_moving, self._moving = self._moving, False
        self._note(self.second + _WINDOW - 1, was_moving)
        self.second += windows * _WINDOW
        self._still += windows * _WINDOW
        return True

    def _repeat(self, end: int) -> bool:
        """Periods of a movement that finds the detector as it found it a period ago: all at once, for they change nothing."""
        period_s, second = self._activity.period_s, self.second
        if not period_s or period_s % _WINDOW:
            return False
        state = self._travelled, self._still, self._moving, self._resting, self._last
        marked_at, marked = self._mark or (-1, None)
        if second - marked_at < period_s:
            return False
        self._mark = second, state
        periods = (end - second) // period_s
        if second - marked_at != period_s or state != marked or periods <= 0:
            return False
        self.second += periods * period_s
        self._repeats.append((second, self.second))
        self._mark = None
        return True

    def _quiet_s(self) -> int:
        activity = self._activity
        if not activity.moves_s:
            return 0 if activity.period_s == 0 else 1 << 40
        into = self.second % activity.period_s
        return 0 if into < activity.moves_s else activity.period_s - into

    def _march(self, end: int) -> bool:
        """Movement that never ends, and is movement in each of its windows: all of them at once."""
        windows = (end - self.second) // _WINDOW
        if self._resting or windows <= 0 or self._activity.least_travel(_WINDOW) < self._motion._config.moving_mg:
            return False
        was_moving, self._moving = self._moving, True
        self._note(self.second + _WINDOW - 1, was_moving)
        self.second += windows * _WINDOW
        self._last = self._activity.stretch(self.second - _WINDOW, _WINDOW).last or self._last
        self._still = 0
        return True

    def _window(self, end: int) -> bool:
        """What is left of one, of a tag that does not rest, at once; False where that must be fed second by second."""
        config, count = self._motion._config, _WINDOW - self._feeds
        if self._resting or self.second + count > end:
            return False
        travelled, last = self._activity.travel(self.second, count, self._last)
        is_moving = self._travelled + travelled >= config.moving_mg
        if not is_moving and self._still + _WINDOW >= config.rest_after_s:
            return False
        self._last = last
        self._feeds = self._travelled = 0
        self.second += count
        was_moving, self._moving = self._moving, is_moving
        self._note(self.second - 1, was_moving)
        self._still = 0 if is_moving else self._still + _WINDOW
        return True

    def _wait(self, end: int) -> bool:
        """Up to the last second of a window in what is left of which nothing moves: what that one says is to be seen."""
        count = min(_WINDOW - 1 - self._feeds, end - self.second)
        if count <= 0 or self._activity.stretch(self.second, count).first is not None:
            return False
        self._feeds += count
        self.second += count
        return True

    def _feed(self) -> bool:
        """One second; False where something would be told in it."""
        config = self._motion._config
        travel = self._travel()
        if travel and self._resting and travel >= config.motion_wake_mg and not self._wake():
            return False
        self._travelled += travel
        self._feeds += 1
        if self._feeds < _WINDOW:
            return True
        is_moving = self._travelled >= config.moving_mg
        self._feeds = self._travelled = 0
        if is_moving:
            return self._wake()
        self._moving = False
        self._still += _WINDOW
        return self._resting or self._still < config.rest_after_s or self._rest()

    def _travel(self) -> int:
        travelled, self._last = self._activity.travel(self.second, 1, self._last)
        return travelled

    def _wake(self) -> bool:
        self._moving, self._resting, self._still = True, False, 0
        return not self._motion._told

    def _rest(self) -> bool:
        motion = self._motion
        told_at, pause_ms = motion._told_at, motion._config.rest_told_s * 1000
        if motion._situation.armed and (told_at is None or self.second * 1000 - told_at >= pause_ms):
            return False
        self._resting = True
        self._mark = None  # by and by it would be told
        return True

    def settle(self) -> None:
        """What was walked has happened."""
        motion = self._motion
        situation = motion._situation
        motion.due = (self.second + _WINDOW - 1 - self._feeds) * 1000
        motion._travelled, motion._still = self._travelled, self._still
        situation.moving, situation.resting = self._moving, self._resting
        motion._x, motion._y, motion._z = self._last
