"""A model as it comes: read from files, bytes and protos, checked, its external data found."""
