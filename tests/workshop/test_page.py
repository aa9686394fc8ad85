"""Reading a page as a reader types it, what counts as what it shows, and that the four users' pages can be typed at all."""

import io
import os
import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from workshop import page

DOCS = Path(__file__).parents[2] / "docs"
USERS = ("firmware-engineers", "qa", "integrators", "ci")
TEXT = """# A page

```sh
echo first
```

Some words.

```text
first
```

Save this as `in/a.txt`:

```text title="in/a.txt"
it's a "file" with $HOME
```

```sh
cat in/a.txt
```

```yaml
no: command
```

```text
and this is shown by nobody
```
"""


@pytest.fixture
def typed(tmp_path):
    def call(text):
        (tmp_path / "page.md").write_text(text)
        return page.type_page(tmp_path / "page.md", tmp_path, dict(os.environ))

    return call


def test_a_page_is_what_is_typed_and_what_is_saved_in_order():
    assert list(page.steps(TEXT)) == [
        page.Typed(3, "echo first\n", "first\n"),
        page.Saved(15, "in/a.txt", 'it\'s a "file" with $HOME\n'),
        page.Typed(19, "cat in/a.txt\n", None),
    ]


@pytest.mark.parametrize(
    ("printed", "shown", "alike"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a  \n\n\nb\n", "a\n\nb\n", True),
        ("a\nb\n", "a\n", False),
        ("a\n", "a\nb\n", False),
        ("a 12 s\n", "a … s\n", True),
        ("a 12 m\n", "a … s\n", False),
        ("x\ny\na\nz\n", "…\na\n…\n", True),
        ("a\n", "…\na\n", True),
        ("x\ny\n", "…\na\n", False),
        ("a (b) [c] *\n", "a (b) [c] *\n", True),
        ("1    2\n", "1 2\n", True),
        ("==== 1 passed in 12.3s ====\n", "===== 1 passed in … =====\n", True),
    ],
)
def test_dots_stand_for_what_differs(printed, shown, alike):
    assert page.is_as_shown(printed, shown) is alike


def test_it_is_typed_into_one_shell_and_the_file_is_saved_as_it_is(typed, tmp_path, capsys):
    assert typed(TEXT + "\n```sh\nhere=1; cd in\n```\n\n```sh\necho $here; ls\n```\n\n```text\n1\na.txt\n```\n") == 0
    assert (tmp_path / "in/a.txt").read_text() == 'it\'s a "file" with $HOME\n'
    assert capsys.readouterr().out.count("as shown") == 2


def test_what_else_came_is_told(typed, capsys):
    assert typed("```sh\necho other; echo >&2 more\n```\n\n```text\nfirst\n```\n") == 1
    said = capsys.readouterr().out
    assert "page.md:1: OTHER" in said
    assert "-first\n+other\n+more\n" in said


def test_a_page_that_ends_the_shell_is_told(typed):
    with pytest.raises(EOFError, match="last words"):
        typed("```sh\necho last words; exit\n```\n")


@pytest.mark.parametrize("name", USERS)
def test_a_users_page_begins_with_setup_and_shows_what_comes_of_it(name):
    blocks = [step for step in page.steps((DOCS / f"{name}.md").read_text()) if isinstance(step, page.Typed)]
    assert blocks[0].commands.startswith("make setup\n. .venv/bin/activate\n")
    assert sum(block.shown is not None for block in blocks) >= 4


@pytest.mark.parametrize("name", USERS)
def test_what_a_users_page_types_is_a_shells(name):
    for step in page.steps((DOCS / f"{name}.md").read_text()):
        if isinstance(step, page.Typed) or step.name.endswith(".sh"):
            _check_shell(step.commands if isinstance(step, page.Typed) else step.content)


def test_a_pipelines_jobs_call_what_the_page_has_saved():
    files = {
        step.name: step.content for step in page.steps((DOCS / "ci.md").read_text()) if isinstance(step, page.Saved)
    }
    github, gitlab = (
        YAML(typ="safe").load(io.StringIO(files[name]))
        for name in (".github/workflows/scenarios.yml", ".gitlab-ci.yml")
    )
    runs = [step["run"] for step in github["jobs"]["scenarios"]["steps"] if "run" in step]
    for commands in ("\n".join(runs), "\n".join(gitlab["scenarios"]["script"])):
        _check_shell(commands)
        assert set(re.findall(r"\bci/\w+\.sh", commands)) == {name for name in files if name.endswith(".sh")}


def _check_shell(commands):
    subprocess.run(["bash", "-n"], input=commands, text=True, check=True, timeout=30)
