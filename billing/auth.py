"""Log-in by username, e-mail or phone, in any of their usual spellings."""
