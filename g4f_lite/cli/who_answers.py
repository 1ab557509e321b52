"""The names of who answers in the interactive chat."""

from __future__ import annotations

from ..answers.answer import Answer
from ..answers.call_usage import CallUsage
from ..http.urls import origin_of
from ..providers.base import BaseProvider
from ..providers.fallback import Fallback
from .options import named_members


class Names:
    """Names who answers in a chat, with the models that only answers tell: where none is named, the server chooses."""

    def __init__(self) -> None:
        self._addresses: dict[str, str] = {}  # by the name of the provider that had it first
        self._served: dict[str, str] = {}  # by the name of the provider, the model that answered last

    def who_answers(self, provider: BaseProvider, model: str | None) -> str:
        """Return the name of a provider, or those of a chain's members; that of any server with its address.

        The model follows, if it is known.

        :param model: the model of the conversation, which all members are asked for; None for the provider's own
        """
        if not isinstance(provider, Fallback):
            name = self._name(provider)
            return _with(name, model or _own(provider) or self._served.get(name))
        if not model:
            return " or ".join(self.who_answers(one, None) for one in provider.providers)
        return _with(" or ".join(map(self._name, provider.providers)), model)

    def learn(self, provider: BaseProvider, answer: Answer) -> bool:
        """Remember the model of an answer for which none was named; return whether it is news.

        :param provider: the provider of the chat, which may be a chain
        """
        member = _member(provider, answer.provider)
        model = answer.served_model or answer.model
        if member is None or _own(member) or not model or self._served.get(name := self._name(member)) == model:
            return False
        self._served[name] = model
        return True

    def of_call(self, provider: BaseProvider, call: CallUsage) -> str:
        """Return the name of who was asked in a call, with the model.

        :param provider: the provider of the chat, which may be a chain
        """
        if call.provider == provider.name and isinstance(provider, Fallback):  # no member has answered
            return self.who_answers(provider, call.model)
        member = _member(provider, call.provider)
        return _with(call.provider if member is None else self._name(member), call.model)

    def _name(self, provider: BaseProvider) -> str:
        address = getattr(provider, "base_url", "")
        name = provider.name
        host = origin_of(address).partition("//")[2] if name == "OpenAICompatible" else ""
        usual = f"{name} at {host}" if host else name
        return usual if self._addresses.setdefault(usual, address) == address else f"{name} at {address}"


def _member(provider: BaseProvider, name: str | None) -> BaseProvider | None:
    """Return the member of a chain that has a name, or the only provider; None if there is none."""
    return next((one for own, one in named_members(provider) if own == name), None)


def _own(provider: BaseProvider) -> str | None:
    return getattr(provider, "model", None) or getattr(provider, "default_model", None)


def _with(name: str, model: str | None) -> str:
    return f"{name} ({model})" if model else name
