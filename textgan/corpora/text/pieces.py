"""Pieces of words learnt from the training text, by sentencepiece: lossless, and the same on every run."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Sequence

from textgan.errors import TextganError
from textgan.symbols import END, SPACE, processor

BYTES = 256  # byte pieces, which spell what no other piece holds
IMPOSSIBLE = {f"<0x{byte:02X}>" for byte in (0xC0, 0xC1, *range(0xF5, 0x100))}  # never in UTF-8
LEAST = 300  # the byte pieces, and some to learn


def train(sample: Sequence[str], max_symbols: int) -> tuple[bytes, tuple[str, ...]]:
    """Learn a unigram model: its bytes, and its pieces by falling frequency in the sample, ties by code points.

    A space belongs to the word before it, so that a window that starts a word starts with no space. One thread, a
    given sample and no shuffling: equal text gives equal pieces. Characters too rare for a place are spelt in bytes.

    Args:
        sample: lines of training text.
        max_symbols: most pieces, at least `LEAST`; fewer where the text holds fewer.

    Raises:
        TextganError: the sample is too poor to learn from.

    Source: Kudo 2018 (subword regularization), section 3.2; Kudo & Richardson 2018 (sentencepiece).
    """
    from sentencepiece import SentencePieceTrainer

    written = io.BytesIO()
    lines = _common(sample, (max_symbols - BYTES) // 2)
    try:
        SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=written, model_type="unigram", num_threads=1,
            vocab_size=max_symbols + len(IMPOSSIBLE) + 1, hard_vocab_limit=False,
            normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False,
            byte_fallback=True, character_coverage=1.0, required_chars=SPACE,
            treat_whitespace_as_suffix=True, max_sentence_length=1 << 20, unk_id=0, bos_id=-1, eos_id=-1, pad_id=-1,
            minloglevel=2,
        )  # fmt: skip
    except RuntimeError as error:
        raise TextganError("text.unit=piece: the training text is too poor to learn pieces from") from error
    return written.getvalue(), _ranked(written.getvalue(), sample)


def _common(lines: Sequence[str], most: int) -> list[str]:
    """Part lines at every character that is not among the `most` commonest."""
    counts = Counter[str]()
    for line in lines:
        counts.update(line)
    del counts["\0"]  # which the trainer does not take
    kept = "".join(sorted(counts, key=lambda character: (-counts[character], character))[:most])
    rare = re.compile(f"[^{re.escape(kept)}]" if kept else ".")
    return [part for line in lines for part in rare.split(line) if part]


def _ranked(model: bytes, lines: Sequence[str]) -> tuple[str, ...]:
    loaded = processor(model)
    counts = Counter[str]()
    for line in lines:
        counts.update(loaded.encode(line.replace(SPACE, END), out_type=str, num_threads=1))
    known = {loaded.id_to_piece(i) for i in range(1, len(loaded))} - IMPOSSIBLE
    return tuple(sorted(known, key=lambda piece: (-counts[piece], piece)))


def splitter(model: bytes) -> Callable[[str], list[str]]:
    """Return what splits a line into the pieces of a sentencepiece model.

    Raises:
        ValueError: these bytes are no model.
    """
    encode = processor(model).encode
    return lambda line: list(encode(line, out_type=str))
