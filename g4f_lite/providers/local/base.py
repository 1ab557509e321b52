"""How a model on this machine is asked: over HTTP, by an engine that is there or is started for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import requests

from ...answers.deltas import Delta
from ...answers.images import ImageResponse
from ...arguments import unknown_name
from ...errors import G4FLiteError, ModelNotSupportedError, ProviderNotConfiguredError
from ...http.body import Body
from ...http.checks import check
from ...http.deadline import Deadline
from ...http.pool import SessionPool
from ...http.route import Route
from ...prompt import Prompt
from ..hooks import read_error
from ..openai.base import OpenAIProvider
from ..openai.options import EXTRAS, OPTIONS
from .call import EngineCall
from .context import context_error, context_told, far_too_long
from .endings import well_ended
from .engine import BearerAuth
from .forced_call import as_call, is_forced, with_schema
from .gguf import Metadata
from .keep_alive import seconds_of
from .kinds import check_chats
from .manners import is_limited, manner_of, well_asked
from .options import check_options
from .references import completion_names
from .runner import Runner
from .vision import check_images, without_projector

NOWHERE = "http://127.0.0.1/v1"  # until an engine has started and chosen a port


class EngineProvider(OpenAIProvider):
    """A provider whose models run on this machine.

    :param runner: finds the models, and runs them
    :param settings: as for every provider
    """

    fixed_settings = frozenset({"base_url"})  # which are not the caller's to give
    known_options = OPTIONS - EXTRAS - {"n"} | {"chat_template_kwargs"}

    def __init__(self, runner: Runner, **settings: Any) -> None:
        self.runner = runner
        super().__init__(base_url=NOWHERE, **settings)
        self.priced_at = ""

    def _set_up(self) -> None:
        super()._set_up()
        # Not the caller's own session, whose connections cannot be confirmed to lead to the engine.
        self.pool = SessionPool(make=self._make_session, size=self._pool_size)

    def __repr__(self) -> str:  # without a URL: the engine chooses one when it starts
        return f"{self.name}({vars(self).get('model') or self.default_model!r})"

    def identity(self) -> Any:
        """Return what tells its answers from others: not the engine, which is another one in each process."""
        return {name: fact for name, fact in super().identity().items() if name != "runner"}

    def start(self) -> None:
        """Start the engine now, and wait until it has loaded the model.

        Called before a server forks its workers, it gives all of them one engine, and one copy of the model.

        :raises G4FLiteError: if there is no engine
        """
        self.check_ready()
        with Deadline(replace(self.timeout, first=None)) as call:
            engine = self.runner.engine(self.get_model(), call)
        with engine.in_use(self.runner.keep_alive):
            return

    def check_known(self, name: str) -> None:
        """Raise unless a name is that of its own model or of a known one: any other may be a file, or a download.

        :raises ModelNotSupportedError: if it is not
        """
        known = completion_names(self.get_model())
        if name not in known and name not in known.values():
            raise ModelNotSupportedError(unknown_name("model", name[:200], self.models, "it"), provider=self.name)

    def check(self, prompt: Prompt) -> None:
        if prompt.model is not None and not prompt.may_name_file:
            self.check_known(prompt.model)
        super().check(prompt)
        model = self.get_model(prompt.model)
        if self.runner.projector(model) is None:
            prompt.check_text_only(self.name, lambda: without_projector(model))
        else:
            check_images(prompt.messages, self.name)
        check_options(prompt.options)
        try:  # here, so that a model which has to be fetched first takes no time of the answer's
            check_chats(self.runner.path(model), self.runner.metadata(model))
        except ModelNotSupportedError as error:
            self.explain(error)
            raise
        context, most = self.runner.context_of(model), self.runner.largest_context(model)
        tools = prompt.options.get("tools")
        if too_long := far_too_long(prompt.messages, tools, context, self.runner.context, most):
            too_long.provider = self.name
            raise too_long

    def begin(self, prompt: Prompt) -> EngineCall:
        model, options = self.get_model(prompt.model), dict(prompt.options)
        keep_alive = seconds_of(options.pop("keep_alive", self.runner.keep_alive))
        prompt = replace(self.settled(prompt), options=options)
        self.runner.warn_of_base(model)
        return EngineCall(self, prompt, self.route(), lambda call: self.runner.engine(model, call), keep_alive)

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        metadata = self._metadata(prompt)
        if is_forced(prompt, metadata):
            prompt = with_schema(prompt)
        return directed(super().request(well_asked(prompt, metadata), token), token)

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        metadata = self._metadata(prompt)
        model = self.get_model(prompt.model)
        context, most = self.runner.context_of(model), self.runner.largest_context(model)
        deltas = context_told(super().deltas(body, prompt), context, self.runner.context, most, prompt.messages)
        if is_forced(prompt, metadata):
            return as_call(deltas)
        limit = manner_of(metadata).max_tokens
        return deltas if is_limited(prompt) else well_ended(deltas, body.close, limit)

    def check_response(self, body: Body, prompt: Prompt | None = None) -> None:
        def error_of(status: int, parsed: Any, text: str) -> G4FLiteError | None:
            if prompt is None:
                refused = context_error(parsed, self.runner.context)
            else:
                most = self.runner.largest_context(self.get_model(prompt.model))
                refused = context_error(parsed, self.runner.context, most, prompt.messages)
            return refused or read_error(self, status, parsed, text)

        check(body, error_of)

    def route(self, proxy: str | None = None) -> Route:
        """Leave every proxy out: what is asked here stays on this machine."""
        return Route(direct=True)

    def generate_image(self, *_: Any, **__: Any) -> ImageResponse:
        """Raise: its models write text only.

        :raises ProviderNotConfiguredError: always
        """
        advice = "name a provider that does, for example openai"
        raise ProviderNotConfiguredError(f"it generates no images; {advice}", provider=self.name)

    def _metadata(self, prompt: Prompt) -> Metadata:
        return self.runner.metadata(self.get_model(prompt.model))


def directed(request: requests.Request, token: str) -> requests.Request:
    """Send a request for nowhere to an engine.

    :param token: the engine's; "" leaves the request alone
    """
    address, _, key = token.partition(" ")
    if address:
        request.url, request.auth = request.url.replace(NOWHERE, address, 1), BearerAuth(key)
    return request
