"""From what a caller attached to what the engine sees: images, PDF pages, text files, and fetched URLs."""
