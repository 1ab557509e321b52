"""The options of a prompt that a server of OpenAI's API can be told."""

from __future__ import annotations

# The API's own parameters, and what llama.cpp, Ollama, vLLM and LM Studio add to them.
BODY = frozenset(
    """
    audio cache_prompt dry_allowed_length dry_base dry_multiplier dry_penalty_last_n
    extra_body frequency_penalty function_call functions grammar json_schema keep_alive
    logit_bias logprobs max_completion_tokens max_tokens metadata min_p min_tokens mirostat
    mirostat_eta mirostat_tau modalities moderation n n_predict parallel_tool_calls prediction
    presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention provider
    reasoning reasoning_effort repeat_last_n repeat_penalty repetition_penalty response_format
    safety_identifier seed service_tier stop store stream_options temperature thinking
    tool_choice tools top_k top_logprobs top_p typical_p user verbosity web_search_options
    """.split()  # noqa: SIM905  a list of sixty quoted names is no easier to read
)
EXTRAS = frozenset({"extra_headers", "extra_query"})  # which go beside the body
OPTIONS = BODY | EXTRAS
