"""Speech of any kind becomes one store, read by `taae.corpus.store`."""
