"""Job: several exchanges in one chat: a command and what follows from it, small talk, office text, mixed.

What follows a command ("and in src?", "again but with sizes", "only the first 10") is a change of a small state from
which the command is written anew, so every answer is right by rule. A task of the shared shapes is also asked again
with one of its names changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import corrections, office, talk
from .commands import Task, fill, from_template, slots, system, templates, varied
from .documents import AGENT, Case, Document, conversation
from .draws import EXTENSIONS, Draw
from .shell import quoted
from .situations import DAYS, SHORT_DAYS, THINGS, clock, some, typed

Turn = tuple[str, str]
SAME = [
    "now the same for {x}", "and {x}?", "same for {x}", "do the same for {x}", "and for {x}", "what about {x}?",
    "now {x}", "{x} too", "also for {x}",
    "and now {x}", "the same with {x}", "again for {x}", "repeat that for {x}", "no, I meant {x}", "ok and {x}",
    "now with {x}", "once more for {x}",
    "sorry, {x}", "not that one, {x}", "then {x}", "the same again, but for {x}", "und {x}?", "et {x} ?", "¿y {x}?",
]  # fmt: skip
PLACE = [
    "and in {x}?", "now in {x}", "same in {x}", "the same for {x}", "what about {x}?", "in {x} instead", "no, in {x}",
    "do that in {x}", "again in {x}",
    "and {x}?", "now the same for {x}", "I meant in {x}", "also in {x}", "look in {x} too", "repeat in {x}",
    "not there, in {x}", "then in {x}", "ok, now {x}",
]  # fmt: skip
FIRST = [
    "only the first {n}", "just the first {n}", "the first {n} only", "top {n}", "limit it to {n}", "only {n} lines",
    "show {n} of them", "first {n} please",
    "no more than {n}", "too many, just {n}", "keep the first {n}", "give me {n}", "cut it after {n}", "only show {n}",
]  # fmt: skip
COUNT = [
    "how many are there?", "how many?", "count them", "just the number", "only the count", "how many is that?",
    "count those", "give me the number", "and how many?",
    "how many of them?", "number of them?", "just count", "count instead", "how many lines is that?",
]  # fmt: skip
SAVE = [
    "save that to {x}", "write it to {x}", "put that into {x}", "save it as {x}", "now into {x}",
    "store the output in {x}", "to the file {x}", "redirect it to {x}",
    "keep that in {x}", "dump it in {x}", "and save to {x}", "into {x} please", "output to {x}",
]  # fmt: skip
# What may be said of a listing, by the change it makes.
LIST_CHANGES = {
    "details": ["again but with sizes", "with details", "and the sizes?", "with sizes", "long form please",
        "show the details", "with dates and sizes", "more details",
        "I want to see owners too", "as a long listing", "with permissions", "how big are they?"],
    "hidden": ["with hidden files", "hidden ones too", "also the hidden files", "include dotfiles", "and hidden?",
        "show dotfiles as well", "all of them, hidden too",
        "with the dot files", "don't leave out hidden files", "hidden files as well please"],
    "size": ["sort it by size", "by size", "largest first", "biggest on top", "sorted by size", "order by size",
        "now by size", "sort them by size please", "big ones first",
        "put the largest first"],
    "time": ["newest first", "sort by date", "sort by time", "by date", "latest first", "the newest on top",
        "order by time", "most recent first", "sorted by date", "now by time"],
    "reverse": ["reverse it", "the other way round", "in reverse", "backwards", "turn the order around",
        "reverse order", "upside down please", "other direction",
        "flip the order", "now reversed"],
}  # fmt: skip


@dataclass
class Listing:
    """`ls` with its options, folder and a filter behind it."""

    folder: str
    options: str = ""
    end: str = ""

    def command(self) -> str:
        order = "".join(o for o in "latSr" if o in self.options)
        return " ".join(part for part in ("ls", f"-{order}" if order else "", self.folder, self.end) if part)


def listing(draw: Draw, turns: int) -> list[Turn]:
    state = Listing(draw.folder())
    asked = draw.wording(["list {x}", "what is in {x}?", "show the files in {x}", "list the files in {x}", "ls {x}",
        "files of {x}?", "show me {x}", "which files are in {x}?", "look into {x}"])
    said = [(typed_place(asked, state.folder, draw), state.command())]
    letters = {"details": "l", "hidden": "a", "size": "S", "time": "t", "reverse": "r"}
    while len(said) < turns:
        change = draw.pick([*LIST_CHANGES, "place", "place", "first", "save"])
        if change in letters:
            if letters[change] in state.options:
                continue
            if change in ("size", "time"):
                state.options = state.options.replace("S", "").replace("t", "")
            if change == "reverse" and not {"S", "t"} & set(state.options):
                continue
            state.options += letters[change]
            request = draw.wording(LIST_CHANGES[change])
        elif change == "place":
            state.folder = draw.folder()
            request = draw.wording(PLACE).format(x=state.folder)
        elif state.end:
            continue
        else:
            request, state.end = _end(draw, change)
        said.append((request, state.command()))
        if state.end.startswith(">"):
            break
    return said


def typed_place(frame: str, x: str, draw: Draw) -> str:
    """A frame with a name put in; the frame is typed as people do, the name stays."""
    return typed(frame.replace("{x}", "Qx"), draw).replace("Qx", x).replace("qx", x)


def _end(draw: Draw, change: str) -> tuple[str, str]:
    """What comes behind a command: a limit, a count, or a file for the output."""
    if change == "first":
        n = draw.pick([3, 5, 10, 20, draw.number(2, 50)])
        return draw.wording(FIRST).format(n=n), f"| head -n {n}"
    if change == "count":
        return draw.wording(COUNT), "| wc -l"
    path = draw.file()
    return draw.wording(SAVE).format(x=path), f"> {path}"


def finding(draw: Draw, turns: int) -> list[Turn]:
    """`find` by extension; folder and extension change, then a count, a limit, a file or the deletion."""
    ext, folder, newer = draw.pick(EXTENSIONS[:24]), draw.folder(), ""
    frame = draw.wording(["find the {e} files in {d}", "find all .{e} files below {d}",
        "where are the .{e} files in {d}?", "search {d} for {e} files", "all {e} files under {d}",
                          "look for *.{e} in {d}", "which {e} files are in {d}?",
                          "list every .{e} file below {d}"])  # fmt: skip
    said = [(frame.format(e=ext, d=folder), f"find {folder} -name '*.{ext}'")]
    while len(said) < turns:
        change = draw.pick(["ext", "place", "days", "first", "count", "save", "delete"])
        if change == "ext":
            ext = draw.pick(EXTENSIONS[:24])
            request = draw.wording(["and the .{e} files?", "now {e} files", "only the .{e} ones", "no, .{e}",
                "I meant .{e}", "and {e}?", "same for .{e}", "what about {e} files?",
                                    "the {e} files instead", "not those, the .{e} files", "now .{e}",
                                    "also for {e} files"]).format(e=ext)  # fmt: skip
        elif change == "place":
            folder = draw.folder()
            request = draw.wording(PLACE).format(x=folder)
        elif change == "days":
            days = draw.pick([1, 2, 3, 7, 14, 30])
            newer = f" -mtime -{days}"
            request = draw.wording(["only from the last {n} days", "changed in the last {n} days",
                "just those of the last {n} days", "not older than {n} days", "newer than {n} days",
                                    "only if modified within {n} days", "the ones from the past {n} days",
                                    "only the recent ones, {n} days"]).format(n=days)  # fmt: skip
        elif change == "delete":
            request = draw.wording(["delete them", "delete those", "now delete them", "remove them all",
                "remove those files", "ok, delete them", "and delete them", "yes, remove those",
                                    "these can be deleted", "get rid of them now"])  # fmt: skip
            return [*said, (request, f"find {folder} -name '*.{ext}'{newer} -delete")]
        else:
            request, end = _end(draw, change)
            return [*said, (request, f"find {folder} -name '*.{ext}'{newer} {end}")]
        said.append((request, f"find {folder} -name '*.{ext}'{newer}"))
    return said


def searching(draw: Draw, turns: int) -> list[Turn]:
    """`grep` with word, place and options that change."""
    word, place, options = draw.name(), draw.path(), ""
    frame = draw.wording(["search {p} for {w}", "find {w} in {p}", "grep {w} in {p}", "lines with {w} in {p}",
        "look for {w} in {p}", "where is {w} in {p}?", "does {p} contain {w}?",
                          "show {w} in {p}"])  # fmt: skip
    said = [(frame.format(p=place, w=word), f"grep {word} {place}")]
    changes = {
        "n": ["with line numbers", "and the line numbers?", "show line numbers", "on which lines?", "which line?",
        "add line numbers", "numbers please", "line numbers too"],
        "i": ["ignore case", "in capitals too", "case doesn't matter", "upper or lower case", "case insensitive",
        "any case", "don't mind capitals", "regardless of case"],
        "c": ["how many?", "just count", "how often?", "only the count", "count them", "how many lines?",
        "number of lines?", "just the number"],
        "v": ["now the lines without it", "the opposite", "lines that don't have it", "without it", "invert that",
        "all other lines", "those that do not match", "everything else"],
    }  # fmt: skip
    while len(said) < turns:
        change = draw.pick([*changes, "word", "word", "place", "place"])
        if change in changes:
            if change in options or (change == "n" and "c" in options) or (change == "c" and "n" in options):
                continue
            options = "".join(sorted(options + change))
            request = draw.wording(changes[change])
        elif change == "word":
            word = draw.name()
            request = draw.wording(SAME).format(x=word)
        else:
            place = draw.path()
            request = draw.wording(PLACE).format(x=place)
        said.append((request, f"grep {'-' + options + ' ' if options else ''}{word} {place}"))
    return said


def reading(draw: Draw, turns: int) -> list[Turn]:
    """First or last lines of a file; the number, the end or the file changes."""
    tool, n, path = draw.pick(["head", "tail"]), draw.pick([5, 10, 20, draw.number(2, 60)]), draw.path()
    which = {"head": "first", "tail": "last"}
    frame = draw.wording(["show the {w} {n} lines of {p}", "{w} {n} lines of {p}", "print the {w} {n} lines of {p}",
        "the {w} {n} lines in {p}", "give me the {w} {n} lines of {p}",
                          "read the {w} {n} lines from {p}", "{p}: {w} {n} lines",
                          "what are the {w} {n} lines of {p}?"])  # fmt: skip
    said = [(frame.format(w=which[tool], n=n, p=path), f"{tool} -n {n} {path}")]
    while len(said) < turns:
        change = draw.pick(["number", "end", "file", "file"])
        if change == "number":
            n = draw.number(2, 99)
            request = draw.wording(["make it {n}", "{n} please", "rather {n}", "no, {n}", "{n} lines", "I meant {n}",
                "now {n}", "{n} instead", "better {n}", "only {n}"]).format(n=n)
        elif change == "end":
            tool = "tail" if tool == "head" else "head"
            request = draw.wording(["and the {w} ones?", "now the {w}", "the {w} ones", "no, the {w}",
                "I meant the {w}", "the {w} instead", "and the {w}?", "same, but the {w}"]).format(w=which[tool])
        else:
            path = draw.path()
            request = draw.wording(SAME).format(x=path)
        said.append((request, f"{tool} -n {n} {path}"))
    return said


def service(draw: Draw, turns: int) -> list[Turn]:
    """A service and what is done to it, by "it", or the same for another."""
    name, verb = draw.service(), "status"
    said = [(typed_place(draw.wording(["is {x} running?", "status of {x}", "check the service {x}",
        "how is {x} doing?", "show the status of {x}", "does the service {x} run?"]), name, draw),
             f"systemctl status {name}")]  # fmt: skip
    words = {
        "restart": ["restart it", "now restart it", "restart", "ok, restart it", "then restart it",
        "please restart that", "give it a restart", "and restart"],
        "stop": ["stop it", "now stop it", "stop that", "ok stop it", "please stop it", "shut it down", "and stop",
        "halt it"],
        "start": ["start it", "now start it", "start it again", "ok, start it", "please start it", "bring it up",
        "and start", "start that"],
        "enable": ["enable it at boot", "make it start at boot", "enable it", "start it at boot too",
        "at boot as well", "enable it for the next boot"],
    }
    while len(said) < turns:
        if draw.chance(0.35):
            name = draw.service()
            request = draw.wording(SAME).format(x=name)
        else:
            verb = draw.pick([v for v in words if v != verb])
            request = draw.wording(words[verb])
        said.append((request, f"{'' if verb == 'status' else 'sudo '}systemctl {verb} {name}"))
    return said


CHANGES = [
    "no, {b}", "I meant {b}", "{b}, not {a}", "make it {b}", "sorry, {b} instead of {a}", "not {a}, {b}",
    "change {a} to {b}", "{b} please, not {a}", "should be {b}",
    "wrong, it's {b}", "actually {b}", "replace {a} with {b}", "{a} is wrong, {b}", "{b} instead of {a}",
    "put {b} for {a}", "oh, {b}, not {a}",
]  # fmt: skip
FORMAL = [
    "more formal please", "too casual", "make it formal", "more formal", "that's too informal", "formal tone please",
    "be more formal", "write it formally",
    "not so casual", "make that more formal", "I need it formal", "more polite",
]  # fmt: skip
SIGN = [
    "sign it {x}", "sign as {x}", "add my name, {x}", "signed {x}", "put {x} under it", "with my name {x}",
    "I am {x}, sign it", "add the signature {x}",
    "my name is {x}, put it below", "please sign with {x}", "now sign it as {x}",
]  # fmt: skip
ORDINALS = ["the second one", "the second", "only the second", "number two", "the 2nd one", "the latter",
    "just the second one"]
FIRST_ONES = ["the first one", "the first", "only the first", "number one", "the 1st one", "the former",
    "just the first one"]


def chosen(draw: Draw, turns: int) -> list[Turn]:
    """Two files are named; then one of them is meant by its place, or both."""
    first, second = quoted(draw.path()), quoted(draw.path())
    verb, command = draw.pick([
        ("count the lines of", "wc -l"), ("show", "cat"), ("list", "ls -l"), ("what type are", "file"),
        ("compute the sha256 of", "sha256sum"), ("show the size of", "du -h"),
    ])  # fmt: skip
    said = [(f"{verb} {first} and {second}", f"{command} {first} {second}")]
    deeds = {
        "delete {x}": "rm", "remove {x}": "rm", "print {x}": "cat", "make {x} executable": "chmod +x",
        "compress {x}": "gzip", "edit {x}": "nano",
        "count the words of {x}": "wc -w", "let only me read {x}": "chmod 600", "number the lines of {x}": "nl",
        "show the type of {x}": "file",
    }  # fmt: skip
    while len(said) < turns:
        act = draw.pick(list(deeds))
        which, path = draw.pick([(ORDINALS, second), (FIRST_ONES, first), (["both", "them both", "both of them",
            "the two of them"], f"{first} {second}")])
        request = act.format(x=draw.wording(which))
        said.append((draw.pick(["", "", "now ", "ok, ", "please "]) + request, f"{deeds[act]} {path}"))
        if deeds[act] in ("rm", "gzip"):
            break
    return said


# Slots whose value a follow-up may change.
CHANGED = ("f", "d", "w", "h", "svc", "pkg", "br", "u", "ctr", "ext", "n", "url")


def again(draw: Draw, turns: int) -> list[Turn]:
    """A task of the shared shapes with one slot, asked again with other values of it."""
    while True:
        template = draw.pick(templates())
        held = set(re.findall(r"\{(\w+)\}", template.command)) & set(slots(draw))
        if len(held) == 1 and next(iter(held)) in CHANGED:
            break
    slot = held.pop()
    task: Task = from_template(draw, template)
    said = [(varied(task.request, draw), task.command)]
    while len(said) < min(turns, 3):
        value = slots(draw)[slot]
        shown = f".{value}" if slot == "ext" else value
        said.append((draw.wording(SAME).format(x=shown),
            fill(template.command, task.slots | {slot: value}, shell=True)))
    return said


CHAINS: dict[str, Callable[[Draw, int], list[Turn]]] = {
    "listing": listing, "finding": finding, "searching": searching, "reading": reading, "service": service, "chosen": chosen,
    "again": again,
}  # fmt: skip
WEIGHTS = {"listing": 14, "finding": 14, "searching": 12, "reading": 12, "service": 8, "chosen": 10, "again": 22}


def aside(draw: Draw) -> list[Turn]:
    """One exchange about something else: talk, office text, or a plain command."""
    kind = draw.weighted({"talk": 35, "refusals": 8, "office": 25, "command": 32})
    if kind == "office":
        _, request, answer = office.written(draw, draw.pick([k for k in office.KINDS if k != "mail"]))
        return [(request, answer)]
    if kind == "command":
        task = from_template(draw, draw.pick(templates()))
        return [(varied(task.request, draw), task.command)]
    said = some(kind, draw, foreign=0.05)
    return [(said.request, said.answer)]


def mixed(draw: Draw) -> tuple[str, list[Turn]]:
    """A chat of two to six exchanges; the chain inside it gives the chat its kind."""
    kind = draw.weighted(WEIGHTS)
    said = CHAINS[kind](draw, draw.pick([2, 2, 3, 3, 4]))
    if draw.chance(0.45):
        return kind, said
    before = aside(draw) if draw.chance(0.5) else []
    after = aside(draw) if draw.chance(0.6) or not before else []
    return f"{kind}, mixed", before + said + after


def named(draw: Draw) -> tuple[str, list[Turn]]:
    """The user says a name; after other things it is still known."""
    who = draw.person()
    frames = ["my name is {w}", "I am {w}", "hi, I'm {w}", "call me {w}", "{w} here", "hello, this is {w}", "I'm {w}"]
    said = [(typed(draw.pick(frames).format(w=who), draw), f"Nice to meet you, {who}! What can I do for you?")]
    for _ in range(draw.pick([1, 1, 2])):
        task = from_template(draw, draw.pick(templates()))
        said.append((varied(task.request, draw), task.command))
    question = typed(draw.wording(talk.NAME_QUESTIONS), draw)
    return "name kept", [*said, (question, f"You are {who}.")]


def corrected(draw: Draw) -> tuple[str, list[Turn]]:
    """Office text, and then the same with one thing changed: a name, a day, a time, the tone, the signature."""
    while True:
        request, answer = office.move(draw) if draw.chance(0.35) else office.mail(draw)[1:]
        change = _changed(draw, request, answer, draw.pick(["who", "day", "time", "formal", "sign", "thing"]))
        if change:
            return "office, changed", [(request, answer), change]


def _changed(draw: Draw, request: str, answer: str, what: str) -> Turn | None:
    """One change of a text that was just written; None where the text has no place for it."""
    mail = answer.endswith("Best regards")
    if what == "formal":
        dear = answer.replace("Hi ", "Dear ", 1).replace("Best regards", "Kind regards")
        return (draw.wording(FORMAL), dear) if mail and answer.startswith("Hi ") else None
    if what == "sign":
        me = draw.person()
        return (draw.wording(SIGN).format(x=me), f"{answer}\n{me}") if mail else None
    pattern, new = {
        "who": (r"(?:Hi|with) ([A-Z]\w+)", draw.person()), "day": (rf"\b({'|'.join((*DAYS, *SHORT_DAYS))})\b",
        draw.pick(DAYS)),
        "time": (r"\b(\d+(?::\d\d)?(?:am|pm)|\d+:\d\d)\b", clock(draw)), "thing": (rf"\b({'|'.join(THINGS)})\b",
        draw.pick(THINGS)),
    }[what]  # fmt: skip
    found = re.findall(pattern, answer)
    if not found or answer.count(found[-1]) != 1 or found[-1] not in request or new in answer:
        return None
    frames = CHANGES if len(found) == 1 else [frame for frame in CHANGES if "{a}" in frame]
    return draw.wording(frames).format(a=found[-1], b=new), answer.replace(found[-1], new)


def after_correction(draw: Draw) -> Document:
    """A chat with a correction that goes on with something else."""
    document = next(iter(corrections.documents(draw, 1)))
    messages = list(document.messages)
    if not any("Lessons:" in m.content for m in messages) and len(messages) < 8:
        kind = draw.pick(["talk", "refusals"])
        said = some(kind, draw, foreign=0.05, kinds=frozenset({"thanks", "compliment", "bye", "joke",
            "which model"}) if kind == "talk" else None)
        messages += conversation(None, said.request, said.answer)
    return Document("chats", "corrected, goes on", messages)


def chat(draw: Draw) -> tuple[str, list[Turn]]:
    source = draw.weighted({"mixed": 80, "named": 8, "corrected": 12})
    while True:
        kind, turns = {"mixed": mixed, "named": named, "corrected": corrected}[source](draw)
        if 1 < len(turns) <= 6 and sum(len(a) + len(b) for a, b in turns) < 700:
            return kind, turns


def documents(draw: Draw, n: int) -> Iterator[Document]:
    """Chats; every answer is to be learned."""
    for _ in range(n):
        if draw.chance(0.06):
            yield after_correction(draw)
            continue
        kind, turns = chat(draw)
        yield Document("chats", kind, conversation(system(draw), *(text for turn in turns for text in turn)))


def cases(draw: Draw, n: int) -> Iterator[Case]:
    """The last answer of a chain that nothing follows, with what went before; kinds in turn."""
    kinds = [*CHAINS, "named", "corrected"]
    for i in range(n):
        kind = kinds[i % len(kinds)]
        if kind in CHAINS:
            turns = CHAINS[kind](draw, draw.pick([2, 3, 3]))
            turns = aside(draw) + turns if draw.chance(0.4) else turns
        else:
            kind, turns = named(draw) if kind == "named" else corrected(draw)
        answer = turns[-1][1]
        messages = conversation(system(draw) or AGENT, *[text for turn in turns for text in turn][:-1])
        yield Case("chats", kind, messages, {"exact": [answer]} if kind not in CHAINS else {"command": answer})
