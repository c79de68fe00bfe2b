"""What a reply asks to be done differently, with the lesson in it: tool, value, flag, tone, language, names, safety.

A directive is worded so that it can stand alone or behind "no," or "great, but"; its lesson has the wording in which
lessons stand in the context.
"""

from __future__ import annotations

import re

from .answered import Answered
from .commands import LANGUAGES
from .draws import Draw
from .shell import first, utilities

TOOL = [
    "use {b}", "use {b}", "use {b} instead", "use {b} instead of {a}", "use {b}, not {a}", "please use {b}", "take {b}", "with {b}", "with {b}, not {a}",
    "{b}, not {a}", "not {a}, {b}", "{b} instead of {a}", "{b} instead of {a} please", "do it with {b}", "do that with {b}", "try {b}", "I use {b}",
    "we use {b} here", "we use {b} instead of {a}", "I prefer {b}", "I prefer {b} over {a}", "prefer {b}", "I only have {b}", "I have {b}, not {a}",
    "{a} is not allowed here, use {b}", "we don't have {a}, take {b}", "always use {b} for that", "can you use {b}?", "could you do it with {b}?",
    "that should be {b}", "should be {b}", "{b} please", "I said {b}", "I wanted {b}", "I want {b}", "never use {a}, use {b}", "replace {a} with {b}",
    "swap {a} for {b}", "we switched from {a} to {b}", "in this team it is {b}, not {a}", "go for {b}", "run {b} instead", "why {a}? use {b}",
    "there is {b} for that", "the company tool is {b}", "use our tool {b} for this", "stick to {b}", "don't use {a}, use {b}", "dont use {a}, use {b}",
    "same with {b}", "{b} would be better than {a}", "{b} is what we have here", "change {a} to {b}", "please write {b} instead of {a}",
]  # fmt: skip
TOOL_IN = {
    "de": ["nimm {b}", "nimm {b} statt {a}", "bitte {b}", "bitte mit {b}", "benutze {b}", "mit {b} bitte, nicht {a}", "wir benutzen {b}", "lieber {b}"],
    "fr": ["utilise {b}", "utilise {b} au lieu de {a}", "plutôt {b}", "avec {b} s'il te plaît", "on utilise {b} ici", "prends {b}"],
    "es": ["usa {b}", "usa {b} en vez de {a}", "mejor {b}", "con {b} por favor", "aquí usamos {b}", "prefiero {b}"],
}
KNOWN = {
    "find": ["fd", "locate"], "grep": ["rg", "ag", "ack"], "ls": ["eza", "exa", "lsd"], "cat": ["bat", "less"], "rm": ["trash", "trash-put", "gio trash"],
    "du": ["dust", "ncdu"], "df": ["duf"], "ps": ["procs"], "top": ["htop", "btop"], "vim": ["nvim", "nano", "hx"], "nano": ["vim", "micro"], "npm": ["pnpm", "yarn", "bun"],
    "pip": ["uv pip", "pipx", "pip3"], "python": ["python3", "uv run"], "python3": ["uv run", "pypy3"], "curl": ["wget", "http", "xh"], "wget": ["curl", "aria2c"],
    "docker": ["podman", "nerdctl"], "apt": ["apt-get", "nala", "dnf"], "cp": ["rsync"], "scp": ["rsync"], "make": ["just", "ninja"], "sed": ["sd", "perl"], "tar": ["bsdtar"],
    "man": ["tldr"], "ping": ["fping", "gping"], "diff": ["delta", "colordiff"], "ssh": ["mosh"], "awk": ["gawk", "mawk"], "cd": ["z"], "tree": ["broot"], "sort": ["gsort"],
}  # fmt: skip
VALUE = [
    "I meant {n}", "I meant {n}, not {o}", "{n}, not {o}", "{n} not {o}", "not {o}, {n}", "not {o} but {n}", "it's {n}", "it should be {n}", "it is {n}, not {o}",
    "make it {n}", "make that {n}", "{n} instead of {o}", "change {o} to {n}", "replace {o} with {n}", "I said {n}", "should be {n}", "{n} please", "the right one is {n}",
    "it should say {n} instead of {o}", "that must be {n}", "{o} is wrong, it is {n}", "{o} should be {n}", "typo: {n}, not {o}", "I mean {n}", "i ment {n}", "sorry, {n}",
    "my mistake, {n} instead of {o}", "take {n}", "use {n} instead of {o}", "better {n} than {o}", "rather {n}", "with {n} instead of {o}", "put {n} there, not {o}",
    "please correct {o} to {n}", "{o} was yesterday, now it is {n}", "actually {n}", "actually {n}, not {o}", "{n} would be right", "where it says {o} write {n}",
]  # fmt: skip
VALUE_IN = {
    "de": ["ich meinte {n}", "{n}, nicht {o}", "{n} statt {o}", "nicht {o}, sondern {n}", "es muss {n} heißen"],
    "fr": ["je voulais dire {n}", "{n}, pas {o}", "{n} au lieu de {o}", "pas {o} mais {n}", "c'est {n}"],
    "es": ["quise decir {n}", "{n}, no {o}", "{n} en vez de {o}", "no {o} sino {n}", "debe ser {n}"],
}
FLAG = [
    "add {x}", "with {x}", "with {x} please", "use {x}", "use {x} with {a}", "use the {x} option", "you forgot {x}", "you forgot the {x}", "{x} is missing", "pass {x}",
    "pass {x} to {a}", "always add {x} to {a}", "add the {x} flag", "include {x}", "put {x} in there", "it needs {x}", "{a} needs {x}", "I want {x} too", "{a} with {x}",
    "call {a} with {x}", "please add {x}", "run it with {x}", "don't forget {x}", "set {x}", "give {a} the option {x}", "mit {x} bitte", "avec {x}", "con {x}", "needs {x} here", "and {x}",
]  # fmt: skip
NO_FLAG = [
    "without {x}", "drop {x}", "no {x}", "leave out {x}", "remove {x}", "don't use {x}", "do not use {x}", "skip the {x}", "{x} is not wanted", "why {x}? leave it out",
    "take away {x}", "not with {x}", "I don't want {x}", "{x} does not exist here", "ohne {x}", "sans {x}", "sin {x}", "never use {x} with {a}", "get rid of {x}",
]  # fmt: skip
SUDO = [
    "use sudo", "with sudo", "you need sudo", "needs sudo", "sudo!", "sudo please", "needs root", "that needs root", "run it as root", "add sudo", "you forgot sudo",
    "{a} needs sudo", "always run {a} with sudo", "put sudo in front", "do it with sudo", "needs admin rights, use sudo", "mit sudo bitte", "avec sudo", "con sudo", "only root may do that, use sudo",
]  # fmt: skip
NO_SUDO = ["without sudo", "no sudo", "don't use sudo", "leave out sudo", "drop the sudo", "I am root already", "sudo is not needed", "no sudo here", "skip sudo", "ohne sudo", "sans sudo", "sin sudo"]

