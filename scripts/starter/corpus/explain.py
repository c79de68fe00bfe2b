"""Job: what a command does, in one line.

The form is always the same: an imperative sentence with a full stop, the parts of a pipe joined by ", then ", a flag as
"-x: extract.". Whole commands come from the shapes' first wordings and the tldr pages, the rest is put together from
`templates/explain.txt`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from . import commands, public
from .commands import FOLDER, fill, from_template, slots, system, templates
from .documents import AGENT, Case, Document, conversation, prompt
from .draws import Draw
from .situations import typed

PROMPT = prompt("explain")
COMMAND_QUESTIONS = [
    "what does `{c}` do?", "what does {c} do?", "explain `{c}`", "explain {c}", "explain: {c}", "what is `{c}` for?",
    "what happens if I run `{c}`?", "what would {c} do?", "tell me what `{c}` does", "`{c}`?", "what does this do: {c}",
    "explain this command: {c}", "can you explain `{c}`?", "describe `{c}`", "meaning of `{c}`", "what will `{c}` do?",
    "i found this: {c}  what does it do?", "before I run it: what does `{c}` do?", "help me understand {c}",
    "is this right? what does {c} do", "what's `{c}`", "explain in one line: {c}", "Explain in one line: `{c}`",
    "in one sentence, what does `{c}` do?", "why would I run `{c}`?", "wat does {c} do",
    "someone told me to run {c}, what is it?",
    "was macht `{c}`?", "erkläre {c}", "que fait `{c}` ?", "¿qué hace `{c}`?",
]  # fmt: skip
FLAG_QUESTIONS = [
    "what does {x} do in {t}?", "what does {x} mean in {t}?", "{t} {x}: what is {x}?", "explain {x} of {t}", "{t} {x}?",
    "what is the {x} flag of {t}?", "what's {x} in {t}", "meaning of {t} {x}", "what is {x} for in `{t} {x}`?",
    "explain the option {x} of {t}", "why {x} with {t}?", "what does the flag {x} do with {t}?",
    "{x} in {t} means what?",
    "what is `{x}` in `{t}`?", "{t}: {x}?", "option {x} for {t}?", "in {t}, what does {x} do?",
    "what does {t} do with {x}?",
]  # fmt: skip
TOOL_QUESTIONS = [
    "what does {t} do?", "what is {t}?", "explain {t}", "what is {t} for?", "what's {t}", "what does `{t}` do?",
    "explain `{t}`",
    "what can I do with {t}?", "tell me about the {t} command", "describe {t}", "the {t} command?",
    "what is the command {t}?",
    "in one line, what is {t}?", "when do I need {t}?", "what would I use {t} for?", "purpose of {t}?",
    "was macht {t}?",
    "que fait {t} ?", "¿qué hace {t}?",
]  # fmt: skip
# Between two commands, and how it is said.
JOINTS = {" | ": ", then ", " && ": ", and if that works, ", " ; ": ", and in any case "}


@cache
def pieces() -> dict[str, list[tuple[str, str]]]:
    """The table's lines by their first word: command (or tool and flag) and what it does."""
    found: dict[str, list[tuple[str, str]]] = {"start": [], "step": [], "flag": [], "tool": []}
    for line in (FOLDER / "explain.txt").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            mark, _, rest = line.partition(" ")
            command, _, meaning = rest.partition(" :: ")
            found[mark].append((command, meaning))
    return found


def sentence(text: str) -> str:
    """An explanation in its one form: capital, one full stop."""
    text = " ".join(text.split()).rstrip(" .:")
    return text[:1].upper() + text[1:] + "."


def pipe(draw: Draw) -> tuple[str, str]:
    """A line of two to four commands, or one with its output kept, and what it does."""
    command, said = _piece(draw, "start")
    for _ in range(draw.weighted({1: 50, 2: 35, 3: 15})):
        step, meaning = _piece(draw, "step")
        if step.split()[0] in command.split("|")[-1]:
            continue
        command, said = f"{command} | {step}", f"{said}, then {meaning}"
        if re.match(r"xargs rm|less|gzip|pbcopy|bash|tac|wc|base64|sha", step):
            break
    end = draw.weighted({"": 75, ">": 12, ">>": 8, "2>/dev/null": 5})
    if ">" in command or "less" in command or not end:
        return command, sentence(said)
    if end == "2>/dev/null":
        return (f"{command} {end}",
            sentence(f"{said}, without error messages")) if "|" not in command else (command, sentence(said))
    path = draw.path()
    return f"{command} {end} {path}", sentence(f"{said}, then {'write' if end == '>' else 'append'} it to {path}")


