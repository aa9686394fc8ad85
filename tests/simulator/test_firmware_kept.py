"""A build that is kept is the build, and a damaged one is none."""

import pytest

from strapline_simulator.firmware import kept
from strapline_simulator.firmware.kept import Built, built

MADE = Built("strapline_app", "import strapline_app\n", bytes(range(256)), 200)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def builds(texts, root="app", made=MADE):
    """(what came of it, whether it had to be built)"""
    calls = []

    def build():
        calls.append(root)
        return made

    return built(texts, root, build), bool(calls)


def test_the_same_sources_are_built_once():
    assert builds({"app": "pass"}) == (MADE, True)
    assert builds({"app": "pass"}) == (MADE, False)


@pytest.mark.parametrize(
    ("texts", "root"), [({"app": "pass "}, "app"), ({"app": "pass"}, "boot"), ({"app": "pass", "b": ""}, "app")]
)
def test_another_source_or_another_root_is_another_build(texts, root):
    builds({"app": "pass"})
    assert builds(texts, root)[1]


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b[:-1] + b"\0", lambda _: b"", lambda _: b"[]\n", lambda b: b"x" + b]
)
def test_a_damaged_one_is_built_anew(damage):
    builds({"app": "pass"})
    (path,) = kept.folder().iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert builds({"app": "pass"}) == (MADE, True)


def test_the_builders_own_code_counts(monkeypatch):
    builds({"app": "pass"})
    monkeypatch.setattr(kept, "_tools", lambda: ["another"])
    assert builds({"app": "pass"})[1]


def test_only_so_many_are_kept():
    for number in range(30):
        builds({"app": str(number)})
    assert len(list(kept.folder().iterdir())) == 16


def test_where_nothing_can_be_kept_it_is_built_each_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert [builds({"app": "pass"})[1] for _ in range(2)] == [True, True]
