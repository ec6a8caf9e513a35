"""Sentences of Python's own documentation: what is on every machine that can run textgan.

The language topics of `pydoc_data` and the docstrings of the standard library, read with `ast`; nothing is imported
but `pydoc_data.topics`. Scanned once per Python and kept as a text file in the cache.
"""

from __future__ import annotations

import ast
import platform
import re
import sysconfig
import tokenize
import warnings
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

from textgan.corpora import matrix
from textgan.corpora.cards import Card
from textgan.corpora.text.sources import Source, shard_of
from textgan.files import write_text

VERSION = 1  # raise it when the same Python gives other sentences
SKIPPED = {"site-packages", "dist-packages", "test", "tests", "idle_test", "lib2to3", "pydoc_data", "__pycache__"}
SHORTEST, LONGEST = 20, 400  # characters of a sentence

_MARKUP = re.compile(r"``|\*\*|:[a-z:]+:(?=`)|`|(?<!\w)\*(?=\w)|(?<=\w)\*(?!\w)")
_TYPOGRAPHY = str.maketrans("“”‘’–—\N{NO-BREAK SPACE}", "\"\"''-- ")
_BULLET = re.compile(r"^\s*(?:[-*+•]|\d+[.)]|\(\d+\))\s+")
_SENTENCE_END = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)(?<!vs\.)(?<!cf\.)\s+(?=[A-Z\"'(])")
_PROSE = re.compile(r"[A-Z\"'(][A-Za-z0-9 .,;:'\"()!?/-]*[.!?][\"')]?")
# a dotted name, a call, dots and dashes in a row: words of programs, which no reader would miss in prose
_CODE = re.compile(r"(?<!\be)(?<!\bi)\.\w|\w\(|\.\.|--|//|::|\(\)")


def source(card: Card, *, data: str, cache: Path, max_lines: int, tell: Callable[[str], None]) -> Source:
    """Return the sentences of this Python's documentation, scanning them the first time."""
    file = cache / "text" / f"python_docs-{_interpreter()}.txt"
    if not file.is_file():
        tell(f"{card.name}: reading the documentation of Python {platform.python_version()}, once")
        with matrix.writing(cache):
            write_text(file, "".join(f"{line}\n" for line in sentences()))
    return Source(card.name, f"{card.credit}, {platform.python_version()}", (shard_of(file),), deduplicate=True)


def _interpreter() -> str:
    place = sha256(sysconfig.get_path("stdlib").encode()).hexdigest()[:8]
    return f"{platform.python_version()}-{place}-v{VERSION}"


def sentences() -> Iterator[str]:
    """Yield the sentences of the topics and of the standard library's docstrings, repeats and all."""
    for text in [*_topics(), *_docstrings(Path(sysconfig.get_path("stdlib")))]:
        for paragraph in paragraphs(text):
            yield from filter(is_prose, _SENTENCE_END.split(paragraph))


def _topics() -> list[str]:
    from pydoc_data import topics

    return list(topics.topics.values())


def _docstrings(library: Path) -> Iterator[str]:
    for file in sorted(library.rglob("*.py")):
        if SKIPPED.isdisjoint(file.relative_to(library).parts):
            yield from docstrings(file)


def docstrings(file: Path) -> Iterator[str]:
    """Yield the docstrings of a Python file; none where it does not parse."""
    try:
        with tokenize.open(file) as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(stream.read())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs and list items of a text without markup, each on one line of single spaces."""
    lines: list[str] = []
    for line in [*text.translate(_TYPOGRAPHY).split("\n"), ""]:
        if lines and (not line.strip() or _BULLET.match(line) or _indent(line) > _indent(lines[-1]) + 3):
            yield " ".join(_MARKUP.sub("", " ".join(lines)).split())
            lines = []
        if line.strip():
            lines.append(_BULLET.sub("", line))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def is_prose(sentence: str) -> bool:
    """Tell a sentence of English from code, tables and headings."""
    letters = sum(character.isalpha() or character == " " for character in sentence)
    return (
        SHORTEST <= len(sentence) <= LONGEST
        and sentence.count(" ") >= 3
        and letters >= 0.88 * len(sentence)
        and sentence.count("(") == sentence.count(")")
        and sentence.count('"') % 2 == 0
        and _PROSE.fullmatch(sentence) is not None
        and _CODE.search(sentence) is None
    )
