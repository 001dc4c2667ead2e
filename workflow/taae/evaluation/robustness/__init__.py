"""Hard conditions: wrong codes, lost frames, a codec's own output, altered input, silence."""
