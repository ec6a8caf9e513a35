"""Corpora of nltk, `nltk:NAME`: what lies in nltk's own data folders, a sentence a line; nothing is downloaded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from textgan.corpora import matrix
from textgan.corpora.text.sources import Source, shard_of
from textgan.errors import TextganError, UsageError, near_miss
from textgan.files import replacing

PREFIX = "nltk:"
SCHEMA = 1
_MISSING = re.compile(r"nltk\.download\('([^']+)'\)")


def source(name: str, *, cache: Path, tell: Callable[[str], None]) -> Source:
    """Return the sentences of `nltk:NAME`, tokens joined by spaces; of a list of words, its words.

    Written to the cache once, and again where nltk or its data change.

    Raises:
        UsageError: nltk knows no such corpus, or it holds no words.
        TextganError: nltk, or its data, is not on this machine, or the data is damaged.
    """
    corpus = name.removeprefix(PREFIX)
    readers = _readers()
    if corpus not in readers:
        raise UsageError(f"nltk has no corpus {corpus!r}{near_miss(corpus, readers)}")
    reader = readers[corpus]
    key = sha256(json.dumps([SCHEMA, import_module("nltk").__version__, _stamps(reader, name)]).encode()).hexdigest()
    file = cache / "text" / f"nltk-{corpus}-{key[:16]}.txt"
    if not file.is_file():
        tell(f"{name}: reading the corpus, once")
        with matrix.writing(cache):
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(file) as fresh, fresh.open("w", encoding="utf-8", newline="\n") as stream:
                stream.writelines(f"{line}\n" for line in _lines(reader, name))
    return Source(name, f"{corpus} (nltk)", (shard_of(file),))


def installed() -> list[str]:
    """Return the corpora in nltk's data folders, sorted; none without nltk."""
    try:
        roots = import_module("nltk.data").path
    except ImportError:
        return []
    return sorted({path.stem for root in roots for path in Path(root, "corpora").glob("*")})


def _readers() -> dict[str, Any]:
    """Return nltk's readers by name; none is loaded."""
    try:
        corpora, reader = import_module("nltk.corpus"), import_module("nltk.corpus.reader.api").CorpusReader
    except ImportError:
        raise TextganError("corpora of nltk need the package nltk; pip install nltk") from None
    kinds = (corpora.LazyCorpusLoader, reader)  # a loader becomes a reader when it is first used
    return {name: value for name, value in vars(corpora).items() if isinstance(value, kinds)}


def _stamps(reader: Any, name: str) -> list[tuple[str, int, int]]:
    """Return path, size and time of last change of the corpus' files, or of the zip that they lie in."""
    try:
        root = reader.root
    except LookupError as error:
        raise _to_get(str(error), name) from None
    except Exception as error:  # whatever a reader meets in damaged data
        raise _damaged(error, name) from error
    archive = getattr(root, "zipfile", None)
    top = Path(archive.filename if archive else root.path)
    files = [top, *(sorted(top.rglob("*")) if top.is_dir() else ())]
    return [(str(file), stat.st_size, stat.st_mtime_ns) for file in files for stat in [file.stat()]]


def _lines(reader: Any, name: str) -> Iterator[str]:
    try:
        if hasattr(reader, "sents"):
            yield from (" ".join(" ".join(tokens).split()) for tokens in reader.sents())
        elif hasattr(reader, "words"):
            yield from map(str, reader.words())
        else:
            raise UsageError(f"{name} holds neither sentences nor words; name another corpus of nltk")
    except TextganError:
        raise
    except LookupError as error:
        raise _to_get(str(error), name) from None
    except Exception as error:  # a reader's own, of any kind
        if "No sentence tokenizer" in str(error):
            raise _to_get("nltk.download('punkt_tab')", name) from None
        raise _damaged(error, name) from error


def _to_get(told: str, name: str) -> TextganError:
    """Say how to get what is missing: the corpus, or the tokenizer that finds its sentences."""
    named = _MISSING.search(told)
    package = named[1] if named else name.removeprefix(PREFIX)
    return TextganError(
        f"{name}: nltk's data {package!r} is not on this machine; get it where there is a network with "
        f"'python -m nltk.downloader {package}', and name its folder in NLTK_DATA where it is not the usual one"
    )


def _damaged(error: Exception, name: str) -> TextganError:
    told = " ".join(str(error).split())[:200]
    return TextganError(f"{name}: its data cannot be read ({type(error).__name__}: {told}); get it again")
