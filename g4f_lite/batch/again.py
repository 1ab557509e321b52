"""Which prompts of a batch are sent again, because of what kept the service from answering them."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from ..errors import G4FLiteError, StreamInterruptedError
from ..providers.failure_words import is_skipped
from . import causes
from .plan import Plan
from .progress import LONG_PAUSE
from .task import Task

logger = logging.getLogger(__name__)

_OFTEN = 100  # times that a prompt is sent; one that a rate limit then still refuses may be too large for it


class Again:
    """Says which prompts that were not answered go to the end of the queue.

    :param plan: how the batch is answered
    :param count_failure: counts a failure of the service, which may be one too many
    :param halt: stops the batch
    :ivar answers: how many prompts were answered
    """

    def __init__(
        self, plan: Plan, count_failure: Callable[[Exception], None], halt: Callable[[Exception], None]
    ) -> None:
        self._plan = plan
        self._workers = plan.workers
        self._count_failure = count_failure
        self._halt = halt
        self.answers = 0

    def is_to_be_sent(self, task: Task, error: Exception, *, is_read: bool) -> bool:
        """Return whether a prompt is to be sent again; if not, it has failed.

        :param is_read: whether all prompts are read, so that none but those that wait are still to come
        """
        return (
            self._is_refused_for_now(task, error, is_read=is_read)
            or self._waits_for_service(task, error)
            or self._gets_another_try(task, error)
        )

    def _is_refused_for_now(self, task: Task, error: Exception, *, is_read: bool) -> bool:
        """Let all wait if the service refuses a prompt for now.

        :returns: False if it is not to be waited for, or answered none of all others since it refused this one before
        """
        if not causes.is_refused_for_now(error):
            return False
        wait, longest = causes.wait_named_by(error), self._workers.longest_pause
        is_refused_again = is_read and task.answers_before == self.answers
        if wait is None:  # a service that has answered nothing yet may refuse for good
            is_waited_for = longest > 0 and task.sent < _OFTEN
            is_refused_again = self._workers.has_paused_in_vain and (is_refused_again or not self._workers.was_reached)
        else:
            is_waited_for = wait <= longest
        if is_refused_again or not is_waited_for:
            return False
        task.answers_before = self.answers
        if self._workers.pause(wait, task.began_at):
            is_long = wait is not None and wait > LONG_PAUSE
            logger.log(logging.WARNING if is_long else logging.INFO, "the batch waits: %s", error)
            self._count_failure(error)  # a service that goes on refusing stops the batch
        return True

    def _waits_for_service(self, task: Task, error: Exception) -> bool:
        """Let all wait if the service is out of reach, which has answered before.

        :returns: False if the prompt may be the reason itself: it met another outage before, or alone this one
        """
        if not self._workers.was_reached or not self._workers.longest_outage or not causes.is_outage(error):
            return False
        outage = self._workers.missed(task.began_at, task.index)
        if self._workers.is_met_by_one and not causes.is_unmistakable(error):
            self._workers.reached(math.inf)
            return False
        if not is_skipped(error):  # else nothing was sent
            if task.outage not in (0, outage):
                return False
            task.outage = outage
        if self._workers.outage >= self._workers.longest_outage:
            if isinstance(error, G4FLiteError):
                error.message += f"; it was out of reach for the max_outage of {self._workers.longest_outage:g} s"
            self._halt(error)
        return True

    def _gets_another_try(self, task: Task, error: Exception) -> bool:
        """Return whether a server cut an answer, failed or was too slow, for the first time, and may be asked again."""
        if task.has_failed or task.prompt.retry is None:
            return False
        if not causes.may_be_sent_again(error, has_answered=self._workers.was_reached):
            return False
        logger.info("prompts[%s] will be sent once more: %s", self._plan.label(task.index), error)
        task.has_failed = True
        if not isinstance(error, StreamInterruptedError):  # as of all calls in progress where a server is restarted
            self._count_failure(error)
        return True
