"""Entropy coding: from codes to files of as few bytes as a simple model allows, and back."""
