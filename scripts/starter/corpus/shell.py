"""Reading shell commands: which utilities stand in command position, which flags, and when two are the same."""

from __future__ import annotations

import re
import subprocess

# A quoted piece, an operator that ends a command, an opening of a substitution, or a plain word.
_TOKEN = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\$\(|`|\|\||&&|[|;&(){}]|[^\s'"|;&()`]+""")
# Words that run the command behind them.
_RUNNERS = {"sudo", "doas", "xargs", "time", "nohup", "nice", "env", "exec", "command"}
# Words of the language that a command may follow, and such that none follows.
_OPENERS = {"then", "do", "else", "elif", "if", "while", "until", "!"}
_CLOSERS = {"for", "case", "done", "fi", "esac", "in"}
_EXEC = {"-exec", "-execdir", "-ok"}


def positions(command: str) -> list[tuple[int, int, str]]:
    """Start, end and name of each utility that stands in command position, in order."""
    found, wanted, runner = [], True, False
    for token in _TOKEN.finditer(command):
        text = token.group()
        if text in ("$(", "`", "|", "||", "&&", ";", "&", "(", "{"):
            wanted, runner = True, False
        elif text in _EXEC:
            wanted, runner = True, False
        elif wanted and text in _OPENERS:
            continue
        elif wanted and text in _CLOSERS:
            wanted = False
        elif wanted and re.match(r"[A-Za-z_./~]", text) and not re.match(r"\w+=", text):
            found.append((token.start(), token.end(), text))
            wanted = runner = text in _RUNNERS
        elif wanted and not runner and not re.match(r"\w+=", text):
            wanted = False
    return found


def utilities(command: str) -> list[str]:
    """The utilities that stand in command position, in order, without their folder."""
    return [name.rsplit("/", 1)[-1] for _, _, name in positions(command)]


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
    text = command
    for start, end, name in reversed(positions(command)):
        if name == old:
            text = text[:start] + new + text[end:]
    return text if text != command else None


def quoted(path: str) -> str:
    """A path as a shell word: quoted only when it must be."""
    if re.fullmatch(r"[\w@%+=:,./~*?-]+", path):
        return path
    return "'" + path.replace("'", "'\\''") + "'"


def parses(command: str) -> bool:
    """Whether bash accepts the command's syntax."""
    return subprocess.run(["bash", "-n", "-c", command], capture_output=True, check=False).returncode == 0
