"""Watch over a process that does the work: what it tells, what it may take, and what it leaves when it dies."""
