"""A model while it runs: bound nodes over numbered values, the weights that they take, what goes in and comes out."""
