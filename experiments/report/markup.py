"""HTML in small pieces: escaped text, elements, and tables that the page's script can sort."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat

_VOID = ("img", "input")  # elements that cannot have content


def text(words: object) -> str:
    """Any text, safe between tags and in quoted attributes."""
    return html.escape(str(words), quote=True)


def element(name: str, content: str = "", /, **attributes: str) -> str:
    """One element around markup; ``_`` in an attribute's name stands for ``-``, at its end for nothing."""
    said = "".join(
        f' {key.removesuffix("_").replace("_", "-")}="{text(value)}"' for key, value in attributes.items()
    )
    return f"<{name}{said}>" if name in _VOID else f"<{name}{said}>{content}</{name}>"


def paragraph(words: object) -> str:
    """A paragraph of plain text."""
    return element("p", text(words))


def listing(items: Iterable[str]) -> str:
    """A list of pieces of markup."""
    return element("ul", "\n".join(element("li", item) for item in items))


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        markup: what it shows.
        sort: what it is sorted by, where that is not its text; a number, ``Infinity`` or words.
        attributes: of its element.
    """

    markup: str
    sort: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)

    def render(self) -> str:
        """As an element."""
        order = {} if self.sort is None else {"data_sort": self.sort}
        return element("td", self.markup, **self.attributes, **order)


def plain(words: object) -> Cell:
    """A cell of plain text."""
    return Cell(text(words))


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    label: str,
    row_attributes: Sequence[Mapping[str, str]] = (),
    **attributes: str,
) -> str:
    """A table that the page's script makes sortable, in a box that scrolls by itself (by keyboard, too).

    Args:
        heads: names of the columns.
        rows: cells, as many in a row as there are heads.
        label: what the table is, for those who hear it.
        row_attributes: of the rows' elements, one mapping a row, or none at all.
        attributes: of the table's element.
    """
    body = [
        element("tr", "".join(cell.render() for cell in cells), **said)
        for cells, said in zip(rows, row_attributes or repeat({}), strict=False)
    ]
    head = element("tr", "".join(element("th", text(name), scope="col") for name in heads))
    whole = element(
        "table",
        f"\n{element('thead', head)}\n{element('tbody', chr(10).join(body))}\n",
        class_="sortable",
        **attributes,
    )
    return element("div", whole, class_="wide", tabindex="0", role="region", aria_label=label)
