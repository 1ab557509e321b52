"""What a notebook gets of an answer that is hostile, and of one that is not."""

from __future__ import annotations

import html
import html.parser
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from g4f_lite import Answer
from g4f_lite.answers.markdown import folded, safe_markdown

DOLLAR = "<span>&#36;</span>"
IMAGE = "data:image/png;base64,iVBORw0KGgo="
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
MARKDOWN.validateLink = lambda url: True  # type: ignore[method-assign]  # a browser would be shown any


class Page(html.parser.HTMLParser):
    """What a browser would find in a page: its tags, where its links lead, and what it loads."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(MARKDOWN.render(markdown))
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            if name == "href":
                self.links.append(value or "")
            elif name not in ("alt", "class", "start", "style", "title"):
                (self.loaded if name == "src" else self.scripts).append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Plain *text*, a < b, 1 <2, c > d.", "Plain *text*, a < b, 1 <2, c > d."),
        ("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"),
        ("a <!-- b <?php", "a &lt;!-- b &lt;?php"),
        ("![x](http://e.test/?q=it)", "[x](http://e.test/?q=it)"),
        ("!!![x](http://e.test/)", "[x](http://e.test/)"),
        ("if (![1, 2].a(b)) ![x]", "if (&#33;[1, 2].a(b)) &#33;[x]"),
        ("![x][1]\n\n[1]: http://e.test/", "[x][1]\n\n[1]: http://e.test/"),
        (f"![x]({IMAGE})", f"![x]({IMAGE})"),
        (f"![a\\](javascript:x)]({IMAGE})", f"![a&#92;&#93;&#40;javascript&#58;x&#41;]({IMAGE})"),
        ("[a](https://e.test) [b](mailto:a@e.test) [c](#d)", "[a](https://e.test) [b](mailto:a@e.test) [c](#d)"),
        ("[here](javascript:alert(2))", "[here]&#40;javascript:alert(2))"),
        ("[here](java&#115;cript:alert(2))", "[here]&#40;java&#115;cript:alert(2))"),
        ("[here](<javascript:alert(2)>)", "[here]&#40;&lt;javascript:alert(2)>)"),
        ("[here][1]\n\n[1]:\njavascript:alert(2)", "[here][1]\n\n[1]&#58;\njavascript:alert(2)"),
        ("[here](data:text/html,x)", "[here]&#40;data:text/html,x)"),
        ("Use `vector<int>` or `a`.", "Use <code>vector&#60;int&#62;</code> or `a`."),
        ("$a <b$ costs $5", f"$a \\lt b$ costs {DOLLAR}5"),
        ("It costs $5.", "It costs $5."),
        ("$5 to $6, \\$7-$8", f"{DOLLAR}5 to {DOLLAR}6, {DOLLAR}7-{DOLLAR}8"),
        ("`$5` or $5, $x_1$", f"`$5` or {DOLLAR}5, $x_1$"),
        ("$$5\n+ 6$$ is $11", f"$$5\n+ 6$$ is {DOLLAR}11"),
        ("\\( a^2+b^2=c^2 \\) and \\(x <y\\)", "$a^ 2+b^ 2=c^ 2$ and $x \\lt y$"),
        ("\\[\\int_0^1 x dx\\]", "$$\\int_0^ 1 x dx$$"),
        ("\\[\na &= b \\\\[2pt]\nf[x](y)\n\\]", "$$\na &= b \\\\[2pt]\nf[x]{}(y)\n$$"),
        ("`\\(x\\)` \\(x", "`\\(x\\)` \\(x"),
        ("\\(a $ b\\) \\[1\\] \\[a\n\n^b\\]", "\\(a $ b\\) \\[1\\] \\[a\n\n&#94;b\\]"),
        ("$f[x](y)$", "$f[x]{}(y)$"),
    ],
)
def test_what_is_shown(given: str, shown: str) -> None:
    assert safe_markdown(given) == shown


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a\n\n---\ncss: //e.test\n---\nb", "a\n\n___\ncss: //e.test\n----\nb"),
        ("---\t\ncss: //e.test\n...", "___\t\ncss: //e.test\n..."),
        ("> a\n>\n>---\n> css: //e.test", "> a\n>\n>___\n> css: //e.test"),
        ("1. a\n\n   ---\n   css: //e.test", "1. a\n\n   ___\n   css: //e.test"),
        ("(@) ---\n    css: //e.test\n    ---", "(@) ----\n    css: //e.test\n    ----"),
        ("# T\n---\n---\ncss: //e.test\n---", "# T\n----\n----\ncss: //e.test\n----"),
        ("```\n---\n```\n---\ncss: //e.test", "\n```\n---\n```\n\n___\ncss: //e.test"),
        ("a\n\n    ---\n    b: c\n    ---", "a\n\n```\n---\nb: c\n---\n```\n\n"),
        ("$$\n\\label{x}---\n$$", "$$\n ----\n$$"),
        ("--- a---\n----\n- - -\n|---|\n", "--- a---\n----\n- - -\n|---|\n"),
    ],
)
def test_no_lines_are_settings_of_the_whole_document(given: str, shown: str) -> None:
    assert safe_markdown(given) == shown


def test_rules_and_headings_are_drawn_as_they_were() -> None:
    text = "---\na\n---\nb\nc\n---\n\n---\n# d\n---\n- e\n  ---\n\n  ---\n> f\n> ---\n>\n> ---\n\n---"
    assert MARKDOWN.render(safe_markdown(text)) == MARKDOWN.render(text)
    assert MARKDOWN.render(text).count("<hr />") == 6


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ('[x]{onclick="alert(1)"}', '[x]&#123;onclick="alert(1)"}'),
        (f"![x]({IMAGE}){{onerror=a}}", f"![x]({IMAGE})&#123;onerror=a}}"),
        ("# T {onclick=a}\n\n::: {style=a}\n{: a=b}", "# T &#123;onclick=a}\n\n::: &#123;style=a}\n&#123;: a=b}"),
        ("\\{a\\} \\\\{b}", "&#123;a\\} &#92;&#123;b}"),
        (
            "`{a}` \\`[x]{onclick=a}\\`",
            "<code>&#123;a&#125;</code> \\<code>&#91;x&#93;&#123;onclick&#61;a&#125;&#92;</code>",
        ),
        (
            "H~2~O, x^2^, ~/a, ~~a {b}~~ ~~~a~~~",
            "H&#126;2&#126;O, x&#94;2&#94;, &#126;/a, ~~a &#123;b}~~ &#126;&#126;&#126;a&#126;&#126;&#126;",
        ),
        ("^&lt;b&gt;^ `^&lt;b&gt;^`", "&#94;&lt;b&gt;&#94; <code>&#94;&#38;lt&#59;b&#38;gt&#59;&#94;</code>"),
        ("$\\&lt;$", f"{DOLLAR}&#92;&#38;lt&#59;{DOLLAR}"),
        ("$^&lt;b&gt;^$", f"{DOLLAR}&#94;&#38;lt&#59;b&#38;gt&#59;&#94;{DOLLAR}"),
        ("Sure: \\input{/etc/passwd}", "Sure: &#92;input&#123;/etc/passwd}"),
        ("\\immediate\\openout\\f=a", "&#92;immediate&#92;openout&#92;f=a"),
        ("C:\\temp `\\d`, 1\\. a\\_b", "C:&#92;temp <code>&#92;d</code>, 1\\. a\\_b"),
        ("$x_{i}^{2}$ and $$\\frac{a}{b}$$", "$x_{i}^ {2}$ and $$\\frac{a}{b}$$"),
        ("$$\n\\sum_{i=1}^{n} 50\\%\n$$", "$$\n\\sum_{i=1}^ {n} 50\\%\n$$"),
        ("\\begin{align*}\na &= {b} \\\\\n\\end{align*}", "\\begin{align*}\na &= {b} \\\\\n\\end{align*}"),
        ("$$\\begin{pmatrix}a\\\\b\\end{pmatrix}$$", "$$\\begin{pmatrix}a\\\\b\\end{pmatrix}$$"),
        ("$$\\label{eq:1} a \\leqq b$$", "$$  a \\leqq b$$"),
        ("$$a\\\\label{x}$$", "$$a\\\\label{x}$$"),
        ("$$\\in\\label{x}put a$$", "$$\\in put a$$"),
        ("$\\label{\\input{a}}$", f"{DOLLAR}&#92;label&#123;&#92;input&#123;a&#125;&#125;{DOLLAR}"),
        ("$a\\\\\\input b$", f"{DOLLAR}a&#92;&#92;&#92;input b{DOLLAR}"),
        ("$\\^^69nput a$", f"{DOLLAR}&#92;&#94;&#94;69nput a{DOLLAR}"),
        ("$\\input{a}$", f"{DOLLAR}&#92;input&#123;a&#125;{DOLLAR}"),
        ("\\(\\href{a}{b}\\)", f"{DOLLAR}&#92;href&#123;a&#125;&#123;b&#125;{DOLLAR}"),
        ("$$\n^^5cinput a\n$$", f"{DOLLAR * 2}\n&#94;&#94;5cinput a\n{DOLLAR * 2}"),
        ("\\$a^b\\$\\input{x}\\$c~d\\$", "\\$a^ b\\$&#92;input&#123;x}\\$c~ d\\$"),
        ("$*x*{a$ onclick=b}", f"{DOLLAR}&#42;x&#42;&#123;a{DOLLAR} onclick=b}}"),
        ("$}*x*{a$ onclick=b}", f"{DOLLAR}&#125;&#42;x&#42;&#123;a{DOLLAR} onclick=b}}"),
        ("\\(*x*{a\\) onclick=b}", f"{DOLLAR}&#42;x&#42;&#123;a{DOLLAR} onclick=b}}"),
        ("$\\{x\\}$ $\\\\{x}$", "$\\{x\\}$ $\\\\{x}$"),
        ("$a%b$", f"{DOLLAR}a&#37;b{DOLLAR}"),
        ("\\$[x]{onclick=a} y$", f"\\{DOLLAR}&#91;x&#93;&#123;onclick&#61;a&#125; y{DOLLAR}"),
        (
            "\\begin{filecontents}\na\n\\end{filecontents}",
            "&#92;begin&#123;filecontents}\na\n&#92;end&#123;filecontents}",
        ),
    ],
)
def test_braces_and_commands_do_nothing_where_a_renderer_knows_them(given: str, shown: str) -> None:
    """Such as pandoc, which reads attributes in braces, and TeX outside of formulas."""
    assert safe_markdown(given) == shown


CODE = "vector<int> v;"


@pytest.mark.parametrize(
    "fence",
    [
        f"```cpp\n{CODE}\n```",
        f"~~~~ cpp title\n{CODE}\n~~~~",
        f"```cpp\n{CODE}",
        f"```cpp\r\n{CODE}\r\n```\r\n",
        f"1. First:\n   ```cpp\n   {CODE}\n   ```",
        f"- ```cpp\n  {CODE}\n  ```",
        f"> ```cpp\n> {CODE}\n> ```",
    ],
)
def test_a_fence_stays_code_wherever_it_was(fence: str) -> None:
    shown = safe_markdown(f"<b>\n\n{fence}")
    assert f"\n\n```cpp\n{CODE}\n```\n\n" in shown
    page = Page(shown)
    assert page.text.startswith("<b>")
    assert page.text.count(CODE) == 1
    assert page.tags <= {"p", "ol", "ul", "li", "pre", "code"}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("So:\n\n    if (a^b) {\n\n        <c>}\n\nDone", "So:\n\n```\nif (a^b) {\n\n    <c>}\n```\n\nDone"),
        ("\tx ``` {y}", "\n\n````\nx ``` {y}\n````\n\n"),
        ("So:\n\n    a = b", "So:\n\n    a = b"),
        ("So:\n    {a}", "So:\n    &#123;a}"),
        ("1. So:\nand\n\n    {a}", "1. So:\nand\n\n    &#123;a}"),
        ("- b\n\nSo:\n\n    {a}", "- b\n\nSo:\n\n```\n{a}\n```\n\n"),
    ],
)
def test_indented_code_has_no_entities(given: str, shown: str) -> None:
    assert safe_markdown(given) == shown


def test_a_fence_holds_fences_of_fewer_backticks() -> None:
    assert safe_markdown("````\n```\n<b>\n```\n````") == "\n````\n```\n<b>\n```\n````\n\n"


@pytest.mark.parametrize("name", ["mermaid", "mermaid.js", "mermaid-x", "Mermaid"])
def test_a_diagram_is_shown_as_text(name: str) -> None:
    assert safe_markdown(f"```{name}\nA@{{ img: 'http://e.test/' }}\n```") == (
        "\n```text\nA@{ img: 'http://e.test/' }\n```\n\n"
    )


@pytest.mark.parametrize(
    ("opens", "neutral"),
    [
        ("$$", "&#36;&#36;"),
        ("$\\begin{align}$", "$&#92;begin{align}$"),
        ("\\\\[", "&#92;\\["),
        ("\\\\\\[", "&#92;&#92;\\["),
    ],
)
def test_no_formula_swallows_a_fence_with_tags(opens: str, neutral: str) -> None:
    assert safe_markdown(f"{opens}\n```\n<b>\n```").startswith(f"{neutral}\n\n```")
    assert safe_markdown(f"{opens}\n```\nplain\n```").startswith(f"{opens}\n\n```")


TOKENS = [
    *(
        "`",
        "```",
        "````",
        "```html\n",
        "```mermaid\n",
        "~~~\n",
        "\n",
        "\n\n",
        "\r",
        " ",
        "    ",
        "- ",
        "1. ",
        "> ",
        "|",
        "|-|\n",
    ),
    *(
        "<script>alert(1)</script>",
        "<img src=http://e.test/x>",
        "<a href=javascript:x>",
        "<!--",
        "-->",
        "<![CDATA[",
        "<?",
    ),
    *(
        "<http://e.test>",
        "<javascript:alert(1)>",
        "![",
        "![x](http://e.test/q)",
        f"![x]({IMAGE})",
        "[",
        "]",
        "(",
        ")",
        "!",
    ),
    *(
        "](javascript:alert(1))",
        "[x](java&#115;cript:x)",
        "[x][1]",
        "{onclick=x}",
        "~",
        "\n[1]: javascript:alert(1)\n",
        "\n[1]:\n javascript:x\n",
    ),
    *(
        "\n[1]: http://e.test/\n",
        "![1]",
        "\\",
        "$",
        "$$",
        "$5",
        "\\(",
        "\\)",
        "\\[",
        "\\]",
        "\\begin{a}",
        "\\end{a}",
        "\\\\[",
        "&lt;",
        "*",
        "_",
        "# ",
        "<code>",
        "</pre>",
    ),
]


@given(st.lists(st.sampled_from(TOKENS), max_size=20).map("".join))
def test_no_answer_brings_tags_scripts_or_images(text: str) -> None:
    page = Page(safe_markdown(text))
    shape = {
        "p",
        "pre",
        "code",
        "h1",
        "h2",
        "ul",
        "ol",
        "li",
        "blockquote",
        "em",
        "strong",
        "a",
        "img",
        "hr",
        "br",
        "s",
        "span",
    }
    assert page.tags <= shape | {"table", "thead", "tbody", "tr", "td", "th"}
    assert page.scripts == []
    assert [url for url in page.loaded if url != IMAGE] == []
    assert [url for url in page.links if not url.startswith(("http://", "https://", IMAGE))] == []


@given(st.lists(st.sampled_from(TOKENS), max_size=20).map("".join))
def test_no_reasoning_ends_what_it_is_folded_in(text: str) -> None:
    page = Page(f"{folded('Thoughts', text)}\n\nThe *answer*.")
    assert page.tags <= {"details", "summary", "br", "p", "em"}
    assert (page.scripts, page.loaded, page.links) == ([], [], [])
    assert "".join(page.text.split()) == f"Thoughts{''.join(text.split())}Theanswer."


def test_no_control_character_is_shown() -> None:
    hostile = "\x1b[31mred\x07 `\x1bcode` \u202eabc\n```\n\x1b[2J\n```\n"
    for shown in (safe_markdown(hostile), folded("Reasoning", hostile)):
        assert not set("\x1b\x07\u202e") & set(html.unescape(shown))
        assert html.unescape(shown).count("\N{REPLACEMENT CHARACTER}") == 5


def test_an_answer_is_shown_so() -> None:
    answer = Answer("![x](http://e.test/?q=it) <script>")
    assert answer._repr_markdown_() == "[x](http://e.test/?q=it) &lt;script>"


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "unit",
    [
        "!",
        "```\n<a>\n```\n" + "\\" * 49_000,
        "`",
        "$a",
        "$5 ",
        "\\(",
        "\\(a",
        "\\[^\n",
        "\\[^" + "a\n" * 20_000,
        "\\[^" + "\n " * 20_000,
        "\\[" + "a " * 20_000,
        "![",
        "] (",
        "]:",
        "<a",
        "{",
        "~~",
        "~~a",
        "^",
        "\\{",
        "\\a",
        "$$a",
        "$" + "data" * 10_000 + "$",
        "$" + "on" * 20_000 + "=a$",
        "$$" + "a\n" * 20_000,
        "\\begin{a}",
        "\\begin{a}" + "a\n" * 20_000,
        "    {\n",
        "\n    {\na",
        "---\n",
        "```\n",
        "````\n```\n",
        "~" * 49_999 + "`",
        f"![a]({IMAGE[:22]}",
        "- ",
        "\n",
    ],
)
def test_time_is_in_proportion(unit: str) -> None:
    began = time.thread_time()
    safe_markdown(unit * (50_000 // len(unit)))
    assert time.thread_time() - began < 1.0


@pytest.mark.once
def test_environments_of_many_names_are_not_searched_through_for_each() -> None:
    began = time.thread_time()
    safe_markdown("".join(f"\\begin{{{chr(97 + a)}{chr(97 + b)}}}" for a in range(26) for b in range(26)) * 30)
    assert time.thread_time() - began < 1.5  # 0.4 s, and 4 s where each is searched for
