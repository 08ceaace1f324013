"""Who is told of alerts: kinds in words, channels, quiet hours, silences, digests, delivery."""
