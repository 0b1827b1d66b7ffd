"""A stacked area curve as an SVG, in nothing but text: x logarithmic, y linear."""

import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 360, 64, 120, 24, 56
COLOURS = ("#4878a8", "#e0893c", "#5a9a58", "#b8504c", "#8868a8")
LINE = 15
FONT = 'font-family="sans-serif" font-size="12"'


def nice(most):
    """A step that makes four to ten lines."""
    step = 10 ** math.floor(math.log10(most))
    for part in (0.1, 0.2, 0.5, 1):
        if most / (step * part) <= 8:
            return step * part
    return step


def text(x, y, words, anchor="middle", extra=""):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" {FONT}{extra}>{words}</text>'


class Plane:
    def __init__(self, values, most):
        self.low, self.high = math.log(values[0]), math.log(values[-1])
        self.most = most

    def x(self, value):
        share = (math.log(value) - self.low) / (self.high - self.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        return HEIGHT - BOTTOM - value / self.most * (HEIGHT - TOP - BOTTOM)


def axes(plane, label, values, y_label):
    parts = []
    step, at = nice(plane.most), 0
    while at * step <= plane.most * 1.0001:
        y = plane.y(at * step)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
                     'stroke="#ddd"/>')
        parts.append(text(LEFT - 6, y + 4, f"{at * step:.4g}", "end"))
        at += 1
    for value in values:
        parts.append(text(plane.x(value), HEIGHT - BOTTOM + 18, f"{value:,}".replace(",", " ")))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, label))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(text(16, middle, y_label, extra=f' transform="rotate(-90 16 {middle:.0f})"'))
    return parts


def areas(plane, values, layers):
    """One on top of the other, named at the right where they end, or as near as names fit."""
    parts, below, named = [], [0.0] * len(values), float("inf")
    for (name, row), colour in zip(layers.items(), COLOURS):
        above = [low + value for low, value in zip(below, row)]
        points = [(plane.x(v), plane.y(y)) for v, y in zip(values, above)]
        points += [(plane.x(v), plane.y(y)) for v, y in zip(reversed(values), reversed(below))]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polygon points="{path}" fill="{colour}" fill-opacity="0.85"/>')
        named = min(named - LINE, plane.y((below[-1] + above[-1]) / 2) + 4)
        parts.append(text(WIDTH - RIGHT + 6, named, f"{name} {row[-1]:.3f}", "start",
                          f' fill="{colour}"'))
        below = above
    return parts


def write(path, label, values, layers, y_label):
    """layers: name -> a figure for each value."""
    most = max(sum(column) for column in zip(*layers.values())) * 1.05
    plane = Plane(values, most)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
             *axes(plane, label, values, y_label), *areas(plane, values, layers), "</svg>"]
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n".join(parts) + "\n")
