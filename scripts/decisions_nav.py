"""A hook for mkdocs: the decisions are listed by their numbers, so that a new one needs no line in mkdocs.yml."""

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Add the pages in `decisions/` to the navigation, oldest first."""
    pages = sorted(page.name for page in Path(config.docs_dir, "decisions").glob("*.md"))
    if pages:
        config.nav.append({"Decisions": [f"decisions/{name}" for name in pages]})
    return config
