"""What an error about an unknown model says of the ways to have it."""

from __future__ import annotations

from collections.abc import Collection

from ..arguments import service_of
from ..errors import AllProvidersFailedError, G4FLiteError, ModelNotSupportedError
from ..providers.base import BaseProvider
from ..providers.openai.presets import plain
from ..providers.registry import is_provider_name

MOST_NAMES = 8  # in an error


def add_model_hint(
    error: G4FLiteError,
    model: str | None,
    provider: BaseProvider,
    call_template: str | None,
    server_template: str,
    chain_template: str,
    *,
    mapped: Collection[str] = (),
) -> None:
    """Add to an error about an unknown model how it is had from a server, or its name is mapped to another.

    :param call_template: how the caller writes a call with ``models=``, as ``{}``; None for no such hint
    :param server_template: how the caller names a server, whose model is ``{}``
    :param chain_template: what the caller does if not all members of a chain have it, a server with it being ``{}``
    :param mapped: the names in the client's ``models``
    """
    causes = error.errors if isinstance(error, AllProvidersFailedError) else [error]
    unknown = [isinstance(cause, ModelNotSupportedError) for cause in causes]
    if not model or not any(unknown) or ", write: " in error.message:
        return
    first, _, rest = model.partition(":")
    if (names := [name for name in mapped if name != "*"]) and model not in names:
        error.message += f"; models= of the client has {', '.join(names[:MOST_NAMES])}"
    if provider.name == "Local":
        error.message += f"; {_elsewhere(model, server_template)}"
    elif rest and is_provider_name(first) and plain(first) != plain(provider.name):
        # Not with a slash, which is in the names of OpenRouter's models.
        error.message += f"; for the provider {first}, write: {server_template.replace('ollama', first).format(rest)}"
    if not all(unknown):  # another name for the model would be another model for those that have it
        named = _of_member(provider, unknown, model, server_template) or server_template.format(model)
        error.message += f"; all were asked for this model: {chain_template.format(named)}"
    elif call_template is not None and not (rest and is_provider_name(first)):
        default = getattr(provider, "model", None) or getattr(provider, "default_model", None)
        target = default or next(iter(provider.models), None)  # None stands for the default model
        line = call_template.format(f"models={{{model!r}: {target!r}}}")
        which = "its default model" if target is None else "another model"
        error.message += f"; to use {which} by this name, write: {line}"
    error.args = (error.message,)


def _of_member(provider: BaseProvider, unknown: list[bool], model: str, template: str) -> str | None:
    """Return how the caller writes the first member of a chain that does not lack a model; None if there is none.

    :param unknown: of each member, whether it said that it lacks the model
    """
    from ..providers.fallback import Fallback  # which a client without one does not need

    members = provider._members if isinstance(provider, Fallback) else []
    written = next((each.written(model) for each, lacks in zip(members, unknown, strict=False) if not lacks), None)
    if written is None or not written.startswith(("'", '"')):
        return written
    return template.replace("'ollama:{}'", written).replace("ollama:{}", written[1:-1])


def _elsewhere(model: str, template: str) -> str:
    """Return how the caller writes a model that the embedded engine does not have."""
    for sign in ":/":
        first, _, rest = model.partition(sign)
        if rest and is_provider_name(first):
            named = template.replace("ollama", first).format(rest)
            return f"with its provider, write: {named}"
    if service := service_of(model):
        template = template.replace("ollama:{}" if model.isalpha() else "ollama", service)
        return f"for the service {service}, write: {template.format(model)}"
    return f"if a server such as Ollama has it, write: {template.format(model)}"
