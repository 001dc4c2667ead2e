"""Training: segments of the corpus -> objective -> optimisation -> a model folder."""
