# Still or moving, from the accelerometer's samples. What counts is how far its vector travels: gravity, and how the tag sits on the limb,
# make no difference to that. Nothing here is a tamper: blows are not escapes.
from strapline_wire import frames
from strapline_wire.compat import const

_WINDOW_S = const(10)


class Motion:
    # tell(code, now, detail): an event, where the tag is armed.
    def __init__(self, config, situation, tell):
        self._config = config
        self._situation = situation
        self._tell = tell
        self._x = self._y = self._z = self._travelled = self._still = 0
        self.due = (_WINDOW_S - 1) * 1000  # then it is to be fed, also where the chip sleeps
        self._told = False  # RESTING was told, and MOVING not yet
        self._told_at = None

    def feed(self, now: int, samples, count: int) -> None:
        # samples: x, y, z in mg by turns; count: of triplets. None while the chip sleeps, because nothing has woken it: then whenever it is
        # due.
        config = self._config
        situation = self._situation
        if count:
            travelled = self._travel(samples, count)
            if situation.resting and travelled >= config.motion_wake_mg:
                self.wake(now)
            self._travelled += travelled
        if now < self.due:
            return
        self.due = now + _WINDOW_S * 1000
        moving = self._travelled >= config.moving_mg
        self._travelled = 0
        if moving:
            self.wake(now)
            return
        situation.moving = False
        self._still += _WINDOW_S
        if self._still >= config.rest_after_s and not situation.resting:
            situation.resting = True
            if situation.armed and (self._told_at is None or now - self._told_at >= config.rest_told_s * 1000):
                self._told = True
                self._told_at = now
                self._tell(frames.EVENT_RESTING, now, 0)

    def _travel(self, samples, count: int) -> int:
        x = self._x
        y = self._y
        z = self._z
        travelled = 0
        for i in range(0, 3 * count, 3):
            new_x = samples[i]
            new_y = samples[i + 1]
            new_z = samples[i + 2]
            travelled += abs(new_x - x) + abs(new_y - y) + abs(new_z - z)
            x = new_x
            y = new_y
            z = new_z
        self._x = x
        self._y = y
        self._z = z
        return travelled

    def wake(self, now: int) -> None:
        # Also where the sensor has failed: what nobody can know is no rest.
        situation = self._situation
        situation.moving = True
        situation.resting = False
        self._still = 0
        if self._told:
            self._told = False
            self._tell(frames.EVENT_MOVING, now, 0)
