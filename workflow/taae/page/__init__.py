"""The study as a page that opens from a disk: findings, figures, and its sounds to compare."""
