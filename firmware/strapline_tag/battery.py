# What is left in the battery.


class Battery:
    def __init__(self):
        self.percent = 100

    def sample(self, now: int, percent: int) -> None:
        self.percent = max(0, min(percent, 100))
