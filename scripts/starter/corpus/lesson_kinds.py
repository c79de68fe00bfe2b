"""Lessons that change the command of any task: another tool, a flag, root rights, no deleting, sizes, limits."""

from __future__ import annotations

import re
from collections.abc import Callable

from . import commands
from .commands import Task, Template
from .draws import Draw
from .lesson_words import Example, allowed, lesson
from .shell import first, positions, replaced

# Real tools that take the same options for the plain uses.
DROP_IN = {
    "cat": "bat batcat", "sudo": "doas run0", "docker": "podman nerdctl", "docker-compose": "podman-compose", "npm": "pnpm",
    "vim": "nvim vi", "nano": "micro pico", "vi": "vim nvim", "pip": "pip3 pipx", "pip3": "pip", "python": "python3 pypy3",
    "python3": "python pypy3 python3.12", "apt": "nala aptitude", "apt-get": "apt nala", "top": "htop btop", "make": "gmake remake",
    "tar": "gtar bsdtar", "sed": "gsed", "awk": "gawk mawk", "find": "gfind", "less": "most more", "diff": "colordiff icdiff",
    "cp": "gcp", "kubectl": "oc k3s", "terraform": "tofu", "code": "codium zed", "gcc": "clang tcc", "g++": "clang++", "grep": "ggrep ugrep",
    "mysql": "mariadb", "redis-cli": "valkey-cli", "bash": "zsh dash", "node": "bun deno", "wget": "wget2", "curl": "curlie",
    "yum": "dnf", "ls": "exa gls lsd", "date": "gdate", "sort": "gsort", "head": "ghead", "xdg-open": "open", "zip": "7z", "gzip": "pigz",
    "bzip2": "pbzip2", "ping": "fping", "ssh": "autossh", "git": "hub", "du": "gdu", "stat": "gstat",
}  # fmt: skip
# Flags that make sense right behind the tool's name.
FLAGS = {
    "ls": "-a --color=never -F --group-directories-first", "grep": "-i --color=always -n -I", "cp": "-v -i -p -n", "mv": "-v -i -n", "rm": "-v -i -I",
    "mkdir": "-p -v", "du": "-x -h", "df": "-T -h", "curl": "-s -L --fail -k", "wget": "-c -q --no-verbose", "rsync": "--progress -n -z",
    "scp": "-C -p -q", "ssh": "-A -C -4 -q", "git": "--no-pager -P", "diff": "-u --color -w", "sort": "-u -s", "tail": "-q", "head": "-q", "cat": "-n -A",
    "ping": "-4 -n", "docker": "--debug", "npm": "--silent", "make": "-j4 -s -B", "python3": "-B -u -I", "chmod": "-v -c", "chown": "-v -c",
    "ln": "-v", "less": "-S -R -N", "psql": "-q", "kubectl": "--context=prod", "ps": "-w", "tree": "-C", "zip": "-q", "unzip": "-q -o", "wc": "-l",
    "systemctl": "--no-pager", "journalctl": "--no-pager --utc", "pip": "-q", "cargo": "-q", "apt": "-y", "touch": "-c", "sed": "-E",
}  # fmt: skip
# Tools for which a flag right behind the name, or root rights, would be wrong.
NO_FLAG = set("find tar dd ps echo test export cd kill alias sudo doas xargs printf for read source if while true false env set unset time".split())
NO_ROOT = set("cd export alias source unset set history read sudo doas echo pwd type jobs fg bg exit eval time command printf xargs env umask shopt bind declare let wait".split())
LISTING = set("ls find ps grep history env lsof dmesg tree du rg locate who last printenv".split())

