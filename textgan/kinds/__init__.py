"""Kinds of samples, which share one core, loop, checkpoints and commands. A new kind is one file and one line here."""

from textgan.kinds.image import IMAGE
from textgan.kinds.text import TEXT
from textgan.kinds.toy import TOY

KINDS = {"text": TEXT, "image": IMAGE, "toy": TOY}
