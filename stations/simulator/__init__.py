"""A charging station in software: it speaks OCPP 1.6 over a real WebSocket to any address.

It knows the specification and nothing of Kubat, so that it may stand for somebody else's station.
"""
