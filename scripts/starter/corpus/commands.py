"""Job: a shell command from a request. Task shapes in `templates/commands-*.txt`, and the public sets.

The other jobs build on `task`: a lesson, a correction, a failure or a verdict is always about some task.

A block of a template file, blocks parted by an empty line:

    = find {d} -name '*.{ext}'          the command; slots in braces, quoted for the shell where their value needs it
    ~ find {d} -name '*.{ext}'          the same with long options (only where it differs)
    > fd: fd -e {ext} . {d}             the same task with another tool, whose options differ
    @ macos                             tags: macos | linux (only there), destructive, sudo
    - Find all {ext} files below {d}    wordings; the first is a full sentence that also explains the command
    - where are the .{ext} files in {d}?
    de: finde alle {ext}-Dateien in {d} wordings in German, French, Spanish (de, fr, es), as many as wanted

Slots: {f} {f2} files with or without folder · {s} {s2} files whose name may hold blanks · {d} {d2} folders ·
{w} {w2} words · {p} a phrase of two or three words · {n} {n2} numbers (2-400, 2-99) · {ext} {ext2} extensions ·
{u} user · {g} group · {h} host · {port} · {pkg} · {svc} · {br} {br2} branches · {msg} a commit message · {img} {ctr} container
image and name · {url} · {giturl} · {pid} · {mode} · {var} an upper-case variable · {date} 2026-03-14 · {hour} 0-23 ·
{minute} 0-59 · {size} 10M · {sig} · {hash} a short commit id · {tag} v1.4.2 · {key} a JSON key · {col} 1-9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from . import public
from .documents import AGENT, Case, Document, conversation, lessons_block
from .draws import EXTENSIONS, STEMS, Draw
from .shell import quoted

FOLDER = Path(__file__).parent / "templates"
LANGUAGES = ("de", "fr", "es")


@dataclass(frozen=True)
class Template:
    """One task shape."""

    command: str
    long: str | None
    alternatives: dict[str, str]
    tags: frozenset[str]
    wordings: tuple[str, ...]
    translations: dict[str, tuple[str, ...]] = field(hash=False)


@dataclass
class Task:
    """A request with its right command. `long` and `alternatives` as in the template; `explanation` one sentence."""

    request: str
    command: str
    long: str | None = None
    alternatives: dict[str, str] = field(default_factory=dict)
    explanation: str = ""
    tags: frozenset[str] = frozenset()
    template: Template | None = None
    slots: dict[str, str] = field(default_factory=dict)


@cache
def templates(files: str = "commands-*.txt") -> tuple[Template, ...]:
    """The shapes of these files, in the files' order."""
    blocks = []
    for path in sorted(FOLDER.glob(files)):
        text = "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
        blocks += [_template(block, path.name) for block in re.split(r"\n\s*\n", text) if block.strip()]
    return tuple(blocks)


def first_ones() -> tuple[Template, ...]:
    """What a newcomer types first, and what is typed most in a day: these few shapes must be known by heart."""
    return templates("commands-0-*.txt") + templates("commands-1-files.txt")


def _template(block: str, where: str) -> Template:
    command, long, alternatives, tags, wordings, translations = "", None, {}, set(), [], {}
    for line in block.strip().splitlines():
        mark, _, text = line.strip().partition(" ")
        if mark == "=":
            command = text
        elif mark == "~":
            long = text
        elif mark == ">":
            tool, _, other = text.partition(": ")
            alternatives[tool] = other
        elif mark == "@":
            tags.update(text.split())
        elif mark == "-":
            wordings.append(text)
        elif mark.rstrip(":") in LANGUAGES:
            translations.setdefault(mark.rstrip(":"), []).append(text)
        else:
            raise ValueError(f"{where}: a line begins with {mark!r}: {line}")
    if not command or not wordings:
        raise ValueError(f"{where}: a block without command or wordings: {block}")
    return Template(command, long, alternatives, frozenset(tags), tuple(wordings), {k: tuple(v) for k, v in translations.items()})


