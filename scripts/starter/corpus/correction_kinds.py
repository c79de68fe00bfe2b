"""What is corrected, and how: each kind makes a request, a first answer, the user's correction and the right answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from . import commands, lesson_kinds, lesson_office
from .commands import Task, fill, slots
from .draws import EXTENSIONS, Draw
from .lesson_words import Example, sections, typed
from .shell import first

NOUNS = {
    "f": "file", "f2": "file", "s": "file", "s2": "file", "d": "folder", "d2": "folder", "u": "user", "h": "host",
    "port": "port", "svc": "service", "pkg": "package",
    "br": "branch", "br2": "branch", "ctr": "container", "img": "image", "ext": "extension", "ext2": "extension",
    "n": "number", "n2": "number", "w": "name", "w2": "name",
    "g": "group", "tag": "tag", "url": "url", "mode": "mode", "size": "size", "date": "date", "pid": "pid",
    "key": "key", "col": "column", "hash": "commit", "sig": "signal", "msg": "message",
}  # fmt: skip
LEADS = [
    "no, {}", "no, {}", "nope, {}", "nice, but {}", "good, but {}", "almost, {}", "close, but {}", "thanks, but {}",
    "hmm, {}", "sorry, {}", "wrong, {}", "no! {}", "ok but {}",
    "great, now {}", "not quite: {}", "looks good, but {}", "oh, {}", "wait, {}", "perfect, except {}",
    "that's nearly it, {}", "no no, {}", "argh, {}", "well, {}", "{}, please", "{}!", "{} pls",
    "thanks! but {}", "nah, {}", "nein, {}", "non, {}",
]  # fmt: skip
# Errors that say what is to be changed: command, error, repaired command, requests.
ERRORS = [
    ("cp {d} {d2}", "cp: -r not specified; omitting directory '{d}'", "cp -r {d} {d2}", ["copy {d} to {d2}",
        "cp {d} to {d2}", "make a copy of {d} called {d2}", "duplicate {d} as {d2}"]),
    ("rm {d}", "rm: cannot remove '{d}': Is a directory", "rm -r {d}", ["delete {d}", "remove {d}", "rm {d}",
        "get rid of {d}"]),
    ("mkdir {w}/{w2}", "mkdir: cannot create directory '{w}/{w2}': No such file or directory", "mkdir -p {w}/{w2}",
        ["make the folder {w}/{w2}", "create {w}/{w2}", "mkdir {w}/{w2}", "new directory {w}/{w2}"]),
    ("git push", "fatal: The current branch {br} has no upstream branch.", "git push -u origin {br}",
        ["push my commits", "git push", "push", "push this branch"]),
    ("python {w}.py", "bash: python: command not found", "python3 {w}.py", ["run {w}.py", "start {w}.py",
        "execute {w}.py", "run the script {w}.py"]),
    ("pip install {pkg}", "bash: pip: command not found", "pip3 install {pkg}", ["pip install {pkg}",
        "install {pkg} with pip", "get the python package {pkg}", "install the python package {pkg}"]),
    ("docker-compose up -d", "docker-compose: command not found", "docker compose up -d", ["start the compose stack",
        "bring up the containers of the compose file", "compose up", "start all compose services"]),
    ("./{w}.sh", "bash: ./{w}.sh: Permission denied", "bash {w}.sh", ["run {w}.sh", "execute the script {w}.sh",
        "start {w}.sh", "run the script {w}.sh"]),
    ("rmdir {d}", "rmdir: failed to remove '{d}': Directory not empty", "rm -r {d}", ["remove the directory {d}",
        "delete the folder {d}", "rmdir {d}", "remove folder {d}"]),
    ("git checkout {br}", "error: pathspec '{br}' did not match any file(s) known to git", "git checkout -b {br}",
        ["switch to {br}", "checkout {br}", "go to the branch {br}", "change to branch {br}"]),
    ("grep {w} {d}", "grep: {d}: Is a directory", "grep -r {w} {d}", ["search {d} for {w}", "grep {w} in {d}",
        "look for {w} in {d}", "find {w} in {d}"]),
    ("git branch -d {br}", "error: The branch '{br}' is not fully merged.", "git branch -D {br}",
        ["delete the branch {br}", "remove branch {br}", "git: delete {br}", "drop the branch {br}"]),
    ("ln -s {f} {w}", "ln: failed to create symbolic link '{w}': File exists", "ln -sf {f} {w}", ["link {w} to {f}",
        "make a symlink {w} to {f}", "symlink {f} as {w}", "create the symbolic link {w} to {f}"]),
    ("kill {pid}", "still running, it ignores it", "kill -9 {pid}", ["kill process {pid}", "stop {pid}",
        "end the process {pid}", "kill {pid}"]),
]  # fmt: skip
_DENIED = [
    ("systemctl restart {svc}", "Failed to restart {svc}.service: Access denied", ["restart {svc}",
        "restart the service {svc}", "systemctl restart {svc}", "bounce {svc}"]),
    ("apt install {pkg}", "E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)",
        ["install {pkg}", "apt install {pkg}", "get the package {pkg}", "install the package {pkg}"]),
    ("cp {f} /etc/", "cp: cannot create regular file '/etc/': Permission denied", ["copy {f} to /etc",
        "put {f} into /etc", "cp {f} to /etc", "place {f} in /etc"]),
    ("mkdir /opt/{w}", "mkdir: cannot create directory '/opt/{w}': Permission denied", ["make a folder {w} in /opt",
        "create /opt/{w}", "mkdir /opt/{w}", "new folder /opt/{w}"]),
    ("chown {u} {f}", "chown: changing ownership of '{f}': Operation not permitted", ["give {f} to {u}",
        "make {u} the owner of {f}", "chown {f} to {u}", "{f} should belong to {u}"]),
    ("cat /var/log/{w}", "cat: /var/log/{w}: Permission denied", ["show /var/log/{w}", "print /var/log/{w}",
        "cat /var/log/{w}", "display /var/log/{w}"]),
    ("kill {pid}", "bash: kill: ({pid}) - Operation not permitted", ["kill process {pid}", "stop {pid}",
        "end the process {pid}", "kill {pid}"]),
    ("docker ps", "permission denied while trying to connect to the Docker daemon socket", ["list the containers",
        "docker ps", "which containers run?", "show running containers"]),
    ("rm {f}", "rm: cannot remove '{f}': Permission denied", ["delete {f}", "remove {f}", "rm {f}", "erase {f}"]),
    ("touch /etc/{w}", "touch: cannot touch '/etc/{w}': Permission denied", ["create /etc/{w}", "touch /etc/{w}",
        "make the empty file /etc/{w}", "new file /etc/{w}"]),
]  # fmt: skip


@dataclass
class Exchange:
    """A request and its answer, the user's correction, the right answer. `learn`: whether the first answer was right
    for all that was known then. `old` and `new`: the utility that was swapped, for later requests; `drop_in`: whether
    it takes the same options."""

    kind: str
    request: str
    first: str
    correction: str
    answer: str
    has: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    learn: bool = True
    old: str = ""
    new: str = ""
    drop_in: bool = True
    shell: bool = True
    platform: str | None = None

    def check(self) -> dict:
        check: dict = {"has": self.has, "lacks": [word for word in self.lacks if word not in self.answer]}
        return {**check, "command": self.answer} if self.shell else {**check, "exact": [self.answer]}


def said(draw: Draw, kind: str, lead: float = 0.4, naming: str = "", **values: str) -> str:
    """A correction in one of its kind's wordings, now and then with praise or a no before it.

    `naming`: a slot that the wording must name, because without it nobody could know what is meant.
    """
    text = draw.wording([wording for wording in sections("correction-words.txt")[kind].lessons if naming in wording])
    # Behind a lead the wording would be doubled ("no, no, ..."), and a capital would be odd.
    if draw.chance(lead) and not re.match(r"(no|sorry|oops|nein|thank)\b", text):
        led = draw.wording(LEADS)
        text = led.format(text) if "{}" in led else text
    elif text[:1].islower() and draw.chance(0.2):
        text = text[:1].upper() + text[1:]
    return fill(text + ("." if draw.chance(0.08) and text.endswith(("e", "d", "t")) else ""), values)


def _of(draw: Draw, made: Example | None, kind: str, **values: str) -> Exchange | None:
    """An exchange from a lesson's example: the plain command first, then what the lesson would have made of it."""
    if not made or not made.plain:
        return None
    return Exchange(
        kind,
        made.request,
        made.plain,
        said(draw, kind, **values),
        made.answer,
        made.has,
        made.lacks,
        platform=made.platform,
    )


