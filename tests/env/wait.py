"""Waiting for a condition, with a limit: the only place here that ever waits."""

import select
import time

STEP_S = 0.01


class TooLate(AssertionError):
    """A condition did not come true within its limit."""


def wait_until(condition, limit_s=10.0, what="the condition"):
    """The first true value of condition(); TooLate after limit_s seconds.

    `what` may be a function, for a message that is only known afterwards.
    """
    end = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            text = what() if callable(what) else what
            raise TooLate(f"{text}: not within {limit_s:g} s")
        pause(STEP_S)


def pause(seconds):
    """Gives the processor away for a moment between two looks."""
    select.select([], [], [], seconds)
