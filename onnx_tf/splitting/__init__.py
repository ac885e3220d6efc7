"""Models that are too large for one artefact: where they are cut, and how the parts are written and compared."""
