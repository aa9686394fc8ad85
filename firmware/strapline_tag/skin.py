# Body heat, the second vote. A worn sensor differs from its surroundings; one that has taken their temperature for long is off the body.
# Alone it never alarms: a bath at body heat looks the same.


class Skin:
    def __init__(self, config, report):
        self._config = config
        self._report = report  # report("lost" | "back", now, skin temperature in centi °C)
        self.lost = False
        self._alike_since = None

    def arm(self) -> None:
        # What was before arming does not vote: a tag that was armed off the body says so again.
        self.lost = False
        self._alike_since = None

    def sample(self, now: int, skin_centi_c: int, ambient_centi_c: int) -> None:
        if abs(skin_centi_c - ambient_centi_c) > self._config.skin_margin_centi_c:
            self._alike_since = None
            if self.lost:
                self.lost = False
                self._report("back", now, skin_centi_c)
            return
        if self._alike_since is None:
            self._alike_since = now
        if not self.lost and now - self._alike_since >= self._config.skin_lost_s * 1000:
            self.lost = True
            self._report("lost", now, skin_centi_c)

    def alike_for(self, now: int) -> int:
        # Milliseconds for which the sensor has had its surroundings' temperature.
        return 0 if self._alike_since is None else now - self._alike_since