def tool(draw: Draw, held: bool = False) -> Exchange | None:
    made = lesson_kinds.swap(draw, held) if draw.chance(0.85) else lesson_kinds.alternative(draw, held)
    if not made or made.kind == "alternative" and (" " in made.has[0] or made.has[0] == made.lacks[0]):
        return None
    # A bare "use X" is about the main tool of the command.
    naming = "" if first(made.plain) == made.lacks[0] else "{a}"
    found = _of(draw, made, "tool", naming=naming, a=made.lacks[0], b=made.has[0])
    if found:
        found.old, found.new, found.drop_in = made.lacks[0], made.has[0], made.kind == "swap"
    return found


def flag(draw: Draw, held: bool = False) -> Exchange | None:
    made = lesson_kinds.flag(draw, held)
    if not made:
        return None
    name = _before(made.answer, made.has[0])
    return _of(draw, made, "flag", naming="" if first(made.plain) == name else "{a}", x=made.has[0], a=name)


def _before(command: str, word: str) -> str:
    return command[: command.index(word)].split()[-1]


def no_flag(draw: Draw, held: bool = False) -> Exchange | None:
    """The first answer had a flag that nobody asked for."""
    made = lesson_kinds.flag(draw, held)
    if not made:
        return None
    return Exchange(
        "no flag",
        made.request,
        made.answer,
        said(draw, "no flag", x=made.has[0]),
        made.plain,
        lacks=made.has,
        learn=False,
        platform=made.platform,
    )


