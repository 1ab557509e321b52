"""A batch that the service answers in its own time, for half the price."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ..answers.call_usage import CallUsage
from ..answers.interruption import hear_interrupts
from ..answers.short_traceback import with_short_errors
from ..errors import (
    DeadlineExceededError,
    G4FLiteError,
    OutputError,
    ProviderError,
    ResponseFormatError,
    ResponseStatusError,
    StoreError,
    StreamInterruptedError,
    TransportError,
)
from ..http.redact import scrub
from ..providers.openai.batches import BatchAPI
from ..store.answers import AnswerStore, Kept
from . import kept_errors
from .hosted_requests import RequestFile, files_of, index_in
from .hosted_state import Part, State, is_line
from .inputs import Inputs
from .plan import Plan
from .result import Outcome, Result
from .results import BatchResults
from .task import Calls, Place, Task

logger = logging.getLogger(__name__)
T = TypeVar("T")
# Errors that the next look at a batch may not meet, and how many of them in a row are too many.
_PASSING = (TransportError, DeadlineExceededError, ResponseStatusError, ResponseFormatError, StreamInterruptedError)
_PATIENCE = 10
_NAP_SECONDS = 1.0
_DOWNLOADS = 2  # of a file with fewer lines than the service has counted, which may have been cut
_LINES = 5  # of one prompt that are read in a download, which has one in each attempt
_LOOKS = 3  # at a batch that is over, until it names the file of its answers
_FILE_IS_GONE = (400, 404)  # statuses that may say so
_REASONS = {
    "failed": "the service refused the batch, and does not say why",
    "expired": "the batch expired before this prompt was answered",
    "cancelled": "the batch was cancelled before this prompt was answered",
}


class HostedCalls(Calls, Protocol):
    """What a client gives a hosted batch."""

    def request(self, prompt: Any, provider: Any = None) -> tuple[BatchAPI, dict[str, Any]]:
        """Return the Batch API of a prompt's provider, and the JSON that is sent for the prompt."""

    def read(
        self,
        prompt: Any,
        provider: Any,
        line: dict[str, Any],
        used: list[Any] | None = None,
        secrets: Iterable[str] = (),
    ) -> Kept:
        """Read the answer in a line of results.

        :param used: gets what it took, for ``count``
        :param secrets: what was sent to get the line, and no error may show
        :raises G4FLiteError: if there is none
        """


