"""How pages look: colours for light and dark screens, tables, and drawings of graphs.

Colours are those of Okabe and Ito, which people with any colour vision tell apart, dark enough (or light enough) for
text to be read on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

__all__ = ["BASE", "GRAPH", "head", "table"]

BASE = """
:root { color-scheme: light dark; --bg: #fff; --panel: #f5f7f9; --text: #1b1f24; --muted: #57606a; --line: #d0d7de;
  --edge: #8a939d; --last: #0072b2; --last-fill: #cfe6f5; --moved: #b84700; --moved-text: #fff; --good: #1a7037;
  --bad: #b3261e; --warn: #855d00; }
@media (prefers-color-scheme: dark) { :root { --bg: #0f1318; --panel: #181d24; --text: #e6e9ed; --muted: #9da7b3;
  --line: #343c46; --edge: #6e7884; --last: #56b4e9; --last-fill: #123a52; --moved: #e69f00; --moved-text: #1b1200;
  --good: #56c271; --bad: #ff8f85; --warn: #e3b341; } }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--bg);
  overflow-wrap: break-word; }
h1 { margin: 0; font-size: 1.3rem; overflow-wrap: anywhere; } p { margin: 2px 0; }
a { color: var(--last); } summary { cursor: pointer; }
table { border-collapse: collapse; font-size: .9em; } caption { text-align: left; color: var(--muted); }
td, th { padding: 2px 16px 2px 0; text-align: left; vertical-align: top; } th { font-weight: 600; }
.whole { white-space: nowrap; } .id { display: inline-block; min-width: 11em; overflow-wrap: anywhere; }
.said { display: inline-block; min-width: 15em; }
.scroll { overflow: auto; } .scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--last); }
"""

GRAPH = """
.legend { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: center; margin: 6px 0; font-size: .87em; }
.legend b { padding: 0 8px; border: 1px solid var(--edge); border-radius: 4px; font-weight: normal; }
.legend .last { background: var(--last-fill); border-color: var(--last); }
.legend .moved { background: var(--moved); border-color: var(--moved); color: var(--moved-text); font-weight: bold; }
.legend .end { border-radius: 10px; }
.start { position: absolute; width: 1px; height: 1px; scroll-snap-align: center;
  animation: 1ms linear 1s forwards free; }
/* the first picture alone */ .start ~ .start { display: none; }
@keyframes free { to { scroll-snap-align: none; } }
.graph { display: block; } .graph text { font: 12px system-ui, sans-serif; text-anchor: middle; fill: var(--text); }
.graph rect { fill: var(--bg); stroke: var(--edge); } .graph .last rect { fill: var(--last-fill); stroke: var(--last); }
.graph .moved rect { fill: var(--moved); stroke: var(--moved); stroke-width: 2; }
.graph .moved text { fill: var(--moved-text); font-weight: bold; }
.graph path { fill: none; stroke: var(--edge); stroke-width: 1.2; }
.graph path.last { stroke: var(--last); stroke-width: 2; }
.graph text.name { font-size: 10px; fill: var(--muted); }
.graph .moved text.name { fill: var(--moved-text); font-weight: normal; }
.graph g { scroll-margin: 45vh; } .graph g:target rect { stroke: var(--text); stroke-width: 4; }
"""


def head(title: str, style: str) -> str:
    """Return the beginning of a page that needs nothing from elsewhere.

    Args:
        title: its title, as HTML.
        style: its style sheet.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title>\n<style>{style}</style></head>"
    )


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], about: str) -> Iterator[str]:
    """Yield a table that scrolls by itself where the screen is narrow.

    Args:
        titles: of the columns, as HTML.
        rows: the cells of each row, as HTML.
        about: what the table tells, for who does not see it.
    """
    yield f'<div class="scroll" role="region" tabindex="0" aria-label="{about}"><table><thead><tr>'
    yield from (f'<th scope="col">{title}' for title in titles)
    yield "</tr></thead><tbody>"
    for row in rows:
        yield f"<tr>{''.join(f'<td>{cell}' for cell in row)}</tr>"
    yield "</tbody></table></div>"
