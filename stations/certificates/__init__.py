"""Certificates of stations: asked for, judged, signed by our own authority, sent, and revoked."""
