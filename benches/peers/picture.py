"""Line charts as SVG, readable on light and on dark pages, made of nothing but text."""

import math
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 820, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 218, 58, 56
LABEL = 17
STYLE = """
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #33383f; }
  .title { font-size: 17px; font-weight: 600; }
  .note, .tick { fill: #68707a; font-size: 12px; }
  .grid { stroke: #68707a; stroke-opacity: .22; }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
  .main { stroke-width: 3.5; }
  .main-label { font-weight: 700; }
  .bound { stroke-dasharray: 5 4; }
  .c0 { --c: #c2410c; } .c1 { --c: #0f766e; } .c2 { --c: #6d28d9; } .c3 { --c: #15803d; }
  .c4 { --c: #1d4ed8; } .c5 { --c: #be185d; } .c6 { --c: #a16207; } .c7 { --c: #68707a; } .c8 { --c: #e07a3c; }
  .line { stroke: var(--c); } .dot { fill: var(--c); } .name { fill: var(--c); }
  @media (prefers-color-scheme: dark) {
    text { fill: #d7dce2; }
    .note, .tick { fill: #98a1ab; }
    .grid { stroke: #98a1ab; }
    .c0 { --c: #fb8b4b; } .c1 { --c: #2dd4bf; } .c2 { --c: #b39dfb; } .c3 { --c: #5fd884; }
    .c4 { --c: #79a8ff; } .c5 { --c: #f484b8; } .c6 { --c: #e5bd4a; } .c7 { --c: #98a1ab; } .c8 { --c: #ffb58a; }
  }"""


@dataclass
class Line:
    """Points of one server, by rising x."""

    name: str
    points: list
    color: int
    is_main: bool = False
    is_bound: bool = False


def short(value):
    """A number as an axis shows it."""
    for unit, letter in ((1e6, " M"), (1e3, " k")):
        if value >= unit:
            return f"{value / unit:g}{letter}"
    return f"{value:g}"


def chart(title, note, x_name, y_name, ticks, lines):
    """A chart whose axes are both logarithmic; `ticks` are the places on the first one."""
    lines = [line for line in lines if line.points]
    values = [y for line in lines for _, y in line.points]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def across(value):
        first, last = math.log10(ticks[0]), math.log10(ticks[-1])
        return LEFT + (math.log10(value) - first) / (last - first or 1) * (right - LEFT)

    def up(value):
        return bottom - (math.log10(value) - low) / (high - low) * (bottom - TOP)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}\n</style>",
        f'<text class="title" x="{LEFT - 54}" y="22">{escape(title)}</text>',
        f'<text class="note" x="{LEFT - 54}" y="41">{escape(note)}</text>',
    ]
    for power in range(low, high + 1):
        y = up(10.0**power)
        out.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>')
        out.append(f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{short(10.0**power)}</text>')
    for tick in ticks:
        x = across(tick)
        out.append(f'<path class="grid" d="M{x:.1f} {TOP}V{bottom}"/>')
        out.append(f'<text class="tick" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{short(tick)}</text>')
    out.append(
        f'<text class="note" x="{(LEFT + right) / 2:.1f}" y="{bottom + 40}" text-anchor="middle">{escape(x_name)}</text>'
    )
    middle = (TOP + bottom) / 2
    out.append(
        f'<text class="note" transform="translate(18 {middle:.1f}) rotate(-90)" text-anchor="middle">{escape(y_name)}</text>'
    )
    # The main line is drawn last, above the others.
    for line in sorted(lines, key=lambda line: line.is_main):
        kind = f"line c{line.color}" + " main" * line.is_main + " bound" * line.is_bound
        path = "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in line.points)
        out.append(f'<path class="{kind}" d="M{path}"/>')
        for x, y in line.points:
            out.append(f'<circle class="dot c{line.color}" cx="{across(x):.1f}" cy="{up(y):.1f}" r="3"/>')
    for line, y in labels(lines, up, bottom):
        kind = f"name c{line.color}" + " main-label" * line.is_main
        out.append(f'<text class="{kind}" x="{right + 12}" y="{y + 4:.1f}">{escape(line.name)}</text>')
    return "\n".join([*out, "</svg>", ""])


def labels(lines, up, bottom):
    """The lines with the places of their names at the right, each as near to the end of its line as the others let it."""
    placed = [[line, up(line.points[-1][1])] for line in lines]
    placed.sort(key=lambda pair: pair[1])
    for before, after in zip(placed, placed[1:]):
        after[1] = max(after[1], before[1] + LABEL)
    lowest = bottom + 4
    for pair in reversed(placed):
        pair[1] = min(pair[1], lowest)
        lowest = pair[1] - LABEL
    return placed
