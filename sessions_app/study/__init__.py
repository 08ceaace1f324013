"""How exactly limits are held: sessions in a simulated clock, decided by the product's own code.

`simulate --study limits` plays them (docs/limits.md). The world in it knows nothing of Kubat: a
car, a station, a network, as floats. What Kubat decides is asked of the pure modules that decide
in production, through `policy`. Nothing here waits, and the same seed gives the same figures.
"""
