"""Typed results, columns, DataFrames and progress of batches."""

from __future__ import annotations

import enum
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import pytest

from g4f_lite import (
    Answer,
    BaseProvider,
    Client,
    Finish,
    MissingDependencyError,
    OutputError,
    Prompt,
    RateLimitError,
    ToolCallDelta,
)
from g4f_lite.batch.result import Result
from g4f_lite.testing import Scripted

from .batch_providers import People, ask_people, make_people  # noqa: F401  fixtures

pytestmark = pytest.mark.filterwarnings("ignore:.* prompts? failed:UserWarning")


class Named(NamedTuple):
    name: str
    age: int


@dataclass
class Person:
    name: str
    age: int


class Mood(enum.Enum):
    BAD = "bad"


@dataclass
class Review:
    mood: Mood


@dataclass
class Quote:
    text: str
    mood: Mood
    by: Named
    places: list[tuple[int, int]]


@dataclass
class Article:
    quotes: list[Quote]


@dataclass
class Verdict:
    is_spam: bool | None


def test_outputs_are_values_of_the_type(client: Client, people: People, tmp_path: Path) -> None:
    pytest.importorskip("msgspec")
    results = client.map(["Ada 36", "nobody", "Alan 41"], output=Person, repairs=0, store=tmp_path / "people.db")
    assert results.outputs() == [Person("Ada", 36), None, Person("Alan", 41)]
    assert isinstance(results[1].error, OutputError)
    assert results[0].text == '{"name": "Ada", "age": 36}'
    again = client.map(["Ada 36", "Alan 41"], output=Person, store=tmp_path / "people.db")
    assert again.outputs() == [Person("Ada", 36), Person("Alan", 41)]
    assert people.asked == 3


def test_tools_run_in_a_batch(tmp_path: Path) -> None:
    pytest.importorskip("msgspec")

    class Weather(BaseProvider):
        def begin(self, prompt: Prompt) -> Iterator[Any]:
            last = prompt.messages[-1]
            if last["role"] == "tool":
                yield f"it is {last['content']}"
                yield Finish()
            else:
                yield ToolCallDelta(0, "call_1", "weather", f'{{"city": "{last["content"]}"}}')
                yield Finish("tool_calls")

    def weather(city: str) -> str:
        """Return the weather in a city."""
        return f"sunny in {city}"

    client = Client(Weather())
    results = client.map(["Oslo", "Rome"], tools=[weather], store=tmp_path / "answers.db")
    assert results.texts() == ["it is sunny in Oslo", "it is sunny in Rome"]
    assert client.map(["Oslo", "Rome"], tools=[weather], store=tmp_path / "answers.db").estimate().stored == 2


@pytest.mark.filterwarnings("ignore:.* to other questions than these:UserWarning")
def test_another_type_is_asked_again(client: Client, people: People, tmp_path: Path) -> None:
    pytest.importorskip("msgspec")
    client.map(["Ada 36"], output=Person, store=tmp_path / "people.db").outputs()
    assert client.map(["Ada 36"], output=dict[str, Any], store=tmp_path / "people.db").outputs() == [
        {"name": "Ada", "age": 36}
    ]
    client.map(["Ada 36"], store=tmp_path / "people.db").texts()
    assert people.asked == 3


def test_a_type_that_cannot_be_one_is_refused_at_the_call(client: Client, people: People) -> None:
    pytest.importorskip("msgspec")
    with pytest.raises(TypeError):
        client.map(["Ada 36"], output=lambda: None)
    with pytest.raises(TypeError, match=r"prompts\[0\]: output= and response_format= both"):
        client.map(["Ada 36"], output=Person, response_format={"type": "json_object"})
    assert people.asked == 0


@pytest.mark.once
def test_a_frame_has_the_fields_and_what_the_calls_took(client: Client) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("msgspec")
    texts = pandas.Series(["Ada 36", "fail"], index=["x", "y"])
    frame = client.map(texts, output=Person).to_frame()
    assert list(frame.index) == ["x", "y"]
    assert list(frame.columns) == [
        "name",
        "age",
        "call_error",
        "call_provider",
        "call_model",
        "call_served_model",
        "call_attempts",
        "call_seconds",
        "call_finish_reason",
        "call_refusal",
        "call_prompt_tokens",
        "call_completion_tokens",
    ]
    assert (frame.loc["x", "name"], frame.loc["x", "age"], frame.loc["x", "call_prompt_tokens"]) == ("Ada", 36, 4)
    assert "failed" in frame.loc["y", "call_error"]
    assert list(client.map(texts).to_frame(meta=False).columns) == ["text"]


