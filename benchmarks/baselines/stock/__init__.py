"""A small Django project as its libraries' documentation shows: Channels, Daphne, python-ocpp."""
