"""What is measured of a trained codec: its audio, its bitrate, its cost, at other lengths."""
