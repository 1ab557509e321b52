"""Markdown that a notebook may show, whatever the model wrote.

Renderers differ in how they read Markdown, so nothing here depends on it: what could become an HTML tag, an image or a
link is written so that no renderer takes it for one, unless it is harmless.  Only fenced code is left as it is, and
moved to where every renderer takes it for code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from ..errors import sanitize
from .formulas import ENVIRONMENTS, is_formula

# Patterns are compiled by re at their first use: a notebook needs them, an import does not.
_TAG = r"<(?=[A-Za-z/!?])"
_SAFE_LINK = r"(?i:https?://|mailto:|\#)"
_IMAGE = "(?:png|jpeg|gif|webp|bmp)"  # without SVG, which may contain scripts
_ACTIVE = rf"{_TAG}|!(?=\[)|\](?=\s*[(:])"  # the beginning of a tag, an image, or the target of a link
_COMMAND = r"(?<!\\)\\+(?=[A-Za-z@])"  # of TeX, which an export runs
_NO_CODE = rf"{_ACTIVE}|[{{^~]|{_COMMAND}"  # what must not be left where a renderer may see no code
_KINDS = "|".join(sorted(ENVIRONMENTS))  # with any others, a text of very many would be searched through for each
_OUTSIDE_FENCES = rf"""(?x)
    (?P<code>   (?<!`) (?P<ticks>`{{1,2}}) (?!`) (?P<inner>[^`\n]+) (?P=ticks) (?!`) )
  | (?P<inline> (?<!\\) \\\( (?P<term> (?: [^\\$\n] | \\[^()\n] )+? ) \\\) )
  | (?P<block>  (?<!\\) \\\[ (?! [\w\s,;.-]* \\\] )
                (?P<formula> (?: [^\\$\n] | \\[^][\n] | \\?\n (?![ \t]*\n) )+? ) \\\] )
  | (?P<display> \$\$ (?: [^$\n] | \n (?![ \t]*\n) )+? \$\$ )
  | (?P<lines>  (?<!\\) \\begin\{{ (?P<kind>(?:{_KINDS})\*?) \}}
                (?: [^$\n\\] | \\ (?!begin\{{ (?P=kind) \}}) | \n (?![ \t]*\n) ){{1,2000}}? \\end\{{ (?P=kind) \}} )
  | (?P<math>   \$ (?!\s) [^$\n]+ (?<!\s) \$ (?!\d) )
  | (?P<price>  (?<![$\\]) \\?\$ (?=\d) )
  | (?P<data>   !\[ (?P<alt>(?:[^\[\]\\\n]|\\.)*) \] \( (?P<url>data:image/{_IMAGE};base64,[A-Za-z0-9+/=]+) \) )
  | (?P<struck> (?<!~) ~~ (?P<words>[^~\n]+) ~~ (?!~) )
  | (?P<small>  [\^~] )
  | (?P<brace>  (?:(?<!\\)\\+)? \{{ )
  | (?P<tex>    {_COMMAND} )
  | (?P<tag>    {_TAG} )
  | (?P<mark>   (?<!!) !+ (?= \[ [^\[\]\n]* \] (?!\s*[(\[]) ) )
  | (?P<image>  (?<!!) !+ (?=\[) )
  | (?P<link>   \] \s* \( (?!{_SAFE_LINK}) )
  | (?P<target> \] : (?![ \t]*{_SAFE_LINK}) )
    """
_DOLLAR = "<span>&#36;</span>"  # MathJax looks for formulas in the page too, but not across the borders of elements
# Which TeX reads alike.  Where a renderer sees no formula, pandoc could take all from its ^ or ~ up to another one's.
_IN_MATH = {"<": r"\lt ", "!": "!{}", "]": "]{}", "^": "^ ", "~": "~ "}
# A label draws nothing, and MathJax refuses it when the output is drawn again.
_LABEL = r"(?<!\\)\\label\s*\{[\w\s:.,*/-]*\}"
_FENCE = r"(?P<margin>[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*)(?P<ticks>`{3,}|~{3,}(?!~))(?P<info>[^`]*)"
_INDENT = r"^(?: {4}| {0,3}\t)"
_ITEM = r" {0,3}(?:[-*+]|\d{1,9}[.)]|\[\^[^]]+\]:)(?:\s|$)"  # of a list, or a footnote
_LANGUAGE = r"[\w.+#-]*"
_RULE = r"(?m)(?<![^\s>])---(?=[^\S\n]*$)"  # or the line below a heading; pandoc may take what follows for settings
_LONG_MATH = r"\$\$|\\(?=begin\{)|(?<!\\)\\+(?=\\[\[(])"  # the beginning of a formula that may have several lines


def safe_markdown(text: str) -> str:
    """Return Markdown without HTML and remote images, whose links lead to the web or to an e-mail address.

    An image of another host becomes a link to it, because its URL could carry the conversation to that host.
    An image that the text itself holds stays one.  Some renderers take it for a link to the image where a bracket or a
    backslash is before it, which is harmless: it is of a type without scripts, and nothing is loaded.
    """
    parts = list(_split(sanitize(text)))  # an export may be printed on a terminal
    # A renderer may take a fence between two marks of a formula for a part of the formula.
    keeps_long_math = not any(re.search(_ACTIVE, code) for is_code, code in parts if is_code)
    return "".join(part if is_code else _safe(part, keeps_long_math) for is_code, part in parts)


def folded(summary: str, text: str) -> str:
    """Return plain text that a notebook shows folded away, under a summary.

    All of it is one block of HTML, which has no blank line, and in which no character means anything.
    """
    lines = "<br>".join(map(_as_entities, _lines(sanitize(text).strip())))
    return f"<details><summary>{summary}</summary>{lines}</details>"


def fences(text: str) -> Iterator[tuple[str, str]]:
    """List the fences in Markdown: the language of each, or "", and the code."""
    lines = iter(_lines(text))
    for line in lines:
        if opening := re.fullmatch(_FENCE, line):
            yield _language(opening), "\n".join(_up_to_the_end(opening, lines))


def _lines(text: str) -> list[str]:
    """Split a text where a line of Markdown ends, and nowhere else."""
    return re.split("\r\n?|\n", text)


def _language(opening: re.Match[str]) -> str:
    found = re.match(_LANGUAGE, opening["info"].strip())
    return found.group() if found else ""


def _split(text: str) -> Iterator[tuple[bool, str]]:
    """Split Markdown into code, each with True, and what is between, with False.

    Each fence is moved to the left margin, between blank lines, and closed.
    """
    between: list[str] = []
    lines = iter(_lines(text))
    for line in lines:
        opening = re.fullmatch(_FENCE, line)
        if opening is None:
            between.append(line)
            continue
        code = list(_up_to_the_end(opening, lines))
        name = _language(opening)
        # A diagram, which may load images.  nbconvert does not escape it, and takes whatever begins so for one.
        if name.lower().startswith("mermaid"):
            name = "text"
        yield from _split_indented([*between, "", ""])
        yield True, _fence(name, code)
        between = []
    yield from _split_indented(between)


def _split_indented(lines: list[str]) -> Iterator[tuple[bool, str]]:
    """Split what is between fences into indented code, each with True, and the rest, with False.

    Such code becomes a fence if it could not stay as it is: entities mean nothing in it.
    """
    rest: list[str] = []
    is_in_list = False  # where indented lines are a paragraph
    for is_indented, group in groupby(lines, lambda line: bool(re.match(_INDENT, line)) or not line.strip()):
        block = list(group)
        if not is_indented:
            is_in_list = (is_in_list and block[0][0] in " \t") or any(re.match(_ITEM, line) for line in block)
        code = "\n".join(block).strip("\n")
        follows_text = bool(rest and rest[-1].strip() and block[0].strip())
        if is_indented and code and not is_in_list and not follows_text and _safe_words(code, has_pair=True) != code:
            yield False, "\n".join(rest).rstrip("\n") + "\n\n"
            yield True, _fence("", [re.sub(_INDENT, "", line) for line in code.split("\n")])
            rest = []
        else:
            rest += block
    yield False, "\n".join(rest)


def _fence(name: str, code: list[str]) -> str:
    ticks = "`" * max(3, *(len(run) + 1 for line in code for run in re.findall("`+", line)), 3)
    return "\n".join([ticks + name, *code, ticks, "", ""])


def _up_to_the_end(opening: re.Match[str], lines: Iterator[str]) -> Iterator[str]:
    """Take the lines of a fence, without the margin that the opening line has."""
    blank = " \t>" if ">" in opening["margin"] else " \t"
    ticks = opening["ticks"]
    for line in lines:
        stripped = line.strip(blank)
        margin = len(line) - len(line.lstrip(blank))
        is_code = len(line[:margin].expandtabs(4)) > len(opening["margin"]) + 3  # as in a docstring
        if stripped.startswith(ticks) and not stripped.strip(ticks[0]) and not is_code:
            return
        yield line[min(margin, len(opening["margin"])) :]


def _safe(text: str, keeps_long_math: bool) -> str:
    has_pair = text.count("$") > 1
    text = _safe_words(text, has_pair)
    return text if keeps_long_math else re.sub(_LONG_MATH, lambda found: _as_entities(found.group()), text)


def _safe_words(text: str, has_pair: bool) -> str:
    return re.sub(_RULE, _no_settings, re.sub(_OUTSIDE_FENCES, lambda found: _replaced(found, has_pair), text))


def _no_settings(found: re.Match[str]) -> str:
    """Return another way to write three hyphens: what is in YAML between two such lines could load a style sheet."""
    line = max(found.string.rfind("\n", 0, found.start()), 0)
    line_above = found.string.rfind("\n", 0, line) + 1
    is_rule = not found.string[line_above : found.start()].strip(" \t>\n")
    return "___" if is_rule else "----"


def _replaced(found: re.Match[str], has_pair: bool) -> str:
    """Return what is written in place of a match.

    :param has_pair: whether a dollar sign could be taken for the beginning of a formula
    """
    kind, given = found.lastgroup, found.group()
    if kind == "code":  # where it begins and ends depends on what is before it, so that it is safe without being code
        return f"<code>{_as_entities(found['inner'].strip())}</code>" if re.search(_NO_CODE, given) else given
    if kind == "math":
        return _in_math(given[1:-1], "$")
    if kind == "display":
        return _in_math(given[2:-2], "$$")
    if kind == "lines":
        return _in_math(given, "")
    if kind == "inline":  # Markdown takes the backslashes of TeX's own delimiters for its own
        return _in_math(found["term"].strip(), "$")
    if kind == "block":
        return _in_math(found["formula"], "$$")
    if kind == "price":
        return _DOLLAR if has_pair else given
    if kind == "struck":
        return f"~~{_safe_words(found['words'], has_pair)}~~"
    # Pandoc reads what is lowered or raised once more, with its entities as what they stand for.
    if kind in ("mark", "small"):
        return _as_entities(given)
    if kind == "brace":  # of attributes, which some renderers know and others show
        return "&#92;" * ((len(given) - 1) // 2) + "&#123;"
    if kind == "tex":
        return "&#92;" * len(given)
    if kind == "tag":
        return "&lt;"
    if kind == "image":
        return ""
    if kind == "data":
        return f"![{_as_entities(found['alt'])}]({found['url']})"
    return given[:-1] + _as_entities(given[-1])


def _in_math(formula: str, mark: str) -> str:
    """Return a formula between two marks, or its text where it has more in it than what is drawn."""
    if mark != "$":
        formula = re.sub(_LABEL, " ", formula)
    if not is_formula(formula):
        dollars = _DOLLAR * len(mark)
        return f"{dollars}{_as_entities(formula)}{dollars}"
    formula = re.sub(rf"{_ACTIVE}|[\^~]", lambda active: _IN_MATH[active.group()], formula)
    return f"{mark}{formula}{mark}"


def _as_entities(text: str) -> str:
    """Write all ASCII punctuation as HTML entities."""
    return re.sub(r"[!-/:-@\[-`{-~]", lambda found: f"&#{ord(found.group())};", text)
