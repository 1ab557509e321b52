"""How the page feeds its Markdown parser: each text as the parser reads it, in a time in proportion to its length.

The scripts run in Node, which has no elements; so the parser's renderer here writes down what it is told.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.once  # it is the same page on each Python

NODE = shutil.which("node")
PATIENCE = 120  # seconds
CPU_SECONDS = 3.0  # for one text; without the feed, the shortest of the long ones takes 8
LONG = 200_000
SMILE = "\N{SLIGHTLY SMILING FACE}"
MEGABYTE = 1_400_000  # characters of an image of this size
IMAGE = f"![a cat](data:image/png;base64,{'iVBOR' * (MEGABYTE // 5)}) below"

SCRIPT = """
import { readFileSync } from "node:fs";
import { Feed } from "./feed.js";
import { shown } from "./signs.js";
import * as smd from "./smd.js";

const told = [], open = [];
const renderer = {
  data: null,
  add_token: (_, type) => told.push(open[open.push(["begin", type, []]) - 1]),
  end_token: () => (told.push(["end"]), open.pop()),
  add_text(_, text) {
    if (told.at(-1)[0] !== "text") told.push(["text", ""]);
    told.at(-1)[1] += shown(text);
  },
  set_attr: (_, type, value) => open.at(-1)[2].push([type, shown(value)]),
};
const plain = () => {
  const parser = smd.parser(renderer);
  return { write: (piece) => smd.parser_write(parser, piece), end: () => smd.parser_end(parser) };
};
const results = JSON.parse(readFileSync(0, "utf8")).map(([how, text, step]) => {
  told.length = open.length = 0;
  const began = process.cpuUsage();
  const feed = how === "plain" ? plain() : new Feed(renderer);
  for (let at = 0; at < text.length; at += step) feed.write(text.slice(at, at + step));
  feed.end();
  const { user, system } = process.cpuUsage(began);
  return { told: [...told], seconds: (user + system) / 1e6 };
});
console.log(JSON.stringify(results));
"""

TEXTS = [
    "# A title\n\nSome *text*, `code`, a [link](https://a.test/b) and ![an image](data:image/png;base64,AAAA).\n",
    f"```python\nprint('{SMILE}')\n```\n\n- one\n  1. two\n\n| a | b |\n|---|---|\n| c | d |\n\n---\n> quoted\n",
    f"[long](https://a.test/{'b' * 500}) and ![x](data:image/png;base64,{'A' * 3456}) ](no target)",
    f"https://a.test/{'b' * 5000} {'word ' * 1000}{SMILE * 1501}\n    {'code ' * 500}",
]
# What the parser would not show, and what is shown of it.
LOST = {
    "[a](https://a.test/b": "[a](https://a.test/b",
    "![a](data:image/png;base64,AAAA": "a](data:image/png;base64,AAAA",
    "[a](b\nbelow (it)": "[a](bbelow (it)",
    f"[a](https://a.test/{'b' * 5000}\nbelow": f"[a](https://a.test/{'b' * 5000}below",
    "```python\nprint(1)```": "print(1)```",
    "```python\nprint(1)```\nprint(2)\n```\nbelow": "print(1)```\nprint(2)below",
}
# Signs that mean nothing, which are text, and some that do.
WITH_SIGNS = {
    "Set max_tokens of snake_case, _private and __dunder": "Set max_tokens of snake_case, _private and __dunder",
    "f(x)[0] = y[1], {a: [1, [2]]}, (0, 1] and if [ -f x": "f(x)[0] = y[1], {a: [1, [2]]}, (0, 1] and if [ -f x",
    "call(*args, **kwargs) or 2 * 3 * 4, ~/a and ~b~": "call(*args, **kwargs) or 2 * 3 * 4, ~/a and ~b~",
    "from $5 to $10, `code and ``more` or `open": "from $5 to $10, code and ``more or `open",
    "handlers[name](*args, **kwargs)": "handlers[name](*args, **kwargs)",
    "(https://a.test/b_c_d), 'https://a.test/e_f_g'": "(https://a.test/b_c_d), 'https://a.test/e_f_g'",
    "a < b <T>, C:\\ d and the end \\": "a < b <T>, C:\\ d and the end \\",
    '```py\nx[i](f(x))\n\t[a](b "c")\n    ```\n```\nd_e_f': 'x[i](f(x))\n\t[a](b "c")\n    ```d_e_f',
    "```rm -i *.log```\n\na": "rm -i *.loga",
    "```py\r\nx\r\n```\r\na": "xa",
    "    >>> f(x)\n    # a\n    - b_c_d\n\ne": ">>> f(x)\n# a\n- b_c_de",
    "- a\n    - b_c\n    - d": "ab_cd",
    "~~~py\nx[0] * y_z\n```\n~~~\na": "x[0] * y_z\n```a",
    "````md\n```py\nx\n```\n````\na": "```py\nx\n```a",
    "- a\n  ```sh\n  ls *_x\n  ```\n- b": "als *_xb",
    "> a\n> ```py\n> def __b__(c):\n>     # d\n> ```\n> e\n\nf": "adef __b__(c):\n    # def",
    "> ```\n> a_b\nc": "a_bc",
    "- ```sh\n  # a\n  rm *_b\n  ```\n- c": "# a\nrm *_bc",
    "a \\(c\\) and \\(b": "a c and (b",
    "    x [a](b(c)) x_y_\n\nd": "x [a](b(c)) x_y_d",
    "noncharacters \ufdd0": "noncharacters \ufffd",
    "*it _and_ more* **bold *and* more** ***both*** ~~gone~~ `a_b[0]`": "it and more bold and more both gone a_b[0]",
    "*one (*two* **three": "*one (two **three",
    "- [ ] a_b\n- [x] c[0]\n* d": " a_b c[0]d",
    "[a_b [c]](https://a.test/x_(y)) and ![d_e](https://a.test/f_g)": "a_b [c] and d_e",
    "> # a_b\n\n***\n\n| c_d | [e] |\n|---|---|\n": "a_b c_d  [e] ",
    "https://a.test/b_c_d and **https://a.test/e_f**": "https://a.test/b_c_d and https://a.test/e_f",
    "$$\na_1\n$$\n\n$b_2$ and $$c_3 * d$$": "a_1\nb_2 and $c_3 * d$",
}
SIGNS = {
    "stars": "*a " * (LONG // 3),
    "stars and underscores": "*_" * (LONG // 2),
    "brackets": "[a](" * (LONG // 4),
    "a target of blanks": ("[a](" + " " * 950 + "\n") * (LONG // 950),
    "blanks": " " * LONG,
    "quotes": "```a`\n" * (LONG // 6),
    "code": "```\n" + "` \n" * (LONG // 3),
    "lists": "- " * (LONG // 2),
}
HEAVY = {
    **SIGNS,
    "an image": IMAGE,
    "a target without an end": "[x](https://a.test/" + "a" * MEGABYTE,
    "the language of code": "```" + "a" * LONG,
    "a rule": "-" * LONG,
    "a number": "1" * LONG,
    "back quotes": "`" * LONG,
    "back quotes in code": "a `b" + "`" * LONG,
    "blanks in code": "```\na\n" + " " * LONG,
    "tabs in code": "```\na\n" + "\t" * LONG,
    "a line break": "<br" + " " * LONG,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the scripts to where Node takes them for modules."""
    if NODE is None:
        pytest.skip("Node is not on this machine")
    folder = tmp_path_factory.mktemp("page")
    for name in ("feed.js", "signs.js", "smd.js"):
        (folder / name).write_bytes((files("g4f_lite.contrib.server") / "page" / name).read_bytes())
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (folder / "script.js").write_text(SCRIPT, encoding="utf-8")
    return folder


