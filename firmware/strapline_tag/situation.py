# What the tag's parts know of each other. Each field has one writer, and everybody may read it: so no part needs another.


class Situation:
    def __init__(self):
        self.armed = False  # monitoring has begun (tag)
        self.away = False  # home is out of reach (presence)
        self.doubted = False  # home is silent, and whether it is out of reach is not clear (presence)
        self.strap_latched = False  # since arming the strap was open or altered (strap)
        self.zone_broken = False  # the wearer is where they must not be (zones)
        self.curfew_broken = False  # or when they must not be there (curfew)
        self.home_hours = False  # the curfew says home now, and the time is trusted (curfew)
        self.moving = True  # in the last ten seconds, and as long as nobody knows better (motion)
        self.resting = False  # it has lain still for long, and nothing has woken it (motion)
        self.charging = False  # (housing)
        self.immersed = False  # (housing)
        self.fixed_at = None  # ms since boot of the last position that could be believed (positioning)
        self.found_out = False  # who is in doubt is elsewhere than where that began, or under foil (positioning, sky)

    @property
    def violation(self) -> bool:
        # Somebody may be looked for: positions often, and each at once.
        return self.armed and self.away and (self.strap_latched or self.zone_broken or self.curfew_broken)
