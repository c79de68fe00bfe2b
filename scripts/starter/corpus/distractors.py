"""Lessons that must change nothing: far ones, and near ones that share words with the request or its command.

Every one is drawn for an example, and given up where it might after all apply to it.
"""

from __future__ import annotations

import re

from . import lesson_facts, lesson_office, lesson_tools
from .draws import Draw
from .lesson_words import Example, allowed, lesson, said
from .shell import utilities

# Utilities that lessons are about, the everyday ones first.
KNOWN = (
    "ls cat grep find sed awk sort head tail cp mv rm mkdir touch chmod chown tar zip unzip gzip curl wget ssh scp "
    "rsync git docker npm make pip python3 "
    "vim nano less diff ps kill top df du ping apt systemctl journalctl wc cut tr uniq tee xargs man date echo ln "
    "file stat which cargo go node kubectl "
    "psql mysql redis-cli tmux screen crontab mount umount ip ss netstat dig openssl ffmpeg convert jq tree watch "
    "killall pkill gcc terraform code brew "
    "yum pacman snap bash java mvn gradle bundle composer yarn pnpm conda ansible helm aws gcloud vagrant sqlite3 "
    "mongo lsof free uname who history cal bc"
).split()
# Names that are alike or do alike, but are not the same tool.
SIBLINGS = {
    "grep": "pgrep zgrep egrep rg ripgrep", "cat": "zcat tac bat ccat", "ls": "lsof lsblk ln lsusb",
    "find": "locate fd findmnt", "ps": "pstree pidof top",
    "rm": "rmdir shred unlink", "cp": "scp cpio rsync dd", "scp": "cp sftp rsync", "ssh": "sshd ssh-keygen mosh telnet",
    "diff": "cmp comm sdiff", "git": "gh hg svn gitk",
    "head": "tail less", "tail": "head tailf", "zip": "gzip bzip2 unzip 7z", "unzip": "zip gunzip",
    "gzip": "bzip2 xz gunzip zip", "tar": "star cpio zip", "sort": "shuf tsort",
    "cut": "paste split", "df": "du dd", "du": "df ncdu", "mv": "cp rename", "chmod": "chown chgrp",
    "chown": "chmod chgrp", "kill": "pkill killall skill", "curl": "wget ftp",
    "wget": "curl aria2c", "awk": "sed perl", "sed": "ed awk tr", "make": "cmake ninja", "npm": "npx yarn node",
    "mount": "umount findmnt", "umount": "mount", "echo": "printf",
    "wc": "nl", "touch": "mkdir truncate", "mkdir": "mktemp rmdir", "docker": "kubectl lxc",
    "python3": "perl ruby ipython", "pip": "conda npm", "systemctl": "journalctl service",
    "journalctl": "systemctl dmesg", "uniq": "comm unexpand", "date": "cal timedatectl", "less": "more man",
    "ping": "traceroute arping", "rsync": "rclone scp", "apt": "snap dpkg",
    "xargs": "parallel", "tee": "tree", "tree": "tee", "tr": "sed rev", "ln": "ls link", "stat": "strace file",
    "which": "whereis whatis", "nano": "ed pico", "vim": "vimdiff ed",
    "cargo": "rustc", "kubectl": "helm docker", "psql": "pg_dump sqlite3", "ip": "ipcalc ss", "ss": "ssh ip",
    "dig": "host nslookup", "top": "tload ps", "pwd": "passwd cd", "cd": "cp pushd",
}  # fmt: skip
SAME = [
    {"python", "python3"},
    {"pip", "pip3"},
    {"vi", "vim"},
    {"apt", "apt-get"},
    {"docker", "docker-compose"},
    {"awk", "gawk"},
    {"grep", "egrep", "fgrep"},
    {"git", "gh"},
]
DESTRUCTIVE = re.compile(
    r"\brm\b|delet|remov|erase|clean|get rid|throw|trash|wipe|lösch|supprim|borra|elimin", re.IGNORECASE
)
# A fact may matter for a request that this finds in; the kinds not named here are told apart by their names.
SUBJECTS = {
    "ssh port": "ssh|scp|rsync|sftp|log ?in|connect|host", "editor": "edit|nano|vi|code|emacs|open|change",
    "pager": "less|more|page|pager|read|scroll|show",
    "viewer": "open|picture|image|show|view|photo|display|png|jpg|gif|webp", "browser": "open|http|browser|url|web",
    "tests": "test", "build": "build|make|compil|cargo|bau", "deploy": "deploy|ship|roll|live|release",
    "serve": "serve|start|run|app|local", "format": "format|tidy|black|fmt|prettier", "lint": "lint|check|style",
    "branch": "git|branch|main|trunk|merge|rebase|commit",
    "remote": "git|remote|origin|push|pull|fetch", "dev port": "curl|localhost|port|server|http|80",
    "logs": "log|journal", "temp": "tmp|temp|scratch", "main file": "main|entry|file",
    "backup": "back|bak|cop|safe", "downloads": "wget|curl|download|get|http|fetch",
    "database": "psql|sql|database|db|pg_|table", "namespace": "kube|pod|k8s|namespace|service",
    "ticket": "commit", "prefix": "branch|git|switch|checkout", "python": r"python|\.py|script",
    "package manager": "install|remove|package|apt|dnf|yum|brew|pacman|apk|search|pkg|snap|dpkg",
}  # fmt: skip
SUBJECTS |= dict.fromkeys(("ssh user", "ssh key"), SUBJECTS["ssh port"])
LOOSE = [
    "the team meets on {w}", "{n} is on holiday", "{n} prefers mails", "be kind", "keep answers short", "no emojis",
    "the printer is called {x}", "lunch is at noon", "our customer is {x}",
    "{n} is my boss", "the wifi is {x}", "I work on a laptop", "my keyboard is German", "answer in one line",
    "no explanations, only the command", "one command per answer", "I am new to linux",
    "the office closes at six", "do not use emojis", "never explain the command", "{n} owns the {x} service",
    "our release day is {w}", "no comments in the answer", "be brief", "{n} works in support",
    "I like short answers", "the sprint ends on {w}", "the budget is tight", "my cat is called {n}",
    "the code name of the release is {x}", "never send mail on {w}", "{n} and {n2} are in the same team",
    "invoices go to {n}", "the room is called {x}", "customers are told by {n}", "orders over 500 need {n}",
    "no meetings on {w}", "kurze Antworten bitte",
]  # fmt: skip
ELSEWHERE = [
    "on {h} use {b} instead of {a}", "on {h}, {a} is called {b}", "use {b} instead of {a} on {h}",
    "only on the machine {h}: {b}, not {a}", "{h} has no {a}, use {b} there", "when logged in to {h}, take {b} for {a}",
    "inside the container {h} use {b} instead of {a}", "for user {h}: {b} instead of {a}",
    "on the server {h} run {b}, never {a}", "in the {h} cluster {b} replaces {a}",
]  # fmt: skip
NAMED = [
    ("is {y} installed?;which {y} is used?;where is {y}?;path of {y}", "which {y}"),
    ("install {y};please install {y};put {y} on this machine;apt install {y}", "sudo apt install {y}"),
    ("show the manual of {y};man page of {y};manual for {y};open the man page for {y}", "man {y}"),
    ("kill every {y} process;end all {y} processes;pkill {y};stop all running {y}", "pkill {y}"),
    ("what is {y}?;what does {y} do?;one line about {y};what is the command {y} for?", "whatis {y}"),
    ("find files named {y};look for files called {y};where is a file named {y}?;locate the file {y} below here",
        "find . -name {y}"),
    ("search notes.txt for {y};find the word {y} in notes.txt;which lines of notes.txt have {y}?;"
     "lines with {y} in notes.txt",
     "grep {y} notes.txt"),
    ("make a folder {y};create the directory {y};new folder named {y};mkdir {y}", "mkdir {y}"),
    ("show {y}.txt;print {y}.txt;display {y}.txt;what is in {y}.txt?", "cat {y}.txt"),
    ("go to the folder {y};cd into {y};change to the directory {y};enter the folder {y}", "cd {y}"),
    ("which processes are called {y}?;pid of {y};is {y} running?;process ids of {y}", "pgrep {y}"),
]  # fmt: skip


