"""What stations call over HTTP: firmware that they fetch, and logs that they hand in."""