# Requests for kinds that need certain commands, which the tasks at large give too seldom.
_DELETING = [
    ("rm {f}", ("Delete {f}", "remove {f}", "rm {f}", "get rid of {f}", "throw {f} away", "erase the file {f}", "I don't need {f} anymore")),
    ("rm -r {d}", ("Delete the folder {d}", "remove {d} and everything in it", "delete directory {d}", "get rid of the folder {d}", "remove the {d} directory")),
    ("rm *.{ext}", ("Delete all {ext} files here", "remove every .{ext} file", "delete *.{ext}", "clear away the {ext} files")),
    ("rm {f} {f2}", ("Delete {f} and {f2}", "remove {f} and {f2}", "get rid of {f} and {f2}", "delete the files {f} and {f2}")),
    ("rm {d}/*.{ext}", ("Delete the {ext} files in {d}", "remove all .{ext} files from {d}", "rid {d} of {ext} files", "delete *.{ext} in {d}")),
]
_ROOT = [
    ("sudo systemctl restart {svc}", ("Restart {svc}", "restart the {svc} service", "{svc} must be restarted", "bounce {svc}")),
    ("sudo systemctl stop {svc}", ("Stop {svc}", "stop the {svc} service", "shut down {svc}", "halt {svc}")),
    ("sudo systemctl enable {svc}", ("Start {svc} at boot", "enable {svc}", "enable the service {svc}", "let {svc} come up at boot")),
    ("sudo apt install {pkg}", ("Install {pkg}", "install the package {pkg}", "apt install {pkg}", "put {pkg} on this machine")),
    ("sudo apt remove {pkg}", ("Remove the package {pkg}", "uninstall {pkg}", "apt remove {pkg}", "take {pkg} off this machine")),
    ("sudo apt update", ("Refresh the package lists", "update apt", "apt update", "update the package index")),
    ("sudo reboot", ("Reboot the machine", "reboot", "restart this computer", "reboot now")),
    ("sudo chown {u} {f}", ("Make {u} the owner of {f}", "chown {f} to {u}", "give {f} to {u}", "{u} should own {f}")),
    ("sudo useradd {w}", ("Add the user {w}", "create a user {w}", "new user {w}", "make an account {w}")),
    ("sudo mount /dev/sdb1 {d}", ("Mount /dev/sdb1 on {d}", "mount sdb1 at {d}", "attach /dev/sdb1 to {d}", "mount /dev/sdb1 to {d}")),
    ("sudo ufw allow {port}", ("Open port {port} in the firewall", "allow port {port}", "ufw allow {port}", "let port {port} through the firewall")),
]
_SIZES = [
    ("ls -l {d}", ("List {d} with details", "long listing of {d}", "show {d} with sizes and dates", "details of the files in {d}")),
    ("du {d}", ("Show the disk usage below {d}", "disk usage of everything in {d}", "du of {d}", "how much does each folder in {d} take?")),
    ("df", ("Show the free disk space", "how full are the disks?", "disk space", "free space on all disks")),
    ("ls -lS {d}", ("List {d} by size", "files in {d}, biggest first", "sort {d} by file size", "which files in {d} are the biggest?")),
    ("ls -la", ("List all files with details", "details of all files, hidden ones too", "long list with hidden files", "ls with everything")),
    ("free", ("Show the memory in use", "how much memory is free?", "ram usage", "free memory")),
]
_MOVING = [
    ("cp {f} {d}/", ("Copy {f} into {d}", "copy {f} to the folder {d}", "put a copy of {f} in {d}", "cp {f} to {d}")),
    ("mv {f} {d}/", ("Move {f} into {d}", "move {f} to {d}", "put {f} into {d}", "shift {f} to the folder {d}")),
    ("cp -r {d} {d2}", ("Copy the folder {d} to {d2}", "copy {d} with all in it to {d2}", "duplicate {d} as {d2}", "cp -r {d} to {d2}")),
]
_LISTS = [
    ("ls {d}", ("List {d}", "what is in {d}?", "show the files in {d}", "ls {d}")),
    ("find {d} -name '*.{ext}'", ("Find all {ext} files in {d}", "where are the .{ext} files below {d}?", "all {ext} files under {d}", "look for {ext} files in {d}")),
    ("grep -rn {w} {d}", ("Search {d} for {w} with line numbers", "where does {w} stand in {d}?", "find {w} in all files of {d}, with line numbers", "grep {w} in {d}, line numbers too")),
    ("ps aux", ("List all processes", "which processes run?", "show every process", "ps of everything")),
]