def slots(draw: Draw) -> dict[str, str]:
    """Values for every slot of a template."""
    ext = draw.sample(EXTENSIONS, 2)
    return {
        "f": draw.path(), "f2": draw.path(), "s": draw.file(spaces=True), "s2": draw.file(spaces=True),
        "d": draw.folder(), "d2": draw.folder(), "w": draw.name(), "w2": draw.name(),
        "p": " ".join(draw.name() for _ in range(draw.pick([2, 2, 3]))),
        "n": str(draw.pick([2, 3, 4, 5, 5, 7, 8, 10, 10, 12, 15, 20, 25, 30, 50, 60, 90, 100, draw.number(2, 400)])),
        "n2": str(draw.number(2, 99)), "ext": ext[0], "ext2": ext[1], "u": draw.user(), "g": draw.pick(["staff", "users", "docker", "www-data", draw.word()]),
        "h": draw.host(), "port": str(draw.pick([22, 80, 443, 2222, 3000, 5000, 5432, 8000, 8080, 9090, draw.number(1024, 9999)])),
        "pkg": draw.package(), "svc": draw.service(),
        "br": _branch(draw), "br2": _branch(draw), "msg": _commit_message(draw),
        "img": draw.pick(["nginx", "redis", "postgres:16", "ubuntu:24.04", "alpine", "node:22", draw.word()]),
        "ctr": draw.pick(["web", "db", "api", "cache", draw.word(), draw.word()]),
        "url": f"https://{draw.pick(['example.com', 'files.example.org', f'{draw.word()}.io'])}/{draw.file()}",
        "giturl": f"https://github.com/{draw.word()}/{draw.word()}.git", "pid": str(draw.number(100, 32000)),
        "mode": draw.pick(["644", "755", "600", "700", "640", "+x", "u+w", "750", "664", "go-w"]), "var": draw.name().upper(),
        "date": f"20{draw.number(20, 27)}-{draw.number(1, 12):02}-{draw.number(1, 28):02}",
        "hour": str(draw.number(0, 23)), "minute": str(draw.number(0, 59)), "size": f"{draw.pick([1, 5, 10, 20, 50, 100, 200, 500])}{draw.pick('KMMG')}",
        "sig": draw.pick(["HUP", "INT", "TERM", "KILL", "USR1", "STOP", "CONT"]), "hash": f"{draw.number(0x1000000, 0xfffffff):x}",
        "tag": f"v{draw.number(0, 9)}.{draw.number(0, 20)}.{draw.number(0, 9)}", "key": draw.pick(["name", "id", "version", "email", "status", draw.word()]),
        "col": str(draw.number(1, 9)),
    }  # fmt: skip


def _branch(draw: Draw) -> str:
    return draw.pick(["dev", "main", "master", "release", "staging", f"feature-{draw.word()}", f"fix-{draw.word()}", f"feature/{draw.word()}", draw.word()])


def _commit_message(draw: Draw) -> str:
    return draw.pick([
        "fix typo", "add tests", "update readme", "initial commit", "remove dead code", "bump version", "wip",
        f"fix {draw.word()}", f"add {draw.word()} parser", f"refactor {draw.pick(STEMS)}", f"improve {draw.pick(STEMS)} docs",
    ])  # fmt: skip


def fill(text: str, values: dict[str, str], shell: bool = False) -> str:
    """`text` with its slots filled in; with `shell`, values are quoted where they stand bare and need it."""

    def value(match: re.Match) -> str:
        if match.group(1) not in values:
            return match.group()
        text_of = values[match.group(1)]
        before = text[: match.start()]
        inside = before.count("'") % 2 == 1 or before.count('"') % 2 == 1
        return quoted(text_of) if shell and not inside and " " in text_of else text_of

    return re.sub(r"\{(\w+)\}", value, text)


def from_template(draw: Draw, template: Template, language: str | None = None) -> Task:
    """A task of one shape with fresh names."""
    values = slots(draw)
    wordings = template.translations.get(language or "", template.wordings)
    return Task(
        request=fill(draw.wording(list(wordings)), values),
        command=fill(template.command, values, shell=True),
        long=fill(template.long, values, shell=True) if template.long else None,
        alternatives={tool: fill(text, values, shell=True) for tool, text in template.alternatives.items()},
        explanation=fill(template.wordings[0], values),
        tags=template.tags,
        template=template,
        slots=values,
    )


_public: dict[str, list[public.Pair]] = {"train": [], "test": [], "tldr train": [], "tldr test": []}


def use_public(folder: Path) -> None:
    """Makes the public sets part of what `task` draws from."""
    for name, pairs in zip(("train", "test", "tldr train", "tldr test"), public.load(folder), strict=True):
        _public[name] = pairs


def task(draw: Draw, synthetic: float = 0.7) -> Task:
    """Some task of this side: mostly of our own shapes, else from the public sets (where they are loaded).

    Shapes that are right on macOS only are left out: the caller's prompt names no system.
    """
    if draw.chance(synthetic) or not _public["train"]:
        return from_template(draw, draw.pick(everywhere()))
    if draw.chance(0.6):
        pair = draw.pick(_public[draw.side])
    else:
        pair = public.filled(draw.pick(_public[f"tldr {draw.side}"]), draw)
    return Task(varied(pair.request, draw, pair.command), pair.command)


@cache
def everywhere() -> tuple[Template, ...]:
    return tuple(template for template in templates() if "macos" not in template.tags)


def tldr(side: str) -> list[public.Pair]:
    """The tldr pairs of a side, placeholders and all; empty where the public sets are not loaded."""
    return _public[f"tldr {side}"]


POLITE = [
    "how do I {}?", "please {}", "I want to {}", "can you {}?", "{} please", "how to {}", "{}, thanks", "i need to {}", "hey, {}",
    "pls {}", "could you {}?", "how can i {}", "I'd like to {}", "go and {}",
]  # fmt: skip


@cache
def _verbs() -> frozenset[str]:
    """Words that a request can begin with as an order: the first words of the explanations."""
    return frozenset(template.wordings[0].split()[0].lower() for template in templates())