def about_a_tool_name(draw: Draw) -> Example:
    """A request in which a tool's name is only a word: a file, a package, a manual's subject."""
    while True:
        asked, command = draw.pick(NAMED)
        name = draw.pick(KNOWN)
        if name not in utilities(command) and not {name, *utilities(command)} in SAME:
            break
    answer = command.format(y=name)
    return Example("near", [_on(draw, name)], draw.wording(asked.split(";")).format(y=name), answer, answer)


def _taken(example: Example) -> set[str]:
    names = set(example.names()) | {"xargs"}
    for same in SAME:
        if names & same:
            names |= same
    return names


def _on(draw: Draw, name: str) -> str:
    """A lesson about one utility: a swap, a flag, or root rights."""
    # A withheld combination may not be seen only where it is ignored: that would teach to ignore it.
    forms = {
        form: weight for form, weight in {"swap": 60, "flag": 22, "sudo": 18}.items() if allowed(form, name, False)
    }
    form = draw.weighted(forms or {"swap": 1})
    if form == "swap":
        known = lesson_tools.DROP_IN.get(name, "").split()
        return lesson(draw, "swap", a=name, b=draw.pick(known) if known and draw.chance(0.4) else draw.tool())
    if form == "flag":
        known = lesson_tools.FLAGS.get(name, "").split()
        return lesson(draw, "flag", a=name, x=draw.pick(known) if known and draw.chance(0.4) else f"--{draw.word()}")
    return lesson(draw, "sudo", a=name, s=draw.weighted({"sudo": 5, "doas": 2, "": 2}) or draw.tool())


