"""OpenAI-compatible services, one row each.  Sources: each service's own documentation of its endpoint and its key."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from ...arguments import hide_keys, unknown_name
from ...http.urls import is_loopback


class Preset(NamedTuple):
    """Where a service is and how it differs.

    :param title: its name for people
    :param base_url: the address that ``/chat/completions`` is appended to
    :param default_model: the model that is asked where none is named; "" asks the server for its first
    :param key_variable: the environment variable that holds the key, which a server on this machine may not require;
        None where there is no key
    :param reports_usage: False where the service refuses the field ``stream_options``
    :param reads_schema: whether the service shows a model the schema in ``response_format``, and takes OpenAI's strict
        form only; the others make a grammar of it, or say that it should be in the prompt too
    :param to_get: what gets a program on this machine its first model, without which it cannot answer
    :param pull: what gets it the model ``{}``
    :param host_variable: the environment variable that names its host, in Ollama's way
    """

    title: str
    base_url: str
    default_model: str = ""
    key_variable: str | None = None
    reports_usage: bool = True
    reads_schema: bool = False
    to_get: str = ""
    pull: str = ""
    host_variable: str = ""

    def address(self) -> str:
        """Return its address, which an environment variable may name.

        :raises ValueError: if that is not an address
        """
        from .address import address_of_ollama  # which few programs need

        named = os.environ.get(self.host_variable, "").strip() if self.host_variable else ""
        return address_of_ollama(named) if named else self.base_url

    def told_source(self, base_url: str) -> str:
        """Return the variable that names an address, for an error about it; "" if none does."""
        named = bool(self.host_variable and os.environ.get(self.host_variable, "").strip())
        return f" (from {self.host_variable})" if named and self.address() == base_url else ""

    def is_free_at(self, base_url: str) -> bool:
        """Return whether it is a program on this machine, whose calls cost nothing."""
        return bool(self.to_get) and is_loopback(base_url)


NO_MODEL = "has no model yet: "  # of a program on this machine
# Programs on this machine listen on 127.0.0.1; localhost may be [::1] first, where another user's program may answer.
PRESETS = {
    "ollama": Preset(
        "Ollama",
        "http://127.0.0.1:11434/v1",
        to_get="get one with `ollama pull llama3.2`",
        pull="get it with `ollama pull {}`",
        host_variable="OLLAMA_HOST",
    ),
    "llama.cpp": Preset(
        "llama.cpp",
        "http://127.0.0.1:8080/v1",
        key_variable="LLAMA_API_KEY",
        to_get="start it with one, as in `llama-server -m model.gguf`",
    ),
    "lmstudio": Preset(
        "LM Studio",
        "http://127.0.0.1:1234/v1",
        key_variable="LM_API_TOKEN",
        to_get="download one in its window, or with `lms get`",
    ),
    "vllm": Preset(
        "vLLM",
        "http://127.0.0.1:8000/v1",
        key_variable="VLLM_API_KEY",
        to_get="start it with one, as in `vllm serve Qwen/Qwen3-0.6B`",
    ),
    "openai": Preset("OpenAI", "https://api.openai.com/v1", "gpt-4o-mini", "OPENAI_API_KEY", reads_schema=True),
    "openrouter": Preset("OpenRouter", "https://openrouter.ai/api/v1", "openrouter/auto", "OPENROUTER_API_KEY"),
    "groq": Preset("Groq", "https://api.groq.com/openai/v1", "llama-3.3-70b-versatile", "GROQ_API_KEY"),
    "mistral": Preset("Mistral", "https://api.mistral.ai/v1", "mistral-small-latest", "MISTRAL_API_KEY", False),
    "deepseek": Preset("DeepSeek", "https://api.deepseek.com/v1", "deepseek-chat", "DEEPSEEK_API_KEY"),
    "together": Preset(
        "Together", "https://api.together.xyz/v1", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "TOGETHER_API_KEY"
    ),
    "fireworks": Preset(
        "Fireworks",
        "https://api.fireworks.ai/inference/v1",
        "accounts/fireworks/models/llama-v3p3-70b-instruct",
        "FIREWORKS_API_KEY",
    ),
    "xai": Preset("xAI", "https://api.x.ai/v1", "grok-3-mini", "XAI_API_KEY"),
    "google": Preset(
        "Google",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "gemini-2.5-flash",
        "GEMINI_API_KEY",
        reads_schema=True,
    ),
    "anthropic": Preset("Anthropic", "https://api.anthropic.com/v1", "claude-haiku-4-5", "ANTHROPIC_API_KEY"),
}


def plain(name: str) -> str:
    """Return a name without case and punctuation, which tell no two names apart."""
    return re.sub(r"[\W_]", "", name).lower()


def preset_named(name: str) -> str | None:
    """Return the key of a preset, regardless of case and punctuation; None if there is none."""
    return next((key for key in PRESETS if plain(key) == plain(name)), None)


def unknown_preset(name: str, owner: str) -> str:
    """Return the error message for a name that no preset has.

    :param owner: the class
    """
    first, *model = re.split("[:/]", name, maxsplit=1)
    if model and (found := preset_named(first)):
        hidden = hide_keys(model[0])
        return f"{owner} has no preset {hide_keys(name)!r}; a model is an argument: preset({found!r}, model={hidden!r})"
    return unknown_name("preset", name, sorted(PRESETS), owner)