# Directives that do not depend on the answer: lesson, then its wordings. {d} a folder, {l} a language, {n} a name.
COMMANDS = {
    "long options": ("use long options", ["use long options", "long options please", "write the options out", "no short flags", "spell out the flags", "full option names please", "no single-letter options", "I can't read short flags, write them out"]),
    "format": ("give only the command", ["only the command", "just the command please", "only the command, no explanation", "no explanation, just the command", "I only want the command", "give me the bare command", "skip the talk, command only", "command only"]),
    "safety": ("ask before deleting", ["ask before deleting", "ask before you delete anything", "always ask before deleting", "never delete without asking", "you should have asked before deleting", "ask me first before deleting", "ask first when you delete", "don't delete things without asking me", "next time ask before you remove files", "bitte vor dem Löschen fragen", "demande avant de supprimer", "pregunta antes de borrar", "check with me before you delete something"]),
    "rm -rf": ("never use rm -rf", ["never use rm -rf", "no rm -rf", "don't ever use rm -rf", "rm -rf is forbidden here", "please never write rm -rf", "stop using rm -rf", "I don't want to see rm -rf", "rm -rf is too dangerous, never use it"]),
    "force push": ("never force push", ["never force push", "no force pushes", "don't force push", "we do not force push here", "force push is not allowed", "please never push with force", "stop force pushing", "no --force on push, ever"]),
    "backup": ("make a backup first", ["make a backup first", "back it up first", "always make a backup first", "first a backup, then the change", "you should make a backup before", "please copy it before you change it, as a backup", "backup first", "without a backup I won't run that, make one first"]),
    "dry run": ("do a dry run first", ["do a dry run first", "dry run first", "show me a dry run first", "try it as a dry run before", "first only a dry run", "start with a dry run", "always dry-run first", "I want to see a dry run first"]),
    "ask sudo": ("ask before using sudo", ["ask before using sudo", "ask me before you use sudo", "don't use sudo without asking", "no sudo without asking me first", "sudo only after asking", "you should ask before sudo", "check with me before using sudo", "never sudo without asking"]),
    "protect": ("do not touch {d}", ["do not touch {d}", "don't touch {d}", "hands off {d}", "leave {d} alone", "never change anything in {d}", "stay out of {d}", "{d} must not be changed", "keep your fingers out of {d}"]),
}  # fmt: skip
OFFICE = {
    "formal": ("use a formal tone", ["too casual", "more formal please", "be more formal", "make it formal", "that is too casual", "sounds too sloppy, more formal", "use a formal tone", "this goes to a customer, be formal", "not so chummy", "keep it formal", "zu locker, bitte förmlicher", "plus formel s'il te plaît", "más formal por favor", "write it more formally"]),
    "casual": ("use a casual tone", ["too formal", "too stiff", "less formal please", "be less formal", "make it casual", "that is way too formal", "more relaxed please", "we are friends, be casual", "sounds like a lawyer, more casual", "not so formal", "zu förmlich", "trop formel", "demasiado formal", "loosen it up a bit"]),
    "friendly": ("use a friendly tone", ["too harsh", "too rude", "be friendlier", "more friendly please", "make it friendlier", "that sounds angry, be friendly", "a bit warmer please", "too cold", "not so harsh", "kinder please", "sounds unfriendly", "zu unfreundlich"]),
    "short": ("keep answers short", ["too long", "shorter please", "make it shorter", "keep it short", "that's too long", "too many words", "way too long", "tl;dr", "be brief", "cut it down", "more concise please", "be more concise", "zu lang", "kürzer bitte", "trop long", "plus court", "demasiado largo", "más corto"]),
    "long": ("give more detail", ["too short", "more detail please", "give more detail", "longer please", "can you go into more detail?", "that is too brief", "a bit more detail", "elaborate", "I need more details", "too brief", "say more", "zu kurz", "trop court", "más detalle"]),
    "list": ("use bullet points", ["use bullet points", "as bullet points please", "bullet points", "make it a list", "as a list", "I wanted a list", "bulleted list please", "put it into bullet points", "als Liste bitte", "en liste"]),
    "table": ("answer as a table", ["as a table", "as a table please", "make it a table", "put that in a table", "I want a table", "a table would be better", "use a table", "als Tabelle bitte"]),
    "json": ("answer as JSON", ["as json", "as JSON please", "json please", "I need JSON", "give it to me as json", "output json", "make it JSON", "in json format"]),
    "one line": ("answer in one line", ["one line please", "in one line", "on a single line", "I asked for one line", "just one line", "fit it on one line", "one-liner please", "make it one line"]),
    "plain": ("do not use markdown", ["no markdown", "no markdown please", "plain text please", "plain text, no markdown", "leave out the markdown", "don't use markdown", "without markdown", "no asterisks and hashes, plain text"]),
    "no emoji": ("do not use emojis", ["no emojis", "no emoji please", "leave out the emojis", "don't use emojis", "without smileys", "stop with the emojis", "drop the emojis", "emojis are not professional"]),
    "language": ("answer in {l}", ["in {l} please", "in {l}", "answer in {l}", "{l} please", "I don't speak English, {l} please", "please write in {l}", "can you say that in {l}?", "switch to {l}", "speak {l}", "I need it in {l}", "write {l}", "always answer in {l}"]),
    "german": ("answer in German", ["auf Deutsch bitte", "bitte auf Deutsch", "antworte auf Deutsch", "auf deutsch"]),
    "french": ("answer in French", ["en français s'il te plaît", "en français", "réponds en français", "en français svp"]),
    "spanish": ("answer in Spanish", ["en español por favor", "en español", "responde en español", "contesta en español"]),
    "name": ("call me {n}", ["call me {n}", "my name is {n}", "I am {n}", "please call me {n}", "the name is {n}", "it's {n}, that is my name", "you can call me {n}", "I go by {n}", "I'm called {n}", "ich heiße {n}", "je m'appelle {n}", "me llamo {n}", "nenn mich {n}"]),
    "signature": ("sign mails with {n}", ["sign it with {n}", "sign with {n}", "put {n} under it", "my signature is {n}", "the mail must end with {n}", "sign as {n}", "you forgot my name under it, {n}", "signature: {n}"]),
    "clock": ("use 24-hour times", ["24-hour times please", "use the 24-hour clock", "no am and pm", "write times like 15:00", "24h format please", "times in 24 hours", "we use 24-hour times", "no am/pm please"]),
    "dates": ("write dates as YYYY-MM-DD", ["dates as YYYY-MM-DD", "write dates as YYYY-MM-DD", "ISO dates please", "use ISO dates", "date format is YYYY-MM-DD", "dates like 2026-03-14", "year first in dates", "the date should be YYYY-MM-DD"]),
    "ask mail": ("ask before sending mail", ["ask before sending mail", "ask me before you send mails", "never send a mail without asking", "don't send anything before I said yes, ask first", "ask before you send it", "let me read mails before you send them, ask first", "no mail without asking me", "always ask before sending mails"]),
    "naming": ("use {c} for file names", ["file names in {c}", "use {c} for file names", "we write file names in {c}", "file names must be {c}", "name files in {c}", "{c} please for file names", "I want {c} in file names", "{c} for names of files"]),
    "spaces": ("do not use spaces in file names", ["no spaces in file names", "file names without spaces", "don't put spaces in file names", "no blanks in file names please", "never use spaces in file names", "spaces in file names break our scripts", "I said no spaces in file names", "keep spaces out of file names"]),
    "prefix": ("start file names with {w}", ["file names start with {w}", "start file names with {w}", "prefix file names with {w}", "put {w} in front of file names", "our file names begin with {w}", "all file names need the prefix {w}", "{w} must come first in file names", "begin each file name with {w}"]),
}  # fmt: skip
FACTS = {
    "editor": ("my editor is {w}", ["my editor is {w}", "I edit with {w}", "my editor is called {w}", "I use {w} as my editor", "open files in {w}, that is my editor", "the editor here is {w}", "editor: {w}", "I write everything in {w}, my editor"]),
    "host": ("the {r} server is {h}", ["the {r} server is {h}", "{r} is {h}", "our {r} server is called {h}", "the {r} machine is {h}", "{h} is the {r} server", "by {r} I mean {h}", "the address of {r} is {h}", "{r} runs on {h}"]),
    "project": ("project {w} lives in {d}", ["{w} lives in {d}", "project {w} lives in {d}", "the {w} project is in {d}", "{w} is in {d}", "you find {w} in {d}", "my {w} checkout is {d}", "the code of {w} is in {d}", "{w} is checked out at {d}"]),
    "branch": ("the default branch is {w}", ["the default branch is {w}", "our default branch is {w}", "the main branch is called {w} here", "default branch: {w}", "we use {w} as the default branch", "{w} is our default branch", "here the default branch is called {w}", "the default branch has the name {w}"]),
    "port": ("use port {p} for ssh", ["ssh runs on port {p}", "use port {p} for ssh", "our ssh port is {p}", "the ssh port is {p}", "ssh with port {p}", "ssh listens on {p}", "for ssh take port {p}", "port {p} for ssh"]),
}  # fmt: skip
NAMINGS = ["snake_case", "kebab-case", "camelCase", "lower case", "PascalCase"]
TONGUES = "German French Spanish Italian Dutch Polish Portuguese Turkish Czech Danish Swedish Finnish Greek".split()


