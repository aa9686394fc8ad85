"""Which of the page's colours a state or a place takes: the same word has the same colour in every lane."""

_TONES = {
    "home": "home",
    "away": "away",
    "on the way": "away",
    "violation": "violation",
    "alarm": "violation",
    "dormant": "idle",
    "disarmed": "idle",
    "off": "idle",
}
_OTHERS = 4


class Palette:
    """Gives each label its colour; labels that it does not know take the spare colours in the order of their appearance."""

    def __init__(self) -> None:
        self._spare: dict[str, str] = {}

    def tone(self, label: str) -> str:
        """The name of the tone, which is also the legend's group."""
        key = label.strip().lower()
        if key in _TONES:
            return _TONES[key]
        return self._spare.setdefault(key, f"other{len(self._spare) % _OTHERS + 1}")

    def colour(self, label: str) -> str:
        """The bar's colour."""
        return f"var(--{self.tone(label)})"

    def ink(self, label: str) -> str:
        """The colour of text on the bar."""
        return f"var(--on-{self.tone(label)})"
