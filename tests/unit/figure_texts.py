"""What is written in a figure that has been drawn."""

from matplotlib.text import Text


def numbers_of(axis) -> list[Text]:
    """What stands at the ticks of an axis that are in view."""
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    shown = [text for tick in ticks for text in (tick.label1, tick.label2) if text.get_visible()]
    return [text for text in shown if text.get_text() and axis.axes.axison]


def texts_of(figure) -> list[Text]:
    """All text that is seen in a figure that has been drawn."""
    axes = [getattr(each, f"{name}axis") for each in figure.axes for name in "xy"]
    ticks = {text for axis in axes for text in axis.findobj(Text)} - {axis.label for axis in axes}
    others = [text for text in figure.findobj(Text) if text not in ticks]
    seen = [text for text in others if text.get_visible() and text.get_text().strip()]
    return [*seen, *(text for axis in axes for text in numbers_of(axis))]
