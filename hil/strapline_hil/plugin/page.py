"""A run of tests on a rig as one page: everything inline, nothing fetched, no script."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2

from strapline_hil.plugin.drawing import lanes, power
from strapline_hil.rig.file import RigFile
from strapline_simulator.report.wording import duration_words

Record = dict[str, Any]


def render_page(file: RigFile, records: Sequence[Record]) -> str:
    """The page; `records` as `evidence.record_of` makes them."""
    tests = [_test(number, record) for number, record in enumerate(records, start=1)]
    return _template().render(
        css=files("strapline_simulator.report").joinpath("page.css").read_text(encoding="utf-8"),
        own_css=_asset("page.css"),
        rig=file.rig,
        verdict=_verdict(records),
        about=_about(file),
        tests=tests,
        measurements=[one for test, record in zip(tests, records, strict=True) for one in _measured(test, record)],
    )


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(_asset("page.html.j2"))


def _verdict(records: Sequence[Record]) -> dict[str, str]:
    ran = [record for record in records if record["outcome"] != "skipped"]
    bad = Counter(record["verdict"] or "not judged" for record in ran if record["outcome"] == "failed")
    if bad:
        counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(bad.items()))
        sentence = f"{bad.total()} of {len(ran)} tests did not pass: {counts}."
        return {"kind": "failed", "word": "FAILED", "sentence": sentence}
    if not ran:
        return {"kind": "open", "word": "NOT JUDGED", "sentence": "No test has used the rig."}
    return {"kind": "passed", "word": "PASSED", "sentence": f"All {len(ran)} tests passed."}


def _about(file: RigFile) -> str:
    drivers = ", ".join(dict.fromkeys(part.driver for part in file.instruments.values())) or "none"
    what = (
        f"a simulated board ({file.target.board})" if file.is_virtual else f"{file.target.board} at {file.target.port}"
    )
    simulated = " All instruments are simulated as well, behind their real drivers." if file.is_virtual else ""
    return f"The device under test was {what}; instruments: {drivers}.{simulated}"


def _test(number: int, record: Record) -> dict[str, Any]:
    happenings = record["happenings"]
    return {
        **record,
        "id": f"t{number}",
        "kind": _kind(record),
        "word": record["verdict"] or record["outcome"],
        "took": duration_words(record["duration_s"]),
        "expectations": [_check(one) for one in record["expectations"]],
        "lanes": lanes(happenings),
        "happenings": [(duration_words(t_s), place, text) for t_s, place, text in happenings],
        "further": record["further_happenings"],
        "end": duration_words(max((t_s for t_s, _, _ in happenings), default=0.0)),
        "power": power(record["power"]),
    }


def _kind(record: Record) -> str:
    """Its colour: red is for the product alone."""
    if record["outcome"] == "failed":
        return "bad" if record["verdict"] in ("product", "") else "aside"
    return "good" if record["outcome"] == "passed" else "open"


def _check(expectation: dict[str, Any]) -> dict[str, Any]:
    latency_s = expectation.get("latency_s")
    return {**expectation, "after": "" if latency_s is None else f"after {duration_words(latency_s)}"}


def _measured(test: dict[str, Any], record: Record) -> list[dict[str, Any]]:
    return [
        {
            **one,
            "shown": f"{one['value']:.4g}\N{NO-BREAK SPACE}{one['unit']}".strip(),
            "test": record["name"],
            "test_id": test["id"],
        }
        for one in record["measurements"]
    ]