def tool(draw: Draw, found: Answered) -> tuple[str, str] | None:
    """Another program than the one that the answer runs."""
    old = first(found.answer)
    if found.area != "command" or not re.fullmatch(r"[\w.-]+", old) or len(set(utilities(found.answer)) - {"sudo"}) > 2:
        return None
    new = draw.pick(KNOWN[old]) if old in KNOWN and draw.chance(0.45) else draw.tool()
    language = draw.pick(LANGUAGES) if draw.chance(0.08) else None
    text = draw.wording(TOOL_IN[language] if language else TOOL)
    if len(set(utilities(found.answer)) - {"sudo"}) > 1 and "{a}" not in text:
        text = "use {b} instead of {a}"
    return text.format(a=old, b=new), f"use {new} instead of {old}"


def value(draw: Draw, found: Answered) -> tuple[str, str] | None:
    """Another value than one in the answer. With several of a kind, the old one is named."""
    if not found.values:
        return None
    old, new = draw.pick(found.values)
    language = draw.pick(LANGUAGES) if draw.chance(0.08) else None
    text = draw.wording(VALUE_IN[language] if language else VALUE)
    if "{o}" not in text and sum(_alike(old, other) for other, _ in found.values) > 1:
        text = draw.pick(["{n}, not {o}", "{n} instead of {o}", "not {o} but {n}"])
    if "{o}" not in text and _kind(new) == "word":
        text = draw.pick(["I meant {n}, not {o}", "{o} should be {n}", "change {o} to {n}"])
    return text.format(o=old, n=new), f"use {new} instead of {old}"