def _piece(draw: Draw, mark: str) -> tuple[str, str]:
    command, meaning = draw.pick(pieces()[mark])
    values = slots(draw)
    values["n"] = str(draw.number(2, 100))
    return fill(command, values), fill(meaning, values)


def sequence(draw: Draw) -> tuple[str, str]:
    """Two of our shapes, one after the other."""
    first, second = whole(draw), whole(draw)
    joint = draw.pick([" && ", " && ", " ; "])
    command = first[0] + joint.replace(" ;", ";") + second[0]
    return command, sentence(first[1].rstrip(".") + JOINTS[joint] + second[1][:1].lower() + second[1][1:])


def whole(draw: Draw) -> tuple[str, str]:
    """One of our shapes and its full sentence."""
    while True:
        task = from_template(draw, draw.pick(templates()))
        if not task.explanation.endswith("?") and len(task.command) + len(task.explanation) < 220:
            return task.command, sentence(task.explanation)


def page(draw: Draw) -> tuple[str, str]:
    """A line of a tldr page, where they are loaded."""
    pages = commands.tldr(draw.side)
    while pages:
        pair = public.filled(draw.pick(pages), draw)
        if len(pair.request) < 140 and "See also" not in pair.request:
            return pair.command, sentence(pair.request.replace("`", ""))
    return whole(draw)


def flags(draw: Draw) -> tuple[str, str]:
    """A question about one flag, or about a bundle such as -xzf, with its answer."""
    tool, _, flag = draw.pick(pieces()["flag"])[0].rpartition(" ")
    known = {f: meaning for name, meaning in pieces()["flag"] for t, _, f in [name.rpartition(" ")] if t == tool}
    short = [f for f in known if len(f) == 2 and not f[1].isdigit()]
    if len(short) > 2 and draw.chance(0.35) and tool not in ("find", "kill"):
        chosen = draw.sample(short, draw.pick([2, 2, 3]))
        flag = "-" + "".join(f[1] for f in chosen)
        answer = ", ".join(f"{f}: {known[f]}" for f in chosen)
    else:
        answer = f"{flag}: {known[flag]}"
    return draw.wording(FLAG_QUESTIONS).format(t=tool, x=flag), answer + "."


def tool(draw: Draw) -> tuple[str, str]:
    name, meaning = draw.pick(pieces()["tool"])
    return draw.wording(TOOL_QUESTIONS).format(t=name), sentence(meaning)


SOURCES = {"shapes": (whole, 40), "tldr": (page, 22), "pipe": (pipe, 22), "sequence": (sequence, 5),
    "flags": (flags, 8), "tool": (tool, 6)}


def asked(draw: Draw, source: str) -> tuple[str, str]:
    """A question of one kind and its answer; commands in the program's own words or as people ask."""
    text, answer = SOURCES[source][0](draw)
    if source in ("flags", "tool"):
        return typed(text, draw) if not re.search("[`:]", text) else text, answer
    if draw.chance(0.55):
        return PROMPT.format(command=text), answer
    return draw.wording(COMMAND_QUESTIONS).replace("{c}", text), answer


def documents(draw: Draw, n: int) -> Iterator[Document]:
    """Commands, pipes, flags and tools with their explanation."""
    for _ in range(n):
        source = draw.weighted({name: weight for name, (_, weight) in SOURCES.items()})
        question, answer = asked(draw, source)
        lead = draw.pick([AGENT, system(draw), system(draw)])
        yield Document("explain", source, conversation(lead, question, answer))


def cases(draw: Draw, n: int) -> Iterator[Case]:
    """Never-seen names in pipes and shapes, withheld pages; names must be copied, the rest right word for word."""
    kinds = list(SOURCES)
    for i in range(n):
        source = kinds[i % len(kinds)]
        question, answer = asked(draw, source)
        check = {"exact": [answer]} if source != "tldr" else {"has": _copied(question, answer)}
        yield Case("explain", source, conversation(AGENT, question), check)


def _copied(question: str, answer: str) -> list[str]:
    """The answer's words that stand in the question and look like names; else its first word."""
    words = [w.strip(".,:;") for w in answer.split()]
    found = [w for w in words if re.search(r"[\d./_-]", w) and w in question]
    return list(dict.fromkeys(found)) or words[:1]
