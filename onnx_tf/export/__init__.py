"""Writers of converted models, one format a file."""
