"""Chaos: a swarm of stations charges while everything around it breaks, then the promises are
checked from outside and from the rows. It plays on programs, ports and files of its own."""
