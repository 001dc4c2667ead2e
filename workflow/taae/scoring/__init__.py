"""Scores of decoded speech against its reference."""
