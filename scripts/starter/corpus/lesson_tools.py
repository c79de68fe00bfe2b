"""Tables behind the lessons about commands: real tools and flags, and requests for commands that tasks rarely give."""

from __future__ import annotations

from .commands import Template

# Real tools that take the same options for the plain uses.
DROP_IN = {
    "cat": "bat batcat", "sudo": "doas run0", "docker": "podman nerdctl", "docker-compose": "podman-compose",
    "npm": "pnpm",
    "vim": "nvim vi", "nano": "micro pico", "vi": "vim nvim", "pip": "pip3 pipx", "pip3": "pip",
    "python": "python3 pypy3",
    "python3": "python pypy3 python3.12", "apt": "nala aptitude", "apt-get": "apt nala", "top": "htop btop",
    "make": "gmake remake",
    "tar": "gtar bsdtar", "sed": "gsed", "awk": "gawk mawk", "find": "gfind", "less": "most more",
    "diff": "colordiff icdiff",
    "cp": "gcp", "kubectl": "oc k3s", "terraform": "tofu", "code": "codium zed", "gcc": "clang tcc", "g++": "clang++",
    "grep": "ggrep ugrep",
    "mysql": "mariadb", "redis-cli": "valkey-cli", "bash": "zsh dash", "node": "bun deno", "wget": "wget2",
    "curl": "curlie",
    "yum": "dnf", "ls": "exa gls lsd", "date": "gdate", "sort": "gsort", "head": "ghead", "xdg-open": "open",
    "zip": "7z", "gzip": "pigz",
    "bzip2": "pbzip2", "ping": "fping", "ssh": "autossh", "git": "hub", "du": "gdu", "stat": "gstat",
}  # fmt: skip
# Flags that make sense right behind the tool's name.
FLAGS = {
    "ls": "-a --color=never -F --group-directories-first", "grep": "-i --color=always -n -I", "cp": "-v -i -p -n",
    "mv": "-v -i -n", "rm": "-v -i -I",
    "mkdir": "-p -v", "du": "-x -h", "df": "-T -h", "curl": "-s -L --fail -k", "wget": "-c -q --no-verbose",
    "rsync": "--progress -n -z",
    "scp": "-C -p -q", "ssh": "-A -C -4 -q", "git": "--no-pager -P", "diff": "-u --color -w", "sort": "-u -s",
    "tail": "-q", "head": "-q", "cat": "-n -A",
    "ping": "-4 -n", "docker": "--debug", "npm": "--silent", "make": "-j4 -s -B", "python3": "-B -u -I",
    "chmod": "-v -c", "chown": "-v -c",
    "ln": "-v", "less": "-S -R -N", "psql": "-q", "kubectl": "--context=prod", "ps": "-w", "tree": "-C", "zip": "-q",
    "unzip": "-q -o", "wc": "-l",
    "systemctl": "--no-pager", "journalctl": "--no-pager --utc", "pip": "-q", "cargo": "-q", "apt": "-y", "touch": "-c",
    "sed": "-E",
}  # fmt: skip
# Tools for which a flag right behind the name, or root rights, would be wrong.
NO_FLAG = set(
    "find tar dd ps echo test export cd kill alias sudo doas xargs printf for read "
    "source if while true false env set unset time".split()
)
NO_ROOT = set(
    "cd export alias source unset set history read sudo doas echo pwd type jobs fg bg exit eval "
    "time command printf xargs env umask shopt bind declare let wait".split()
)
LISTING = set("ls find ps grep history env lsof dmesg tree du rg locate who last printenv".split())