def near(draw: Draw, example: Example) -> str | None:
    """A lesson that shares words with the example, but is about something else."""
    if not example.shell:
        return None
    taken = _taken(example)
    used = [name for name in utilities(example.plain or example.answer) if re.fullmatch(r"[a-z][\w+.-]*", name)]
    name = draw.pick(used) if used else ""
    form = draw.weighted(
        {"sibling": 28, "project": 24, "elsewhere": 14, "substring": 8, "word": 18, "to it": 8, "known": 14}
    )
    if form == "known":
        other = draw.pick(KNOWN[:50])
        return _on(draw, other) if other not in taken else None
    if form == "word":
        said_words = [
            w for w in re.findall(r"[a-z][a-z0-9]+", example.request.lower()) if w in KNOWN and w not in taken
        ]
        return _on(draw, draw.pick(said_words)) if said_words else None
    if not name:
        return None
    if form == "sibling":
        others = [other for other in SIBLINGS.get(name, "").split() if other not in taken]
        return _on(draw, draw.pick(others)) if others else None
    if form == "substring":
        other = draw.pick(
            [
                name + draw.pick(["x", "ctl", "-old", "d", "2", "-" + draw.word()]),
                draw.word()[:3] + name,
                draw.pick("gpxz") + name,
            ]
        )
        return _on(draw, other) if other not in taken and not any(other in same for same in SAME) else None
    if form == "to it":
        # What is used already replaces another tool.
        other = draw.pick(SIBLINGS.get(name, "").split() or [draw.tool()])
        return lesson(draw, "swap", a=other, b=name) if other not in taken else None
    if form == "project":
        project = draw.word() if draw.chance(0.7) else draw.pick(lesson_facts.PROJECTS)
        if not allowed("swap", name, False) or project in f"{example.request} {example.cwd} {example.answer}".lower():
            return None
        return lesson(draw, "scoped swap", p=project, a=name, b=draw.tool())
    if not allowed("swap", name, False):
        return None
    where = draw.pick([draw.word(), lesson_facts.host(draw)])
    return (
        said(draw, draw.wording(ELSEWHERE), {"h": where, "a": name, "b": draw.tool()})
        if where not in example.request
        else None
    )


