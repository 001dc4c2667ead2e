"""From scores to intervals, tests, tables and figures; needs neither models nor audio."""
