"""A grid of settings and seeds, each cell a run of its own: the file that names it, its schedule, its table."""
