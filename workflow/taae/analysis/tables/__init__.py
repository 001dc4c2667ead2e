"""Tables of a study, each from the files of its runs."""
