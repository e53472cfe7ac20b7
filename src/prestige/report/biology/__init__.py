"""The page "Biology"."""
