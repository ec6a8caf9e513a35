"""Text: read, split, count the alphabet, cut into rows."""