def _bank(rows: list[tuple[str, tuple[str, ...]]]) -> list[Template]:
    return [Template(command, None, {}, frozenset(), wordings, {}) for command, wordings in rows]


BANKS = {name: _bank(rows) for name, rows in (("delete", _DELETING), ("root", _ROOT), ("sizes", _SIZES), ("move", _MOVING), ("list", _LISTS))}


def platform(task: Task) -> str | None:
    return "macOS" if "macos" in task.tags else "Linux" if "linux" in task.tags else None


def plain_task(draw: Draw, bank: str = "", synthetic: float = 0.75) -> Task:
    """A task whose command can be changed safely: short, its utilities plain words, found without doubt."""
    while True:
        if bank and draw.chance(0.6):
            task = commands.from_template(draw, draw.pick(BANKS[bank]))
            task.request = commands.varied(task.request, draw)
        else:
            task = commands.task(draw, synthetic)
        command, names = task.command, [name for _, _, name in positions(task.command)]
        if not names or len(command) > 120 or "\n" in command or names[0] == "find" and draw.chance(0.4):
            continue
        # Behind an option of these, a word may be the option's value and no utility.
        if re.search(r"\b(sudo|doas|env|nice|nohup|command|exec|time)\s+-|xargs.* -\w*[IdEsa]\s*[\w]|[<]\(|\bfor\b|\bwhile\b|\bif\b", command):
            continue
        if all(re.fullmatch(r"[A-Za-z][\w+.-]*", name) for name in names):
            return task


def _tool(draw: Draw, old: str) -> str:
    """The new tool: mostly a name never heard, so that only copying it from the lesson is right."""
    return draw.pick(DROP_IN[old].split()) if old in DROP_IN and draw.chance(0.3) else draw.tool()


def _target(draw: Draw, command: str, kind: str, held: bool, never: set[str] = frozenset()) -> str | None:
    """A utility of the command that this kind may change: mostly the first."""
    names = [name for _, _, name in positions(command) if name not in never and name != "xargs" and allowed(kind, name, held)]
    return (names[0] if draw.chance(0.75) else draw.pick(names)) if names else None


def swap(draw: Draw, held: bool = False, new: str = "") -> Example | None:
    task = plain_task(draw)
    old = _target(draw, task.command, "swap", held)
    if not old:
        return None
    new = new or _tool(draw, old)
    answer = task.alternatives.get(new) or replaced(task.command, old, new)
    if not answer or new == old or new in task.command:
        return None
    return Example("swap", [lesson(draw, "swap", a=old, b=new)], task.request, answer, task.command, [new], [old], platform=platform(task))


def scoped_swap(draw: Draw, held: bool = False) -> Example | None:
    """A swap that holds in one project only, which the request or the folder names."""
    found = swap(draw, held)
    if not found:
        return None
    project = draw.word() if draw.chance(0.7) else draw.pick(["atlas", "orion", "shop", "website", "backend", "thesis"])
    found.kind, found.lessons = "scoped swap", [lesson(draw, "scoped swap", p=project, a=found.lacks[0], b=found.has[0])]
    if draw.chance(0.55):
        found.cwd = draw.pick(["~/src/{}", "~/work/{}", "~/{}", "/srv/{}", "~/code/{}", "/home/anna/{}", "~/src/{}/src"]).format(project)
    else:
        request = found.request[:1].lower() + found.request[1:]
        frames = ["in {p}: {r}", "for {p}: {r}", "in project {p}, {r}", "{p}: {r}", "{r} (project {p})", "I am in {p}. {r}", "working on {p}: {r}", "now in {p}, {r}"]
        found.request = draw.wording(frames).format(p=project, r=request)
    return found