def simple(kind: str, make: Callable[..., Example | None]) -> Callable[..., Exchange | None]:
    """A kind of correction that asks for just what a kind of lesson asks for."""

    def exchange(draw: Draw, held: bool = False) -> Exchange | None:
        made = make(draw, held)
        if (
            not made
            or kind == "sudo"
            and not made.has[0].startswith("sudo ")
            or kind == "sudo"
            and not made.answer.startswith("sudo")
        ):
            return None
        return _of(draw, made, kind, b=made.has[0] if made.has else "", n=made.has[0].split()[-1] if made.has else "")

    return exchange


def _changed(draw: Draw, task: Task) -> tuple[str, str, str, str, str] | None:
    """Another value for one slot: its key, the old and the new value, the request and the command with the new one."""
    template = task.template
    keys = [key for key in NOUNS if "{" + key + "}" in template.command and task.slots[key] in task.request]
    if not keys:
        return None
    key = draw.pick(keys)
    old, new, pattern = task.slots[key], slots(draw)[key], draw.chance(0.3)
    if key in ("f", "f2", "d", "d2") and "/" in old and pattern:
        head, _, tail = old.rpartition("/")
        new = f"{draw.folder()}/{tail}" if draw.chance(0.6) else f"{head}/{draw.file()}"
    values = task.slots | {key: new}
    command = fill(template.command, values, shell=True)
    if (
        old == new
        or command == task.command
        or task.request.count(old) != 1
        or len(old) < 3
        and not re.search(rf"(?<!\w){re.escape(old)}(?!\w)", task.request)
    ):
        return None
    return key, old, new, task.request.replace(old, new), command


def _alike(one: str, other: str) -> bool:
    """Whether values of two slots cannot be told apart by their look."""
    numbers = {"n", "n2", "port", "pid", "col"}
    return (one in numbers) == (other in numbers)


