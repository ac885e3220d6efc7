"""Data that quantisation is calibrated with: where they come from, and whether they fit the model's inputs."""
