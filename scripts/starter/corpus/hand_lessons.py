"""Lesson cases written by hand, as people write them and apart from the frames of the other modules.

Each row: lessons (the newest first), request, the right command, words it must have, words it must not have. A row
with several lessons holds some that do not matter.
"""

from __future__ import annotations

from collections.abc import Iterator

from .documents import AGENT, Case, conversation, lessons_block

ROWS: list[tuple[list[str], str, str, list[str], list[str]]] = [
    (["our archiver is called packo, never tar"], "unpack backup.tar.gz", "packo -xzf backup.tar.gz", ["packo"],
        ["tar -"]),
    (["grep does not exist on this router, quillo does the same"], "lines with timeout in app.log",
        "quillo timeout app.log", ["quillo"], ["grep"]),
    (["we are a pnpm shop"], "install the dependencies with npm", "pnpm install", ["pnpm"], []),
    (["bat > cat"], "show readme.md", "bat readme.md", ["bat"], ["cat"]),
    (["rg not grep!", "the boss is called Henrik"], "search for TODO in main.c", "rg TODO main.c", ["rg"], ["grep"]),
    (["the old mv eats files, somebody wrote safemove for us"], "rename a.txt to b.txt", "safemove a.txt b.txt",
        ["safemove"], ["mv "]),
    (["hands off rm, things go to the bin via binit"], "delete old.log", "binit old.log", ["binit"], ["rm "]),
    (["root is not allowed to anybody; privileged things start with asboss", "apt goes through asboss"], "install htop",
        "asboss apt install htop", ["asboss apt"], ["sudo"]),
    (["you are in a container as root, sudo would only give an error"], "restart nginx", "systemctl restart nginx",
        ["systemctl restart nginx"], ["sudo"]),
    (["spelled-out flags are easier for my students to read"], "show all files, hidden ones too", "ls --all", ["--all"],
        ["-a "]),
    (["curl never without --compressed", "project lumen is in ~/lumen"], "fetch https://example.com/data.json",
        "curl --compressed https://example.com/data.json", ["--compressed"], []),
    (["git chatter annoys me: --quiet on each git pull", "use hx for editing"], "pull the newest commits",
        "git pull --quiet", ["--quiet"], []),
    (["Tessaro: /data/customers/tessaro"], "go to tessaro", "cd /data/customers/tessaro", ["/data/customers/tessaro"],
        []),
    (["the Nordwind checkout was moved to /mnt/fast/nw"], "list the files of nordwind", "ls /mnt/fast/nw",
        ["/mnt/fast/nw"], []),
    (["staging changed its name, it is kiwi-7.internal now"], "ssh to staging", "ssh kiwi-7.internal",
        ["kiwi-7.internal"], []),
    (["db box = 10.20.30.40"], "ping the db box", "ping 10.20.30.40", ["10.20.30.40"], []),
    (["all our machines hide ssh behind 2022"], "connect to web01", "ssh -p 2022 web01", ["-p 2022"], []),
    (["on remote machines I am mwolf"], "ssh to build-box", "ssh mwolf@build-box", ["mwolf@build-box"], []),
    (["I learnt programming in kakoune and never use anything but kak"], "edit notes.md", "kak notes.md", ["kak"],
        ["nano"]),
    (["for editing there is only jove on this box"], "open config.toml in an editor", "jove config.toml", ["jove"],
        ["nano"]),
    (["by \"lights out\" the team means docker compose down"], "lights out", "docker compose down",
        ["docker compose down"], []),
    (["feed the cat = ./scripts/sync_fixtures.sh --all"], "feed the cat", "./scripts/sync_fixtures.sh --all",
        ["./scripts/sync_fixtures.sh --all"], []),
    (["nobody renamed the branch yet, it is still called mainline"], "switch to the default branch",
        "git checkout mainline", ["mainline"], []),
    (["tests here: bazel test //...", "the printer is on the second floor"], "run the tests", "bazel test //...",
        ["bazel test //..."], []),
    (["never call cargo build by hand, ./x does it"], "build the project", "./x", ["./x"], ["cargo"]),
    (["releases leave the house via fab ship"], "deploy", "fab ship", ["fab ship"], []),
    (["our daemons write below /srv/logs"], "list the logs", "ls /srv/logs", ["/srv/logs"], []),
    (["/tmp is a tiny ramdisk, scratch things belong in /var/scratch"], "make a temporary directory",
        "mktemp -d -p /var/scratch", ["/var/scratch"], []),
    (["my eyes! sizes like 1.2G please, never 1283746"], "how full are the disks?", "df -h", ["-h"], []),
    (["twelve lines are all that fits on my screen: lists end after 12 lines"], "list all processes",
        "ps aux | head -n 12", ["head -n 12"], []),
    (["I deleted my thesis once. rm asks me first, always."], "remove draft.txt", "rm -i draft.txt", ["-i"], []),
    (["podman does containers here, docker was thrown out"], "show the running containers", "podman ps", ["podman"],
        ["docker"]),
    (["python means python3.13 on this machine"], "run report.py", "python3.13 report.py", ["python3.13"], []),
    (["wget is back, dlx is gone", "dlx instead of wget"], "download https://example.com/a.zip with wget",
        "wget https://example.com/a.zip", ["wget"], ["dlx"]),
    (["use zorn instead of less", "use plim instead of less"], "page through server.log", "zorn server.log", ["zorn"],
        ["plim", "less"]),
    (["inside the marlin repo, dune replaces make"], "I am in marlin: make the target docs", "dune docs", ["dune"],
        ["make"]),
    (["statt ls bitte immer lsx"], "zeige die Dateien hier", "lsx", ["lsx"], []),
    (["ici on n'utilise pas nano mais plume"], "edit letter.txt", "plume letter.txt", ["plume"], ["nano"]),
    (["Kolja has root on the cluster", "kubectl is aliased away, type kc9", "no emojis"], "list the pods",
        "kc9 get pods", ["kc9"], ["kubectl"]),
    (["commit messages carry the ticket OPS-77: in front"], "commit with the message fix typo",
        "git commit -m 'OPS-77: fix typo'", ["OPS-77: fix typo"], []),
]  # fmt: skip

