"""The TAAE ablation study: corpus -> training -> decode -> score -> analyse.

The package knows nothing of Snakemake; `python -m taae --help` lists its stages.
"""

__version__ = "0.1.0"