def far(draw: Draw, example: Example) -> str | None:
    """A lesson of any kind that has nothing to do with the example."""
    form = draw.weighted({"tool": 34, "fact": 34, "manner": 10, "loose": 12, "talk": 10})
    if form == "tool":
        name = draw.pick(KNOWN) if draw.chance(0.8) else draw.tool()
        return None if name in _taken(example) else _on(draw, name)
    if form == "fact":
        return _fact(draw, example)
    if form == "manner":
        return _manner(draw, example)
    if form == "loose":
        names = {"n": draw.person(), "n2": draw.person(), "x": draw.word(), "w": draw.pick(lesson_office.WEEKDAYS)}
        return said(draw, draw.wording(LOOSE), names, stop=False) if example.shell else None
    if not example.shell:
        return None
    kind = draw.pick(["name", "name", "language", "signature", "tone", "dates", "clock"])
    if kind in ("dates", "clock") and re.search(
        r"\d{4}|\d:\d|date|time|[ap]m\b", f"{example.request} {example.answer}"
    ):
        return None
    return lesson_office.KINDS[kind](draw).lessons[0]


def _fact(draw: Draw, example: Example) -> str | None:
    text = f"{example.request} {example.answer} {example.plain}".lower()
    kind = draw.pick(sorted(lesson_facts.facts()))
    if kind == example.kind or kind in SUBJECTS and re.search(SUBJECTS[kind], text):
        return None
    names = lesson_facts.values(draw, kind)
    keys = [names[slot].lower() for slot in ("P", "R", "M", "PERSON")]
    # A role or an action is told by its words: none of them may stand in the request.
    if (
        any(key in text for key in keys)
        or kind == "role"
        and any(word in text for word in names["A"].split() if word != "the")
    ):
        return None
    return lesson_facts.told(draw, kind, names)


def _manner(draw: Draw, example: Example) -> str | None:
    """A lesson about the manner of commands, where this command gives no occasion for it."""
    if not example.shell:
        return lesson(draw, draw.pick(["long", "nosudo", "human"]))
    text, names = f"{example.request} {example.answer} {example.plain}", example.names()
    kind = draw.pick(["long", "nosudo", "trash", "ask", "human", "limit", "verbose"])
    blocked = {
        "long": re.search(r"(^|\s)-\w", text), "nosudo": names & {"sudo", "doas"}, "trash": DESTRUCTIVE.search(text),
        "ask": DESTRUCTIVE.search(text),
        "human": names & {"ls", "du", "df", "free", "eza"} or "size" in text, "verbose": names & {"cp", "mv", "rm"},
        "limit": not names or not names <= set("cd mkdir touch cp mv rm chmod chown ln kill ssh scp pwd zip".split()),
    }  # fmt: skip
    if (
        blocked[kind]
        or kind in ("nosudo", "verbose", "trash", "ask")
        and example.kind in ("sudo", "no sudo", "trash", "ask", "verbose", "two", "package manager", "editor")
    ):
        return None
    return lesson(draw, kind, b=draw.tool(), n=str(draw.number(5, 60)))


def some(draw: Draw, example: Example, n: int, nearness: float = 0.5) -> list[str]:
    """`n` lessons that do not matter for the example; `nearness` is the share of near ones among them."""
    found: list[str] = []
    for _ in range(n * 40):
        if len(found) == n:
            break
        told = near(draw, example) if draw.chance(nearness) else far(draw, example)
        if told and told not in found and told not in example.lessons:
            found.append(told)
    return found
