"""The demonstration: one paid charge on a real server, told from outside through the API."""
