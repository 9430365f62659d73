"""Lines over one axis as SVG, readable on light and on dark backgrounds."""

import math
from html import escape

WIDTH, HEIGHT = 680, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 84, 52
# Between the ends of the horizontal axis and its first and last point.
INSET = 26
FONT = "font-family: system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
STYLE = f"""
text {{ {FONT}; font-size: 12px; fill: #52514e }}
.title {{ font-size: 15px; font-weight: 600; fill: #0b0b0b }}
.value {{ font-size: 11px }}
.ground {{ fill: #fcfcfb; stroke: #e1e0d9 }}
.grid {{ stroke: #e1e0d9; stroke-width: 1 }}
.axis {{ stroke: #b5b4ad; stroke-width: 1 }}
.line {{ fill: none; stroke-width: 2; stroke-linejoin: round }}
.spread {{ stroke-width: 1.5; opacity: 0.45 }}
.dot {{ stroke: #fcfcfb; stroke-width: 2 }}
.s0 {{ stroke: #2a78d6 }} .f0 {{ fill: #2a78d6 }}
.s1 {{ stroke: #d95926 }} .f1 {{ fill: #d95926 }}
@media (prefers-color-scheme: dark) {{
  text {{ fill: #c3c2b7 }}
  .title {{ fill: #ffffff }}
  .ground {{ fill: #1a1a19; stroke: #2c2c2a }}
  .grid {{ stroke: #2c2c2a }}
  .axis {{ stroke: #5a5954 }}
  .dot {{ stroke: #1a1a19 }}
  .s0 {{ stroke: #3987e5 }} .f0 {{ fill: #3987e5 }}
  .s1 {{ stroke: #eb7a4d }} .f1 {{ fill: #eb7a4d }}
}}
"""


class Logarithmic:
    """An axis from one value to another on which equal ratios are equally far apart."""

    def __init__(self, low, high, base=10):
        self.low, self.high, self.base = low, high, base

    @classmethod
    def around(cls, low, high):
        """From power of ten to power of ten: a curve that is nearly level shall look so."""
        low = 10 ** math.floor(math.log10(low))
        return cls(low, max(10 ** math.ceil(math.log10(high)), low * 10))

    def share(self, value):
        return math.log(value / self.low) / math.log(self.high / self.low)

    def ticks(self):
        # A little is added and taken since logarithms of powers are not quite whole.
        first = math.ceil(math.log(self.low, self.base) - 1e-9)
        last = math.floor(math.log(self.high, self.base) + 1e-9)
        return [self.base**power for power in range(first, last + 1)]


class Linear:
    """An axis on which equal differences are equally far apart."""

    def __init__(self, low, high, ticks):
        self.low, self.high, self.marks = low, high, ticks

    def share(self, value):
        return (value - self.low) / (self.high - self.low)

    def ticks(self):
        return self.marks


def x_at(axis, value):
    return LEFT + INSET + axis.share(value) * (WIDTH - LEFT - RIGHT - 2 * INSET)


def y_at(axis, value):
    return HEIGHT - BOTTOM - axis.share(value) * (HEIGHT - TOP - BOTTOM)


def words(x, y, value, anchor="middle", kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(value)}</text>'


def stroke(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def grid(x_axis, y_axis, x_name, y_name):
    for tick in y_axis.ticks():
        y = y_at(y_axis, tick)
        yield stroke(LEFT, y, WIDTH - RIGHT, y, "grid")
        yield words(LEFT - 8, y + 4, y_name(tick), "end")
    for tick in x_axis.ticks():
        x = x_at(x_axis, tick)
        yield stroke(x, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 4, "axis")
        yield words(x, HEIGHT - BOTTOM + 18, x_name(tick))
    yield stroke(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "axis")


def series(at, points, x_axis, y_axis, y_name):
    """One line; each point has the lowest and the highest of what was measured beside what it stands for."""
    place = [(x_at(x_axis, x), y_at(y_axis, y)) for x, y, _, _ in points]
    yield f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in place)}" class="line s{at}"/>'
    for (x, y), (_, value, low, high) in zip(place, points):
        yield stroke(x, y_at(y_axis, low), x, y_at(y_axis, high), f"spread s{at}")
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" class="dot f{at}"/>'
        # The first line's values stand above it, the second's below.
        beside = y_at(y_axis, high) - 9 if at == 0 else y_at(y_axis, low) + 17
        yield words(x, beside, y_name(value), kind="value")


def legend(names):
    x = LEFT
    for at, name in enumerate(names):
        yield stroke(x, 66, x + 18, 66, f"line s{at}")
        yield words(x + 24, 70, name, "start")
        x += 44 + 7 * len(name)


def svg(title, x_label, y_label, x_axis, y_axis, x_name, y_name, lines):
    """`lines` are names and points, at most two."""
    parts = [
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8" class="ground"/>',
        words(20, 28, title, "start", "title"),
        words(20, 47, y_label, "start"),
        words((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_label),
        *(legend([name for name, _ in lines]) if len(lines) > 1 else []),
        *grid(x_axis, y_axis, x_name, y_name),
    ]
    for at, (_, points) in enumerate(lines):
        parts += series(at, points, x_axis, y_axis, y_name)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    body = "\n".join(parts)
    return f'{head} role="img" aria-label="{escape(title)}">\n<style>{STYLE}</style>\n{body}\n</svg>\n'
