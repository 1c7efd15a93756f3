"""How jobs tell in their logs how far they have come."""

import time

import pytest

from minimascope.jobs.progress import BAR, LINES, NOTHING, progress, progress_shown


def clock(monkeypatch: pytest.MonkeyPatch, step: float):
    """Let every step of what is told take so many seconds."""
    now = {"seconds": 0.0}
    monkeypatch.setattr(time, "monotonic", lambda: now["seconds"])

    def steps(count: int):
        for number in range(count):
            now["seconds"] += step
            yield number

    return steps


def told(items, capsys, **options) -> list[str]:
    with progress_shown(LINES):
        seen = [*progress(items, "training", "epoch", **options)]
    assert seen == [*range(len(seen))]
    text = capsys.readouterr().err
    assert "\r" not in text
    return text.splitlines()


class Steps:
    """So many steps that take their time."""

    def __init__(self, steps, count: int):
        self._steps, self._count = steps, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self):
        return self._steps(self._count)


def test_a_log_has_a_line_for_each_slow_step(monkeypatch, capsys):
    steps = Steps(clock(monkeypatch, 60), 3)
    assert told(steps, capsys) == [
        "training: epoch 0 of 3",
        "training: epoch 1 of 3 after 01:00, about 02:00 left",
        "training: epoch 2 of 3 after 02:00, about 01:00 left",
        "training: epoch 3 of 3 after 03:00",
    ]


def test_a_log_has_a_line_every_few_per_cent_of_many_steps(monkeypatch, capsys):
    lines = told(Steps(clock(monkeypatch, 5), 1000), capsys)
    assert len(lines) == 21
    assert lines[1] == "training: epoch 50 of 1000 after 04:10, about 1:19:10 left"


def test_fast_steps_are_told_at_the_beginning_and_the_end(monkeypatch, capsys):
    lines = told(Steps(clock(monkeypatch, 0.01), 50), capsys)
    assert lines == ["training: epoch 0 of 50", "training: epoch 50 of 50 after 00:00"]


def test_what_an_earlier_job_did_counts_but_not_for_the_speed(monkeypatch, capsys):
    lines = told(Steps(clock(monkeypatch, 60), 2), capsys, done=8)
    assert lines[:2] == [
        "training: epoch 8 of 10",
        "training: epoch 9 of 10 after 01:00, about 01:00 left",
    ]


def test_steps_without_a_number_are_counted(monkeypatch, capsys):
    lines = told(clock(monkeypatch, 2)(2), capsys)
    assert lines[1:] == ["training: epoch 1 after 00:02", "training: epoch 2 after 00:04"]


@pytest.mark.parametrize(("how", "shown"), [(NOTHING, False), (BAR, True)])
def test_others_have_a_bar_where_they_ask_for_it(capsys, how: str, shown: bool):
    with progress_shown(how):
        assert [*progress(range(3), "training", "epoch")] == [0, 1, 2]
    assert ("100%" in capsys.readouterr().err) is shown