def run(folder: Path, *cases: tuple[str, str, int]) -> list[dict[str, Any]]:
    """Parse texts, each in pieces of some characters, and return what the renderer is told and the seconds."""
    command = [str(NODE), "script.js"]
    given = json.dumps(cases).encode()
    done = subprocess.run(command, input=given, cwd=folder, capture_output=True, timeout=PATIENCE, check=True)
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_read_as_the_parser_reads_it(folder: Path, text: str) -> None:
    plain, *fed = run(folder, ("plain", text, len(text)), *(("fed", text, step) for step in (len(text), 999, 2)))
    assert len(plain["told"]) > 2
    assert [each["told"] for each in fed] == [plain["told"]] * 3


@pytest.mark.parametrize("text", LOST)
def test_what_does_not_end_on_its_line_is_text(folder: Path, text: str) -> None:
    for result in run(folder, *(("fed", text, step) for step in (len(text), 999, 1))):
        assert "".join(told[1] for told in result["told"] if told[0] == "text") == LOST[text]


@pytest.mark.parametrize("text", WITH_SIGNS)
def test_signs_that_mean_nothing_are_text(folder: Path, text: str) -> None:
    for result in run(folder, *(("fed", text, step) for step in (len(text), 3, 1))):
        assert "".join(told[1] for told in result["told"] if told[0] == "text") == WITH_SIGNS[text]


@pytest.mark.parametrize("kind", HEAVY)
def test_a_long_text_takes_time_in_proportion(folder: Path, kind: str) -> None:
    for result in run(folder, *(("fed", HEAVY[kind], step) for step in (MEGABYTE * 2, 50))):
        assert result["seconds"] < CPU_SECONDS


def test_the_whole_image_arrives(folder: Path) -> None:
    target = IMAGE.partition("(")[2].partition(")")[0]
    for result in run(folder, ("fed", IMAGE, len(IMAGE)), ("fed", IMAGE, 4000)):
        image = [told for told in result["told"] if told[0] == "begin" and told[2]]
        assert [value for *_, attributes in image for _, value in attributes] == [target]
        assert result["told"][-1] == ["text", " below"]
