"""Screens of a terminal, one after the other, as a picture that moves and as a text to read.

    python frames.py FOLDER PICTURE.svg TEXT.txt --title chela --columns 84

FOLDER holds `NNN.ansi` (what `tmux capture-pane -p -e` printed) and `NNN.caption` (what the person does there). The
picture is one SVG with a group for each screen; style rules show them in turn, for ever. Needs the package rich.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from rich.console import Console
from rich.text import Text

SECONDS = 2.6


def screen(ansi: str, caption: str, title: str, name: str, columns: int) -> str:
    """One screen as an SVG of its own, its caption below it."""
    console = Console(record=True, width=columns, file=open("/dev/null", "w"), force_terminal=True)
    console.print(Text.from_ansi(ansi))
    console.print(Text(f"▸ {caption}", style="bold yellow"))
    return console.export_svg(title=title, unique_id=name)


def size(svg: str) -> tuple[float, float]:
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    return (float(found[1]), float(found[2])) if found else (0, 0)


def rules(n: int) -> str:
    """Each screen is seen for its share of the time, and hidden in the rest."""
    lasts = SECONDS * n
    share = 100 / n
    lines = [f".screen {{ visibility: hidden; animation: shown {lasts}s step-end infinite; }}"]
    lines.append(f"@keyframes shown {{ 0% {{ visibility: visible; }} {share:.4f}% {{ visibility: hidden; }} }}")
    lines += [f".screen-{at} {{ animation-delay: {SECONDS * at}s; }}" for at in range(n)]
    return "\n".join(lines)


def picture(screens: list[str]) -> str:
    sizes = [size(svg) for svg in screens]
    width, height = max(w for w, _ in sizes), max(h for _, h in sizes)
    groups = "\n".join(
        f'<g class="screen screen-{at}">{svg}</g>' for at, svg in enumerate(one_size(s, width, height) for s in screens)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">\n'
        f"<style>\n{rules(len(screens))}\n</style>\n{groups}\n</svg>\n"
    )


def one_size(svg: str, width: float, height: float) -> str:
    """Inside another SVG, one without a size would be as large as its frame."""
    own_width, own_height = size(svg)
    return re.sub(r"<svg ", f'<svg width="{own_width}" height="{own_height}" ', svg, count=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--title", default="chela")
    parser.add_argument("--columns", type=int, required=True, help="of the terminal")
    options = parser.parse_args()
    screens, pages = [], []
    for at, file in enumerate(sorted(options.folder.glob("*.ansi"))):
        ansi = file.read_text(encoding="utf-8").rstrip("\n")
        caption = file.with_suffix(".caption").read_text(encoding="utf-8").strip()
        # All screens as high as the terminal, so that nothing jumps.
        screens.append(screen(ansi, caption, options.title, f"s{at}", options.columns))
        pages.append(f"=== {caption}\n{Text.from_ansi(ansi).plain.rstrip()}\n")
    options.picture.write_text(picture(screens), encoding="utf-8")
    options.text.write_text("\n".join(pages), encoding="utf-8")


if __name__ == "__main__":
    main()
