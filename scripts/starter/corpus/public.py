"""The public sets: tldr pages, NL2Bash and NLC2CMD, as request and command, cleaned, split and filled in.

Their folder is given by the caller; nothing of them is copied into the repository. Requests in `held_out.txt`-like
sets are withheld by the request alone, never by the answer: else the model would never see `ls`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from .draws import Draw, is_for_test
from .shell import first, parses

MAX_COMMAND, MAX_REQUEST = 180, 260


@dataclass(frozen=True)
class Pair:
    """A request and its command. `page`: the tldr page it comes from, else empty."""

    request: str
    command: str
    page: str = ""


def key(request: str) -> str:
    """A request for comparison between sets."""
    return re.sub(r"[^a-z0-9]+", " ", request.lower()).strip()


def load(folder: Path) -> tuple[list[Pair], list[Pair], list[Pair], list[Pair]]:
    """Training and test pairs of NL2Bash and NLC2CMD, then of tldr (still with `{{placeholders}}`)."""
    corpus, pages = _pairs(folder), _tldr(folder / "tldr" / "tldr-en.jsonl")
    tested = {key(p.request) for p in corpus if is_for_test(p.command)}
    train = [p for p in corpus if not is_for_test(p.command) and key(p.request) not in tested]
    test = [p for p in corpus if is_for_test(p.command)]
    return train, test, [p for p in pages if not is_for_test(p.request)], [p for p in pages if is_for_test(p.request)]


def _pairs(folder: Path) -> list[Pair]:
    requests = (folder / "nl2bash" / "all.nl").read_text(encoding="utf-8").splitlines()
    commands = (folder / "nl2bash" / "all.cm").read_text(encoding="utf-8").splitlines()
    found = [*zip(requests, commands, strict=True)]
    competition = json.loads((folder / "nlc2cmd" / "nl2bash-data.json").read_text(encoding="utf-8"))
    found += [(entry["invocation"], entry["cmd"]) for entry in competition.values()]
    seen, pairs = set(), []
    for request, command in found:
        request, command = " ".join(request.split()), command.strip()
        mark = (key(request), command)
        if not request or not command or len(command) > MAX_COMMAND or len(request) > MAX_REQUEST or mark in seen:
            continue
        seen.add(mark)
        pairs.append(Pair(request, command))
    return [pair for pair, fine in zip(pairs, _parse_all(pairs), strict=True) if fine]


def _parse_all(pairs: list[Pair]) -> list[bool]:
    """Which commands bash can parse; the others teach broken quotes."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda pair: parses(pair.command), pairs))


def _tldr(path: Path) -> list[Pair]:
    pages = []
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        command, description = entry["command"], entry["description"].strip()
        if entry["platform"] in ("common", "linux", "osx") and len(command) <= MAX_COMMAND and re.match(r"[\w./{]", command):
            pages.append(Pair(description, command, entry["page"]))
    return pages


# What a placeholder stands for: words in it, the name to draw, and the noun in the description to put it behind.
_KINDS = [
    (("director", "folder"), lambda d: d.folder(), r"directory|folder"),
    (("file", "path"), lambda d: d.path(), r"file|path|image|script|video|archive|document"),
    (("user",), lambda d: d.user(), r"user|username|account"),
    (("host", "ip_addr", "ip", "server"), lambda d: d.host(), r"host|server|hostname|IP address|IP"),
    (("package",), lambda d: d.package(), r"package"),
    (("branch",), lambda d: d.pick(["main", "dev", "release", f"feature-{d.word()}", d.word()]), r"branch"),
    (("container",), lambda d: d.word(), r"container"),
    (("port",), lambda d: str(d.pick([22, 80, 443, 3000, 5432, 8080, d.number(1024, 9999)])), r"port"),
    (("pattern", "string", "regex", "text"), lambda d: d.word(), r"pattern|string|text"),
    (("service", "unit"), lambda d: d.service(), r"service|unit"),
    (("pid", "process"), lambda d: str(d.number(100, 32000)), r"process|PID|process ID"),
    (("url",), lambda d: f"https://example.com/{d.file()}", r"URL|web page|page|file"),
    (("name",), lambda d: d.word(), r"name"),
]


def filled(pair: Pair, draw: Draw) -> Pair:
    """A tldr pair with its placeholders filled in: a concrete name in both texts where that can be said, else bare."""
    request, command = pair.request, pair.command
    for placeholder in dict.fromkeys(re.findall(r"\{\{(.*?)\}\}", command)):
        name, noun = _name_for(placeholder, draw)
        spots = list(re.finditer(rf"\b(?:an?|the|its|given|this|that)? ?(?:specific|specified|given|single|new|existing|particular|remote|local)? ?({noun})\b", request)) if noun else []
        if len(spots) == 1 and name not in request and draw.chance(0.75):
            spot, said = spots[0], spots[0].group(1)
            lead = " " if spot.group().startswith(" ") else ""
            request = request[: spot.start()] + lead + (f"{said} {name}" if draw.chance(0.5) else name) + request[spot.end() :]
            command = command.replace("{{" + placeholder + "}}", name)
    command = re.sub(r"\{\{(.*?)\}\}", lambda m: _plain(m.group(1)), command)
    return Pair(request, command, pair.page)


def _name_for(placeholder: str, draw: Draw) -> tuple[str, str]:
    text = placeholder.lower()
    for words, name, noun in _KINDS:
        if any(word in text for word in words):
            return name(draw), noun
    return "", ""


def _plain(placeholder: str) -> str:
    """What stays of a placeholder that is not filled in: the short form of an option, the first alternative."""
    options = placeholder[1:-1] if placeholder.startswith("[") and placeholder.endswith("]") else placeholder
    return options.split("|")[0].replace("path/to/", "")


def command_name(pair: Pair) -> str:
    """How a person would name the tool of a tldr pair: `git commit` for the page `git-commit`."""
    return pair.page.replace("-", " ", 1) if first(pair.command) == pair.page.split("-")[0] else first(pair.command)
