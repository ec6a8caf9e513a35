"""n-gram measures as public ports and toolkits write them: Python dictionaries."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence


def counts(lines: Sequence[str], n: int) -> dict[str, int]:
    """Count the n-grams of characters that lie within a line."""
    found: dict[str, int] = {}
    for line in lines:
        for i in range(len(line) - n + 1):
            gram = line[i : i + n]
            found[gram] = found.get(gram, 0) + 1
    return found


def jsd(lines: Sequence[str], reference: Sequence[str], n: int) -> float:
    """Jensen-Shannon divergence of the n-gram frequencies of two texts, in bits. Source: Lin 1991, eq. 4.1."""
    p, q = counts(lines, n), counts(reference, n)
    p_total, q_total = sum(p.values()), sum(q.values())
    divergence = 0.0
    for gram in p.keys() | q.keys():
        a, b = p.get(gram, 0) / p_total, q.get(gram, 0) / q_total
        mean = (a + b) / 2
        divergence += 0.5 * (a * math.log2(a / mean) if a else 0.0) + 0.5 * (b * math.log2(b / mean) if b else 0.0)
    return divergence


def self_bleu(lines: Sequence[str], order: int) -> list[float]:
    """BLEU of each line against all others, method 1 of Chen & Cherry 2014. Source: Zhu et al. 2018, section 3."""
    texts = [line.split() for line in lines]
    return [bleu(text, texts[:i] + texts[i + 1 :], order) for i, text in enumerate(texts)]


def bleu(hypothesis: list[str], references: list[list[str]], order: int) -> float:
    """Sentence BLEU of words. Source: Papineni et al. 2002, section 2.3."""
    logs = 0.0
    for n in range(1, order + 1):
        matched, windows = _modified_precision(hypothesis, references, n)
        if n == 1 and not matched:
            return 0.0
        logs += math.log((matched or 0.1) / windows) / order
    closest = min((len(reference) for reference in references), key=lambda c: (abs(c - len(hypothesis)), c))
    return min(1.0, math.exp(1 - closest / len(hypothesis))) * math.exp(logs)


def _modified_precision(hypothesis: list[str], references: list[list[str]], n: int) -> tuple[int, int]:
    found, most = Counter(_windows(hypothesis, n)), dict[tuple[str, ...], int]()
    for reference in references:
        held = Counter(_windows(reference, n))
        for gram in found:
            most[gram] = max(most.get(gram, 0), held[gram])
    return sum(min(count, most[gram]) for gram, count in found.items()), max(1, sum(found.values()))


def _windows(words: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
