"""Every figure, with what the paper shows and what is drawn here beside it."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from pathlib import Path

from experiments.report.claims import JUDGED, Row, anchor, badge, is_of
from experiments.report.markup import element, listing, text
from serving.errors import UsageError

_PNG = b"\x89PNG\r\n\x1a\n"
_INCH = 130  # CSS pixels per inch of a picture: a third larger than in print
_METRE = 39.37  # inches


def figures(folder: Path, rows: Sequence[Row]) -> str:
    """All pictures of a folder, the paper's first.

    Args:
        folder: PNGs, each with a text beside it: title, what the paper shows, caption, a line each.
        rows: the claims; those of a figure are named below it.
    """
    pictures = sorted(folder.glob("*.png"), key=lambda path: (not path.stem.startswith("fig"), path.stem))
    if not pictures:
        return "<p>No figures yet: run <code>python -m experiments.figures</code>.</p>"
    return "\n".join(figure(picture, rows, picture.stem) for picture in pictures)


def contents(folder: Path) -> str:
    """Links to the figures."""
    found = sorted(folder.glob("fig*.png"))
    return " ".join(element("a", text(picture.stem), href=f"#{picture.stem}") for picture in found)


def figure(picture: Path, rows: Sequence[Row], place: str) -> str:
    """One picture with its words; ``place`` is where links lead to.

    Raises:
        UsageError: if it is no PNG.
    """
    title, paper_shows, caption = _words(picture.with_suffix(".txt"), picture.stem)
    content = picture.read_bytes()
    if not content.startswith(_PNG) or len(content) < 24:
        raise UsageError(f"{picture} is no PNG picture: remove it, or draw it again")
    width, height = struct.unpack(">II", content[16:24])
    scale = _INCH / _pixels_per_inch(content)
    image = element(
        "img",
        alt=title,
        width=f"{scale * width:.0f}",
        height=f"{scale * height:.0f}",
        src=f"data:image/png;base64,{base64.b64encode(content).decode()}",
    )
    beside = "".join(
        element("h4", head) + element("p", text(words))
        for head, words in (("What the paper shows", paper_shows), ("What is drawn here", caption))
        if words
    )
    judged = [row for row in rows if row["verdict"] in JUDGED and is_of(row, picture.stem)]
    if judged:
        beside += element("h4", "Claims") + listing(
            f"{anchor(row['id'])} {badge(row['verdict'])} {text(row['metric'])}" for row in judged
        )
    return element(
        "figure",
        f"<h3>{text(title)}</h3>\n<div class='beside'>{image}\n{element('figcaption', beside)}</div>",
        id=place,
    )


def _pixels_per_inch(png: bytes) -> float:
    """What a PNG says of itself ahead of its pixels; 200, as our figures have, where it says nothing."""
    at = png.find(b"pHYs", 0, png.find(b"IDAT"))
    per_metre, _, unit = struct.unpack(">IIB", png[at + 4 : at + 13]) if at > 0 else (0, 0, 0)
    return per_metre / _METRE if unit == 1 and per_metre else 200.0


def _words(path: Path, name: str) -> tuple[str, str, str]:
    lines = path.read_text(encoding="utf-8").split("\n", 2) if path.exists() else [name]
    title, paper_shows, caption = (*lines, "", "")[:3]
    return title, paper_shows, caption.strip()
