"""A model while it runs: bound nodes over numbered values, and the weights that they take."""
