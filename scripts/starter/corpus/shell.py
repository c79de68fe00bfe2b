"""Reading shell commands: which utilities stand in command position, which flags, and when two are the same."""

from __future__ import annotations

import re
import subprocess

_POSITION = r"(?:^|[|;&(]\s*|\$\(\s*|`|\bsudo\s+|\bdoas\s+|\bxargs\s+(?:-\S+\s+)*|-exec(?:dir)?\s+|\btime\s+|\bnohup\s+)"


def utilities(command: str) -> list[str]:
    """The utilities that stand in command position, in order, without their folder."""
    return [re.sub(r"^.*/", "", name) for name in re.findall(_POSITION + r"([A-Za-z_./~][\w.+/-]*)", command)]


def first(command: str) -> str:
    """The first utility, looking through `sudo`."""
    found = [name for name in utilities(command) if name not in ("sudo", "doas")]
    return found[0] if found else ""


def flags(command: str) -> list[str]:
    return sorted(word for word in command.split() if re.match(r"^-{1,2}[A-Za-z]", word))


def normal(command: str) -> str:
    """A command for comparison: blanks, quote style and a final semicolon do not matter."""
    return re.sub(r"\s+", " ", command.strip()).replace('"', "'").rstrip(";").strip()


def replaced(command: str, old: str, new: str) -> str | None:
    """`command` with utility `old` replaced by `new` in every command position; None if it has none."""
    text = re.sub(f"({_POSITION})" + re.escape(old) + r"(?=\s|$|`|\))", lambda m: m.group(1) + new, command)
    return text if text != command else None


def quoted(path: str) -> str:
    """A path as a shell word: quoted only when it must be."""
    if re.fullmatch(r"[\w@%+=:,./~*?-]+", path):
        return path
    return "'" + path.replace("'", "'\\''") + "'"


def parses(command: str) -> bool:
    """Whether bash accepts the command's syntax."""
    return subprocess.run(["bash", "-n", "-c", command], capture_output=True, check=False).returncode == 0
