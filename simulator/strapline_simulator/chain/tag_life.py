"""The tag's lives: power comes and goes, and images are in its flash, are sent to it, and wear out."""

from datetime import datetime

from strapline_simulator.draw import run_draw
from strapline_simulator.scenario import Scenario
from strapline_simulator.scenario.updates import UpdateKind
from strapline_simulator.tag_node import TagNode
from strapline_simulator.updates import Images, Sent
from strapline_tag import bench
from strapline_wire import manifest


class TagLife:
    """Of one tag in one run."""

    def __init__(self, tag: TagNode, scenario: Scenario, seed: int, secret: bytes) -> None:
        self._tag = tag
        self._scenario = scenario
        self._seed = seed
        self._secret = secret
        self._made: Images | None = None

    def begin(self, now_s: float) -> None:
        """Power for the first time, at this loop time."""
        scenario, tag = self._scenario, self._tag
        if any(step.update or step.spoil_image for step in scenario.steps):
            tag.write_store(bench.KEYS, self._images().public_key)
            tag.write_store(0, self._images().first())
        seed = run_draw(self._seed, "tag")(16)
        tag.boot(now_s, self._secret, seed, scenario.settings, scenario.tag_memory.held)

    def end(self) -> None:
        """The tag goes dark."""
        self._tag.lose_power()

    def begin_again(self, now_s: float) -> None:
        """It knows what it kept, and no time."""
        seed = run_draw(self._seed, f"tag-{len(self._tag.boots)}")(16)
        self._tag.boot(now_s, self._secret, seed, self._scenario.settings)

    def image(self, kind: UpdateKind, now: datetime) -> Sent:
        """The maker's next image for it."""
        return self._images().make(kind, now)

    def spoil_image(self) -> None:
        """The first byte of the image that runs loses its bits."""
        self._tag.write_store(bench.RUNNING, b"\0", manifest.HEAD)

    def _images(self) -> Images:
        if self._made is None:
            self._made = Images(self._seed)
        return self._made
