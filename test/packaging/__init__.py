"""The wheel as users get it, in environments of its own."""
