"""Sentences that are made up, all of them different: training text, a reference, and others."""

from __future__ import annotations

import random
from itertools import product

WHO = ["the old farmer", "a young doctor", "my neighbour", "their teacher", "the quiet painter", "a tall sailor"]
DID = ["carried", "painted", "sold", "found", "repaired", "measured", "borrowed", "described"]
WHAT = ["a wooden boat", "the blue lantern", "seven letters", "an empty basket", "the broken clock", "some bread"]
WHERE = ["near the harbour", "behind the mill", "on monday", "before the storm", "in the garden", "at the market"]
LINES = [" ".join(parts) for parts in product(WHO, DID, WHAT, WHERE)]
random.Random(0).shuffle(LINES)
TRAINING, REFERENCE, OTHERS = LINES[:700], LINES[700:1300], LINES[1300:]
