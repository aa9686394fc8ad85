"""One libFuzzer run of one target, in a process of its own: `child.py TARGET RUNS SEED FOLDER`, started by `fuzz.py`.

Prints one JSON line a second, `{"executions": n}`. Only our own modules are instrumented: what json, construct or SQLite find
interesting leads nowhere.
"""

import atexit
import json
import os
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # `fuzz` is this folder, not this file

import atheris  # type: ignore[import-not-found, unused-ignore] - Linux on x86-64 only

from fuzz.target import Target

OURS = ["strapline_wire", "strapline_protocol", "strapline_gateway", "strapline_centre", "strapline_tag"]
RSS_LIMIT_MB = 512
INPUT_LIMIT_S = 10
CRASHED = 77
"""Exit status, the one that libFuzzer uses."""

LOOK_EVERY = 256
"""Executions between two looks at the clock."""


class Run:
    """Executions of a target, each in the world that the last ones left, until that has had its share."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._target = target
        self._folder = folder
        self._taken: list[bytes] = []
        self._take = target.build()
        self._told_at = time.monotonic()
        self._crashed = False
        self.executions = 0

    def one(self, data: bytes) -> None:
        if self._target.lives:
            if len(self._taken) == self._target.lives:
                self._taken.clear()
                self._take = self._target.build()
            self._taken.append(data)
        self.executions += 1
        try:
            self._take(data)
        except Exception:
            self._crashed = True
            self._keep(data)
            raise
        if self.executions % LOOK_EVERY == 0 and time.monotonic() - self._told_at > 1.0:
            self.tell()

    def tell(self) -> None:
        self._told_at = time.monotonic()
        print(json.dumps({"executions": self.executions}), flush=True)

    def end(self) -> None:
        """Go at once: libFuzzer's memory watch runs on while the interpreter is taken down under it, and may fall over that."""
        self.tell()
        os._exit(CRASHED if self._crashed else 0)

    def _keep(self, data: bytes) -> None:
        """The crashing input, or all that its world has taken where a fresh one bears it."""
        inputs = [data]
        if self._target.lives and not crashes(self._target, inputs):
            inputs = self._taken
        crash = {"target": self._target.name, "inputs": [one.hex() for one in inputs]}
        (self._folder / "crash.json").write_text(json.dumps(crash) + "\n", encoding="utf-8")


def crashes(target: Target, inputs: list[bytes]) -> bool:
    """Whether these inputs, one after the other in a fresh world, end in an error."""
    take = target.build()
    try:
        for data in inputs:
            take(data)
    except Exception:  # noqa: BLE001 - whatever it is, it is what we look for
        return True
    return False


def main() -> None:
    name, runs, seed, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    with atheris.instrument_imports(include=OURS):
        from fuzz.targets import TARGETS
    target = TARGETS[name]
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    for number, data in enumerate(target.seeds()):
        (corpus / f"seed-{number:03}").write_bytes(data)
    options = [f"-atheris_runs={runs}", f"-seed={seed}", f"-max_len={target.max_len}", f"-rss_limit_mb={RSS_LIMIT_MB}"]
    options += [f"-timeout={INPUT_LIMIT_S}", "-len_control=20", f"-artifact_prefix={folder}/"]
    if target.words:
        dictionary = folder / "words"
        dictionary.write_text("".join(f'"{quoted(word)}"\n' for word in target.words), encoding="utf-8")
        options.append(f"-dict={dictionary}")
    run = Run(target, folder)
    atexit.register(run.end)
    atheris.Setup([sys.argv[0], *options, str(corpus)], run.one)
    atheris.Fuzz()


def quoted(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
