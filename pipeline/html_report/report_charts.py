"""Charts of HTML reports as inline SVG with axes: bars of one or two series, intervals, lines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Literal

from pipeline.text import percent, timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BarSeries", "Side", "bar_chart", "interval_chart", "line_chart", "time_chart"]

Side = Literal["reference", "current"]
_WIDTH, _LEFT, _RIGHT = 360, 40, 8
_TOP, _BAR_HEIGHT, _LABEL_HEIGHT = 8, 100, 18
_CHARACTER_WIDTH = 6.2
_MAX_LABEL = 24
_MAX_LIMITS = 5


@dataclass(frozen=True, slots=True)
class BarSeries:
    """One share for each bin, and what the series stands for."""

    side: Side
    name: str
    shares: Sequence[float]


def bar_chart(labels: Sequence[str], series: Sequence[BarSeries], *, alt: str) -> str:
    """Return bars with an axis of percent, and as many labels of bins as fit; a bar has its share as a tooltip."""
    if not labels:
        return ""
    top = max((share for one in series for share in one.shares), default=0.0) or 1.0
    plot_width = _WIDTH - _LEFT - _RIGHT
    step = plot_width / len(labels)
    bar_width = 0.84 * step / len(series)
    bars = []
    for i, label in enumerate(labels):
        title = "; ".join(f"{percent(one.shares[i])} {one.name}" for one in series)
        for at, one in enumerate(series):
            height = _BAR_HEIGHT * one.shares[i] / top
            x = _LEFT + i * step + 0.08 * step + at * bar_width
            bars.append(
                f'<rect class={one.side} x="{x:.1f}" y="{_TOP + _BAR_HEIGHT - height:.1f}" width="{bar_width:.1f}"'
                f' height="{height:.1f}"><title>{escape(label)}: {escape(title)}</title></rect>'
            )
    bottom = _TOP + _BAR_HEIGHT
    axis = (
        f'<line class=frame x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{bottom}" y2="{bottom}"/>'
        f'<line class=frame x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{_TOP}" y2="{_TOP}"/>'
        f'<text x="{_LEFT - 5}" y="{_TOP + 4}" text-anchor="end">{percent(top)}</text>'
        f'<text x="{_LEFT - 5}" y="{bottom}" text-anchor="end">0%</text>'
    )
    return _svg(f"{axis}{''.join(bars)}{_bin_labels(labels, step, bottom + 13)}", bottom + _LABEL_HEIGHT, alt)


def _bin_labels(labels: Sequence[str], step: float, y: float) -> str:
    """Return the labels that fit beside each other; the first and the last one first of all."""
    order = [0, len(labels) - 1, *range(1, len(labels) - 1)]
    taken: list[tuple[float, float]] = []
    marks = []
    for i in dict.fromkeys(order):
        text = labels[i] if len(labels[i]) <= _MAX_LABEL else f"{labels[i][: _MAX_LABEL - 3]}..."
        half = len(text) * _CHARACTER_WIDTH / 2
        x = min(max(_LEFT + (i + 0.5) * step, half), _WIDTH - half)
        if any(x - half - 4 < end and x + half + 4 > start for start, end in taken):
            continue
        taken.append((x - half, x + half))
        marks.append(f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{escape(text)}</text>')
    return "".join(marks)


def interval_chart(intervals: Sequence[tuple[Side, str, float, float, float]], *, alt: str) -> str:
    """Return a row for each (side, name, value, low, high) over one axis."""
    low = min(interval[3] for interval in intervals)
    high = max(interval[4] for interval in intervals)
    width = (high - low) or abs(high) or 1.0
    left, right = 56, 16
    marks = []
    for row, (side, name, *numbers) in enumerate(intervals):
        y = 14 + 22 * row
        x, first, last = (left + (_WIDTH - left - right) * (value - low) / width for value in numbers)
        value, start, end = numbers
        marks.append(
            f'<text x="0" y="{y + 4}">{escape(name)}</text>'
            f'<line class={side} x1="{first:.1f}" x2="{last:.1f}" y1="{y}" y2="{y}" stroke-width="3"/>'
            f'<circle class={side} cx="{x:.1f}" cy="{y}" r="5">'
            f"<title>{escape(name)}: {value:.4g} ({start:.4g} to {end:.4g})</title></circle>"
        )
    y = 14 + 22 * len(intervals)
    ends = (
        f'<line class=frame x1="{left}" x2="{_WIDTH - right}" y1="{y - 8}" y2="{y - 8}"/>'
        f'<text x="{left}" y="{y + 6}">{low:.4g}</text>'
        f'<text x="{_WIDTH - right}" y="{y + 6}" text-anchor="end">{high:.4g}</text>'
    )
    return _svg(f"{''.join(marks)}{ends}", y + 12, alt)


def line_chart(
    lines: Sequence[tuple[Side, Sequence[tuple[float, float]]]],
    *,
    x_label: str,
    y_label: str,
    alt: str,
    has_diagonal: bool = False,
) -> str:
    """Return lines over axes from 0 to 1, as a ROC curve needs them."""
    size, left, top = 220, 44, 8
    bottom, right = top + size, left + size
    shapes = [f'<rect class=frame x="{left}" y="{top}" width="{size}" height="{size}"/>']
    if has_diagonal:
        shapes.append(f'<line class=frame x1="{left}" y1="{bottom}" x2="{right}" y2="{top}"/>')
    for tick in (0.0, 0.5, 1.0):
        shapes.append(f'<text x="{left - 5}" y="{bottom - size * tick + 4}" text-anchor="end">{tick:g}</text>')
        shapes.append(f'<text x="{left + size * tick}" y="{bottom + 13}" text-anchor="middle">{tick:g}</text>')
    shapes.append(f'<text x="{left + size / 2}" y="{bottom + 28}" text-anchor="middle">{escape(x_label)}</text>')
    middle = top + size / 2
    shapes.append(
        f'<text transform="rotate(-90 12 {middle})" x="12" y="{middle}" text-anchor="middle">{escape(y_label)}</text>'
    )
    for side, points in lines:
        if points:
            path = " L".join(f"{left + size * x:.1f} {bottom - size * y:.1f}" for x, y in points)
            shapes.append(f'<path class={side} d="M{path}"/>')
    return _svg("".join(shapes), bottom + 34, alt, width=right + 12)


def time_chart(points: Sequence[tuple[int, float]], *, limit: float, alt: str) -> str:
    """Return values over time with their limit; a moment is in microseconds since 1970, its label in UTC.

    The axis ends at five times the limit, so that the limit stays visible; a point above it is drawn at its end.
    """
    first, last = points[0][0], points[-1][0]
    top = min(max(limit, *(value for _, value in points)) * 1.08, _MAX_LIMITS * limit)
    span, plot_width, bottom = (last - first) or 1, _WIDTH - _LEFT - _RIGHT - 8, _TOP + _BAR_HEIGHT
    places = [
        (_LEFT + 4 + plot_width * (at - first) / span, bottom - _BAR_HEIGHT * min(value / top, 1.0))
        for at, value in points
    ]
    marks = [
        f'<circle class=current cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{timestamp(at)}: {value:.2g}</title></circle>'
        for (x, y), (at, value) in zip(places, points, strict=True)
    ]
    path = " L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    y = bottom - _BAR_HEIGHT * limit / top
    frame = (
        f'<line class=frame x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{bottom}" y2="{bottom}"/>'
        f'<line class=limit x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 5}" y="{bottom}" text-anchor="end">0</text>'
        f'<text x="{_LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{limit:g}</text>'
    )
    if top > 1.5 * limit:
        mark = f"over {top:g}" if top == _MAX_LIMITS * limit else f"{top:.2g}"
        frame += f'<text x="{_LEFT - 5}" y="{_TOP + 8}" text-anchor="end">{mark}</text>'
    ends = (
        f'<text x="{_LEFT}" y="{bottom + 13}">{_short_time(first)}</text>'
        f'<text x="{_WIDTH - _RIGHT}" y="{bottom + 13}" text-anchor="end">{_short_time(last)}</text>'
    )
    lines = f'<path class=current d="M{path}"/>'
    return _svg(f"{frame}{lines}{''.join(marks)}{ends}", bottom + _LABEL_HEIGHT, alt)


def _short_time(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%d %b %H:%M UTC")


def _svg(content: str, height: float, alt: str, *, width: int = _WIDTH) -> str:
    return f'<svg viewBox="0 0 {width} {height:g}" role="img" aria-label="{escape(alt)}">{content}</svg>'
