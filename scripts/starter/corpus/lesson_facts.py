"""Lessons that tell a fact: where a project lives, what a host is called, how the tests are run.

The texts stand in `templates/lesson-facts.txt`; here are the names that fill them.
"""

from __future__ import annotations

from . import commands
from .commands import fill
from .draws import PEOPLE, USERS, Draw
from .lesson_words import Example, Section, said, sections, typed

ROLES = (
    "staging production backup test build mail db gpu database demo monitoring git ci web cache print proxy media "
    "jump training log file home office render licence wiki chat vpn gateway queue search"
).split()
PROJECTS = (
    "atlas orion website shop blog api frontend backend thesis intranet mobile payments docs infra bot crm".split()
)
EDITORS = "vim nvim hx micro emacs code zed kak vi subl gedit kate joe ne ed mcedit".split()
PHRASES = (
    "ship it;go live;run the checks;clean up;start work;sync up;release;nightly;standup;wrap up;spin it up;"
    "shut it down;"
    "do the dance;morning routine;fresh start;fire it up;tear it down;the usual;check in;make it so;go time;"
    "call it a day;"
    "coffee;lights off;warm up;kick off;hand over;seal it;wake the box;blank slate;sanity check;weekly;end of day"
).split(";")
ACTIONS = (
    "publish the site;generate the docs;check types;start the database;reset the database;clean the build folder;"
    "update the snapshots;restart the worker;refresh the cache;load the test data;migrate the database;watch the queue;"
    "rotate the keys;build the slides;make the report;compile the thesis;start the tunnel;mount the share;"
    "check the links;"
    "measure the coverage;run the benchmarks;sign the package;import the orders;export the invoices;record a demo;"
    "update the translations;bump the version;open the firewall;warm the cache;sync the photos;flash the board"
).split(";")
VERBS = "run start stop check refresh rebuild publish reset sync update restart inspect".split()


def command(draw: Draw) -> str:
    """A short command as teams have it: a script, a make target, a made-up tool."""
    x, y = draw.word(), draw.word()
    plain = [
        f"make {x}", f"./{x}.sh", f"cargo {x}", f"npm run {x}", f"docker compose up -d {x}", f"just {x}", f"{x} {y}",
        f"{x} --{y}", f"python3 {x}.py", f"kubectl apply -f {x}.yaml", f"{x}", f"bash scripts/{x}.sh",
        f"{draw.tool()} all",
        f"git push {x} {y}", f"rsync -av {x}/ {y}:", f"pnpm {x}", f"./{x} {y}", f"poetry run {x}", f"bin/{x}",
        f"{x} -{y[0]} {y}",
        f"make {x} && make {y}", f"./gradlew {x}", f"tox -e {x}", f"uv run {x}", f"systemctl restart {x}", f"npx {x}",
    ]  # fmt: skip
    return draw.pick(plain)


def folder(draw: Draw, project: str) -> str:
    """Where something lives: a full path, often with a name of its own."""
    root = draw.pick(
        [
            "~/src",
            "~/work",
            "~/code",
            "/srv",
            "/opt",
            "~/dev",
            "~/projects",
            "/data",
            "~",
            "/mnt/" + draw.word(),
            "~/" + draw.word(),
            "/var/" + draw.word(),
        ]
    )
    return f"{root}/{project if draw.chance(0.2) else draw.word()}"


def host(draw: Draw) -> str:
    name = draw.word()
    return draw.pick([f"{name}.example.com", f"{name}.local", f"{name}.net", f"{name}-{draw.number(1, 9)}", name,
        f"{name}.lan",
                      f"10.{draw.number(0, 9)}.{draw.number(0, 99)}.{draw.number(2, 250)}",
                      f"{name}.{draw.word()}.io"])  # fmt: skip


def values(draw: Draw, kind: str) -> dict[str, str]:
    """Names for every slot of the facts."""
    project = draw.pick(PROJECTS) if draw.chance(0.35) else draw.word()
    known = EDITORS if kind == "editor" else []
    person = draw.pick(PEOPLE) if draw.chance(0.5) else draw.word().capitalize()
    return {
        **commands.slots(draw),
        "P": project, "D": folder(draw, project), "H": host(draw), "N": str(draw.number(1024, 9999)),
        "R": draw.pick(ROLES) if draw.chance(0.75) else draw.word(),
        "U": draw.pick(USERS) if draw.chance(0.2) else draw.word(),
        "K": f"~/.ssh/{draw.word()}" + draw.pick(["", "", "_key", "_ed25519", ".pem"]), "img_ext": draw.pick(["png",
            "jpg", "gif", "webp"]),
        "T": draw.pick(known) if known and draw.chance(0.3) else draw.tool(), "C": command(draw),
        "M": draw.pick(PHRASES) if draw.chance(0.5) else draw.pick([draw.word(), f"{draw.word()} {draw.word()}",
            f"do the {draw.word()}"]),
        "A": draw.pick(ACTIONS) if draw.chance(0.7) else f"{draw.pick(VERBS)} the {draw.word()}",
        "B": draw.pick(["trunk", "develop", "master"]) if kind == "branch" and draw.chance(0.25) else draw.word(),
        "F": (draw.folder() + "/" if draw.chance(0.4) else "") + draw.word() + draw.pick([".py", ".rs", ".go", ".c",
            ".js", ".tex", ".md"]),
        "K2": f"{draw.word(2).upper()}-{draw.number(1, 999)}", "PERSON": person,
        "ADR": f"{draw.word()}@{draw.word()}.{draw.pick(['com', 'org', 'net', 'de'])}",
    }  # fmt: skip


def facts() -> dict[str, Section]:
    return sections("lesson-facts.txt")


def told(draw: Draw, kind: str, names: dict[str, str]) -> str:
    """A fact's lesson. No full stop: it would look like a part of the path or the command at the end."""
    return said(draw, draw.wording(facts()[kind].lessons), names, stop=False)


def fact(draw: Draw, kind: str) -> Example:
    """A request that needs the fact of this kind."""
    section, names = facts()[kind], values(draw, kind)
    answer, plain, requests = draw.pick(section.asks)
    has = [names[slot] for slot in section.needs]
    asked = typed(draw, fill(draw.wording(requests), names), names)
    return Example(kind, [told(draw, kind, names)], asked, fill(answer, names), fill(plain, names), has)


# The slot that tells two facts of a kind apart.
KEYS = {"project": "P", "host": "R", "macro": "M", "role": "A", "container": "R", "mail address": "PERSON"}


def another(draw: Draw, example: Example, answer: str) -> str | None:
    """A lesson of the same kind with other names, to be kept apart from the right one by name alone."""
    names = values(draw, example.kind)
    if names[KEYS[example.kind]].lower() in f"{example.request} {answer}".lower():
        return None
    return told(draw, example.kind, names)
