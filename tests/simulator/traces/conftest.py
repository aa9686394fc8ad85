"""A small trace of a simulated run, made once, with its keys in it."""

import pytest

from traced_run import make_run


@pytest.fixture(scope="session")
def run_with_keys(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "with")
