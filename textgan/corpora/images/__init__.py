"""Pictures: where they lie, how they are decoded, cropped and resized, and their rows on disk."""
