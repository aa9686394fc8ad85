"""A pytest plugin (`-p mutation.in_tests`): the tests meet a mutant, which STRAPLINE_MUTANT names as JSON."""

import json
import os

from hypothesis import Phase, settings

from mutation.drawing import Mutant, mutated
from mutation.modules import source_of
from mutation.replacing import Finder

_mutant = Mutant(**json.loads(os.environ["STRAPLINE_MUTANT"]))
_finder = Finder()
_finder.replace(_mutant.module, mutated(_mutant, source_of(_mutant.module)))
_finder.install()


def pytest_configure() -> None:
    """That an example fails is enough; nobody wants to see the smallest."""
    settings.register_profile("mutant", settings.default, phases=(Phase.explicit, Phase.generate))
    settings.load_profile("mutant")
