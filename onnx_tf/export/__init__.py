"""Writers of converted models, one format a file; ``integers`` and ``keras`` are parts of two of them."""
