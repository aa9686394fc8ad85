"""Fixtures of the hardware's tests."""

import pytest

from provision_bench import ProvisionBench


@pytest.fixture
def bench(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return ProvisionBench(tmp_path, capfd)
