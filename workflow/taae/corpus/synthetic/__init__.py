"""The built-in corpus: eSpeak NG voices read generated sentences."""
