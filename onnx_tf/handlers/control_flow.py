"""If, Loop, Scan: operators with graph attributes."""