def again(draw: Draw, held: bool = False) -> Example | None:
    """A newer lesson that takes an older one back: the plain command is right again."""
    found = swap(draw, held)
    if not found:
        return None
    old, new = found.lacks[0], found.has[0]
    return Example("again", [lesson(draw, "again", a=old, b=new), found.lessons[0]], found.request, found.plain, found.plain, [old], [new], platform=found.platform)


def newer(draw: Draw, held: bool = False) -> Example | None:
    """Two lessons that contradict each other: the first in the list is the newer, and wins."""
    found = swap(draw, held)
    if not found:
        return None
    other = draw.tool()
    found.kind = "newer"
    found.lessons.append(lesson(draw, "swap", a=found.lacks[0], b=other))
    found.lacks.append(other)
    return found


def alternative(draw: Draw, held: bool = False) -> Example | None:
    """Another tool whose options differ, as the templates know it."""
    fitting = [template for template in commands.templates() if template.alternatives]
    if not fitting:
        return None
    task = commands.from_template(draw, draw.pick(fitting))
    new = draw.pick(sorted(task.alternatives))
    old = first(task.command)
    if not allowed("alternative", old, held) or task.alternatives[new] == task.command:
        return None
    # `git checkout` for `git switch`: the tool stays, so that "instead of git" would be nonsense.
    within = first(task.alternatives[new]) == old or " " in new
    told = lesson(draw, "swap", a=old, b=new) if not within and draw.chance(0.7) else lesson(draw, "alternative", b=new)
    has = [new if new in task.alternatives[new] else first(task.alternatives[new])]
    return Example("alternative", [told], commands.varied(task.request, draw), task.alternatives[new], task.command, has, [old], platform=platform(task))


def long(draw: Draw, held: bool = False) -> Example | None:
    fitting = [template for template in commands.templates() if template.long]
    if not fitting:
        return None
    task = commands.from_template(draw, draw.pick(fitting))
    if not task.long or task.long == task.command or not allowed("long", first(task.command), held):
        return None
    added = [word.split("=")[0] for word in task.long.split() if word.startswith("--") and word not in task.command]
    if not added:
        return None
    return Example("long", [lesson(draw, "long")], commands.varied(task.request, draw), task.long, task.command, added, platform=platform(task))


def put_before(command: str, name: str, text: str) -> str:
    start = next(start for start, _, found in positions(command) if found == name)
    return command[:start] + text + " " + command[start:]


def put_behind(command: str, name: str, text: str) -> str:
    end = next(end for _, end, found in positions(command) if found == name)
    return command[:end] + " " + text + command[end:]


def flag(draw: Draw, held: bool = False) -> Example | None:
    task = plain_task(draw)
    tool = _target(draw, task.command, "flag", held, NO_FLAG)
    if not tool or [name for _, _, name in positions(task.command)].count(tool) > 1:
        return None
    known = FLAGS.get(tool, "").split()
    added = draw.pick(known) if known and draw.chance(0.35) else draw.pick(["--{}", "--{}", "--{}", "--no-{}", "--{}=" + draw.word()]).format(draw.word())
    if added in task.command.split() or added.startswith("-") and not added.startswith("--") and re.search(rf"(^|\s)-[A-Za-z]*{added[1]}", task.command):
        return None
    answer = put_behind(task.command, tool, added)
    return Example("flag", [lesson(draw, "flag", a=tool, x=added)], task.request, answer, task.command, [added], platform=platform(task))


