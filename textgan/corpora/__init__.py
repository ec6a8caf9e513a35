"""Corpora: from a source of text to rows of ids on disk."""
