"""Other codecs in the tables of a study: the test utterances through their own programs."""
