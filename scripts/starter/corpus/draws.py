"""Chance with a seed, made-up names, and the line between training and evaluation.

A `Draw` belongs to one side: `train` or `test`. Made-up words, wordings and combinations are given to a side by a
hash of their text (one in ten is the test's), so no module can leak one by accident, and both sides stay the same
when other texts are added. Tests may use training names too, where a case is not about unseen names.
"""

from __future__ import annotations

import hashlib
import random
import re

SYLLABLES = (
    "ba be bi bo bu da de di do du fa fe fi fo fu ga ge gi go gu ha he hi ho ja je jo ka ke ki ko ku la le li lo lu ma "
    "me mi mo mu na ne ni no nu pa pe pi po pu ra re ri ro ru sa se si so su ta te ti to tu va ve vi vo wa we wi wo xa "
    "ya yo za ze zi zo zu qua sha che tho bra cro dre fri gro pla pru sta tri ska blo cle fla gli spo"
).split()
ENDINGS = ["", "", "", "", "n", "r", "x", "l", "s", "t", "m", "k", "d", "nd", "rk", "st"]

STEMS = (
    "report notes data config main server client index users orders sales budget invoice todo draft backup access error "
    "debug app test setup build deploy schema photo video song readme summary results metrics log cache table input "
    "output list archive site home page style script tool plan meeting letter paper thesis survey model train export "
    "import parser utils worker queue jobs events stats history contacts inventory products customers payments agenda "
    "slides poster recipe diary tasks roadmap changelog license manual guide outline chapter appendix figures"
).split()
EXTENSIONS = (
    "txt md csv json yaml toml py rs js ts go c h cpp java sh log conf html css sql xml pdf png jpg mp4 mp3 tar.gz zip "
    "gz bak ini tsx vue rb php lua svg webp docx xlsx pptx tex bib ipynb lock env"
).split()
FOLDERS = (
    "src docs tests build logs data backup tmp config scripts assets images public dist target lib bin examples photos "
    "videos music downloads projects work archive reports old new api web core plugins vendor static templates fixtures "
    "notes papers Desktop Documents Downloads Pictures"
).split()
PEOPLE = (
    "Anna Ben Clara David Emma Felix Grace Hugo Ida Jan Kim Lena Max Nina Omar Priya Quinn Ravi Sam Tom Uma Vera Will "
    "Zoe Mia Leo Noah Olga Paul Rosa Ali Chen Yuki Sofia Marek Elif"
).split()
USERS = (
    "alice bob carol dave eve frank grace heidi ivan judy mallory oscar peggy root www-data postgres deploy admin "
    "jenkins anna ben clara git ubuntu pi guest"
).split()
HOSTS = (
    "server1 web01 db.example.com example.com 10.0.0.5 192.168.1.20 build-box backup.local staging.example.org prod-3 "
    "raspberrypi mail.example.net host7 gpu-node nas.local 172.16.0.9 bastion"
).split()
PACKAGES = (
    "nginx curl git vim htop jq tmux postgresql redis docker.io python3 nodejs ffmpeg imagemagick tree ripgrep zsh fish "
    "build-essential cmake neovim sqlite3 wget unzip rsync make gcc"
).split()
SERVICES = "nginx sshd docker postgresql redis cron apache2 mysql cups bluetooth NetworkManager prometheus".split()


# Syllables can make words that nobody wants to read.
RUDE = re.compile(r"sex|fag|nig|kike|cum|tit|dik|cunt|rape|nazi|kkk|hure|puta|pute|fotze|gook|coon")


def _of_ten(text: str) -> int:
    return hashlib.md5(text.encode()).digest()[0] % 10


def is_for_test(text: str) -> bool:
    """Whether a made-up word, a wording or a combination is the evaluation's (one in ten)."""
    return _of_ten(text) == 0


class Draw:
    """A seeded source of choices and names for one side, `train` or `test`."""

    def __init__(self, seed: int, side: str = "train"):
        self.random = random.Random(f"{seed}/{side}")
        self.side = side

    # Choices.

    def chance(self, p: float) -> bool:
        return self.random.random() < p

    def pick(self, items):
        return self.random.choice(items)

    def weighted(self, table: dict):
        return self.random.choices(list(table), list(table.values()))[0]

    def number(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def sample(self, items, k: int) -> list:
        return self.random.sample(items, min(k, len(items)))

    def shuffled(self, items) -> list:
        items = list(items)
        self.random.shuffle(items)
        return items

    def wording(self, wordings: list[str]) -> str:
        """One of the wordings that are this side's. With fewer than four, all belong to both sides."""
        if len(wordings) < 4:
            return self.pick(wordings)
        own = [w for w in wordings if is_for_test(w) == (self.side == "test")]
        return self.pick(own or wordings)

    # Names.

    def word(self, syllables: int | None = None) -> str:
        """A made-up word of this side, never seen on the other."""
        while True:
            n = syllables or self.pick([1, 2, 2, 2, 3, 3, 4])
            word = "".join(self.pick(SYLLABLES) for _ in range(n)) + self.pick(ENDINGS)
            if len(word) > 2 and not RUDE.search(word) and is_for_test(word) == (self.side == "test"):
                return word

    def tool(self) -> str:
        """A made-up program's name."""
        name = self.word(self.pick([1, 2, 2, 3]))
        return name + self.pick(["2", "-cli", "ctl", "x", "-tool", "_run", ".sh"]) if self.chance(0.12) else name

    def name(self) -> str:
        """A plain stem: a common one or a made-up word."""
        return self.pick(STEMS) if self.chance(0.55) else self.word()

    def file(self, spaces: bool = False) -> str:
        """A file's bare name. With `spaces` it may hold blanks, and the caller must quote it."""
        stem = self.name()
        if self.chance(0.2):
            stem += self.pick("_-") + self.pick([*STEMS, str(self.number(1, 99)), "2024", "2025", "2026", "final", "v2"])
        if spaces and self.chance(0.5):
            stem = stem.replace("_", " ").replace("-", " ") + " " + self.pick([*STEMS, str(self.number(1, 31)), "copy"])
        return f"{stem}.{self.pick(EXTENSIONS)}"

    def folder(self) -> str:
        base = self.pick(FOLDERS) if self.chance(0.55) else self.word()
        forms = {"{}": 45, "/{}": 4, "~/{}": 18, "./{}": 8, "/var/{}": 4, "/opt/{}": 3, "/etc/{}": 3, "/srv/{}": 3, "../{}": 3}
        text = self.weighted(forms).format(base)
        return f"{text}/{self.pick(FOLDERS) if self.chance(0.5) else self.word()}" if self.chance(0.15) else text

    def path(self) -> str:
        return self.file() if self.chance(0.6) else f"{self.folder()}/{self.file()}"

    def user(self) -> str:
        return self.pick(USERS) if self.chance(0.5) else self.word()

    def person(self) -> str:
        return self.pick(PEOPLE) if self.chance(0.6) else self.word(2).capitalize()

    def host(self) -> str:
        if self.chance(0.5):
            return self.pick(HOSTS)
        return self.word() + self.pick([".com", ".local", ".example.org", "", "-1", ".lan", ".internal"])

    def package(self) -> str:
        return self.pick(PACKAGES) if self.chance(0.5) else self.word()

    def service(self) -> str:
        return self.pick(SERVICES) if self.chance(0.6) else self.word()
