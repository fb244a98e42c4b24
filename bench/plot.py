"""plot.py - lines over steps as one picture in SVG, which needs nothing else and follows the light of the reader."""

import html

WIDE, HIGH, GAP = 380, 250, 24  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 40, 44
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #55534b; } .title { font-weight: 600; font-size: 14px; fill: #14140f; }
.page { fill: #fdfdfb; } .grid { stroke: #e3e1d9; } .base { stroke: #c6c4ba; } polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
.s0 { stroke: #2a6fd0; } .s1 { stroke: #d07a00; } .s2 { stroke: #0f8a6a; } .s3 { stroke: #8a4fc0; } circle { stroke-width: 2; fill: #fdfdfb; }
@media (prefers-color-scheme: dark) { text { fill: #c2c0b6; } .title { fill: #f7f6f1; } .page, circle { fill: #1a1a18; }
  .grid { stroke: #2b2b28; } .base { stroke: #45443f; } .s0 { stroke: #5a9cf0; } .s1 { stroke: #e5a04a; } .s2 { stroke: #4cc29e; } .s3 { stroke: #b48be0; } }
"""


def steps(high):
    """Round numbers from 0 to `high` or somewhat above."""
    power = 10 ** (len(str(int(high))) - 1)
    step = next(n * power / 4 for n in (1, 2, 4, 8, 20, 40) if 4 * n * power / 4 >= high)
    return [step * i for i in range(5)]


def text(x, y, words, anchor="middle", kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{html.escape(words)}</text>'


def panel(title, labels, series, order):
    """One chart at the origin: `series` is {name: a value for each label, or None}."""
    marks = steps(max(value for values in series.values() for value in values if value is not None))

    def x(i):
        return LEFT + (WIDE - LEFT - RIGHT) * (i + 0.5) / len(labels)

    def y(value):
        return HIGH - BOTTOM - (HIGH - TOP - BOTTOM) * value / marks[-1]

    parts = [f'<rect class="page" width="{WIDE}" height="{HIGH}" rx="12"/>', text(16, 25, title, "start", "title")]
    for mark in marks:
        parts.append(f'<line class="{"grid" if mark else "base"}" x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{y(mark):.1f}" y2="{y(mark):.1f}"/>')
        parts.append(text(LEFT - 8, y(mark) + 4, f"{mark / 1000:g} k" if mark else "0", "end"))
    parts += [text(x(i), HIGH - BOTTOM + 18, label) for i, label in enumerate(labels)]
    for name, values in series.items():
        points = [(x(i), y(value), value) for i, value in enumerate(values) if value is not None]
        kind = f"s{order.index(name)}"
        parts.append(f'<polyline class="{kind}" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b, _ in points)}"/>')
        parts += [f'<circle class="{kind}" cx="{a:.1f}" cy="{b:.1f}" r="3"><title>{html.escape(name)}: {value:,.0f}</title></circle>'
                  for a, b, value in points]
    return "\n".join(parts)


def picture(title, panels):
    """`panels` is a list of (title, labels, series); they stand two in a row, with one legend below."""
    order = list(dict.fromkeys(name for _, _, series in panels for name in series))
    rows = (len(panels) + 1) // 2
    wide, high = 2 * WIDE + GAP, rows * (HIGH + GAP) + 24
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" role="img">',
             f"<title>{html.escape(title)}</title><style>{STYLE}</style>"]
    for i, one in enumerate(panels):
        parts.append(f'<g transform="translate({i % 2 * (WIDE + GAP)} {i // 2 * (HIGH + GAP)})">{panel(*one, order)}</g>')
    for i, name in enumerate(order):
        at = i * wide / len(order) + 10
        parts.append(f'<polyline class="s{i}" points="{at},{high - 14} {at + 22},{high - 14}"/>' + text(at + 28, high - 10, name, "start"))
    return "\n".join([*parts, "</svg>", ""])
