"""Commands that destroy what cannot be brought back: files, branches' work, discs."""

from __future__ import annotations

import re

from corpus.shell import positions

# A utility in command position, and what must stand in the rest of its command.
_BY_UTILITY = {
    "rm": r"(^|\s)-(\w*[rRf]\w*|-recursive|-force)\b",
    "dd": r"\bof=(?!/dev/null)",
    "shred": r"",
    "wipefs": r"",
    "truncate": r"",
    "fdisk": r"(?<!-l)\s/dev/",
    "parted": r"/dev/",
    "git": r"^\s*(-C \S+ )?(reset\b.*--hard|clean\b.*-\w*f|push\b.*(--force\b(?!-)|\s-f\b)|branch\b.*\s-D\b"
    r"|checkout\b.*\s(--\s+)?\.\s*$|restore\b.*\s\.\s*$|stash (drop|clear))",
    "find": r"\s-delete\b",
    "rsync": r"--delete\b",
    "docker": r"^\s*(\w+ )?(prune\b|(rmi?|remove)\b.*\s(-\w*f|--force))",
    "kubectl": r"^\s*delete\b",
    "chmod": r"-\w*R\w* 0?777",
    "crontab": r"(^|\s)-r\b",
    "userdel": r"(^|\s)-r\b",
    "mv": r"\s/dev/null\s*$",
}
_ANYWHERE = re.compile(
    r">\s*/dev/(sd|nvme|hd|vd|mmcblk|disk)\w*|:\(\)\s*\{|\b(DROP|drop)\s+(TABLE|DATABASE|table|database)\b"
)


def destroys(command: str) -> bool:
    """Whether a command deletes or overwrites without a way back."""
    if _ANYWHERE.search(command):
        return True
    found = positions(command)
    for i, (_, end, name) in enumerate(found):
        utility = name.rsplit("/", 1)[-1]
        if utility.startswith("mkfs"):
            return True
        rest = command[end : found[i + 1][0] if i + 1 < len(found) else len(command)]
        pattern = _BY_UTILITY.get(utility)
        if pattern is not None and re.search(pattern, rest):
            return True
    return False
