"""A call to an engine, which may have to be started for it, and may end on the way."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace

from ...answers.deltas import Delta
from ...errors import G4FLiteError, TransportError
from ...http.body import Body
from ...http.deadline import Deadline
from ...http.exchange import Exchange
from ...http.route import Route
from ...prompt import Prompt
from ..call import Call, Service
from ..sending import at_step
from .engine import Engine
from .options import has_form


class EngineCall(Call):
    """A prompt in progress.

    :param engine_of: gives the running engine that the prompt is for, within the limits of a call
    :param keep_alive: the seconds that the engine waits for another call after this one
    """

    def __init__(
        self,
        service: Service,
        prompt: Prompt,
        route: Route,
        engine_of: Callable[[Deadline], Engine],
        keep_alive: float,
    ) -> None:
        super().__init__(service, prompt, route)
        self._engine_of = engine_of
        self._keep_alive = keep_alive
        self._held = ExitStack()  # the engine, and the slot that is lent to this call

    def _run(self) -> Generator[Delta, None, None]:
        with self._held:
            yield from super()._run()

    def _send_prompt(self, exchange: Exchange) -> tuple[Delta, Iterator[Delta], Body]:
        with at_step(exchange, "bootstrap"):
            try:
                engine = self._engine_of(exchange.deadline)
            except G4FLiteError as error:
                self._service.explain(error)
                raise
        engine.reach(exchange)
        self._held.close()  # of an attempt before this one
        self._held.enter_context(engine.in_use(self._keep_alive))
        slot = self._held.enter_context(engine.slots.lend(self._prompt.messages))
        self._prompt = replace(self._prompt, options={**self._prompt.options, "id_slot": -1 if slot is None else slot})
        form = has_form(self._prompt.options)
        try:
            with engine.crash_told(has_form=form):
                first, rest, body = super()._send_prompt(exchange)
        except TransportError:
            if engine.left():  # just now, before the prompt came
                return self._send_prompt(exchange)
            raise
        return first, engine.check_crash(rest, has_form=form), body
