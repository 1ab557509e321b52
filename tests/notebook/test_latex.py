"""A hostile answer in a notebook that nbconvert exports to LaTeX, as it does for a PDF: no command reads a file."""

from __future__ import annotations

import os
import re

import pytest

from g4f_lite import Answer

nbconvert = pytest.importorskip("nbconvert", reason="nbconvert is not installed")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
pypandoc = pytest.importorskip("pypandoc", reason="pypandoc-binary is not installed")


@pytest.fixture(autouse=True)
def pandoc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nbconvert find the pandoc that comes with pypandoc."""
    monkeypatch.setenv("PATH", os.path.dirname(pypandoc.get_pandoc_path()), prepend=os.pathsep)


HOSTILE = r"""
Sure: \input{/etc/passwd}
\input /etc/passwd ^\input{a}^ ~\input{a}~
`\input{a}`{=latex} \`\input a` \\(\input{a}\\) $\input{a}$ $\begin{input}{a}$

\begin{verbatim}
\end{verbatim}\input{a}

$$
\immediate\openout\f=a \input{a}
$$

```
\end{verbatim}\input{a}
```
"""
FORMULA = r"\frac{a}{b} \leq \sum_{i=1} \text{x}_i"


def exported(markdown: str) -> str:
    output = nbformat.v4.new_output("execute_result", data={"text/markdown": markdown}, execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("answer", outputs=[output])])
    return nbconvert.LatexExporter().from_notebook_node(notebook)[0].partition(r"\begin{document}")[2]


def commands(latex: str) -> list[str]:
    return re.findall(r"(?<!\\)(?:\\\\)*\\(input|openout|begin\{input)\b", latex)


def test_no_command_reads_or_writes_a_file() -> None:
    assert commands(exported(Answer(HOSTILE)._repr_markdown_())) == []


def test_the_same_answer_as_it_came_does() -> None:
    """This test's own test."""
    assert {"input", "openout", "begin{input"} <= set(commands(exported(HOSTILE)))


def test_a_formula_is_exported_as_it_is() -> None:
    assert rf"\({FORMULA}\)" in exported(Answer(f"Here: ${FORMULA}$")._repr_markdown_())