class HostedBatch(BatchResults[T]):
    """The results of a batch that the service answers in its own time.  Nothing is sent before they are asked for::

        batch = client.batch(prompts, path="run.json")
        batch.submit()  # and the program may end
        …
        for result in batch:  # waits, in this program or in the next one
            print(result.error or result.text)

    The file at ``path`` keeps which files and batches the service has; the answers are in a store beside it, whose name
    ends in ``.store``.

    :param inputs: the prompts
    :param plan: how they are to be answered
    :param calls: the calls of the plan
    :param path: the file
    :param poll: seconds between two looks at how the batch is
    :raises StoreError: if the file cannot be used
    :raises ValueError: if it belongs to other prompts, or there are none
    """

    def __init__(self, inputs: Inputs, plan: Plan, calls: HostedCalls, path: Path, poll: float) -> None:
        super().__init__(inputs._replace(items=list(inputs.items), is_sized=True), plan)
        if not len(self):
            raise ValueError("prompts is empty, and a Batch API takes at least one prompt; leave out the call")
        self.check()  # the key too: a hosted batch has no estimate that does without
        self._calls = calls
        self._poll = poll
        self._files = files_of(len(self), self._request)
        self._file_of = {index: number for number, file in enumerate(self._files) for index in file.indexes}
        self._state = State(path, [file.digest for file in self._files])
        self._known_before = {number for number, part in enumerate(self._state.parts) if part.is_fetched}
        self._looks = [0] * len(self._files)  # of this object, at what is over
        self._live: set[int] = set()  # prompts that are sent one by one
        self._took: dict[int, tuple[CallUsage, ...]] = {}  # by prompts whose results this object has fetched
        # Of a part whose files are being fetched: the prompts that have answers, why others have none, what they took.
        self._begun: dict[int, tuple[set[int], dict[int, dict[str, Any]], dict[int, list[Any]]]] = {}
        self._working = threading.RLock()
        self._store = plan.store = AnswerStore(f"{path}.store")
        digests = [bytes.fromhex(self._files[self._file_of[index]].digest) for index in range(len(self))]
        self._places = [Place((digest, index)) for index, digest in enumerate(digests)]
        if not self._store.count() and len(self._state.failures) < len(self):
            for part in self._state.parts:  # the store was removed
                part.is_fetched = False
        missing = {index for index, line in self._state.failures.items() if line is None}
        for file, part in zip(self._files, self._state.parts, strict=True):
            if part.completed + part.failed > len(file.indexes) - len(missing.intersection(file.indexes)):
                part.is_fetched = False  # each download was cut; the service may have the rest now

    @with_short_errors
    def submit(self) -> HostedBatch[T]:
        """Upload the prompts and create the batch, unless that has been done; what fails is tried again next time.

        :raises G4FLiteError: if the service does not take them
        """
        if not all(part.batch_id or part.is_over for part in self._state.parts):
            with self._alone():
                for file, part in zip(self._files, self._state.parts, strict=True):
                    if not part.batch_id and not part.is_over:
                        self._create(file, part)
        return self

    @property
    @with_short_errors
    def done(self) -> bool:
        """Whether the service has ended the batch, which it is asked; a batch that was not submitted is submitted."""
        if not self._state.is_fetched:
            self.submit()
            self._look()
        return self._state.is_fetched

    @property
    def status(self) -> str:
        """How the batch was when it was last looked at, in the service's words; of several parts the first unended."""
        unended = [part for part in self._state.parts if not part.is_over] or self._state.parts
        return unended[0].status or "not submitted"

    @with_short_errors
    def cancel(self) -> None:
        """Cancel the batch; what was answered until then can be read, and is paid for.

        :raises G4FLiteError: if the service does not answer
        """
        with self._alone():
            for file, part in zip(self._files, self._state.parts, strict=True):
                if part.is_over:
                    continue
                if not part.batch_id and part.is_created and (batch := file.api.find(self._metadata(part))):
                    part.take(batch)
                if not part.batch_id:
                    part.status = "cancelled"
                elif not part.is_over:
                    self._cancel(file, part)
                self._state.save()

    @with_short_errors
    def wait(self) -> HostedBatch[T]:
        """Wait until the batch has ended.

        :raises G4FLiteError: if the service does not say how it is, ten times in a row
        """
        try:
            hear_interrupts()
            self._wait()
        except KeyboardInterrupt as error:
            raise self._interrupt(error)  # noqa: B904  in most cases the same one
        return self

    def _told(self) -> str:
        return f"{super()._told()}, and the service goes on" if self._is_submitted else super()._told()

    def _wait(self) -> None:
        failures = 0
        while not self._state.is_fetched:
            try:
                if self.done:
                    break
                failures = 0
            except _PASSING as error:
                failures += 1
                if not self._is_submitted or failures >= _PATIENCE:
                    raise
                logger.info("the state of the batch is unknown, and asked for again: %s", error)
            left = self._poll
            while left > 0:  # in naps: an interrupt in the moment before one is heard after it
                time.sleep(min(left, _NAP_SECONDS))
                left -= _NAP_SECONDS

    def retry_failed(self) -> HostedBatch[T]:
        """Send the prompts that failed again when the results are read: now, one by one, at the full price.

        The results are read first, if they have not been.
        """
        for _ in self:
            pass
        self._live.update(result.index for result in self.failed)
        super().retry_failed()
        return self

    @with_short_errors
    def _at(self, indexes: range) -> Iterator[Result[T]]:
        self.wait()
        yield from super()._at(indexes)

    def _next_task(self, index: int) -> Task | Outcome | None:
        return self._stored(index) or self._task(index)

    def _stored(self, index: int) -> Result[Any] | None:
        if index in self._live or not self._state.parts[self._file_of[index]].is_fetched:
            return None
        result = self._result(index)
        return result if self._plan.wants(result) else None

    def _result(self, index: int) -> Result[T]:
        """Return the result of a prompt, which is in the store, or among the failures."""
        item: Any = self._inputs.items[index]  # type: ignore[index]
        facts: dict[str, Any] = {
            "is_stored": self._file_of[index] in self._known_before,
            "label": self._plan.label(index),
        }
        kept = self._store.find(self._places[index].key)  # type: ignore[union-attr]
        if kept is None:
            return Result(index, item, error=self._failure(index), **facts)
        try:
            answer = kept._replace(took=self._took.get(index, kept.took)).answer()
            return Result(index, item, answer, self._calls.output(answer), **facts)
        except G4FLiteError as error:  # the type of the output has changed
            scrub(error, self._files[self._file_of[index]].api.provider.secrets())
            return Result(index, item, error=error, **facts)

    def _failure(self, index: int) -> G4FLiteError:
        """Return why there is no answer in the store to a prompt."""
        kept = self._state.failures.get(index)
        if kept is not None and not is_line(kept):
            return kept_errors.from_json(kept)
        try:
            answer = self._kept_in(index, kept or self._missing(index)).answer()
        except G4FLiteError as error:
            return error
        text = "the answer did not fit when it came, and does now: it is in .partial; retry_failed() asks again"
        unfit = OutputError(text, provider=answer.provider, step="stream", partial=str(answer))
        unfit.usage = answer.usage
        return unfit

    def _request(self, index: int) -> tuple[BatchAPI, dict[str, Any]]:
        task = self._task(index)
        return self._calls.request(task.prompt, task.provider)

    def _kept_in(
        self, index: int, line: dict[str, Any], used: list[Any] | None = None, secrets: Iterable[str] = ()
    ) -> Kept:
        task = self._task(index)
        return self._calls.read(task.prompt, task.provider, line, used, secrets)

    @property
    def _is_submitted(self) -> bool:
        return all(part.batch_id or part.is_over for part in self._state.parts)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other threads, and other processes with the same file, from creating the batch as well."""
        with self._working, self._store.database.transaction():
            self._state.load()
            yield

    def _metadata(self, part: Part) -> dict[str, str]:
        """Return what a batch is found by if its id did not arrive."""
        return {"g4f_lite": f"{self._state.run}-{self._state.parts.index(part)}"}

    def _create(self, file: RequestFile, part: Part) -> None:
        """Upload a file and create its batch; after a failure, look first whether the batch is there."""
        metadata = self._metadata(part)
        batch = file.api.find(metadata) if part.is_created else None
        if batch is None:
            if part.input_file_id is None:
                with file.written(self._request) as requests:
                    part.input_file_id = file.api.upload(requests, f"{self._state.path.stem}.jsonl")
            part.is_created = True
            self._state.save()
            try:
                batch = file.api.create(part.input_file_id, metadata)
            except ProviderError as error:
                if error.status is not None and 400 <= error.status < 500:  # else it may have been created
                    part.is_created = False
                    if error.status in _FILE_IS_GONE:
                        part.input_file_id = None
                    self._state.save()
                raise
        part.take(batch)
        self._state.save()

    def _cancel(self, file: RequestFile, part: Part) -> None:
        assert part.batch_id is not None
        try:
            part.take(file.api.cancel(part.batch_id))
        except ProviderError:
            part.take(file.api.get(part.batch_id))  # it may have ended meanwhile
            if not part.is_over:
                raise

    def _look(self) -> None:
        """Ask the service how the batch is, and fetch the results of what has ended."""
        with self._working:
            for number, (file, part) in enumerate(zip(self._files, self._state.parts, strict=True)):
                if part.is_fetched:
                    continue
                if part.batch_id and (not part.is_over or part.lacks_file):
                    part.take(file.api.get(part.batch_id))
                if part.is_over:
                    self._looks[number] += 1
                    if not part.lacks_file or self._looks[number] >= _LOOKS:
                        self._fetch(number, file, part)

    def _fetch(self, number: int, file: RequestFile, part: Part) -> None:
        """Fetch the results of a part: answers into the store, and the errors of the others into the state."""
        # What was used is counted at the end: a download that is cut is begun again, also at the next look.
        answered, failures, used = self._begun.setdefault(number, (set(), {}, {}))
        taken: Counter[int] = Counter()  # lines of each prompt, which a file without an end may repeat

        def take(line: dict[str, Any], secrets: Iterable[str]) -> None:
            index = index_in(line)
            if index is None or self._file_of.get(index) != number or index in answered:
                return
            taken[index] += 1
            if taken[index] > _LINES:
                return
            used[index] = []
            try:
                kept = self._kept_in(index, line, used[index], secrets)
                self._store.keep(self._places[index].key, kept)  # type: ignore[union-attr]
            except StoreError:
                raise
            except G4FLiteError as error:  # also if an image of it cannot be fetched
                scrub(error, secrets)
                failures[index] = kept_errors.to_json(error)
            else:
                answered.add(index)

        for file_id, count in ((part.output_file_id, part.completed), (part.error_file_id, part.failed)):
            for _ in range(_DOWNLOADS):
                taken.clear()
                if file_id is None or file.api.read(file_id, take) >= count:
                    break
        for index in file.indexes:
            if index in answered:
                self._state.failures.pop(index, None)
            else:
                self._state.failures[index] = failures.get(index)
            if index not in used:
                used[index] = []
                with suppress(G4FLiteError):
                    self._kept_in(index, self._missing(index), used[index])
        part.is_fetched = True
        self._state.save()
        del self._begun[number]
        self._took |= {index: tuple(calls) for index, calls in used.items()}
        self._calls.count([call for calls in used.values() for call in calls])

    def _missing(self, index: int) -> dict[str, Any]:
        """Return the line for a prompt that has none."""
        part = self._state.parts[self._file_of[index]]
        message = "; ".join(part.errors) or _REASONS.get(part.status) or "the service's files lack this prompt's result"
        return {"response": None, "error": {"code": f"batch_{part.status}", "message": message}}
