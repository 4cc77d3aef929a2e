"""Bar charts as SVG, small enough to be read as text."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LABEL_WIDTH, VALUE_WIDTH, ROW, TOP = 760, 230, 110, 22, 46
OURS_COLOUR, OTHER_COLOUR, LIMIT_COLOUR = "#0b6e4f", "#9aa5b1", "#c0392b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar; an infinite value is drawn to the end and named in *text*."""

    label: str
    value: float
    text: str
    ours: bool = False


def bar_chart(title: str, bars: Sequence[Bar], *, limit: float | None = None, unit: str = "") -> str:
    """Return an SVG of horizontal bars from zero on, the *limit* as a line across them."""
    finite = [bar.value for bar in bars if math.isfinite(bar.value)]
    longest = max([*finite, limit or 0.0, 1e-12])
    room = WIDTH - LABEL_WIDTH - VALUE_WIDTH
    height = TOP + ROW * len(bars) + 14
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="13" role="img" aria-label="{escape(title)}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="8" y="20" font-size="15" font-weight="bold">{escape(title)}</text>',
        f'<text x="{LABEL_WIDTH}" y="38" fill="#555555">{escape(unit)}</text>',
    ]
    for number, bar in enumerate(bars):
        y = TOP + number * ROW
        length = room * (min(bar.value, longest) / longest if math.isfinite(bar.value) else 1.0)
        colour = OURS_COLOUR if bar.ours else OTHER_COLOUR
        parts += [
            f'<text x="{LABEL_WIDTH - 8}" y="{y + 15}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect x="{LABEL_WIDTH}" y="{y + 3}" width="{max(length, 1.0):.1f}" height="{ROW - 6}" fill="{colour}"/>',
            f'<text x="{LABEL_WIDTH + max(length, 1.0) + 6:.1f}" y="{y + 15}">{escape(bar.text)}</text>',
        ]
    if limit is not None:
        x = LABEL_WIDTH + room * limit / longest
        end = TOP + ROW * len(bars)
        parts.append(
            f'<line x1="{x:.1f}" y1="{TOP - 4}" x2="{x:.1f}" y2="{end}" stroke="{LIMIT_COLOUR}" stroke-width="2"/>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"