# Requests for kinds that need certain commands, which the tasks at large give too seldom.
_DELETING = [
    (
        "rm {f}",
        (
            "Delete {f}",
            "remove {f}",
            "rm {f}",
            "get rid of {f}",
            "throw {f} away",
            "erase the file {f}",
            "I don't need {f} anymore",
        ),
    ),
    (
        "rm -r {d}",
        (
            "Delete the folder {d}",
            "remove {d} and everything in it",
            "delete directory {d}",
            "get rid of the folder {d}",
            "remove the {d} directory",
        ),
    ),
    (
        "rm *.{ext}",
        ("Delete all {ext} files here", "remove every .{ext} file", "delete *.{ext}", "clear away the {ext} files"),
    ),
    (
        "rm {f} {f2}",
        ("Delete {f} and {f2}", "remove {f} and {f2}", "get rid of {f} and {f2}", "delete the files {f} and {f2}"),
    ),
    (
        "rm {d}/*.{ext}",
        (
            "Delete the {ext} files in {d}",
            "remove all .{ext} files from {d}",
            "rid {d} of {ext} files",
            "delete *.{ext} in {d}",
        ),
    ),
]
_ROOT = [
    (
        "sudo systemctl restart {svc}",
        ("Restart {svc}", "restart the {svc} service", "{svc} must be restarted", "bounce {svc}"),
    ),
    ("sudo systemctl stop {svc}", ("Stop {svc}", "stop the {svc} service", "shut down {svc}", "halt {svc}")),
    (
        "sudo systemctl enable {svc}",
        ("Start {svc} at boot", "enable {svc}", "enable the service {svc}", "let {svc} come up at boot"),
    ),
    (
        "sudo apt install {pkg}",
        ("Install {pkg}", "install the package {pkg}", "apt install {pkg}", "put {pkg} on this machine"),
    ),
    (
        "sudo apt remove {pkg}",
        ("Remove the package {pkg}", "uninstall {pkg}", "apt remove {pkg}", "take {pkg} off this machine"),
    ),
    ("sudo apt update", ("Refresh the package lists", "update apt", "apt update", "update the package index")),
    ("sudo reboot", ("Reboot the machine", "reboot", "restart this computer", "reboot now")),
    ("sudo chown {u} {f}", ("Make {u} the owner of {f}", "chown {f} to {u}", "give {f} to {u}", "{u} should own {f}")),
    ("sudo useradd {w}", ("Add the user {w}", "create a user {w}", "new user {w}", "make an account {w}")),
    (
        "sudo mount /dev/sdb1 {d}",
        ("Mount /dev/sdb1 on {d}", "mount sdb1 at {d}", "attach /dev/sdb1 to {d}", "mount /dev/sdb1 to {d}"),
    ),
    (
        "sudo ufw allow {port}",
        (
            "Open port {port} in the firewall",
            "allow port {port}",
            "ufw allow {port}",
            "let port {port} through the firewall",
        ),
    ),
]
_SIZES = [
    (
        "ls -l {d}",
        (
            "List {d} with details",
            "long listing of {d}",
            "show {d} with sizes and dates",
            "details of the files in {d}",
        ),
    ),
    (
        "du {d}",
        (
            "Show the disk usage below {d}",
            "disk usage of everything in {d}",
            "du of {d}",
            "how much does each folder in {d} take?",
        ),
    ),
    ("df", ("Show the free disk space", "how full are the disks?", "disk space", "free space on all disks")),
    (
        "ls -lS {d}",
        (
            "List {d} by size",
            "files in {d}, biggest first",
            "sort {d} by file size",
            "which files in {d} are the biggest?",
        ),
    ),
    (
        "ls -la",
        (
            "List all files with details",
            "details of all files, hidden ones too",
            "long list with hidden files",
            "ls with everything",
        ),
    ),
    ("free", ("Show the memory in use", "how much memory is free?", "ram usage", "free memory")),
]
_MOVING = [
    ("cp {f} {d}/", ("Copy {f} into {d}", "copy {f} to the folder {d}", "put a copy of {f} in {d}", "cp {f} to {d}")),
    ("mv {f} {d}/", ("Move {f} into {d}", "move {f} to {d}", "put {f} into {d}", "shift {f} to the folder {d}")),
    (
        "cp -r {d} {d2}",
        (
            "Copy the folder {d} to {d2}",
            "copy {d} with all in it to {d2}",
            "duplicate {d} as {d2}",
            "cp -r {d} to {d2}",
        ),
    ),
]
_LISTS = [
    ("ls {d}", ("List {d}", "what is in {d}?", "show the files in {d}", "ls {d}")),
    (
        "find {d} -name '*.{ext}'",
        (
            "Find all {ext} files in {d}",
            "where are the .{ext} files below {d}?",
            "all {ext} files under {d}",
            "look for {ext} files in {d}",
        ),
    ),
    (
        "grep -rn {w} {d}",
        (
            "Search {d} for {w} with line numbers",
            "where does {w} stand in {d}?",
            "find {w} in all files of {d}, with line numbers",
            "grep {w} in {d}, line numbers too",
        ),
    ),
    ("ps aux", ("List all processes", "which processes run?", "show every process", "ps of everything")),
]


def _bank(rows: list[tuple[str, tuple[str, ...]]]) -> list[Template]:
    return [Template(command, None, {}, frozenset(), wordings, {}) for command, wordings in rows]


BANKS = {
    name: _bank(rows)
    for name, rows in (("delete", _DELETING), ("root", _ROOT), ("sizes", _SIZES), ("move", _MOVING), ("list", _LISTS))
}
