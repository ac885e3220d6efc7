"""The report of a conversion, as text and in a browser."""