@pytest.mark.once
def test_a_frame_has_plain_data_in_its_cells() -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("msgspec")

    quotes = '[{"text": "a", "mood": "bad", "by": {"name": "Ada", "age": 36}, "places": [[1, 2]]}]'
    plain = [{"text": "a", "mood": "bad", "by": {"name": "Ada", "age": 36}, "places": [[1, 2]]}]
    client = Client(Scripted(f'{{"quotes": {quotes}}}', f'{{"quotes": {quotes}}}', quotes))
    frame = client.map(["one"], output=Article).to_frame(meta=False)
    assert frame["quotes"][0] == plain
    assert list(pandas.json_normalize(frame["quotes"].explode())["by.name"]) == ["Ada"]
    frame = client.map(["one"], output=dict[str, list[Quote]]).to_frame(meta=False)
    assert frame["quotes"][0] == plain
    results = client.map(["one"], output=list[Quote])
    assert results.to_frame(meta=False)["output"][0] == plain
    assert results.outputs() == [[Quote("a", Mood.BAD, Named("Ada", 36), [(1, 2)])]]


@pytest.mark.once
def test_a_frame_has_the_values_of_enums() -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("msgspec")

    frame = Client(Scripted('{"mood": "bad"}')).map(["one"], output=Review).to_frame(meta=False)
    assert frame.to_csv(index=False) == "mood\nbad\n"
    frame = Client(Scripted('{"name": "Ada", "age": 36}')).map(["one"], output=Named).to_frame(meta=False)
    assert frame.to_csv(index=False) == "name,age\nAda,36\n"
    frame = Client(Scripted('"bad"')).map(["one"], output=Mood).to_frame(meta=False)
    assert frame.to_csv(index=False) == "output\nbad\n"


@pytest.mark.once
@pytest.mark.parametrize(
    ("kind", "answer", "column", "value"),
    [
        (None, "fine", "text", "fine"),
        (str, "fine", "output", "fine"),
        (Literal["good", "bad"], '"bad"', "output", "bad"),
        (Mood, '"bad"', "output", "bad"),
        (int, "3", "output", 3),
        (bool, "true", "output", True),
        (list[str], '["a", "b"]', "output", ["a", "b"]),
        (dict[str, int], '{"stars": 3}', "stars", 3),
    ],
)
def test_a_value_without_fields_is_in_the_column_of_outputs(kind: Any, answer: str, column: str, value: Any) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("msgspec")
    frame = Client(Scripted(answer)).map(["one"], output=kind).to_frame(meta=False)
    assert frame.to_dict("list") == {column: [value]}


class Loose(TypedDict, total=False):
    name: str
    age: int


@pytest.mark.once
@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        (None, ["text"]),
        (int, ["output"]),
        (list[Person], ["output"]),
        (Mood, ["output"]),
        (Person, ["name", "age"]),
        (Named, ["name", "age"]),
        (Loose, ["name", "age"]),
        (Annotated[Person, "somebody"], ["name", "age"]),
        (Person | None, ["name", "age"]),
        (Person | Review | int, ["name", "age", "mood", "output"]),
        (dict[str, int], []),
    ],
)
def test_a_frame_has_the_columns_of_the_type_where_all_failed(client: Client, kind: Any, columns: list[str]) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("msgspec")
    for prompts in (["fail", "fail"], iter(["fail"])):
        results = client.map(prompts, output=kind)
        assert list(results.so_far.to_frame(meta=False).columns) == columns
        assert list(results.to_frame().columns)[: len(columns) + 1] == [*columns, "call_error"]


@pytest.mark.once
def test_a_frame_has_the_columns_of_models_where_all_failed(client: Client) -> None:
    pytest.importorskip("pandas")
    msgspec = pytest.importorskip("msgspec")
    pydantic = pytest.importorskip("pydantic")
    kinds = (
        msgspec.defstruct("Struct", ["name", "age"]),
        pydantic.create_model("Model", name=(str, ...), age=(int, 0)),
    )
    for kind in kinds:
        assert list(client.map(["fail"], output=kind).to_frame(meta=False).columns) == ["name", "age"]


@pytest.mark.once
def test_a_frame_without_a_column_of_errors_warns_of_failures(client: Client) -> None:
    pytest.importorskip("pandas")
    results = client.map(["Ada 36", "fail"])
    with pytest.warns(UserWarning, match="^1 of 2 prompts failed: .*results.failed has the errors") as caught:
        _ = [results.to_frame(meta) for meta in (False, True)]
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.once
def test_booleans_with_missing_values_stay_booleans() -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("msgspec")

    def frame(*answers: str) -> Any:
        options: dict[str, Any] = {"output": Verdict, "repairs": 0, "workers": 1}
        return Client(Scripted(*answers)).map(["prompt"] * len(answers), **options).to_frame(meta=False)

    yes, no, unknown = '{"is_spam": true}', '{"is_spam": false}', '{"is_spam": null}'
    some = frame(yes, "neither", no, unknown)["is_spam"]
    assert some.dtype == "boolean"
    assert some.isna().tolist() == [False, True, False, True]
    assert some[some].index.tolist() == [0]
    assert frame(yes, no)["is_spam"].dtype == bool
    assert frame(unknown)["is_spam"].dtype == object
    assert isinstance(frame(unknown), pandas.DataFrame)