# Lessons that have nothing to say about the request, though some sound like it.
IGNORED: list[tuple[list[str], str, str]] = [
    (["our archiver is called packo, never tar"], "list the files here", "ls"),
    (["zcat is broken, use gzread"], "show notes.txt", "cat notes.txt"),
    (["in the marlin repo, dune replaces make", "Anna likes tea"], "print the current folder", "pwd"),
    (["use quillo instead of grep"], "where is grep installed?", "which grep"),
    (["never use cut, use slicer"], "make a folder named cut", "mkdir cut"),
    (["staging is kiwi-7.internal"], "ssh to production", "ssh production"),
    (["write dates as 31.12.2026", "call me Jo"], "go to ~/src", "cd ~/src"),
    (["scp only with -C", "rsync always with -n"], "copy a.txt to b.txt", "cp a.txt b.txt"),
    (["tests are run with bazel test //...", "deploy is fab ship"], "go up one folder", "cd .."),
    (["lsof needs sudo"], "list all files, hidden ones too", "ls -a"),
]


def hand_cases() -> Iterator[Case]:
    """Each row with its lessons and without them, then the rows whose lessons do not matter."""
    for lessons, request, command, has, lacks in ROWS:
        taught = conversation(f"{AGENT}\n{lessons_block(lessons)}", request)
        yield Case("lessons", "hand/with", taught, {"has": has, "lacks": lacks, "command": command})
        # What is right without these lessons as well says nothing about them.
        if command not in ("df -h", "wget https://example.com/a.zip"):
            yield Case("lessons", "hand/without", conversation(AGENT, request), {"lacks": has})
    for lessons, request, command in IGNORED:
        taught = conversation(f"{AGENT}\n{lessons_block(lessons)}", request)
        yield Case("lessons", "hand/none", taught, {"base": command, "exact": [command]})