def varied(request: str, draw: Draw, command: str = "") -> str:
    """A request as people type it: capital or not, full stop or not, now and then polite or misspelt.

    What stands in `command` too is a name to be copied, and stays as it is.
    """
    first, kept = re.split(r"[\s,.]", request, maxsplit=1)[0], set(re.findall(r"\w+", command))
    if first not in kept and draw.chance(0.45):
        request = request[:1].lower() + request[1:]
    if draw.chance(0.6):
        request = request.rstrip(".")
    if first.lower() in _verbs() and " " in request and draw.chance(0.12):
        request = draw.pick(POLITE).format(request[:1].lower() + request[1:].rstrip(".?"))
    return misspelt(request, draw, kept) if draw.chance(0.04) else request


def misspelt(text: str, draw: Draw, kept: set[str] | frozenset[str] = frozenset()) -> str:
    """One slip of the fingers in a plain word of five letters or more, never in a name or a path."""
    words = re.finditer(r"(?<![\w./~'\"@:{=-])[a-z]{5,}(?![\w./~'\"@:}=-])", text)
    spots = [m for m in words if m.group() not in kept]
    if not spots:
        return text
    spot = draw.pick(spots)
    word, i = spot.group(), draw.number(1, len(spot.group()) - 2)
    slip = draw.pick([word[:i] + word[i + 1] + word[i] + word[i + 2 :], word[:i] + word[i + 1 :], word[:i] + word[i] + word[i:]])
    return text[: spot.start()] + slip + text[spot.end() :]


CONTEXT = ("Shell: bash", "Shell: zsh", "Shell: fish", "OS: Linux", "OS: macOS")


def system(draw: Draw, lessons: list[str] | None = None, platform: str | None = None) -> str | None:
    """The system message as the program writes it: who it is, then shell, system and folder, then lessons."""
    if not lessons and not platform and draw.chance(0.15):
        return None
    lines = [AGENT]
    if platform or draw.chance(0.3):
        lines += [draw.pick(CONTEXT[:3])] if draw.chance(0.7) else []
        lines += [f"OS: {platform or 'Linux'}"] if platform or draw.chance(0.5) else []
        lines += [f"Cwd: {draw.pick(['~', '~/src', '~/src/' + draw.word(), '/home/' + draw.user(), '~/work/' + draw.word()])}"] if draw.chance(0.6) else []
    if lessons:
        lines.append(lessons_block(lessons))
    return "\n".join(lines)


def _platform(template: Template, draw: Draw) -> str | None:
    """The system that must be named for a template's command to be the right one."""
    if "macos" in template.tags:
        return "macOS"
    return "Linux" if "linux" in template.tags else None


def documents(draw: Draw, n: int) -> Iterator[Document]:
    """Requests with their commands: our shapes in several languages, the public pairs."""
    for _ in range(n):
        source = draw.weighted({"shapes": 62, "first": 12, "translated": 6, "pairs": 12, "tldr": 8})
        if source == "pairs" and _public["train"]:
            pair = draw.pick(_public["train"])
            yield Document("command", source, conversation(system(draw), varied(pair.request, draw, pair.command), pair.command))
        elif source == "tldr" and _public["tldr train"]:
            pair = public.filled(draw.pick(_public["tldr train"]), draw)
            yield Document("command", source, conversation(system(draw), _with_tool(pair, draw), pair.command))
        else:
            template = draw.pick(first_ones() if source == "first" else templates())
            language = draw.pick(LANGUAGES) if source == "translated" else None
            if language and language not in template.translations:
                language = next(iter(template.translations), None)
            found = from_template(draw, template, language)
            request = found.request if language else varied(found.request, draw, found.command)
            platform = _platform(template, draw)
            yield Document("command", language or "shapes", conversation(system(draw, platform=platform), request, found.command))


def _with_tool(pair: public.Pair, draw: Draw) -> str:
    """A tldr description as a request; mostly names the tool, since thousands of tools are not known by heart."""
    request, tool = varied(pair.request, draw, pair.command), public.command_name(pair)
    if draw.chance(0.2):
        return request
    lower = request[:1].lower() + request[1:]
    return draw.pick([f"{request} with {tool}", f"{request} using {tool}", f"{tool}: {request}", f"use {tool} to {lower}"])


def cases(draw: Draw, n: int) -> Iterator[Case]:
    """Unseen wordings and names of our shapes, and the withheld public pairs."""
    pairs = draw.sample(_public["test"], n) + [public.filled(p, draw) for p in draw.sample(_public["tldr test"], n)]
    for pair in pairs:
        kind = "tldr" if pair.page else "nl2bash"
        yield Case("command", kind, conversation(AGENT, _with_tool(pair, draw) if pair.page else pair.request), {"command": pair.command})
    for _ in range(n):
        template = draw.pick(templates())
        found = from_template(draw, template)
        yield Case("command", "shapes", conversation(system(draw, platform=_platform(template, draw)) or AGENT, found.request), {"command": found.command})
