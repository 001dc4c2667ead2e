"""Figures of a study, each from its tables alone."""