def value(draw: Draw, held: bool = False) -> Exchange | None:
    """The user gave a wrong name or number, or the answer misread it."""
    if draw.chance(0.15):
        return part(draw)
    task = commands.from_template(draw, draw.pick(commands.templates()))
    change = _changed(draw, task)
    if not change or len(task.command) > 130:
        return None
    key, old, new, asked, command = change
    # Two files, two branches, a name and a folder: a bare new one could stand for either.
    naming = (
        "{o}" if sum("{" + other + "}" in task.template.command and _alike(other, key) for other in NOUNS) > 1 else ""
    )
    platform, names = lesson_kinds.platform(task), {"n": new, "o": old, "k": NOUNS[key]}
    kind = f"value {NOUNS[key]}" if key in ("f", "d", "h", "port", "n", "u", "ext") else "value other"
    if draw.chance(0.25):
        return Exchange(
            kind,
            asked,
            task.command,
            said(draw, "misread", naming=naming, **names),
            command,
            [new],
            [old],
            learn=False,
            platform=platform,
        )
    words = "named value" if draw.chance(0.35) else "value"
    return Exchange(
        kind,
        typed(draw, task.request, task.slots),
        task.command,
        said(draw, words, naming=naming, **names),
        command,
        [new],
        [old],
        platform=platform,
    )


def part(draw: Draw) -> Exchange | None:
    """Only a part of a file's name is wrong: the quarter, the year, the version."""
    rows = [["Q1", "Q2", "Q3", "Q4"], ["2022", "2023", "2024", "2025", "2026"], ["v1", "v2", "v3", "v4"], ["draft",
        "final", "old", "new"],
            ["january", "february", "march", "april", "may", "june"], ["monday", "tuesday", "friday"], ["left",
                "right"], ["test", "prod", "dev"], [draw.word(), draw.word()]]  # fmt: skip
    old, new = draw.sample(draw.pick(rows), 2)
    stem, gap, ext = draw.name(), draw.pick("_-"), draw.pick(EXTENSIONS)
    file = f"{stem}{gap}{{}}.{ext}"
    command, asked = draw.pick([
        ("less {}", "page through {}"), ("cat {}", "show {}"), ("rm {}", "delete {}"), ("cp {} ~/backup/",
            "copy {} to ~/backup"), ("wc -l {}", "count the lines of {}"),
        ("head -n 5 {}", "first 5 lines of {}"), ("mv {} archive/", "move {} to archive"), ("xdg-open {}", "open {}"),
        ("gzip {}", "compress {} with gzip"), ("ls -l {}", "details of {}"),
        ("git add {}", "stage {}"), ("stat {}", "stat {}"), ("nano {}", "edit {}"), ("md5sum {}", "md5 of {}"),
        ("tail -f {}", "follow {}"),
    ])  # fmt: skip
    before, after = file.format(old), file.format(new)
    if old in stem or new in stem or old == new:
        return None
    return Exchange(
        "value part",
        typed(draw, asked.format(before), {"f": before}),
        command.format(before),
        said(draw, "value", n=new, o=old),
        command.format(after),
        [after],
        [before],
    )


def error(draw: Draw, held: bool = False) -> Exchange:
    """An error text pasted without another word: it says what is missing."""
    names = slots(draw)
    names["d"], names["d2"] = names["d"].rstrip("/"), names["d2"].rstrip("/")
    if draw.chance(0.45):
        command, text, requests = draw.pick(_DENIED)
        repaired = "sudo " + command
    else:
        command, text, repaired, requests = draw.pick(ERRORS)
    command, text, repaired = (fill(t, names) for t in (command, text, repaired))
    asked = typed(draw, fill(draw.wording(requests), names), names)
    return Exchange("error", asked, command, said(draw, "error", lead=0.05, e=text), repaired, [repaired], learn=False)


def edited(draw: Draw, held: bool = False) -> Exchange | None:
    """The user pastes the command as it should have been."""
    made = draw.pick([tool, flag, value, no_flag])(draw, held)
    if not made:
        return None
    text = said(draw, "edited", lead=0.1, c=f"`{made.answer}`" if draw.chance(0.25) else made.answer)
    return Exchange(
        "edited",
        made.request,
        made.first,
        text,
        made.answer,
        made.has,
        made.lacks,
        learn=made.learn,
        old=made.old,
        new=made.new,
        drop_in=made.drop_in,
        platform=made.platform,
    )


