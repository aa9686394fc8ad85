"""Small drawings as SVG paths: when things happened, and the current over time. Colours and labels are the page's."""

from collections.abc import Sequence
from typing import Any

from strapline_simulator.report.thinning import thin
from strapline_simulator.report.wording import duration_words

_WIDTH, _HEIGHT = 1000.0, 100.0
_LANES = {"test": "test", "world": "wearer", "centre": "centre", "alert": "alerts"}


def lanes(happenings: Sequence[tuple[float, str, str]]) -> list[dict[str, str]]:
    """One for each place where something happened, with a tick for each thing, from the beginning to the last of them."""
    end_s = max((t_s for t_s, _, _ in happenings), default=0.0)
    found = []
    for place, name in _LANES.items():
        ticks = [_across(t_s, 0.0, end_s) for t_s, at, _ in happenings if at == place]
        if ticks:
            path = "".join(f"M{x:.1f} 3V19" for x in dict.fromkeys(ticks))
            found.append({"name": name, "path": path, "kind": "alarm" if place == "alert" else "plain"})
    return found


def power(bins: Sequence[tuple[float, float, float]]) -> dict[str, Any] | None:
    """Mean and peak; None without a sample."""
    if not bins:
        return None
    begin_s, end_s = bins[0][0], bins[-1][0]
    top_ua = max(1.0, *(peak for _, _, peak in bins))

    def path(points: Sequence[tuple[float, float]]) -> str:
        drawn = (
            f"{_across(t_s, begin_s, end_s):.1f} {_HEIGHT - 1 - (_HEIGHT - 3) * max(0.0, ua) / top_ua:.1f}"
            for t_s, ua in thin(points)
        )
        return "M" + "L".join(drawn)

    mean_ua = sum(mean for _, mean, _ in bins) / len(bins)
    return {
        "means": path([(t_s, mean) for t_s, mean, _ in bins]),
        "peaks": path([(t_s, peak) for t_s, _, peak in bins]),
        "top": current_words(top_ua),
        "begin": duration_words(begin_s),
        "end": duration_words(end_s),
        "words": f"{current_words(mean_ua)} on average, {current_words(top_ua)} at most, over {duration_words(end_s - begin_s)}.",
    }


def current_words(micro_a: float) -> str:
    """To three figures, in µA or mA."""
    return f"{micro_a / 1000:.3g}\N{NO-BREAK SPACE}mA" if micro_a >= 1000 else f"{micro_a:.3g}\N{NO-BREAK SPACE}µA"


def _across(t_s: float, begin_s: float, end_s: float) -> float:
    return 2 + (_WIDTH - 4) * (t_s - begin_s) / ((end_s - begin_s) or 1.0)
