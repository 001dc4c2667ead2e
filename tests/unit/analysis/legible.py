"""An eye for figures: which of their texts meet, or leave the page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

SLACK = 0.5  # pixels, which no eye sees


def illegible(figure: Figure) -> list[str]:
    """Return each pair of visible texts that overlap, and each text that leaves the page."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    page, renderer = figure.bbox, canvas.get_renderer()
    boxes: list[tuple[str, Bbox]] = [
        (text.get_text(), text.get_window_extent(renderer))
        for text in _texts(figure)
        if text.get_text().strip()
    ]
    found = [
        f"leaves the page: {words!r}"
        for words, box in boxes
        if box.x0 < page.x0 or box.y0 < page.y0 or box.x1 > page.x1 or box.y1 > page.y1
    ]
    found += [
        f"overlap: {one!r} and {other!r}"
        for (one, first), (other, second) in combinations(boxes, 2)
        if min(first.x1, second.x1) - max(first.x0, second.x0) > SLACK
        and min(first.y1, second.y1) - max(first.y0, second.y0) > SLACK
    ]
    return found


def _texts(figure: Figure) -> Iterator[Text]:
    """Yield every text that is drawn."""
    of_axes: set[Text] = set()
    for axes in figure.axes:
        assert isinstance(axes, Axes)
        for axis in (axes.xaxis, axes.yaxis):
            texts = {text for text in axis.findobj(Text) if isinstance(text, Text)}
            of_axes |= texts
            if not axes.axison or not axis.get_visible():
                continue
            low, high = sorted(axis.get_view_interval())
            slack = 1e-9 * (high - low)
            for tick in axis.get_major_ticks():
                if low - slack <= tick.get_loc() <= high + slack and tick.label1.get_visible():
                    yield tick.label1
            yield axis.label
            yield axis.get_offset_text()
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if text not in of_axes and text.get_visible():
            yield text
