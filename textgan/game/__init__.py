"""The game: objectives, penalties, constraints, relaxations, generator terms, and the two steps that play it."""
