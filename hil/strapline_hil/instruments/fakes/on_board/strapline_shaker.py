# A shaker with a memory of its own: it takes all samples at once.
import silicon


class Shaker:
    def __init__(self, full_scale_mg):
        self.left = 0

    def play(self, rate, samples):
        at = 0
        while at < len(samples):
            silicon.ask(0x6B, b"+" + bytes(samples[at : at + 4096]))
            at += 4096
        silicon.ask(0x6B, b"!" + bytes((rate,)))

    def still(self):
        silicon.ask(0x6B, b"-")

    def tick(self):
        return None
