"""Classes of providers of one's own: what would have no effect is refused where the class or its object is created."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Provider, Secret

from .quill_provider import Plain


def made(**attributes: Any) -> type[Provider]:
    return type("Heron", (Plain,), attributes)


PASS_ON = r"pass it on in __init__: super\(\).__init__\(\*\*{'%s': …, \*\*settings}\)"
HIDDEN: list[tuple[str, Any, str]] = [
    ("headers", lambda self, token: {}, "give the method another name"),
    ("session", lambda self: None, "give the method another name"),
    ("base_url", "http://heron.example", "set url = … in the class"),
    ("model", "wader", "set default_model = … in the class"),
    ("timeout", 3, PASS_ON % "timeout"),
    ("headers", {"Accept": "*/*"}, PASS_ON % "headers"),
]


@pytest.mark.parametrize(("name", "value", "remedy"), HIDDEN, ids=[f"{name} {value}"[:16] for name, value, _ in HIDDEN])
def test_an_attribute_named_like_a_setting_is_refused(name: str, value: Any, remedy: str) -> None:
    with pytest.raises(TypeError, match=rf"^Heron\.{name} is hidden by the setting {name}=; {remedy}$"):
        made(**{name: value})


def test_an_attribute_that_is_set_like_one_is_not() -> None:
    class Heron(Plain):
        verify = Secret("HERON_CA", required=False)  # type: ignore[assignment]
        timeout = property(lambda self: 3, lambda self, value: None)  # type: ignore[assignment]

    assert Heron().timeout == 3


@pytest.mark.parametrize("name", ["cookies", "headers"])
def test_another_value_of_a_setting_is_refused_when_an_object_is_created(name: str) -> None:
    def create(self: Any, **settings: Any) -> None:
        Plain.__init__(self, **settings)
        setattr(self, name, "a=b")

    message = rf"^Heron\.__init__ sets self\.{name} to str, but that is the setting {name}=, a dict; give the attribute"
    with pytest.raises(TypeError, match=message):
        made(__init__=create)()
    assert made()(**{name: {"a": "b"}})


def test_a_class_without_a_url_says_where_to_set_it() -> None:
    with pytest.raises(ValueError, match=r"^Heron needs base_url=, the URL of a server .*, or url = … in its class$"):
        made(url="")()
    assert made(url="")(base_url="http://heron.example/").base_url == "http://heron.example"


@pytest.mark.parametrize("name", ["model_aliases", "supports_message_history"])
def test_help_and_guide_tell_what_a_class_may_set(name: str) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "your-own-provider.md").read_text(encoding="utf-8")
    assert f":cvar {name}: " in (Provider.__doc__ or "")
    assert f" set `{name} = " in guide
