"""What every room uses: errors, files, logs, fingerprints, processes, GPUs."""
