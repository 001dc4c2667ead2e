"""A listening test: a page for the listeners, and their ratings as a metric of the study."""