def sudo(draw: Draw, held: bool = False) -> Example | None:
    task = plain_task(draw)
    tool = _target(draw, task.command, "sudo", held, NO_ROOT)
    if not tool or "sudo" in task.command or [name for _, _, name in positions(task.command)].count(tool) > 1:
        return None
    root = draw.weighted({"sudo": 45, "doas": 15, "": 40}) or draw.tool()
    answer = put_before(task.command, tool, root)
    return Example("sudo", [lesson(draw, "sudo", a=tool, s=root)], task.request, answer, task.command, [f"{root} {tool}"], platform=platform(task))


def nosudo(draw: Draw, held: bool = False) -> Example | None:
    task = plain_task(draw, "root")
    if not re.match(r"sudo [a-z]", task.command):
        return None
    answer = re.sub(r"\bsudo (?=[a-z])", "", task.command)
    return Example("no sudo", [lesson(draw, "nosudo")], task.request, answer, task.command, lacks=["sudo"], platform=platform(task))


def trash(draw: Draw, held: bool = False) -> Example | None:
    task = plain_task(draw, "delete")
    match = re.fullmatch(r"rm((?: -[a-zA-Z]+)*) ([^|;&<>$`]+)", task.command)
    if not match:
        return None
    new = draw.pick(["trash", "trash-put", "gio trash", "rip", "gtrash put"]) if draw.chance(0.4) else draw.tool()
    return Example("trash", [lesson(draw, "trash", b=new)], task.request, f"{new} {match[2]}", task.command, [new], ["rm"], platform=platform(task))


def ask(draw: Draw, held: bool = False) -> Example | None:
    task = plain_task(draw, "delete")
    match = re.fullmatch(r"rm((?: -[a-zA-Z]+)*) ([^|;&<>$`]+)", task.command)
    if not match or "i" in match[1]:
        return None
    # With -f no question would be asked.
    kept = "".join(f" {word}" for word in match[1].replace("f", "").split() if word != "-")
    return Example("ask", [lesson(draw, "ask")], task.request, f"rm -i{kept} {match[2]}", task.command, ["rm -i"], platform=platform(task))


def human(draw: Draw, held: bool = False) -> Example | None:
    task = plain_task(draw, "sizes")
    match = re.match(r"(ls|du|df|free)((?: -[a-zA-Z]+)?)(?= [^-]|$)", task.command)
    if not match or "h" in match[2] or match[1] == "ls" and "l" not in match[2] or re.search(r"[|;]", task.command):
        return None
    head = f"{match[1]}{match[2] or ' -'}h"
    return Example("human", [lesson(draw, "human")], task.request, head + task.command[match.end() :], task.command, [head], platform=platform(task))


def limit(draw: Draw, held: bool = False) -> Example | None:
    task = plain_task(draw, "list")
    if first(task.command) not in LISTING or re.search(r"[|;&<>]|-exec|-delete|-ok|-quit| -c\b| -q\b|head|tail", task.command):
        return None
    n = str(draw.pick([5, 10, 15, 20, 25, 30, 40, 50, 100, draw.number(3, 200)]))
    return Example("limit", [lesson(draw, "limit", n=n)], task.request, f"{task.command} | head -n {n}", task.command, [f"head -n {n}"], platform=platform(task))


def verbose(draw: Draw, held: bool = False) -> Example | None:
    task = plain_task(draw, draw.pick(["move", "delete"]))
    if not re.match(r"(cp|mv|rm) ", task.command) or re.search(r"[|;&]| -\w*v", task.command):
        return None
    answer = put_behind(task.command, task.command[:2], "-v")
    return Example("verbose", [lesson(draw, "verbose")], task.request, answer, task.command, ["-v"], platform=platform(task))


KINDS: dict[str, Callable[..., Example | None]] = {
    "swap": swap, "scoped swap": scoped_swap, "again": again, "newer": newer, "alternative": alternative, "long": long, "flag": flag,
    "sudo": sudo, "no sudo": nosudo, "trash": trash, "ask": ask, "human": human, "limit": limit, "verbose": verbose,
}  # fmt: skip
