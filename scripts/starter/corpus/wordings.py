"""Lists of wordings from `templates/NAME.txt`.

`= key` begins a list, an empty line ends it; between lists, `#` begins a comment. Backslash and n part lines.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "templates"


@cache
def lists(name: str) -> dict[str, list[str]]:
    """The lists of a file by key, in their order."""
    found: dict[str, list[str]] = {}
    texts: list[str] | None = None
    for line in (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("= "):
            texts = found.setdefault(line[2:], [])
        elif not line:
            texts = None
        elif texts is not None:
            texts.append(line.replace("\\n", "\n"))
    return found
