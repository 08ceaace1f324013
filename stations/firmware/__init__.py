"""Firmware on its way to stations: images, campaigns, their rollout, and what stations tell."""
