"""Sampled text against real text: numbers with their counts and floors."""