@pytest.mark.once
@pytest.mark.parametrize(
    ("answers", "dtype"), [(["3", "none"], "Int64"), (["3", "4"], "int64"), (["3", "none", str(2**70)], "object")]
)
def test_whole_numbers_with_missing_values_stay_whole(answers: list[str], dtype: str) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("msgspec")
    results = Client(Scripted(*answers)).map(answers, output=int, repairs=0, workers=1)
    column = results.to_frame()["output"]
    assert column.dtype == dtype
    assert column.dropna().tolist() == [value for value in results.outputs() if value is not None]


@pytest.mark.once
@pytest.mark.parametrize(
    ("kind", "answers", "dtype"),
    [
        (int, ["3", "4"], "int64"),
        (int, ["3", "none"], "Int64"),
        (bool, ["true", "false"], "bool"),
        (bool, ["true", "none"], "boolean"),
        (float, ["0.5", "none"], "float64"),
        (str, ["a", "b"], "object"),
    ],
)
def test_outputs_of_a_series_have_a_type_to_compute_with(kind: type, answers: list[str], dtype: str) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("msgspec")
    prompts = pandas.Series(answers, index=["x", "y"])
    client = Client(Scripted(*answers))
    outputs = client.map(prompts, output=kind, repairs=0, workers=1, progress=False).outputs()
    assert (outputs.dtype, outputs.index.tolist()) == (dtype, ["x", "y"])


@pytest.mark.once
def test_texts_of_a_series_line_up_with_its_index(client: Client) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": ["Ada 1", "Alan 2", "fail", "Grace 3"]})
    some = frame["text"][[3, 0, 2]]
    frame["answer"] = client.map(some).texts()
    assert frame["answer"].tolist()[0] == '{"name": "Ada", "age": 1}'
    assert pandas.isna(frame["answer"][1])
    assert frame["answer"][3] == '{"name": "Grace", "age": 3}'
    with pytest.raises(TypeError, match=r"prompts is a DataFrame: .* pass one of its columns"):
        client.map(frame)


@pytest.mark.once
def test_results_are_no_column_before_they_are_read(client: Client, people: People) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": ["Ada 1", "Alan 2"]})
    results = client.map(frame["text"])
    hint = r"results are not a column: take \.outputs\(\) or \.texts\(\) of them, .* or the table \.to_frame\(\)"
    for assign in (
        lambda: frame.assign(label=results),
        lambda: frame.insert(1, "label", results),
        lambda: pandas.DataFrame({"label": results}),
        lambda: pandas.Series(results),
        lambda: pandas.DataFrame(results),
        lambda: frame.assign(label=client.map(frame["text"][:1])),  # of another length
        lambda: frame.insert(1, "label", client.map(["Ada 1"])),
    ):
        with pytest.raises(TypeError, match=hint):
            assign()
    assert "texts" in dict(inspect.getmembers(results))  # as debuggers show them
    assert people.asked == 0


@pytest.mark.once
def test_a_series_of_polars_gives_one_of_polars(client: Client) -> None:
    polars = pytest.importorskip("polars")
    results = client.map(polars.Series("text", ["Ada 1", "fail"]))
    assert results.texts().to_list() == ['{"name": "Ada", "age": 1}', None]
    assert results.to_frame(meta=False).columns == ["text"]
    with pytest.raises(TypeError, match="prompts is a DataFrame"):
        client.map(polars.DataFrame({"text": ["Ada 1"]}))


@pytest.mark.parametrize(("bad", "message"), [(None, "dropna"), ({"prompt": "x", "system": 5}, "system must be")])
def test_a_bad_prompt_of_a_series_is_named_with_its_label(client: Client, bad: Any, message: str) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    texts = pandas.Series(["one", bad], index=["a", "b"], dtype=object)
    with pytest.raises((TypeError, ValueError), match=rf"prompts\[1\], index b: .*{message}"):
        client.map(texts)
    with pytest.raises((TypeError, ValueError), match=r"prompts\[1\]: "):
        client.map(texts.reset_index(drop=True))


def test_a_frame_without_pandas_says_what_to_install(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDependencyError, match="pip install pandas"):
        client.map(["Ada 1"]).to_frame()


@pytest.mark.once
def test_a_frame_has_the_model_of_each_answer() -> None:
    pytest.importorskip("pandas")
    prompts = [{"prompt": "one", "model": "a"}, {"prompt": "two", "model": "b"}, "three"]
    results = Client(Scripted("x", "y", RateLimitError("slow down"))).map(prompts, workers=1)
    assert list(results.to_frame()["call_model"].fillna("")) == ["a", "b", ""]


def test_a_model_that_the_server_chose_is_that_of_the_result() -> None:
    assert Result(0, "one", Answer("x", served_model="b")).model == "b"
    assert Result(0, "one", Answer("x", model="a", served_model="a-2026")).model == "a"
