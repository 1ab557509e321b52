"""The pytest plugin, in test suites of its own."""

from __future__ import annotations

from textwrap import dedent

import pytest

pytest_plugins = "pytester"
pytestmark = pytest.mark.once

APP = """
import g4f_lite

def summary(text):
    return str(g4f_lite.ask(text, system="Sum it up."))
"""


# Other plugins, whose imports would take longer than all the rest.
OURS_ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "g4f_lite.testing.pytest_plugin"}


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """Give a folder with an app; its tests are run in a process of their own."""
    pytester.makepyfile(app=APP)
    return pytester


def run(suite: pytest.Pytester, tests: str) -> pytest.RunResult:
    suite.makepyfile(test_app=tests)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in OURS_ALONE.items():
            patch.setenv(name, value)
        return suite.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider")


def test_pytest_finds_the_fixtures_by_itself(suite: pytest.Pytester) -> None:
    shown = suite.runpytest_subprocess("--fixtures", "-q").stdout
    shown.fnmatch_lines(["g4f_scripted*", "*Use a Scripted provider*"])
    shown.fnmatch_lines(["g4f_emulator*", "*Start an emulator*"])


def test_scripted_wins_over_the_environment_and_only_while_it_is_used(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", "echo")
    done = run(
        suite,
        """
        import pytest
        from app import summary
        from g4f_lite import Client, RateLimitError

        def test_before():
            assert summary("text") == "text"

        def test_answer(g4f_scripted):
            g4f_scripted.queue("short", RateLimitError("slow down"))
            assert summary("a long text") == "short"
            assert g4f_scripted.calls[0].prompt == "a long text"
            assert g4f_scripted.calls[0].messages[0]["content"] == "Sum it up."
            with pytest.raises(RateLimitError):
                summary("a long text")

        def test_the_next_test_begins_anew(g4f_scripted):
            assert g4f_scripted.calls == []
            assert summary("a long text") == "This is a scripted answer."

        def test_a_client_without_a_provider_gets_it_too(g4f_scripted):
            with Client() as client:
                assert client.ask("Hi") == "This is a scripted answer."
            assert len(g4f_scripted.calls) == 1

        def test_after():
            assert summary("text") == "text"
        """,
    )
    done.assert_outcomes(passed=5)


def test_nothing_but_loopback_is_reached(suite: pytest.Pytester) -> None:
    done = run(
        suite,
        """
        import os
        import pytest
        from g4f_lite import OpenAICompatible, ProviderNotConfiguredError

        @pytest.mark.parametrize("fixture", ["g4f_scripted", "g4f_emulator"])
        def test_offline(fixture, request):
            assert "G4F_LITE_OFFLINE" not in os.environ
            request.getfixturevalue(fixture)
            with pytest.raises(ProviderNotConfiguredError, match="G4F_LITE_OFFLINE"):
                OpenAICompatible("https://203.0.113.1/v1", model="m").create(messages="Hi")

        def test_after():
            assert "G4F_LITE_OFFLINE" not in os.environ
        """,
    )
    done.assert_outcomes(passed=3)


def test_the_emulator_wins_over_the_environment(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", "scripted")
    done = run(
        suite,
        """
        import pytest
        from app import summary
        from g4f_lite import AiChats, StreamInterruptedError

        def test_answer(g4f_emulator):
            g4f_emulator.answer("short")
            assert summary("a long text") == "short"
            prompt = g4f_emulator.requests[-1]
            assert prompt.json()["messages"][-1]["content"] == "a long text"

        def test_fail(g4f_emulator):
            g4f_emulator.fail("reset", after=3)
            with pytest.raises(StreamInterruptedError) as caught:
                summary("one two three four")
            assert caught.value.partial == "one two three"

        def test_a_retry(g4f_emulator):
            g4f_emulator.fail("rate_limit", retry_after=0)
            assert summary("text") == "text"
            assert [r.status for r in g4f_emulator.requests if r.step == "prompt"] == [429, 200]

        def test_another_service(g4f_emulator):
            with AiChats(base_url=g4f_emulator.url) as chats:
                assert chats.create(messages="Hi") == "Hi"
            assert [request.step for request in g4f_emulator.requests] == ["bootstrap", "prompt"]
        """,
    )
    done.assert_outcomes(passed=4)


def test_answers_of_tests_are_not_in_the_cache_of_the_user(suite: pytest.Pytester) -> None:
    tests = """
        from pathlib import Path

        import pytest
        from g4f_lite import Cache, Client, RateLimitError

        shared = Cache()


        @pytest.mark.parametrize("answer", ["one", "two"])
        def test_an_answer(g4f_scripted, answer, tmp_path):
            for cache in (shared, tmp_path / "own.db"):
                g4f_scripted.queue(answer)
                assert Client(cache=cache).ask("Hello") == answer
            assert Client(cache=tmp_path / "own.db").ask("Hello") == answer
            assert len(g4f_scripted.calls) == 2


        def test_the_emulator(g4f_emulator):
            for answer in ("three", "four"):
                g4f_emulator.answer(answer)
                assert Client(cache=shared).ask("Hello") == answer


        def test_after():
            assert not shared.path.exists()
        """
    run(suite, dedent(tests)).assert_outcomes(passed=4)


def test_a_run_that_uses_no_fixture_loads_nothing(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin is loaded in each run of everybody who has the package: gevent, for one, must come before ``ssl``."""
    for name, value in OURS_ALONE.items():
        monkeypatch.setenv(name, value)
    suite.makepyfile(
        test_theirs="""
        import sys

        def test_what_is_loaded():
            ours = {name for name in sys.modules if name.partition(".")[0] == "g4f_lite"}
            assert ours == {"g4f_lite", "g4f_lite.testing", "g4f_lite.testing.pytest_plugin"}
            assert {"requests", "ssl", "tenacity", "urllib3"} & sys.modules.keys() == set()
        """
    )
    done = suite.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=1)