def _kind(word: str) -> str:
    forms = {"number": r"\d+", "time": r"\d+(:\d\d)?(am|pm)|\d+:\d\d|noon", "day": r"[A-Z]\w+day", "quarter": r"Q\d", "file": r".*\.\w+", "folder": r".*/.*", "room": r"[A-F]\d+", "name": r"[A-Z]\w+"}
    return next((name for name, form in forms.items() if re.fullmatch(form, word)), "word")


def _alike(one: str, other: str) -> bool:
    return _kind(one) == _kind(other)


def flag(draw: Draw, found: Answered) -> tuple[str, str] | None:
    """An option more, or one less."""
    program = first(found.answer)
    if found.area != "command" or not re.fullmatch(r"[\w.-]+", program) or len(utilities(found.answer)) > 1 + ("sudo" in found.answer):
        return None
    there = re.findall(r"(?<=\s)--?[a-zA-Z][\w-]*(?=\s|$)", found.answer)
    if there and draw.chance(0.35):
        option = draw.pick(there)
        return draw.wording(NO_FLAG).format(x=option, a=program), f"do not use {option} with {program}"
    option = draw.pick(["-v", "-i", "-n", "-h", "-a", "-l", "-r", "-f", "--color", "--verbose", "--dry-run", "--quiet", "--force", "--all", f"--{draw.word()}", f"--{draw.word()}", f"-{draw.pick('abcdegklmpqstuwxyzABCDE')}"])
    if option in there:
        return None
    return draw.wording(FLAG).format(x=option, a=program), f"use {option} with {program}"


