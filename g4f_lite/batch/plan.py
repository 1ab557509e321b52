"""How a batch is to be answered, and which of its prompts have an answer in the store."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ..arguments import warn
from ..errors import G4FLiteError
from ..prompt import Prompt
from ..store.answers import AnswerStore, Kept, Key, mark_of
from ..timeout import Allowance
from .causes import MOST_FAILURES
from .cost_limit import CostLimit, told_of_lacking_price
from .inputs import add_place, as_prompt
from .pace import Meter
from .result import Result
from .summary import told_of_others
from .task import Calls, Place, Task
from .workers import TOO_MANY, Workers


class _Scope(NamedTuple):
    """What tells a provider from others, with its model.

    :param full: with its credentials
    :param without_keys: without them
    :param others: hashes of what has other credentials, and answers in the store
    """

    full: str
    without_keys: str
    others: list[bytes]


@dataclass
class Plan:
    """How a batch is to be answered.

    :param calls: sends the prompts
    :param defaults: the arguments that hold for all prompts
    :param workers: how many calls are in progress at once
    :param store: where answers are kept
    :param meters: the paces
    :param any_key: whether answers count that were stored with other credentials
    :param fresh: whether what is stored is asked again
    :param raises: whether a failure is raised where it is read
    :param max_failures: how many failures of the service in a row stop the batch
    :param max_time: the seconds after which nothing more is sent
    :param cost_limit: the most that the calls may cost; None without a limit
    :param clock: returns the time in seconds
    :param progress: whether progress is shown; None where somebody looks
    :param executor: what makes the calls; None for threads of our own
    :param labels: the labels of the prompts, where they are a pandas Series
    :param is_unwanted: whether a result that is there already is not used; None where all are
    :ivar closed: the positions of prompts that were in progress when a run was closed, and may be answered nevertheless
    :ivar rejected: the keys of answers in the store that are not wanted, or do not fit the type of the output any more
    """

    calls: Calls
    defaults: Mapping[str, Any] = field(default_factory=dict)
    workers: Workers = field(default_factory=Workers)
    store: AnswerStore | None = None
    meters: tuple[Meter, ...] = ()
    any_key: bool = False
    fresh: bool = False
    raises: bool = False
    max_failures: int = MOST_FAILURES
    max_time: float = math.inf
    cost_limit: CostLimit | None = None
    clock: Callable[[], float] = time.monotonic
    progress: bool | None = None
    executor: Executor | None = None
    labels: Sequence[Any] | None = None
    is_unwanted: Callable[[Result[Any]], bool] | None = None
    rejected: set[Key] = field(default_factory=set)
    closed: set[int] = field(default_factory=set)
    _occurrences: Counter[bytes] = field(default_factory=Counter)
    # By model, of the provider of all, with that of the first member and its name.
    _scopes: dict[str | None, tuple[_Scope, tuple[_Scope, str] | None]] = field(default_factory=dict)
    _new_scopes: list[_Scope] = field(default_factory=list)  # which have no answers yet, as far as is known
    _accepts_text: bool = False
    _has_begun: bool = False

    def begin_anew(self) -> None:
        """Forget the prompts that were seen, which are checked once more."""
        self._occurrences.clear()
        self._scopes.clear()
        self._accepts_text = False

    def replaces(self, key: Key) -> bool:
        """Return whether a new answer takes the place of a stored one."""
        return self.fresh or key in self.rejected

    def wants(self, result: Result[Any]) -> bool:
        """Return whether a result that is there already is used."""
        return self.is_unwanted is None or not self.is_unwanted(result)

    def task(self, index: int, item: Any, place: Place | None = None) -> Task:
        """Make the task for a prompt; nothing is sent.

        :param place: its place in the store, if that was computed before
        :raises TypeError: if it is not a prompt, or an option is not supported; the message names its position
        :raises ValueError: if it has an invalid value
        """
        prompt, provider = as_prompt(item, index, self.defaults, self.labels)
        allowance = Allowance(patience=self.workers.longest_pause)  # what is longer stops the batch
        prompt = replace(prompt, allowance=allowance)
        return Task(index, item, prompt, provider, place or self.place(prompt, provider))

    def check(self, task: Task) -> None:
        """Raise if the provider does not accept a prompt.

        :raises G4FLiteError: if it does not have the model, for instance
        :raises TypeError: if it does not support an option; the message names the position of the prompt
        :raises ValueError: if it cannot send something, or a limit of the cost needs a price that is not known
        """
        is_text = isinstance(task.input, str)
        if is_text and self._accepts_text:  # what is accepted with one text is accepted with any
            return
        try:
            self.calls.check(task.prompt, task.provider)
            if self.cost_limit is not None and (who := self.calls.lacks_price(task.prompt, task.provider)):
                raise ValueError(told_of_lacking_price(who))
            self._accepts_text = self._accepts_text or is_text
        except (TypeError, ValueError) as error:
            add_place(error, task.index, self.labels)
            raise

    def place(self, prompt: Prompt, provider: Any) -> Place | None:
        """Return the place of a prompt in the store, with how many equal ones came before; None without a store."""
        if self.store is None:
            return None
        scopes = None if provider else self._scopes.get(prompt.model)
        if scopes is None:
            of_first = self.calls.first_scope(prompt, provider)
            scope = self._scope(self.store, *self.calls.scope(prompt, provider))
            scopes = scope, None if of_first is None else (self._scope(self.store, *of_first[0]), of_first[1])
            if not provider:  # one that a prompt names may be gone before the next, and its id() another's
                self._scopes[prompt.model] = scopes
        scope, first = scopes
        key, *others = self._next_keys(self.store, scope, prompt)
        if first is None:
            return Place(key, others=(*others,))
        alone, *others_alone = self._next_keys(self.store, first[0], prompt)
        return Place(key, alone, first[1], mark_of(first[0].full), (*others,), (*others_alone,))

    def _scope(self, store: AnswerStore, full: str, without_keys: str) -> _Scope:
        scope = _Scope(full, without_keys, store.other_scopes(full, without_keys))
        self._new_scopes.append(scope)
        return scope

    def _next_keys(self, store: AnswerStore, scope: _Scope, prompt: Prompt) -> list[Key]:
        """Return the key of a prompt, and those that it has with other credentials."""
        digest = store.key(scope.full, prompt, self.calls.stored_as)
        occurrence = self._occurrences[digest]
        self._occurrences[digest] += 1
        others = [store.key(other, prompt, self.calls.stored_as) for other in scope.others]
        return [(each, occurrence) for each in (digest, *others)]

    def stored(self, index: int, item: Any, place: Place | None) -> Result[Any] | None:
        """Return the result of a prompt from the store; None if it is not there, or not to be used.

        An answer that the first member of a chain gave alone is one of the chain, unless that has one that is used.

        :raises StoreError: if the store cannot be read
        """
        if self.store is None or place is None or self.fresh:
            return None
        for key in self._keys(place):
            kept = self.store.find(key)
            if kept is None:
                continue
            is_alone = key == place.alone or key in place.others_alone
            result = self._result(index, item, kept._replace(provider=place.first) if is_alone else kept)
            if result is not None and self.wants(result):
                return result
            self.rejected.add(key)
        return None

    def _keys(self, place: Place) -> list[Key]:
        """Return the keys under which an answer that may be used is kept."""
        keys = [place.key, *([place.alone] if place.alone else [])]
        return [*keys, *place.others, *place.others_alone] if self.any_key else keys

    def _result(self, index: int, item: Any, kept: Kept) -> Result[Any] | None:
        """Return a stored answer as the result of a prompt; None if it does not fit the type of the output any more."""
        try:
            answer = kept.answer()
            output = self.calls.output(answer)
        except G4FLiteError:
            return None
        return Result(
            index,
            item,
            answer,
            output,
            attempts=kept.attempts,
            seconds=kept.seconds,
            is_stored=True,
            passed_over=kept.passed_over,
            label=self.label(index),
        )

    def keep(self, place: Place, kept: Kept) -> bool:
        """Write an answer into the store; one that the first member of a chain gave as if it had been asked alone.

        Another member may be the first one by now, as what models they have may become known meanwhile.

        :returns: whether another one is there, which stays
        :raises G4FLiteError: if one of its images cannot be fetched
        :raises StoreError: if the store cannot be written
        """
        if self.store is None:
            return False
        with suppress(IndexError):
            while True:
                scope = self._new_scopes.pop()
                self.store.note_scope(scope.full, scope.without_keys)
        name, mark = kept.alone or ("", b"")
        if place.alone is None or mark != place.mark:
            return not self.store.keep(place.key, kept, replace=self.replaces(place.key))
        kept = kept._replace(provider=name, passed_over={})
        replaced = place.key if self.replaces(place.key) else None
        return not self.store.keep(place.alone, kept, replace=self.replaces(place.alone), instead_of=replaced)

    def asked_model(self, task: Task) -> str | None:
        """Return the model that a prompt asked; None if the server chooses it, and of a chain, which may ask more."""
        with suppress(G4FLiteError):
            if not self.calls.asked_first(task.prompt, task.provider):
                return self.calls.model(task.prompt, task.provider) or None
        return None

    def observer_of(self, task: Task) -> Callable[[int, Mapping[str, str]], None]:
        """Return what is told the status and the headers of each response to a prompt.

        One member of a chain that asks for a wait pauses nobody, as another one may answer meanwhile: if none does, the
        error of the call says so.
        """
        if not self.calls.asked_first(task.prompt, task.provider):
            return self.workers.observe
        return lambda status, headers: None if status == TOO_MANY else self.workers.observe(status, headers)

    def is_shared(self, index: int) -> bool:
        """Return whether an answer that came into the store meanwhile is another program's, not an earlier run's."""
        return index not in self.closed

    def unused(self, places: Iterable[Place | None]) -> int:
        """Count the answers in the store to other questions than those with some places.

        :raises StoreError: if the store cannot be read
        """
        if self.store is None:
            return 0
        keys = {key for place in places if place is not None for key in self._keys(place)}
        return len({*self.store.keys()} - keys)  # of one moment: others may add answers meanwhile

    def of_other_keys(self, places: Iterable[Place | None]) -> int:
        """Count the prompts whose answers in the store are not used, because they were asked with another key.

        :raises StoreError: if the store cannot be read
        """
        if self.store is None or self.any_key:
            return 0
        there = {*self.store.keys()}
        asked = (place for place in places if place is not None and there.isdisjoint(self._keys(place)))
        return sum(not there.isdisjoint((*place.others, *place.others_alone)) for place in asked)

    def warn_of_others(self, places: Collection[Place | None]) -> None:
        """Warn once if the store has answers, and none of them is to one of the prompts that are sent.

        :param places: those of the prompts that are all there
        :raises StoreError: if the store cannot be read
        """
        is_first, self._has_begun = not self._has_begun, True
        if self.store is None or not places or self.fresh or self.progress is False or not is_first:
            return
        others = self.unused(places)
        if others and others == len(self.store.keys()):
            warn(told_of_others(self.store.database.path, others, len(places), self.of_other_keys(places)))

    def label(self, index: int) -> Any:
        """Return the label of a prompt; its position where the prompts have none."""
        return index if self.labels is None else self.labels[index]
