"""Scores of decoded audio against its reference."""