def sudo(draw: Draw, found: Answered) -> tuple[str, str] | None:
    program = first(found.answer)
    if found.area != "command" or not re.fullmatch(r"[\w.-]+", program):
        return None
    if found.answer.startswith("sudo "):
        return draw.wording(NO_SUDO), "do not use sudo"
    return draw.wording(SUDO).format(a=program), f"use sudo with {program}"


def fixed(draw: Draw, found: Answered) -> tuple[str, str] | None:
    """One that does not depend on the answer."""
    table = draw.pick([COMMANDS, COMMANDS, FACTS, OFFICE] if found.area == "command" else [OFFICE])
    lesson, wordings = draw.pick(list(table.values()))
    values = {
        "d": draw.folder(), "l": draw.pick(TONGUES), "n": draw.person(), "w": draw.tool() if "editor" in lesson else draw.word(), "c": draw.pick(NAMINGS),
        "r": draw.pick(["staging", "backup", "mail", "test", "build", "database", draw.word()]), "h": draw.host(), "p": str(draw.number(1024, 9999)),
    }  # fmt: skip
    return draw.wording(wordings).format(**values), lesson.format(**values)


KINDS = {"tool": (tool, 26), "value": (value, 24), "flag": (flag, 14), "sudo": (sudo, 8), "fixed": (fixed, 32)}


def directive(draw: Draw, found: Answered) -> tuple[str, str, str] | None:
    """Kind, wording and lesson of a directive that fits the answer; None where none of the drawn kind does."""
    name = draw.weighted({name: weight for name, (_, weight) in KINDS.items()})
    made = KINDS[name][0](draw, found)
    return (name, *made) if made else None