def letters(draw: Draw, held: bool = False) -> Exchange:
    """A mail whose tone, length, addressee or signature is corrected."""
    asked, who, body = lesson_office.mail(draw)
    plain, formal = lesson_office.letter(who, body), lesson_office.letter(who, body, formal=True)
    kind = draw.pick(["shorter", "formal", "casual", "sign", "addressee"])
    if kind == "shorter":
        return Exchange("office shorter", asked, plain, said(draw, kind), body, [body], ["regards"], shell=False)
    if kind == "formal":
        return Exchange("office formal", asked, plain, said(draw, kind), formal, [f"Dear {who}"], ["Hi "], shell=False)
    if kind == "casual":
        return Exchange(
            "office casual", asked, formal, said(draw, kind), plain, [f"Hi {who}"], ["Dear"], learn=False, shell=False
        )
    other = draw.person()
    if kind == "sign":
        return Exchange(
            "office sign",
            asked,
            plain,
            said(draw, kind, n=other),
            lesson_office.letter(who, body, signed=other),
            [other],
            shell=False,
        )
    return Exchange(
        "office addressee",
        asked,
        plain,
        said(draw, "value", n=other, o=who),
        lesson_office.letter(other, body),
        [f"Hi {other}"],
        [f"Hi {who}"],
        shell=False,
    )


def clock(draw: Draw, held: bool = False) -> Exchange:
    """A line for the calendar whose time or day is corrected: "3pm not 3am"."""
    example = lesson_office.clock(draw)
    old = re.search(r"(\d+(?::\d\d)? [ap]m)", example.plain)[1]
    day = re.search(r" on (\w+) at ", example.plain)[1]
    if draw.chance(0.3):
        new, old = draw.pick([d for d in lesson_office.WEEKDAYS if d != day]), day
    else:
        new = (
            old.replace("am", "xm").replace("pm", "am").replace("xm", "pm")
            if draw.chance(0.5)
            else f"{draw.number(1, 11)} {draw.pick(['am', 'pm'])}"
        )
    tight = (lambda text: text.replace(" am", "am").replace(" pm", "pm")) if draw.chance(0.4) else (lambda text: text)
    if new == old:
        new = "12 pm"
    text = said(draw, "value", n=tight(new), o=tight(old))
    return Exchange(
        "office time", example.request, example.plain, text, example.plain.replace(old, new), [new], [old], shell=False
    )


def talk(draw: Draw, held: bool = False) -> Exchange:
    """The name to be called by, or the language."""
    if draw.chance(0.6):
        who = draw.person()
        requests = lesson_office.PHRASES[0][0]
        plain = lesson_office.PHRASES[0][1]["en"]
        return Exchange(
            "name",
            draw.wording(requests),
            plain,
            said(draw, "name", lead=0.1, n=who),
            f"Hello {who}! What can I do for you?",
            [who],
            shell=False,
        )
    requests, answers = draw.pick(lesson_office.PHRASES)
    return Exchange(
        "german",
        draw.wording(requests),
        answers["en"],
        said(draw, "german"),
        answers["de"],
        [answers["de"]],
        shell=False,
    )


KINDS: dict[str, tuple[int, Callable[..., Exchange | None]]] = {
    "tool": (28, tool), "value": (27, value), "flag": (8, flag), "no flag": (5, no_flag), "long": (5, simple("long",
        lesson_kinds.long)),
    "sudo": (5, simple("sudo", lesson_kinds.sudo)), "no sudo": (3, simple("no sudo", lesson_kinds.nosudo)), "error": (7,
        error), "edited": (9, edited),
    "human": (1, simple("human", lesson_kinds.human)), "limit": (2, simple("limit", lesson_kinds.limit)), "trash": (2,
        simple("trash", lesson_kinds.trash)),
    "ask": (1, simple("ask", lesson_kinds.ask)), "verbose": (1, simple("verbose", lesson_kinds.verbose)), "letters": (5,
        letters), "clock": (3, clock), "talk": (2, talk),
}  # fmt: skip
